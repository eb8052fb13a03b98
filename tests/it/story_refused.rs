//! GitHub refuses a token before its end: its pair is renewed once, and only then its person is asked to sign in again. What
//! waits to be started is held at once.

use taskbridge::domain::task::State;
use taskbridge::pipeline::people::remove;
use taskbridge::sandbox::{Fault, FaultKind, Role};
use taskbridge::store::pauses::{Pause, PauseScope};
use taskbridge::store::tasks::Hold;

use crate::connect_kit::{Browser, OTTO as OTTO_ID, open, otto, setup, token_of_otto};
use crate::support::payloads::OTTO;
use crate::support::stories::CREATE;
use crate::support::world::{OTTO_TOKEN, Setup, World, labelled};

const TOKENS: &str = "/login/oauth/access_token";

/// Otto may write and has signed in; `app` says whether an App looks things up.
async fn signed_in(app: bool) -> World {
    let world = open(Setup { app, ..setup() }).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    Browser::new(&world).sign_in(&world, "otto").await;
    world
}

async fn label(world: &World, delivery: &str) {
    world.hook("issues", delivery, &labelled("copilot-fix", OTTO, world.bridge.ground.now())).await;
}

/// With the App the start finds out, without it the look-up of the right.
#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_and_the_work_goes_on() {
    for app in [true, false] {
        let world = signed_in(app).await;
        let old = token_of_otto(&world).await;
        world.control().revoke_token(&old).unwrap();
        label(&world, "d-1").await;
        world.live_for(30).await;
        let task = world.task().await;
        assert!(task.remote_id.is_some(), "app {app}: {}", world.story(task.id).await);
        assert!(!world.story(task.id).await.contains("held"), "nobody had to do anything");
        let new = token_of_otto(&world).await;
        assert!(new != old && world.control().is_good("otto", &new), "app {app}");
        assert_eq!((world.control().rotations(), otto(&world).await.unwrap().token_state.as_str()), (1, "ok"));
    }
}

#[tokio::test]
async fn a_second_refusal_ends_it_and_nothing_goes_round_in_circles() {
    let world = signed_in(true).await;
    let kind = FaultKind::StatusBefore { status: 401 };
    world.control().inject(Fault { method: None, path: CREATE.to_owned(), user: None, times: None, kind });
    label(&world, "d-1").await;
    world.live_for(300).await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)), "{}", world.story(task.id).await);
    assert_eq!(world.control().rotations(), 1, "one try");
    assert_eq!(world.outcomes(task.id).await, ["unauthorized", "unauthorized"]);
    assert_eq!(otto(&world).await.unwrap().token_state, "reauth_required");
    // A new sign-in has a try of its own again.
    Browser::new(&world).sign_in(&world, "otto").await;
    world.live_for(60).await;
    assert_eq!(world.control().rotations(), 2);
    assert_eq!(world.task().await.state, State::Held);
}

#[tokio::test]
async fn what_cannot_be_renewed_ends_at_once() {
    let world = signed_in(true).await;
    world.control().revoke_authorization("otto").unwrap();
    label(&world, "d-1").await;
    world.live_for(30).await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)));
    assert_eq!(world.control().count_calls("POST", TOKENS), 2, "the sign-in, and one try");
    assert_eq!(otto(&world).await.unwrap().token_state, "reauth_required");
    // One that an operator added has nothing to renew it with.
    let world = open(Setup { app: true, ..setup() }).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.add_person("otto", OTTO_TOKEN).await;
    world.control().revoke_token(OTTO_TOKEN).unwrap();
    label(&world, "d-1").await;
    world.live_for(30).await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)));
    assert_eq!(world.control().count_calls("POST", TOKENS), 0);
}

async fn lose_next_pair(world: &World, kind: FaultKind) {
    world.control().inject(Fault { method: None, path: TOKENS.to_owned(), user: None, times: Some(1), kind });
    label(world, "d-1").await;
}

/// The access token was dead before the renewal whose answer is lost, so that it tells nothing: the refresh token does.
///
/// Case 57.
#[tokio::test]
async fn a_dead_token_signs_nobody_out_whose_renewal_was_lost_on_the_way_there() {
    for refused in [true, false] {
        let world = signed_in(true).await;
        match refused {
            true => world.control().revoke_token(&token_of_otto(&world).await).unwrap(),
            false => world.advance(9 * 3600),
        }
        lose_next_pair(&world, FaultKind::DropBefore).await;
        world.live_for(60).await;
        let task = world.task().await;
        assert!(task.remote_id.is_some(), "refused {refused}: {}", world.story(task.id).await);
        assert!(!world.story(task.id).await.contains("held"), "nobody had to do anything");
        assert_eq!(world.control().count_calls("POST", TOKENS), 3, "the sign-in, the lost one, and one more");
        assert_eq!((world.control().rotations(), otto(&world).await.unwrap().token_state.as_str()), (1, "ok"));
    }
}

/// The same, and it had been renewed: once more is enough to know.
///
/// Case 56.
#[tokio::test]
async fn a_dead_token_whose_renewal_was_lost_on_the_way_back_ends_the_sign_in() {
    for refused in [true, false] {
        let world = signed_in(true).await;
        match refused {
            true => world.control().revoke_token(&token_of_otto(&world).await).unwrap(),
            false => world.advance(9 * 3600),
        }
        lose_next_pair(&world, FaultKind::DropAfter).await;
        world.live_for(60).await;
        let task = world.task().await;
        assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)), "refused {refused}: {}", task.reason);
        assert_eq!(world.control().count_calls("POST", TOKENS), 3, "the sign-in, the lost one, and one more");
        let person = otto(&world).await.unwrap();
        assert_eq!((world.control().rotations(), person.token_state.as_str()), (1, "reauth_required"));
        assert!(person.token_reason.unwrap().contains("the new one was lost on the way"));
    }
}

/// Three tasks that wait to be started, paused so that the start step does not come to them.
async fn let_three_wait(world: &World) {
    let (reason, paused_by) = ("a freeze".to_owned(), "vera".to_owned());
    let (name, paused_at) = (String::new(), world.bridge.ground.now());
    let pause = Pause { scope: PauseScope::All, name, reason, paused_by, paused_at };
    world.bridge.store.pause(&pause).await.unwrap();
    for nth in 0..3 {
        label(world, &format!("d-{nth}")).await;
        world.settle().await;
        world.advance(5);
    }
    let tasks = world.tasks().await;
    assert!(tasks.len() == 3 && tasks.iter().all(|task| task.state == State::Pending));
}

#[tokio::test]
async fn what_waits_is_held_the_moment_its_person_leaves_and_says_why() {
    for (by_themselves, why) in [(true, "the person has disconnected"), (false, "an operator has removed the person")] {
        let world = signed_in(true).await;
        let mut browser = Browser::new(&world);
        let page = browser.sign_in(&world, "otto").await;
        let_three_wait(&world).await;
        match by_themselves {
            true => drop(browser.post("/connect/disconnect", &format!("form={}", page.form())).await),
            false => assert!(remove(&world.bridge, OTTO_ID, why).await.unwrap().is_some()),
        }
        for task in world.tasks().await {
            assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)), "{}", world.story(task.id).await);
            assert!(task.reason.contains(why) && task.reason.contains("/connect"), "{}", task.reason);
        }
        assert!(remove(&world.bridge, OTTO_ID, why).await.unwrap().is_none(), "there is nobody to remove");
        world.bridge.store.resume(PauseScope::All, "").await.unwrap();
        Browser::new(&world).sign_in(&world, "otto").await;
        world.live_for(60).await;
        assert!(world.tasks().await.iter().all(|task| task.remote_id.is_some()), "signing in lets them go on");
    }
}

#[tokio::test]
async fn what_waits_is_held_the_moment_its_token_ends_and_says_why() {
    let world = signed_in(true).await;
    let_three_wait(&world).await;
    let gone = world.control().revoke_authorization("otto").unwrap();
    world.hook("github_app_authorization", "d-gone", &gone).await;
    world.live_for(10).await;
    for task in world.tasks().await {
        assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)), "{}", world.story(task.id).await);
        assert!(task.reason.contains("took back the authorization"), "{}", task.reason);
        assert_eq!(world.story(task.id).await.matches("took back the authorization").count(), 1);
    }
    assert_eq!(world.comments().iter().filter(|text| text.contains("This waits for a person")).count(), 3);
}
