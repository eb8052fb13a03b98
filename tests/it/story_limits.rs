//! What is counted: how many at once, how many in a while, and one live task a key.

use chrono::TimeDelta;
use taskbridge::clock::{Ground, ManualClock};
use taskbridge::domain::task::State;
use taskbridge::domain::trust::Marker;
use taskbridge::ids::TaskId;
use taskbridge::pipeline::steer;
use taskbridge::sandbox::Role;
use taskbridge::store::decisions::Verdict;
use taskbridge::store::tasks::Hold;
use taskbridge::store::tasks::make::NewTask;

use taskbridge::store::api_keys::Scope;

use crate::api_kit::Caller;
use crate::support::payloads::{MONA, OTTO, labelled};
use crate::support::world::{LABEL_RULE, MONA_TOKEN, OTTO_TOKEN, World};

async fn label_by(world: &World, actor: (i64, &str), number: i64, delivery: &str) {
    world.advance(1);
    let mut payload = labelled("copilot-fix", actor, world.bridge.ground.now());
    payload["issue"]["number"] = number.into();
    payload["issue"]["id"] = (number * 100).into();
    world.hook("issues", delivery, &payload).await;
    world.settle().await;
}

/// Otto's wish lives, and mona's was refused by GitHub, who had no seat.
async fn refused_beside_a_live_one(world: &World) -> TaskId {
    world.control().set_seat("mona", false).unwrap();
    label_by(world, MONA, 42, "d-1").await;
    let failed = world.task().await;
    assert_eq!(failed.state, State::StartFailed);
    label_by(world, OTTO, 43, "d-2").await;
    failed.id
}

async fn world(more: &str) -> World {
    let world = World::new(&format!("{LABEL_RULE}    {more}\n")).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.add_person("otto", OTTO_TOKEN).await;
    world
}

#[tokio::test]
async fn a_limit_on_live_tasks_refuses_with_its_name_and_number_and_lets_go_when_one_ends() {
    for (limit, of) in [("per_rule", "fix-labelled-issues"), ("per_repo", "acme/widgets"), ("per_person", "mona")] {
        let world = world(&format!("limits: {{ {limit}: {{ live: 1 }} }}")).await;
        label_by(&world, MONA, 42, "d-1").await;
        label_by(&world, MONA, 42, "d-2").await;
        let refused = world.decision("d-2").await;
        assert_eq!(refused.verdict, Verdict::Refused);
        let words =
            format!("the limit {limit}.live is 1 for {of}, and as many tasks have not ended; try again when one has");
        assert_eq!((refused.cause, refused.saw.as_str()), (words.clone(), "1 live"));
        world.live_for(10).await;
        let told = world.comments();
        assert!(told.iter().any(|comment| comment.contains(&words)), "{told:?}");
        world.live_for(120).await;
        label_by(&world, MONA, 42, "d-3").await;
        assert_eq!(world.tasks().await.len(), 2, "{limit}");
    }
}

#[tokio::test]
async fn a_limit_per_person_counts_each_by_themselves() {
    let world = world("limits: { per_person: { live: 1 } }").await;
    label_by(&world, MONA, 42, "d-1").await;
    label_by(&world, OTTO, 42, "d-2").await;
    assert_eq!(world.tasks().await.len(), 2);
}

#[tokio::test]
async fn a_limit_in_a_window_counts_ended_tasks_too_and_says_when_there_is_room() {
    let world = world("limits: { per_rule: { started: { count: 2, within: 10m } } }").await;
    label_by(&world, MONA, 42, "d-1").await;
    label_by(&world, MONA, 42, "d-2").await;
    world.live_for(120).await;
    assert!(world.tasks().await.iter().all(|task| task.state == State::Completed));
    label_by(&world, MONA, 42, "d-3").await;
    let cause = world.decision("d-3").await.cause;
    assert!(
        cause.starts_with(
            "the limit per_rule.started is 2 within 10 min for fix-labelled-issues, and as many were made; try again after 2027-01-15 08:10"
        ),
        "{cause}"
    );
    world.advance(600);
    label_by(&world, MONA, 42, "d-4").await;
    assert_eq!(world.tasks().await.len(), 3);
}

/// Case 69.
#[tokio::test]
async fn no_repository_starts_more_than_thirty_tasks_an_hour_whatever_the_rules_say() {
    let world = World::new(LABEL_RULE).await;
    for number in 1..=31 {
        world.advance(1);
        let mut payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
        payload["issue"]["id"] = number.into();
        world.hook("issues", &format!("d-{number}"), &payload).await;
    }
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 30);
    let all = taskbridge::store::Page { before: None, limit: 100 };
    let mut refused = 0;
    for delivery in world.bridge.store.deliveries(&Default::default(), all).await.unwrap() {
        for decision in world.bridge.store.decisions(delivery.id).await.unwrap() {
            if decision.verdict == Verdict::Refused {
                assert!(decision.cause.contains("the overall limit per_repo.started is 30 within 1 h"), "{decision:?}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn once_per_skips_a_second_wish_while_the_first_lives() {
    let world = world("once_per: 'issue {{ issue.number }}'").await;
    label_by(&world, MONA, 42, "d-1").await;
    label_by(&world, OTTO, 42, "d-2").await;
    let refused = world.decision("d-2").await;
    let first = world.task().await;
    assert_eq!(refused.cause, format!("once_per: a task with the same key is live ({}); it must end first", first.id));
    assert!(refused.saw.contains("with the key `issue 42`"), "{}", refused.saw);
    label_by(&world, OTTO, 43, "d-3").await;
    assert_eq!(world.tasks().await.len(), 2, "another issue is another key");
    world.live_for(120).await;
    label_by(&world, OTTO, 42, "d-4").await;
    assert_eq!(world.tasks().await.len(), 3);
}

/// Whoever is refused learns what the first one waits for, and how it is got out of the way.
#[tokio::test]
async fn once_per_says_what_the_first_waits_for() {
    let world = world("once_per: 'issue {{ issue.number }}'").await;
    world.control().revoke_token(MONA_TOKEN).unwrap();
    label_by(&world, MONA, 42, "d-1").await;
    world.live_for(30).await;
    let first = world.task().await;
    assert_eq!(first.hold, Some(Hold::Token), "{}", first.reason);
    label_by(&world, OTTO, 42, "d-2").await;
    let refused = world.decision("d-2").await.cause;
    let part = format!(
        "is live ({}) and waits for `mona` to sign in; taking the label off cancels it; it must end first",
        first.id
    );
    assert!(refused.contains(&part), "{refused}");
}

#[tokio::test]
async fn once_per_can_let_the_second_wait_for_its_turn() {
    let world = world("once_per: { key: 'issue {{ issue.number }}', then: wait }").await;
    label_by(&world, MONA, 42, "d-1").await;
    label_by(&world, OTTO, 42, "d-2").await;
    label_by(&world, MONA, 42, "d-3").await;
    let tasks = world.tasks().await;
    assert_eq!((tasks[1].state, tasks[1].hold), (State::Held, Some(Hold::Turn)));
    assert!(tasks[1].reason.contains(&tasks[0].id.to_string()), "{}", tasks[1].reason);
    assert_eq!(world.control().tasks().len(), 1);
    world.live_for(90).await;
    assert_eq!(world.control().tasks().len(), 2, "one at a time");
    world.live_for(90).await;
    world.live_for(90).await;
    assert!(world.tasks().await.iter().all(|task| task.state == State::Completed));
}

#[tokio::test]
async fn a_wish_that_waits_for_a_token_still_waits_for_its_turn_afterwards() {
    let world = World::new(&format!("{LABEL_RULE}    once_per: {{ key: one, then: wait }}\n")).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    label_by(&world, MONA, 42, "d-1").await;
    label_by(&world, OTTO, 42, "d-2").await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.settle().await;
    let tasks = world.tasks().await;
    assert_eq!((tasks[1].state, tasks[1].hold), (State::Held, Some(Hold::Turn)), "{}", tasks[1].reason);
    assert_eq!(world.control().tasks().len(), 1);
    world.live_for(120).await;
    assert_eq!(world.control().tasks().len(), 2);
}

#[tokio::test]
async fn once_per_can_replace_what_has_not_started_and_nothing_else() {
    let world = World::new(&format!("{LABEL_RULE}    once_per: {{ key: one, then: replace }}\n")).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    label_by(&world, OTTO, 42, "d-1").await;
    assert_eq!(world.task().await.state, State::Held, "otto has no token yet");
    label_by(&world, MONA, 42, "d-2").await;
    let tasks = world.tasks().await;
    assert_eq!(tasks[0].state, State::Cancelled);
    assert_eq!(tasks[0].reason, format!("replaced by task {}", tasks[1].id));
    label_by(&world, MONA, 42, "d-3").await;
    let refused = world.decision("d-3").await;
    assert!(refused.cause.contains("has started already and cannot be replaced"), "{}", refused.cause);
}

#[tokio::test]
async fn a_task_that_idles_for_its_time_lets_go_of_its_key() {
    let world = World::new(&format!("{LABEL_RULE}    once_per: {{ key: one, idle_for: 1h }}\n")).await;
    label_by(&world, MONA, 42, "d-1").await;
    let remote = world.control().tasks()[0].id.clone();
    world.control().set_state(&remote, "idle", None).unwrap();
    world.live_for(600).await;
    assert_eq!(world.task().await.state, State::Idle);
    label_by(&world, MONA, 42, "d-2").await;
    assert_eq!(world.decision("d-2").await.verdict, Verdict::Refused);
    world.advance(3600);
    label_by(&world, MONA, 42, "d-3").await;
    assert_eq!(world.tasks().await.len(), 2);
}

#[tokio::test]
async fn turns_follow_the_line_and_not_the_ids() {
    let world = world("once_per: { key: one, then: wait }").await;
    world.advance(3600);
    label_by(&world, MONA, 42, "d-1").await;
    // Another replica's clock is behind: the second task gets the smaller id.
    let second = {
        let slow = ManualClock::at(world.bridge.ground.now() - TimeDelta::minutes(30));
        let ground = Ground { clock: slow, chance: world.bridge.ground.chance.clone() };
        let first = world.task().await;
        let mut new = NewTask::again(&first, TaskId::new(&ground), Marker::from_bytes([7; 16]).into());
        (new.state, new.hold, new.retry_of) = (State::Held, Some(Hold::Turn), None);
        let mut tx = world.bridge.store.begin().await.unwrap();
        let task = tx.make_task(&new, world.bridge.ground.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(task.id < first.id && task.line > first.line);
        task.id
    };
    world.settle().await;
    assert_eq!(world.task_now(second).await.state, State::Held, "it was made later, so it waits");
    assert_eq!(world.control().tasks().len(), 1);
    world.live_for(120).await;
    assert_eq!(world.control().tasks().len(), 2);
}

#[tokio::test]
async fn a_retry_keeps_the_promise_of_one_live_task_a_key() {
    let world = world("once_per: { key: one, then: skip }").await;
    let failed = refused_beside_a_live_one(&world).await;
    let refused = steer::retry(&world.bridge, failed, "vera", false).await.unwrap_err();
    assert!(refused.to_string().contains("once_per: task"), "{refused}");
    world.live_for(120).await;
    world.control().set_seat("mona", true).unwrap();
    steer::retry(&world.bridge, failed, "vera", false).await.unwrap();
}

/// A retry is one task more: whoever asks for it, by whichever door, it is told which limit and when there is room.
#[tokio::test]
async fn a_retry_is_counted_like_a_new_task() {
    let words = "\n  - { name: words, on: { command: fix }, prompt: Fix it }";
    let limits = "limits: { per_rule: { live: 1, started: { count: 3, within: 10m } } }";
    let world = world(&format!("{limits}{words}")).await;
    label_by(&world, MONA, 42, "d-1").await;
    let first = world.task().await;
    world.live_for(120).await;
    label_by(&world, OTTO, 43, "d-2").await;
    let full = "the limit per_rule.live is 1 for fix-labelled-issues, and as many tasks have not ended; try again when one has";
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    let refused = operator.post(&format!("/api/v1/tasks/{}/retry", first.id)).await;
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(refused.status.as_u16() == 409 && detail.contains(&full[4..]), "{}", refused.body);
    world.say(901, "/copilot retry", MONA, "d-3").await;
    let told = world.comments();
    assert!(told.iter().any(|comment| comment.contains(full)), "{told:?}");
    assert_eq!(world.tasks().await.len(), 2);

    // Two that are pressed at once do not both find the last place.
    world.live_for(120).await;
    let [one, two] = <[_; 2]>::try_from(world.tasks().await).unwrap();
    let press = |id| steer::retry(&world.bridge, id, "vera", false);
    let (one, two) = tokio::join!(press(one.id), press(two.id));
    let refused = [one, two].into_iter().filter_map(Result::err).map(|error| error.to_string()).collect::<Vec<_>>();
    assert_eq!(refused, [full]);

    // Ended ones count for their while.
    world.settle().await;
    world.live_for(120).await;
    let refused = steer::retry(&world.bridge, first.id, "vera", false).await.unwrap_err().to_string();
    assert!(
        refused.contains("per_rule.started is 3 within 10 min") && refused.contains("try again after"),
        "{refused}"
    );
    world.advance(600);
    steer::retry(&world.bridge, first.id, "vera", false).await.unwrap();
}

/// What GitHub refused was made once and is counted once: it may be tried again within its while, if there is room beside
/// those that live.
#[tokio::test]
async fn what_github_refused_is_tried_again_within_its_while_when_no_other_lives() {
    let world = world("limits: { per_rule: { live: 1, started: { count: 2, within: 1d } } }").await;
    let failed = refused_beside_a_live_one(&world).await;
    let refused = steer::retry(&world.bridge, failed, "vera", false).await.unwrap_err();
    assert!(refused.to_string().contains("per_rule.live is 1"), "{refused}");
    world.live_for(120).await;
    world.control().set_seat("mona", true).unwrap();
    steer::retry(&world.bridge, failed, "vera", false).await.unwrap();
    world.settle().await;
    assert_eq!(world.control().creations().len(), 2);
}
