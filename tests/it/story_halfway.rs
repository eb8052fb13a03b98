//! Stopped or asleep half-way: a round of the sweeper that is cut off, a worker that sleeps between its claim and its
//! request, and a wish to cancel that meets a start in any of its moments.

use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::task::State;
use taskbridge::pipeline::steer::{self, SteerError};
use taskbridge::pipeline::{Settings, start_task};
use taskbridge::sandbox::{Fault, FaultKind, Outcome};

use crate::support::cut::{Cut, Line};
use crate::support::door::leases_end;
use crate::support::stories::MONA;
use crate::support::world::{LABEL_RULE, Setup, World};

fn lease(lasting_ms: u64, call_ms: u64) -> impl FnOnce(&mut Settings) + Send {
    move |settings| {
        (settings.lease, settings.call_timeout) = (Duration::from_millis(lasting_ms), Duration::from_millis(call_ms));
    }
}

/// Entries of a task's story that move it.
async fn steps(world: &World, nth: usize) -> Vec<String> {
    let task = world.tasks().await.remove(nth);
    let entries = world.bridge.store.timeline(task.id).await.unwrap();
    entries.into_iter().filter_map(|entry| entry.to_state).collect()
}

/// The round dies after some tasks were taken in and before others: run again, it changes only what is left, tells
/// nothing twice, and skips nothing.
///
/// Case 40.
#[tokio::test]
async fn a_sweep_that_died_half_way_is_run_again_and_changes_only_what_is_left() {
    let world = World::new(LABEL_RULE).await;
    world.control().script_usual(Outcome::Stuck);
    world.wish(MONA, 4).await;
    world.settle().await;
    world.live_for(60).await;
    let mut before = Vec::new();
    for nth in 0..4 {
        before.push(steps(&world, nth).await);
    }
    let remote = world.control().tasks();
    assert_eq!(remote.len(), 4);
    for task in &remote {
        world.control().set_state(&task.id, "completed", None).unwrap();
        // Of one moment they would be listed in any order, and the stuck one could be the first.
        world.advance(1);
    }
    world.advance(60);
    // The third of the four that have changed is not answered before the worker is gone.
    let stuck = FaultKind::Delay { ms: 60_000 };
    world.control().inject(Fault::new(stuck).on("GET", &format!("/agents/tasks/{}$", remote[2].id)).times(1));
    let done = async || world.tasks().await.into_iter().filter(|task| task.state == State::Completed).count();
    let begun = async {
        while done().await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Dropped wherever it is, for the third holds it up.
    tokio::select! {
        ended = world.sweep() => panic!("it was to die half-way, and looked at {ended}"),
        () = begun => {}
    }
    assert!((1..4).contains(&done().await), "half-way: {}", done().await);
    leases_end(&mut PgConnection::connect(&world.database.url).await.unwrap()).await;
    world.advance(60);
    world.settle().await;
    world.live_for(120).await;
    for (nth, mut wanted) in before.into_iter().enumerate() {
        // What it went through before is its own matter.
        wanted.push("completed".to_owned());
        assert_eq!(steps(&world, nth).await, wanted);
    }
    let comments = world.comments();
    assert_eq!(comments.len(), 4, "a comment a task: {comments:?}");
    assert!(comments.iter().all(|text| text.contains("**Done**")), "{comments:?}");
    world.assert_nothing_twice().await;
}

/// The worker dies after it has taken the task up and before its attempt is written: the task waits as it did, and when the
/// lease is over another replica starts it, as if nobody had been there.
///
/// Case 36.
#[tokio::test]
async fn a_worker_that_dies_with_a_task_in_hand_leaves_it_to_another_when_its_lease_is_over() {
    let world = World::with(LABEL_RULE, lease(1500, 300), |_| {}).await;
    let other = world.replica(|_| {}, |_| {}).await;
    let task = world.wish(MONA, 1).await;
    let mut blocker = PgConnection::connect(&world.database.url).await.unwrap();
    // It dies over the statement that would write the attempt.
    sqlx::raw_sql("BEGIN; LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE").execute(&mut blocker).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(400), world.start()).await.is_err());
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    let left = async || (world.state(task.id).await, world.attempts(task.id).await.len(), world.made(&task));
    assert_eq!(left().await, (State::Pending, 0, 0));
    assert_eq!(start_task::start_batch(&other).await.unwrap(), 0, "its lease holds still");
    assert_eq!(left().await, (State::Pending, 0, 0));

    tokio::time::sleep(Duration::from_secs(2)).await;
    world.advance(2);
    assert_eq!(start_task::start_batch(&other).await.unwrap(), 1);
    assert_eq!(left().await, (State::Queued, 1, 1));
    assert_eq!(world.outcomes(task.id).await, ["created"]);
    world.live_for(30).await;
    assert_eq!(world.control().creations().len(), 1);
    world.assert_nothing_twice().await;
}

/// The attempt is written and the worker dies before its request has left. Nobody can know that, so nothing is sent before
/// the grace is over and complete lists have shown that GitHub has no such task; then it is started, once.
///
/// Case 36.
#[tokio::test]
async fn a_worker_that_dies_before_its_request_has_left_leaves_a_task_that_is_looked_for_and_then_made_once() {
    let line = Cut::new();
    let setup = Setup { wire: Some(line.clone()), adjust: Box::new(lease(1500, 300)), ..Setup::new(LABEL_RULE) };
    let world = World::of(setup).await;
    let task = world.wish(MONA, 1).await;
    line.once("POST /agents/", Line::Swallowing);
    let dies = async {
        while line.met() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = world.start() => panic!("it was to die"),
        () = dies => {}
    }
    assert_eq!(world.state(task.id).await, State::Starting);
    let posts = || world.control().count_calls("POST", "/agents");
    assert_eq!((world.attempts(task.id).await.len(), posts()), (1, 0), "{}", world.story(task.id).await);

    tokio::time::sleep(Duration::from_secs(2)).await;
    let grace = world.bridge.settings.uncertain_grace.as_secs();
    world.live_in_steps(u32::try_from(grace / 20).unwrap() - 1, 20).await;
    assert_eq!((world.state(task.id).await, posts()), (State::Uncertain, 0), "{}", world.story(task.id).await);
    world.live_in_steps(10, 60).await;
    assert_eq!(world.outcomes(task.id).await, ["absent", "created"]);
    assert_eq!((world.state(task.id).await, world.made(&task), posts()), (State::Completed, 1, 1));
    world.assert_nothing_twice().await;
}

/// The attempt is committed, and only then does the worker wake up, with less of its lease left than a call may take:
/// nothing leaves, and the task is started later.
///
/// Case 41.
#[tokio::test]
async fn a_worker_that_slept_before_its_request_sends_nothing() {
    let world = World::with(LABEL_RULE, lease(2000, 1500), |_| {}).await;
    let task = world.wish(MONA, 1).await;
    let mut sleep = PgConnection::connect(&world.database.url).await.unwrap();
    // Its own statement makes it sleep, after the claim and before the request.
    sqlx::raw_sql("BEGIN; LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE").execute(&mut sleep).await.unwrap();
    let wakes = async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut sleep).await.unwrap();
    };
    tokio::join!(world.start(), wakes);
    assert_eq!(world.control().count_calls("POST", "/agents"), 0, "{}", world.story(task.id).await);
    assert_eq!(world.outcomes(task.id).await, ["deferred"]);
    assert_eq!(world.state(task.id).await, State::Pending);
    world.live_for(30).await;
    assert_eq!(world.outcomes(task.id).await, ["deferred", "created"]);
    assert_eq!(world.made(&task), 1);
}

/// The start and the wish to cancel run at the same time, with any delay between them. Either the task is cancelled
/// and nothing was ever sent, or it is refused and the task is started.
///
/// Case 43.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_meets_a_start_either_comes_first_or_is_refused() {
    let world = World::new(LABEL_RULE).await;
    let mut runner = TestRunner::deterministic();
    let delays = 0..25_000_u64;
    let (mut held, mut refused) = (0, 0);
    for round in 0..40 {
        // At the ends of the range one of the two surely comes first.
        let delay = match round {
            0 => 0,
            1 => 400_000,
            // Mostly short: how long a start takes to its commit differs much between machines.
            _ => delays.new_tree(&mut runner).unwrap().current().pow(2) / 25_000,
        };
        let task = world.wish(MONA, 1).await;
        let cancel = async {
            tokio::time::sleep(Duration::from_micros(delay)).await;
            steer::cancel(&world.bridge, task.id, "mona").await
        };
        if round == 0 {
            cancel.await.unwrap();
            held += 1;
            world.start().await;
            assert_eq!(world.made(&task), 0);
            continue;
        }
        let (_, answer) = tokio::join!(world.start(), cancel);
        let now = world.task_now(task.id).await;
        match answer {
            Ok(cancelled) => {
                held += 1;
                assert_eq!((cancelled.state, now.state), (State::Cancelled, State::Cancelled));
                assert_eq!((world.made(&task), world.attempts(task.id).await.len()), (0, 0), "{delay} µs");
            }
            Err(SteerError::Conflict { link, .. }) => {
                refused += 1;
                assert_eq!((world.made(&task), now.state), (1, State::Queued), "{delay} µs");
                // While it starts its page is not known; afterwards the link leads there.
                assert!(link.is_none() || link == now.remote_url, "{link:?}");
                let again = steer::cancel(&world.bridge, task.id, "mona").await.unwrap_err();
                let SteerError::Conflict { link, .. } = again else { panic!("a conflict: {again}") };
                assert!(link.is_some() && link == now.remote_url, "{link:?}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(held > 1 && refused > 1, "{held} held, {refused} refused");
    world.assert_nothing_twice().await;
}
