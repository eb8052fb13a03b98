//! No token yet: the wish is kept, and goes on by itself when there is one; the right is looked up then.

use taskbridge::domain::task::State;
use taskbridge::ids::PersonId;
use taskbridge::sandbox::{Role, UserSpec};
use taskbridge::store::people::NewToken;
use taskbridge::store::tasks::Hold;
use taskbridge::vault::Place;

use crate::support::payloads::{MONA, OTTO};
use crate::support::world::{LABEL_RULE, OTTO_TOKEN, World, labelled};

/// A token is stored, and nothing else happens.
async fn put(world: &World, id: PersonId, login: &str, sealed: &[u8]) {
    let mut tx = world.bridge.store.begin().await.unwrap();
    tx.put_token(id, login, &NewToken::alone(sealed), false, world.bridge.ground.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn label_by_otto(world: &World, delivery: &str) {
    let now = world.bridge.ground.now();
    world.hook("issues", delivery, &labelled("copilot-fix", OTTO, now)).await;
    world.settle().await;
}

#[tokio::test]
async fn a_task_of_somebody_without_a_token_is_held_and_goes_on_when_there_is_one() {
    let world = World::with_app(LABEL_RULE).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    label_by_otto(&world, "d-1").await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)));
    assert!(!task.allow_pending, "the App has looked the right up already");
    world.live_for(10).await;
    assert!(world.comments()[0].contains("This waits for a person"), "{}", world.comments()[0]);
    world.add_person("otto", OTTO_TOKEN).await;
    world.live_for(10).await;
    assert!(world.task().await.remote_id.is_some());
    assert_eq!(world.control().tasks()[0].creator, "otto");
}

#[tokio::test]
async fn with_no_app_and_no_token_a_label_waits_and_the_right_is_looked_up_before_the_start() {
    let world = World::new(LABEL_RULE).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    label_by_otto(&world, "d-1").await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold, task.allow_pending), (State::Held, Some(Hold::Token), true));
    world.add_person("otto", OTTO_TOKEN).await;
    world.live_for(10).await;
    let task = world.task().await;
    assert!(task.remote_id.is_some() && !task.allow_pending, "{task:?}");
    let seen = world.control().reactions("acme/widgets", 42).unwrap();
    assert_eq!(seen, [("otto".to_owned(), "eyes".to_owned())], "the first sign of life comes late, but it comes");
    let timeline = world.bridge.store.timeline(task.id).await.unwrap();
    assert!(timeline.iter().any(|entry| entry.text == "allowed: @otto has write on acme/widgets"), "{timeline:?}");
}

#[tokio::test]
async fn a_reader_who_was_let_wait_is_refused_before_anything_is_sent() {
    let world = World::new(LABEL_RULE).await;
    label_by_otto(&world, "d-1").await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.live_for(10).await;
    let task = world.task().await;
    assert_eq!(task.state, State::StartFailed);
    assert!(task.reason.contains("allow: @otto needs write on the repository"), "{}", task.reason);
    assert_eq!(task.attempt_count, 0);
    assert!(world.control().tasks().is_empty());
}

#[tokio::test]
async fn somebody_elses_token_is_not_stored_and_releases_nothing() {
    let world = World::new(LABEL_RULE).await;
    label_by_otto(&world, "d-1").await;
    world.control().add_user(UserSpec::person(1003, "vera", "vera-token")).unwrap();
    let token = taskbridge::secret::Secret::new("vera-token");
    let error = taskbridge::pipeline::people::add(&world.bridge, "otto", token).await.unwrap_err().to_string();
    assert!(error.contains("belongs to @vera") && error.contains("nothing was stored"), "{error}");
    world.settle().await;
    assert_eq!(world.task().await.state, State::Held);
}

#[tokio::test]
async fn a_token_given_by_somebody_who_was_cut_short_still_releases_what_waits_for_it() {
    let world = World::with_app(LABEL_RULE).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    label_by_otto(&world, "d-1").await;
    assert_eq!(world.task().await.state, State::Held);
    // The token is stored, and whoever stored it dies before anything is released.
    let id = PersonId(1002);
    let place = Place { table: "people", row: "1002", column: "token" };
    let sealed = world.bridge.vault.seal(&place, OTTO_TOKEN.as_bytes(), &world.bridge.ground);
    put(&world, id, "otto", &sealed.0).await;
    world.live_for(10).await;
    assert!(world.task().await.remote_id.is_some());
}

/// Cases 35, 59.
#[tokio::test]
async fn a_token_that_does_not_open_holds_the_task_and_lets_it_go_when_the_right_key_is_back() {
    let world = World::new(LABEL_RULE).await;
    let now = world.bridge.ground.now();
    let right = world.bridge.store.person(PersonId(1001)).await.unwrap().unwrap().token.unwrap();
    put(&world, PersonId(1001), "mona", b"sealed with a key that is not here").await;
    world.hook("issues", "d-1", &labelled("copilot-fix", MONA, now)).await;
    world.settle().await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)));
    assert!(task.reason.contains("does not open"), "{}", task.reason);
    put(&world, PersonId(1001), "mona", &right).await;
    world.live_for(10).await;
    assert!(world.task().await.remote_id.is_some());
}

#[tokio::test]
async fn a_removed_person_is_forgotten_and_the_next_wish_waits() {
    let world = World::new(LABEL_RULE).await;
    world.bridge.store.give_consent(PersonId(1001), "other", world.bridge.ground.now()).await.unwrap();
    world.label("copilot-fix", "d-1").await;
    assert_eq!(world.task().await.state, State::Queued);
    world.bridge.store.remove_person(PersonId(1001)).await.unwrap();
    assert!(world.bridge.store.people(None, 100).await.unwrap().is_empty());
    assert!(world.bridge.store.consents(PersonId(1001)).await.unwrap().is_empty());
    world.advance(5);
    world.label("copilot-fix", "d-2").await;
    let next = world.tasks().await.pop().unwrap();
    assert_eq!((next.state, next.hold), (State::Held, Some(Hold::Token)));
    assert_eq!(world.control().tasks().len(), 1, "nothing more was started");
}
