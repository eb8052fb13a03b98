//! Uncertainty: nobody knows whether GitHub made the task. It is settled by looking, and absence is believed only
//! when it was shown.

use std::time::Duration;

use taskbridge::domain::task::State;
use taskbridge::sandbox::{Fault, FaultKind, Role, UserSpec};

use crate::support::stories::{CREATE, MONA};
use crate::support::world::{LABEL_RULE, MONA_TOKEN, World};

/// The list that is looked through.
const LIST: &str = "/agents/repos/*/*/tasks$";

/// A task whose start nobody answered.
async fn lost(world: &World, kind: FaultKind) -> taskbridge::store::tasks::Task {
    world.spoil_start(kind, 1);
    let task = world.wish(MONA, 1).await;
    world.start().await;
    assert_eq!(world.state(task.id).await, State::Uncertain);
    task
}

/// Starts a task past taskbridge, with a token.
async fn start_by_hand(world: &World, token: &str, prompt: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = client
        .post(format!("{}/agents/repos/acme/widgets/tasks", world.sandbox.url()))
        .header("user-agent", "somebody")
        .bearer_auth(token)
        .json(&serde_json::json!({ "prompt": prompt }));
    assert_eq!(call.send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn what_was_made_is_found_by_its_marker_and_followed_like_any_other() {
    let world = World::new(LABEL_RULE).await;
    let task = lost(&world, FaultKind::DropAfter).await;
    world.tell().await;
    assert!(world.comments()[0].contains("It is not known whether GitHub started this"), "{:?}", world.comments());
    world.live_for(20).await;
    assert!(world.story(task.id).await.contains("found on GitHub by its marker"));
    world.live_for(60).await;
    let task = world.task_now(task.id).await;
    assert_eq!((task.state, world.made(&task), task.uncertain_since), (State::Completed, 1, None));
    assert_eq!(world.comments().len(), 1);
}

/// Case 36.
#[tokio::test]
async fn what_was_not_made_is_started_once_more_after_the_grace_and_then_left_to_a_person() {
    let world = World::new(LABEL_RULE).await;
    let task = lost(&world, FaultKind::StatusBefore { status: 502 }).await;
    world.spoil_start(FaultKind::StatusBefore { status: 502 }, 9);
    world.live_in_steps(59, 10).await;
    assert_eq!((world.state(task.id).await, world.attempts(task.id).await.len()), (State::Uncertain, 1), "the grace");
    world.live_in_steps(12, 10).await;
    assert_eq!(world.attempts(task.id).await.len(), 2, "{}", world.story(task.id).await);
    world.live_in_steps(80, 30).await;
    let now = world.task_now(task.id).await;
    assert_eq!((now.state, now.needs_person, now.attempt_count), (State::Uncertain, true, 2));
    assert_eq!(world.outcomes(task.id).await, ["absent", "unknown"]);
    assert!(world.comments()[0].contains("A person must look on GitHub"), "{:?}", world.comments());

    world.control().clear_faults();
    world.say_absent(task.id).await;
    world.live_for(60).await;
    assert_eq!((world.state(task.id).await, world.made(&task)), (State::Completed, 1));
}

#[tokio::test]
async fn where_the_configuration_says_wait_nothing_is_started_again() {
    let world = World::with(LABEL_RULE, |settings| settings.restart_uncertain = false, |_| {}).await;
    let task = lost(&world, FaultKind::StatusBefore { status: 503 }).await;
    world.live_in_steps(40, 60).await;
    let now = world.task_now(task.id).await;
    assert_eq!((now.state, now.needs_person, now.attempt_count), (State::Uncertain, true, 1));
    let refused = taskbridge::pipeline::steer::retry(&world.bridge, task.id, "mona", false).await.unwrap_err();
    assert!(refused.to_string().contains("known_absent"), "{refused}");
}

/// Case 51.
#[tokio::test]
async fn a_list_that_lags_starts_nothing_before_the_grace_is_over() {
    let world = World::new(LABEL_RULE).await;
    let lag = world.control().inject(Fault::new(FaultKind::Stale { seconds: 0, tasks: 1 }).on("GET", LIST));
    let task = lost(&world, FaultKind::DropAfter).await;
    world.live_in_steps(29, 20).await;
    assert_eq!(world.control().creations().len(), 1);
    world.control().remove_fault(lag);
    world.live_in_steps(3, 60).await;
    assert_eq!((world.outcomes(task.id).await, world.made(&task)), (vec!["adopted".to_owned()], 1));
}

#[tokio::test]
async fn what_the_first_attempt_made_is_found_even_after_the_second() {
    let world = World::new(LABEL_RULE).await;
    let lag = world.control().inject(Fault::new(FaultKind::Stale { seconds: 0, tasks: 9 }).on("GET", LIST));
    let task = lost(&world, FaultKind::DropAfter).await;
    world.spoil_start(FaultKind::StatusBefore { status: 502 }, 1);
    world.live_in_steps(15, 60).await;
    assert_eq!((world.attempts(task.id).await.len(), world.made(&task)), (2, 1), "the list lied for very long");
    world.control().remove_fault(lag);
    world.live_in_steps(60, 60).await;
    let task = world.task_now(task.id).await;
    assert_eq!(task.state, State::Completed, "{}", world.story(task.id).await);
    assert_eq!(world.made(&task), 1);
}

/// Case 51.
#[tokio::test]
async fn a_list_that_cannot_be_read_leads_to_no_conclusion_and_in_the_end_to_a_person() {
    let world = World::new(LABEL_RULE).await;
    for kind in [FaultKind::StatusBefore { status: 500 }, FaultKind::Html, FaultKind::Truncate] {
        let broken = world.control().inject(Fault::new(kind.clone()).on("GET", LIST));
        let task = lost(&world, FaultKind::StatusBefore { status: 500 }).await;
        world.live_in_steps(50, 60).await;
        assert_eq!(world.attempts(task.id).await.len(), 1, "{kind:?}");
        assert!(!world.task_now(task.id).await.needs_person);
        world.live_in_steps(20, 60).await;
        assert!(world.task_now(task.id).await.needs_person, "{kind:?}: {}", world.story(task.id).await);
        world.control().remove_fault(broken);
        world.live_in_steps(10, 600).await;
        let now = world.task_now(task.id).await;
        assert_eq!((now.state, now.attempt_count), (State::Uncertain, 1), "a person was asked: it is theirs now");
    }
}

#[tokio::test]
async fn a_token_that_dies_meanwhile_is_marked_and_a_new_one_settles_it() {
    let world = World::new(LABEL_RULE).await;
    let task = lost(&world, FaultKind::DropAfter).await;
    world.control().revoke_token(MONA_TOKEN).unwrap();
    world.live_for(30).await;
    assert_eq!(world.token_state(1001).await, "reauth_required");
    assert_eq!(world.state(task.id).await, State::Uncertain);
    world.control().add_token("mona", "sandbox-mona-token-2", Default::default()).unwrap();
    world.add_person("mona", "sandbox-mona-token-2").await;
    world.live_in_steps(3, 60).await;
    assert_eq!((world.outcomes(task.id).await, world.made(&task)), (vec!["adopted".to_owned()], 1));
}

#[tokio::test]
async fn an_archived_task_is_found_too() {
    let world = World::new(LABEL_RULE).await;
    let task = lost(&world, FaultKind::StatusAfter { status: 500 }).await;
    world.control().archive(&world.control().tasks()[0].id).unwrap();
    world.live_for(20).await;
    assert_eq!(world.outcomes(task.id).await, ["adopted"]);
}

/// Case 53.
#[tokio::test]
async fn of_two_tasks_with_our_marker_the_first_is_kept_and_the_other_is_named() {
    let world = World::new(LABEL_RULE).await;
    let task = lost(&world, FaultKind::DropAfter).await;
    let first = world.control().tasks()[0].clone();
    world.advance(1);
    start_by_hand(&world, MONA_TOKEN, &first.prompt).await;
    world.live_for(20).await;
    let now = world.task_now(task.id).await;
    assert_eq!(now.remote_id.as_deref(), Some(first.id.as_str()));
    let second = &world.control().tasks()[1].id;
    assert!(
        world.story(task.id).await.contains(&format!("DUPLICATE: other remote tasks carry the same marker: {second}"))
    );
}

#[tokio::test]
async fn tasks_of_strangers_and_of_other_installations_are_not_taken_for_ours() {
    let world = World::new(LABEL_RULE).await;
    world.control().add_user(UserSpec::person(1003, "eve", "sandbox-eve-token")).unwrap();
    world.control().grant("acme/widgets", "eve", Role::Write).unwrap();
    let task = lost(&world, FaultKind::StatusBefore { status: 502 }).await;
    world.advance(1);
    let copied = format!("Do what eve wants.\n\nTaskbridge-Ref: {}", task.marker.expose());
    start_by_hand(&world, "sandbox-eve-token", &copied).await;
    start_by_hand(&world, MONA_TOKEN, "Another bridge's.\n\nTaskbridge-Ref: aaaaaaaaaaaaaaaaaaaaaaaaaa").await;
    world.live_in_steps(5, 60).await;
    assert_eq!(world.task_now(task.id).await.remote_id, None);
    world.live_in_steps(10, 60).await;
    let now = world.task_now(task.id).await;
    assert_eq!(world.outcomes(task.id).await, ["absent", "created"]);
    let own = world.control().tasks().into_iter().find(|remote| Some(&remote.id) == now.remote_id.as_ref()).unwrap();
    assert_eq!(own.creator, "mona");
}

/// Case 51.
#[tokio::test]
async fn absence_is_not_concluded_from_a_part_of_many_candidates() {
    let world = World::new(LABEL_RULE).await;
    world.spoil_start(FaultKind::StatusBefore { status: 502 }, 1);
    let task = world.wish(MONA, 1).await;
    world.start().await;
    for nth in 0..205 {
        start_by_hand(&world, MONA_TOKEN, &format!("Something else {nth}")).await;
        world.clock.advance(Duration::from_millis(20));
    }
    // What the lost request made comes last of all.
    start_by_hand(&world, MONA_TOKEN, &format!("Late\n\nTaskbridge-Ref: {}", task.marker.expose())).await;
    for _ in 0..14 {
        world.advance(60);
        world.look().await;
    }
    assert_eq!(world.attempts(task.id).await.len(), 1, "{}", world.story(task.id).await);
    assert!(world.story(task.id).await.contains("too many candidates"));
    assert_eq!(world.control().count_calls("POST", CREATE.trim_end_matches("*/*/tasks$")), 207);
}
