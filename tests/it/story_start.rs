//! Starting: whatever GitHub answers, the task is in the right state, people are told why, and nothing is made twice.

use std::time::Duration;

use chrono::TimeDelta;
use taskbridge::domain::rule::Limits;
use taskbridge::domain::task::State;
use taskbridge::pipeline::{people, settle_uncertain, start_task, steer};
use taskbridge::sandbox::{Fault, FaultKind};
use taskbridge::secret::Secret;

use crate::support::stories::{CREATE, MONA, OTTO};
use crate::support::world::{LABEL_RULE, MONA_TOKEN, World};

/// Case 49.
#[tokio::test]
async fn a_dead_token_holds_the_task_until_another_is_given() {
    let world = World::new(LABEL_RULE).await;
    let task = world.wish(MONA, 1).await;
    world.control().revoke_token(MONA_TOKEN).unwrap();
    world.settle().await;
    assert_eq!(world.state(task.id).await, State::Held);
    assert_eq!(world.token_state(1001).await, "reauth_required");
    assert_eq!(world.outcomes(task.id).await, ["unauthorized"]);
    assert!(world.story(task.id).await.contains("Please give a new one"));
    let told = world.bridge.store.reports_of_task(task.id).await.unwrap();
    assert!(told.iter().all(|report| report.state == "failed"), "nobody can tell it: {told:?}");

    world.control().clear_calls();
    world.live_in_steps(3, 600).await;
    assert_eq!(world.control().calls().len(), 0, "a dead token is not tried again");
    world.control().add_token("mona", "sandbox-mona-token-2", Default::default()).unwrap();
    world.add_person("mona", "sandbox-mona-token-2").await;
    world.settle().await;
    assert_eq!(world.state(task.id).await, State::Queued);
    assert_eq!(world.comments().len(), 1, "now it can be told");
    assert_eq!(world.made(&task), 1);
}

/// Case 49.
#[tokio::test]
async fn a_token_that_comes_while_the_old_one_is_refused_is_used_at_once() {
    let world = World::new(LABEL_RULE).await;
    let task = world.wish(MONA, 1).await;
    world.control().add_token("mona", "sandbox-mona-token-2", Default::default()).unwrap();
    world.spoil_start(FaultKind::Unauthorized, 1);
    world.spoil_start(FaultKind::Delay { ms: 400 }, 1);
    let given = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        people::add(&world.bridge, "mona", Secret::new("sandbox-mona-token-2")).await.unwrap()
    };
    tokio::join!(world.start(), given);
    assert_eq!(world.state(task.id).await, State::Pending, "{}", world.story(task.id).await);
    assert_eq!(world.token_state(1001).await, "ok");
    world.settle().await;
    assert_eq!(world.state(task.id).await, State::Queued);
}

/// Case 49.
#[tokio::test]
async fn refusals_end_the_start_with_githubs_own_words() {
    let world = World::new(LABEL_RULE).await;
    world.control().set_seat("mona", false).unwrap();
    let no_seat = world.wish(MONA, 1).await;
    world.settle().await;
    assert_eq!(world.state(no_seat.id).await, State::StartFailed);
    assert!(world.comments()[0].contains("Copilot cloud agent is not enabled for this user"), "{:?}", world.comments());
    world.control().set_seat("mona", true).unwrap();
    let mut refused = vec![(no_seat.clone(), 403)];
    for status in [404, 410, 422, 409] {
        world.spoil_start(FaultKind::StatusBefore { status }, 1);
        let task = world.wish(MONA, 1).await;
        world.settle().await;
        assert_eq!(world.state(task.id).await, State::StartFailed, "{status}");
        assert!(world.comments().last().unwrap().contains("Server Error"), "{status}");
        refused.push((task, status));
    }
    assert_eq!(world.control().creations().len(), 0);
    world.live_in_steps(4, 1800).await;
    for (task, status) in &refused {
        let attempts = world.attempts(task.id).await;
        assert_eq!(attempts.len(), 1, "{status} is not tried again by itself");
        assert_eq!(
            (attempts[0].outcome.as_deref(), attempts[0].http_status),
            (Some("refused"), Some(i32::from(*status)))
        );
    }
    assert_eq!(world.token_state(1001).await, "ok", "a refusal says nothing of the token");

    let again = steer::retry(&world.bridge, no_seat.id, "mona", false).await.unwrap();
    assert_eq!((again.id, again.state), (no_seat.id, State::Pending));
    world.settle().await;
    assert_eq!(world.outcomes(no_seat.id).await, ["refused", "created"]);
}

/// Case 48.
#[tokio::test]
async fn a_limited_person_waits_and_others_go_on() {
    let world = World::with(LABEL_RULE, |settings| settings.limits = Limits::default(), |_| {}).await;
    world.let_otto_in().await;
    for (status, retry_after, wait) in [
        (429, Some("120"), 120),
        (403, Some("120"), 120),
        (429, None, 60),
        (403, None, 60),
        (429, Some("0"), 1),
        (403, Some("-5"), 1),
        (429, Some("Mon, 23 Nov 2026 12:00:00 GMT"), 1),
        (403, Some("Tue, 23 Nov 2027 12:00:00 GMT"), 3600),
        (429, Some("1000000000"), 3600),
    ] {
        let retry_after = retry_after.map(str::to_owned);
        let limit = FaultKind::SecondaryLimit { status, retry_after };
        world.control().inject(Fault::new(limit).on("POST", CREATE).user("mona").times(1));
        let (limited, waiting) = (world.wish(MONA, 1).await, world.wish(MONA, 1).await);
        let other = world.wish(OTTO, 1).await;
        let now = world.bridge.ground.now();
        world.settle().await;
        let task = world.task_now(limited.id).await;
        assert_eq!((task.state, task.due_at), (State::Pending, now + TimeDelta::seconds(wait)));
        assert_eq!(world.state(other.id).await, State::Queued, "otto is not limited");
        assert_eq!(world.attempts(waiting.id).await.len(), 0, "a remembered pause costs no attempt");
        let calls = world.control().count_calls("POST", "/agents");
        world.advance(u64::try_from(wait).unwrap() - 1);
        world.settle().await;
        assert_eq!(world.control().count_calls("POST", "/agents"), calls, "not early");
        world.advance(2);
        world.settle().await;
        assert_eq!(world.state(limited.id).await, State::Queued);
        assert_eq!(world.state(waiting.id).await, State::Queued);
        assert_eq!(world.outcomes(limited.id).await, ["deferred", "created"]);
    }
}

/// Case 48.
#[tokio::test]
async fn a_pause_holds_on_the_other_replicas_too() {
    let world = World::new(LABEL_RULE).await;
    let other = world.replica(|_| {}, |_| {}).await;
    world.spoil_start(FaultKind::PrimaryLimit { reset_in_s: 300 }, 1);
    world.wish(MONA, 2).await;
    world.start().await;
    world.control().clear_calls();
    assert_eq!(start_task::start_batch(&other).await.unwrap(), 0);
    world.advance(301);
    while start_task::start_batch(&other).await.unwrap() > 0 {}
    assert_eq!(world.control().creations().len(), 2);
}

/// Case 46.
#[tokio::test]
async fn what_surely_did_not_leave_is_tried_again_with_growing_waits() {
    let world = World::new(LABEL_RULE).await;
    let task = world.wish(MONA, 1).await;
    let cut_off = world.replica(|_| {}, |github| github.api_url = "http://127.0.0.1:9".to_owned()).await;
    for (nth, least) in [4, 8, 16].into_iter().enumerate() {
        assert_eq!(start_task::start_batch(&cut_off).await.unwrap(), 1);
        let now = world.task_now(task.id).await;
        assert_eq!((now.state, now.attempt_count), (State::Pending, i32::try_from(nth).unwrap() + 1));
        assert!(now.due_at - world.bridge.ground.now() >= TimeDelta::seconds(least), "{nth}");
        world.advance(30);
    }
    world.settle().await;
    assert_eq!(world.outcomes(task.id).await, ["deferred", "deferred", "deferred", "created"]);
}

/// Case 50.
#[tokio::test]
async fn a_renamed_repository_is_followed_by_its_number() {
    let world = World::new(LABEL_RULE).await;
    let task = world.wish(MONA, 1).await;
    // Attempts that failed for other reasons must not use up the patience for a move.
    for _ in 0..4 {
        world.spoil_start(FaultKind::SecondaryLimit { status: 403, retry_after: Some("1".to_owned()) }, 1);
        world.start().await;
        world.advance(2);
    }
    world.control().rename_repo("acme/widgets", "acme/gadgets").unwrap();
    world.control().inject(Fault::new(FaultKind::StatusBefore { status: 502 }).on("GET", "/repositories/").times(1));
    world.start().await;
    assert_eq!(world.state(task.id).await, State::Pending, "the new name could not be asked for: later");
    world.live_in_steps(2, 400).await;
    let task = world.task_now(task.id).await;
    assert_eq!(task.repo_full_name(), "acme/gadgets");
    assert!(task.remote_id.is_some(), "{}", world.story(task.id).await);
    assert_eq!(world.control().comments("acme/gadgets", 42).unwrap().len(), 1, "and told there");
    world.assert_nothing_twice().await;
}

/// Case 50.
#[tokio::test]
async fn a_redirect_to_nowhere_ends_the_start_in_plain_words() {
    let world = World::new(LABEL_RULE).await;
    for status in [301, 302, 307, 308] {
        world.spoil_start(FaultKind::Redirect { status, location: None }, 1);
        let task = world.wish(MONA, 1).await;
        world.settle().await;
        let task = world.task_now(task.id).await;
        assert_eq!((task.state, world.made(&task)), (State::StartFailed, 0), "{status}");
        assert!(task.reason.contains("not found under another name"), "{}", task.reason);
    }
}

/// Cases 45, 47.
#[tokio::test]
async fn every_strange_answer_is_settled_by_looking_and_nothing_is_made_twice() {
    let world = World::new(LABEL_RULE).await;
    let before = [500, 502, 503, 504, 408].map(|status| (FaultKind::StatusBefore { status }, 0));
    let after = [500, 502, 503, 504].map(|status| (FaultKind::StatusAfter { status }, 1));
    let odd = [
        (FaultKind::DropBefore, 0),
        (FaultKind::DropAfter, 1),
        (FaultKind::Truncate, 1),
        (FaultKind::Html, 1),
        (FaultKind::NoId, 1),
        (FaultKind::OtherStatus { status: 200 }, 1),
        (FaultKind::OtherStatus { status: 202 }, 1),
        (FaultKind::Huge { bytes: 2_000_000 }, 1),
    ];
    let mut tasks = Vec::new();
    for (nth, (kind, made)) in before.into_iter().chain(after).chain(odd).enumerate() {
        if nth % 4 == 3 {
            // An answer now and then, or it would be taken for an outage.
            world.wish(MONA, 1).await;
            world.start().await;
        }
        world.spoil_start(kind.clone(), 1);
        let task = world.wish(MONA, 1).await;
        world.start().await;
        let state = world.state(task.id).await;
        assert_eq!((state, world.made(&task)), (State::Uncertain, made), "{kind:?}: {}", world.story(task.id).await);
        tasks.push((task, made));
    }
    world.live_in_steps(3, 20).await;
    for (task, made) in &tasks {
        assert_eq!(world.state(task.id).await == State::Uncertain, *made == 0, "{}", world.story(task.id).await);
    }
    world.live_in_steps(13, 60).await;
    for (task, made) in &tasks {
        assert_eq!((world.state(task.id).await, world.made(task)), (State::Completed, 1));
        let expected = if *made == 1 { vec!["adopted"] } else { vec!["absent", "created"] };
        assert_eq!(world.outcomes(task.id).await, expected);
    }
}

#[tokio::test]
async fn two_replicas_start_each_task_once_and_one_at_a_time_for_a_person() {
    let world = World::with(LABEL_RULE, |settings| settings.write_spacing = Duration::from_secs(1), |_| {}).await;
    let other = world.replica(|_| {}, |_| {}).await;
    world.let_otto_in().await;
    world.wish(MONA, 6).await;
    world.wish(OTTO, 3).await;
    for _ in 0..40 {
        let (here, there) = tokio::join!(start_task::start_batch(&world.bridge), start_task::start_batch(&other));
        here.unwrap();
        there.unwrap();
        world.clock.advance(Duration::from_millis(500));
    }
    world.assert_nothing_twice().await;
    let made = world.control().creations();
    assert_eq!(made.len(), 9);
    for person in [1001, 1002] {
        let at: Vec<_> = made.iter().filter(|one| one.creator_id == person).map(|one| one.created_at).collect();
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= TimeDelta::seconds(1)), "{at:?}");
    }
}

/// Cases 38, 41.
#[tokio::test]
async fn an_answer_that_comes_after_the_lease_is_fenced_and_the_task_is_found_by_its_marker() {
    let short = |settings: &mut taskbridge::pipeline::Settings| {
        (settings.lease, settings.call_timeout) = (Duration::from_millis(700), Duration::from_millis(100));
    };
    let world = World::with(LABEL_RULE, short, |_| {}).await;
    let task = world.wish(MONA, 1).await;
    world.spoil_start(FaultKind::DelayAfter { ms: 1500 }, 1);
    let taken_over = async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        settle_uncertain::settle_batch(&world.bridge).await.unwrap()
    };
    tokio::join!(world.start(), taken_over);
    assert_eq!(world.outcomes(task.id).await, ["adopted"]);
    assert_eq!((world.state(task.id).await, world.made(&task)), (State::Queued, 1));
}

/// Cases 36, 37, 43.
#[tokio::test]
async fn a_worker_that_died_while_starting_leaves_a_task_that_is_adopted_or_started_once_more() {
    let short = |settings: &mut taskbridge::pipeline::Settings| {
        (settings.lease, settings.call_timeout) = (Duration::from_millis(400), Duration::from_millis(100));
    };
    let world = World::with(LABEL_RULE, short, |_| {}).await;
    for (kind, outcomes) in [
        (FaultKind::DelayAfter { ms: 60_000 }, vec!["adopted"]),
        (FaultKind::Delay { ms: 60_000 }, vec!["absent", "created"]),
    ] {
        let task = world.wish(MONA, 1).await;
        world.spoil_start(kind, 1);
        assert!(tokio::time::timeout(Duration::from_millis(250), world.start()).await.is_err());
        assert_eq!(world.state(task.id).await, State::Starting);
        let refused = steer::cancel(&world.bridge, task.id, "mona").await.unwrap_err();
        assert!(refused.to_string().contains("may have started"), "{refused}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.settle().await;
        world.live_in_steps(13, 60).await;
        assert_eq!(world.outcomes(task.id).await, outcomes);
        assert_eq!((world.state(task.id).await, world.made(&task)), (State::Completed, 1));
    }
}

/// Case 43.
#[tokio::test]
async fn cancelling_is_real_before_the_start_and_answers_with_the_page_after_it() {
    let world = World::new(LABEL_RULE).await;
    let early = world.wish(MONA, 1).await;
    let cancelled = steer::cancel(&world.bridge, early.id, "mona").await.unwrap();
    assert_eq!(cancelled.state, State::Cancelled);
    let late = world.wish(MONA, 1).await;
    world.settle().await;
    assert_eq!(world.made(&early), 0);
    assert!(world.comments().iter().any(|text| text.contains("🚫 **Cancelled**")), "{:?}", world.comments());
    let steer::SteerError::Conflict { message, link, .. } =
        steer::cancel(&world.bridge, late.id, "mona").await.unwrap_err()
    else {
        panic!("a conflict")
    };
    assert!(message.contains("no call to stop"), "{message}");
    assert_eq!(link, world.task_now(late.id).await.remote_url);
    assert!(link.is_some());
}

/// Case 72.
#[tokio::test]
async fn an_ended_task_is_retried_as_one_new_task_however_often_it_is_pressed() {
    let world = World::new(LABEL_RULE).await;
    let task = world.wish(MONA, 1).await;
    world.live_for(60).await;
    assert_eq!(world.state(task.id).await, State::Completed);
    let press = || steer::retry(&world.bridge, task.id, "mona", false);
    let (one, two) = tokio::join!(press(), press());
    let (Ok(again), Err(refused)) = (if one.is_ok() { (one, two) } else { (two, one) }) else { panic!("one of two") };
    assert!(refused.to_string().contains(&again.id.to_string()), "{refused}");
    assert_eq!(again.retry_of, Some(task.id));
    assert_ne!(again.marker, task.marker);
    world.settle().await;
    assert_eq!((world.made(&task), world.made(&again)), (1, 1));
    assert!(steer::retry(&world.bridge, again.id, "mona", false).await.unwrap_err().to_string().contains("not ended"));
    assert_eq!(world.tasks().await.len(), 2);
}
