//! GitHub is away for two hours, and much work waits: it is asked now and then, not all the time; webhooks are taken in;
//! nobody's patience is used up; and afterwards everything is done, one write a turn.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use taskbridge::domain::rule::Limits;
use taskbridge::domain::task::State;
use taskbridge::pipeline::{Bridge, match_rules, report, settle_uncertain, start_task, sweep_tasks};
use taskbridge::sandbox::{Fault, FaultKind, Outcome};
use taskbridge::store::api_keys::Scope;

use crate::api_kit::Caller;
use crate::support::stories::{MONA, OTTO};
use crate::support::world::{LABEL_RULE, World, labelled};

/// Tasks of each of two people that wait when it begins.
const TASKS: usize = 8;
const SPACING: Duration = Duration::from_secs(1);
/// Calls that two hours may cost: a row of failures and those under way beside them, then about sixty questions.
const MOST_CALLS: u64 = 100;

/// What every worker of `bridge` does until there is nothing to do.
async fn work(bridge: &Bridge) {
    for rounds in 0.. {
        let mut taken = match_rules::match_batch(bridge, 64).await.unwrap();
        taken += start_task::resume_batch(bridge).await.unwrap();
        taken += start_task::start_batch(bridge).await.unwrap();
        taken += settle_uncertain::settle_batch(bridge).await.unwrap();
        taken += sweep_tasks::sweep_batch(bridge).await.unwrap();
        taken += report::report_batch(bridge).await.unwrap();
        if taken == 0 {
            return;
        }
        assert!(rounds < 50, "it does not come to rest");
    }
}

/// Two people with a followed task each, one task whose start nobody answered, and more that wait to be started.
async fn busy_world() -> World {
    let adjust = |settings: &mut taskbridge::pipeline::Settings| {
        (settings.write_spacing, settings.limits) = (SPACING, Limits::default());
    };
    let world = World::with(LABEL_RULE, adjust, |_| {}).await;
    world.let_otto_in().await;
    world.control().script_usual(Outcome::Stuck);
    world.wish(MONA, 1).await;
    world.wish(OTTO, 1).await;
    world.live_for(30).await;
    world.spoil_start(FaultKind::StatusBefore { status: 502 }, 1);
    let lost = world.wish(MONA, 1).await;
    world.advance(2);
    world.start().await;
    assert_eq!(world.state(lost.id).await, State::Uncertain);
    world.wish(MONA, TASKS).await;
    world.wish(OTTO, TASKS).await;
    world.control().clear_calls();
    world
}

/// Two hours in which `bridge` reaches nobody, with a webhook now and then. Answers how many of those there were.
async fn two_hours(world: &World, bridge: &Bridge) -> usize {
    let mut hooks = 0;
    for step in 0..240 {
        world.advance(30);
        if step % 40 == 20 {
            hooks += 1;
            let payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
            let answer = world.hook("issues", &format!("in-the-outage-{hooks}"), &payload).await;
            assert_eq!(answer.status, StatusCode::ACCEPTED);
        }
        work(bridge).await;
    }
    let tasks = world.tasks().await;
    let tries: i32 = tasks.iter().map(|task| task.attempt_count).sum();
    assert!(tries <= 3 + 10, "what waits is not tried: {tries} attempts");
    for task in tasks.iter().filter(|task| task.remote_id.is_none()) {
        let waits = matches!(task.state, State::Pending | State::Uncertain) && !task.needs_person;
        assert!(waits, "{}: {}", task.state, world.story(task.id).await);
    }
    hooks
}

/// Everything that waited is done, with `SPACING` between two writes of one person.
async fn assert_all_is_done_in_turn(world: &World, count: usize) {
    world.control().clear_calls();
    for _ in 0..100 {
        world.advance(1);
        work(&world.bridge).await;
    }
    // What is uncertain is started again after its grace.
    for _ in 0..45 {
        world.advance(20);
        work(&world.bridge).await;
    }
    let tasks = world.tasks().await;
    assert_eq!(tasks.len(), count);
    for task in &tasks {
        assert!(task.remote_id.is_some(), "{}: {}", task.state, world.story(task.id).await);
        let reports = world.bridge.store.reports_of_task(task.id).await.unwrap();
        assert!(!reports.is_empty() && reports.iter().all(|report| report.state == "sent"), "{reports:?}");
    }
    world.assert_nothing_twice().await;
    for (login, least) in [("mona", count - TASKS - 2), ("otto", TASKS)] {
        let writes = world.writes().into_iter().filter(|call| call.user.as_deref() == Some(login));
        let at: Vec<_> = writes.map(|call| call.at).collect();
        assert!(at.len() >= least, "{login} wrote {at:?}");
        assert!(at.windows(2).all(|two| two[1] - two[0] >= TimeDelta::from_std(SPACING).unwrap()), "{login}: {at:?}");
    }
}

async fn outage_of(kind: FaultKind) {
    let world = busy_world().await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    assert_eq!(reader.get("/api/v1/status").await.body["github"]["answers"], true);
    let away = world.control().inject(Fault::new(kind));
    let hooks = two_hours(&world, &world.bridge).await;
    let calls = world.control().calls();
    assert!(calls.len() as u64 <= MOST_CALLS, "{} calls in two hours", calls.len());
    assert!(calls.iter().rev().take(50).all(|call| call.path == "/rate_limit" && call.user.is_none()));
    let status = reader.get("/api/v1/status").await;
    assert_eq!(status.body["github"]["answers"], false, "{}", status.body);
    assert!(status.body["github"]["away_since"].is_string() && status.body["github"]["asked_again_at"].is_string());
    let ready =
        world.send(crate::api_kit::request(axum::http::Method::GET, "/readyz").body(Default::default()).unwrap());
    assert_eq!(ready.await.status, StatusCode::OK, "it can do its work: webhooks are taken in");

    world.control().remove_fault(away);
    world.live_in_steps(15, 10).await;
    assert_eq!(reader.get("/api/v1/status").await.body["github"]["answers"], true);
    assert_all_is_done_in_turn(&world, 3 + 2 * TASKS + hooks).await;
}

/// Case 54.
#[tokio::test]
async fn two_hours_of_503_cost_a_hundred_calls_and_nothing_that_waits() {
    outage_of(FaultKind::StatusBefore { status: 503 }).await;
}

/// Case 54.
#[tokio::test]
async fn two_hours_of_cut_connections_cost_a_hundred_calls_and_nothing_that_waits() {
    outage_of(FaultKind::DropBefore).await;
}

/// Case 54.
#[tokio::test]
async fn two_hours_of_refused_connections_on_one_replica_cost_a_hundred_calls_and_another_goes_on() {
    let world = busy_world().await;
    // Nobody listens there any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = world.replica(|_| {}, |github| github.api_url = format!("http://{closed}")).await;
    let hooks = two_hours(&world, &away).await;
    assert!(away.github.outage().is_some() && world.bridge.github.outage().is_none());
    let asked = away.github.requests_sent();
    assert!(asked <= MOST_CALLS, "{asked} attempts to connect in two hours");
    assert_all_is_done_in_turn(&world, 3 + 2 * TASKS + hooks).await;
}
