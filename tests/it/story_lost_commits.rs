//! The line to the database is cut around a COMMIT, before it arrives or before its answer comes back. Which of the two
//! it was nobody can see from here, so both must end well: nothing is lost, and nothing is made twice.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use taskbridge::domain::task::State;
use taskbridge::pipeline::{match_rules, start_task};
use taskbridge::sandbox::{Fault, FaultKind};
use taskbridge::store::deliveries::DeliveryState;

use crate::support::cut::{Cut, Line};
use crate::support::payloads::MONA;
use crate::support::stories::CREATE;
use crate::support::world::{LABEL_RULE, Setup, World, labelled};

/// Not sent, and sent with its answer lost: cut off, or never coming.
const WAYS: [Line; 3] = [Line::Refusing, Line::CutAnswer(0), Line::Mute];

/// A world behind a line, with waits that a test has time for.
async fn world() -> (World, Cut) {
    let line = Cut::new();
    let short = |settings: &mut taskbridge::pipeline::Settings| {
        (settings.lease, settings.call_timeout) = (Duration::from_secs(3), Duration::from_millis(500));
    };
    let setup = Setup {
        cut: Some(line.clone()),
        statement: Some(Duration::from_secs(1)),
        adjust: Box::new(short),
        ..Setup::new(LABEL_RULE)
    };
    (World::of(setup).await, line)
}

async fn send(world: &World, delivery: &str) -> StatusCode {
    let now = world.bridge.ground.now();
    world.hook("issues", delivery, &labelled("copilot-fix", MONA, now)).await.status
}

/// Calls that would start a task.
fn posts(world: &World) -> usize {
    world.control().count_calls("POST", CREATE.trim_end_matches("*/*/tasks$"))
}

/// Until the task is where it belongs, whatever has to run out before; GitHub has made it once.
async fn ends_well(world: &World, way: Line) {
    let begun = Instant::now();
    loop {
        let _ = world.try_round().await;
        world.advance(20);
        let tasks = world.tasks().await;
        if tasks.first().is_some_and(|task| task.state == State::Completed) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{way:?}: it does not end: {tasks:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let task = world.task().await;
    assert_eq!(world.made(&task), 1, "{way:?}: {}", world.story(task.id).await);
    assert_eq!(world.control().creations().len(), 1, "{way:?}");
}

/// It is tried again at once, or the sender is told to come again, although it may have been recorded; then it is a
/// duplicate.
///
/// Case 27.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_whose_commit_is_not_known_is_asked_for_again_and_recorded_once() {
    for way in WAYS {
        let (world, line) = world().await;
        // The statement is its own commit; the sender's id stands in it.
        line.once("d-lost", way);
        let told = send(&world, "d-lost").await;
        assert_eq!(line.met(), 1, "{way:?}");
        // A line that breaks at once is tried again at once, under the same keys; whoever waits for an answer gives up.
        let quick = matches!(way, Line::Refusing | Line::CutAnswer(_));
        let expected = if quick { StatusCode::ACCEPTED } else { StatusCode::SERVICE_UNAVAILABLE };
        assert_eq!(told, expected, "{way:?}");
        assert_eq!(world.delivery_count().await, 1, "{way:?}");
        let begun = Instant::now();
        while send(&world, "d-lost").await != StatusCode::ACCEPTED {
            assert!(begun.elapsed() < Duration::from_secs(20), "{way:?}: it does not recover");
        }
        assert_eq!(world.delivery_count().await, 1, "{way:?}");
        ends_well(&world, way).await;
    }
}

/// Case 27.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_whose_commit_is_not_known_makes_one_task() {
    for way in WAYS {
        let (world, line) = world().await;
        assert_eq!(send(&world, "d-1").await, StatusCode::ACCEPTED);
        line.once("COMMIT", way);
        let _ = match_rules::match_batch(&world.bridge, 64).await;
        assert_eq!(line.met(), 1, "{way:?}");
        assert_eq!(world.tasks().await.len(), usize::from(way != Line::Refusing), "{way:?}");
        ends_well(&world, way).await;
        assert_eq!(world.delivery("d-1").await.state, DeliveryState::Processed, "{way:?}");
    }
}

/// Not known whether the attempt is written down: then nothing is sent. The task is taken up again when the lease has
/// run out, as uncertain if it was.
///
/// Case 27.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_whose_commit_is_not_known_sends_nothing() {
    for way in WAYS {
        let (world, line) = world().await;
        assert_eq!(send(&world, "d-1").await, StatusCode::ACCEPTED);
        match_rules::match_batch(&world.bridge, 64).await.unwrap();
        line.once("COMMIT", way);
        start_task::start_batch(&world.bridge).await.unwrap_err();
        assert_eq!((line.met(), posts(&world)), (1, 0), "{way:?}");
        let task = world.task().await;
        let written = way != Line::Refusing;
        let expected = if written { State::Starting } else { State::Pending };
        assert_eq!((task.state, task.attempt_count), (expected, i32::from(written)), "{way:?}");
        ends_well(&world, way).await;
        let expected = if written { vec!["absent", "created"] } else { vec!["created"] };
        assert_eq!(
            (world.outcomes(task.id).await, posts(&world)),
            (expected.into_iter().map(str::to_owned).collect(), 1)
        );
    }
}

/// GitHub has answered; its answer is written down as often as needed, and once.
///
/// Case 27.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_whose_commit_is_not_known_is_recorded_once() {
    for way in WAYS {
        let (world, line) = world().await;
        assert_eq!(send(&world, "d-1").await, StatusCode::ACCEPTED);
        match_rules::match_batch(&world.bridge, 64).await.unwrap();
        world.control().inject(Fault::new(FaultKind::DelayAfter { ms: 200 }).on("POST", CREATE).times(1));
        let cut = async {
            // The attempt is committed, and the request is being answered.
            while world.control().creations().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            line.once("COMMIT", way);
        };
        let (_, ()) = tokio::join!(start_task::start_batch(&world.bridge), cut);
        assert_eq!(line.met(), 1, "{way:?}");
        let task = world.task().await;
        assert_eq!(task.state, State::Queued, "{way:?}: {}", world.story(task.id).await);
        assert_eq!(world.outcomes(task.id).await, ["created"], "{way:?}");
        ends_well(&world, way).await;
        assert_eq!(posts(&world), 1, "{way:?}");
    }
}
