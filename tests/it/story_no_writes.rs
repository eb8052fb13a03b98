//! GitHub answers every question and fails at writes: those are held back, all of them or those of the kind that fails,
//! and what people asked for is not used up on it. And an outage is not said again and again in the log.

use std::time::Duration;

use taskbridge::domain::rule::Limits;
use taskbridge::domain::task::State;
use taskbridge::github::Write;
use taskbridge::pipeline::{Settings, match_rules};
use taskbridge::sandbox::{Fault, FaultKind};
use taskbridge::store::api_keys::Scope;

use crate::api_kit::Caller;
use crate::support::stories::{CREATE, MONA, OTTO};
use crate::support::world::{LABEL_RULE, World, labelled};

/// Tasks of each of two people.
const TASKS: usize = 15;
/// Starts that ten minutes may cost: a row of failures with those under way beside them, then the questions.
const MOST: usize = 18;

async fn busy_world() -> World {
    let adjust = |settings: &mut Settings| {
        (settings.write_spacing, settings.limits) = (Duration::from_secs(1), Limits::default());
    };
    let world = World::with(LABEL_RULE, adjust, |_| {}).await;
    world.let_otto_in().await;
    world.wish(MONA, TASKS).await;
    world.wish(OTTO, TASKS).await;
    world.control().clear_calls();
    world
}

async fn untouched(world: &World) -> usize {
    let tasks = world.tasks().await;
    tasks.iter().filter(|task| task.state == State::Pending && task.attempt_count == 0).count()
}

/// When it is over, all is done, each once.
async fn assert_all_is_done(world: &World) {
    world.live_in_steps(30, 5).await;
    world.live_in_steps(60, 30).await;
    for task in world.tasks().await {
        assert_eq!(task.state, State::Completed, "{}", world.story(task.id).await);
        let reports = world.bridge.store.reports_of_task(task.id).await.unwrap();
        assert!(!reports.is_empty() && reports.iter().all(|report| report.state == "sent"), "{reports:?}");
    }
    world.assert_nothing_twice().await;
    assert!([Write::Start, Write::Telling].into_iter().all(|write| world.bridge.github.held(write).is_none()));
}

/// Case 54.
#[tokio::test]
async fn while_only_writes_fail_they_are_held_back_and_afterwards_all_is_done() {
    let world = busy_world().await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let fails = |method| world.control().inject(Fault::new(FaultKind::StatusBefore { status: 503 }).on(method, "/"));
    let faults = ["POST", "PATCH", "DELETE"].map(fails);
    world.live_in_steps(60, 10).await;
    let writes = world.writes().len();
    assert!(writes <= 2 * MOST, "{writes} writes in ten minutes");
    assert!(untouched(&world).await >= 2 * TASKS - MOST, "what waits is left as it is");
    let status = reader.get("/api/v1/status").await.body["github"].clone();
    assert_eq!((&status["answers"], &status["takes_writes"]), (&true.into(), &false.into()), "{status}");
    let reads = world.control().calls().len() - writes;
    assert!(reads > 10, "what only asks goes on: {reads}");
    for fault in faults {
        world.control().remove_fault(fault);
    }
    assert_all_is_done(&world).await;
    assert_eq!(reader.get("/api/v1/status").await.body["github"]["takes_writes"], true);
}

/// Case 54.
#[tokio::test]
async fn while_only_starts_fail_they_are_held_back_and_people_are_told_all_the_same() {
    let world = busy_world().await;
    let fault = world.control().inject(Fault::new(FaultKind::StatusBefore { status: 502 }).on("POST", CREATE));
    world.live_in_steps(60, 10).await;
    let starts = world.writes().iter().filter(|call| call.path.ends_with("/tasks")).count();
    assert!(starts <= MOST, "{starts} starts in ten minutes");
    assert!(world.bridge.github.held(Write::Start).is_some() && world.bridge.github.held(Write::Telling).is_none());
    assert!(!world.comments().is_empty(), "what is told is told");
    world.control().remove_fault(fault);
    assert_all_is_done(&world).await;
}

/// What was logged as a warning on this thread.
#[derive(Clone, Default)]
struct Heard(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_outage_is_said_once_however_many_deliveries_wait_for_its_end() {
    const WAITING: usize = 30;
    let world = World::new(LABEL_RULE).await;
    let away = world.control().inject(Fault::new(FaultKind::StatusBefore { status: 503 }));
    let heard = Heard::default();
    let ear = heard.clone();
    let warnings = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_ansi(false);
    let listening = tracing::subscriber::set_default(warnings.with_writer(move || ear.clone()).finish());
    for nth in 0..WAITING {
        let at = world.bridge.ground.now() - chrono::TimeDelta::seconds(i64::try_from(nth).unwrap());
        world.hook("issues", &format!("waits-{nth}"), &labelled("copilot-fix", MONA, at)).await;
    }
    for _ in 0..40 {
        world.advance(30);
        match_rules::match_batch(&world.bridge, 64).await.unwrap();
    }
    drop(listening);
    let text = String::from_utf8(heard.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches("GitHub does not answer; calls are held back").count(), 1, "{text}");
    let lines = text.matches("a delivery waits").count();
    // Those that were under way before it was known. Said each time, it would be as many for each question that is put.
    assert!(lines <= WAITING, "{lines}\n{text}");
    world.control().remove_fault(away);
    world.live_in_steps(10, 30).await;
    assert_eq!(world.tasks().await.len(), WAITING);
}
