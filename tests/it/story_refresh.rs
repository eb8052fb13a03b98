//! Pairs of tokens are renewed once, by one, ahead of their end, and are never lost by being careless: a refresh token
//! works once, and its use ends the access token too.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use taskbridge::domain::task::State;
use taskbridge::ids::PersonId;
use taskbridge::pipeline::Bridge;
use taskbridge::pipeline::people::act_as;
use taskbridge::pipeline::refresh::{NotRenewed, refresh_batch, renew};
use taskbridge::pipeline::reseal::reseal;
use taskbridge::sandbox::{Fault, FaultKind, Role, UserSpec};
use taskbridge::store::deliveries::DeliveryState;
use taskbridge::store::tasks::Hold;
use tokio::task::JoinSet;

use crate::connect_kit::{Browser, OTTO, open, otto, setup, sign_in, token_of_otto, world};
use crate::support::payloads::OTTO as OTTO_ACTOR;
use crate::support::world::{Setup, World, labelled};

const TOKENS: &str = "/login/oauth/access_token";

/// The next `times` requests for a pair end so.
fn spoil(world: &World, path: &str, times: u32, kind: FaultKind) {
    world.control().inject(Fault { method: None, path: path.to_owned(), user: None, times: Some(times), kind });
}

async fn replica(world: &World) -> Bridge {
    world.replica(|_| {}, |github| github.sign_in = Some(sign_in())).await
}

/// Otto signed in, and his token ends within the minute: it is renewed before it is used.
async fn dying() -> World {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    world.advance(8 * 3600 - 30);
    world
}

async fn renew_otto(bridge: &Bridge) -> Result<(), NotRenewed> {
    let person = bridge.store.person(OTTO).await.unwrap().unwrap();
    renew(bridge, OTTO, person.token_version).await
}

/// Case 55.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_workers_of_two_replicas_renew_a_token_once() {
    let world = dying().await;
    let other = replica(&world).await;
    let old = token_of_otto(&world).await;
    let mut workers = JoinSet::new();
    for nth in 0..10 {
        let bridge = if nth % 2 == 0 { world.bridge.clone() } else { other.clone() };
        workers.spawn(async move { act_as(&bridge, OTTO).await.unwrap().session.me().await.unwrap().id });
    }
    assert_eq!(workers.join_all().await, [1002; 10], "all use a token that works");
    assert_eq!(world.control().rotations(), 1, "one refresh");
    let new = token_of_otto(&world).await;
    assert!(new != old && world.control().is_good("otto", &new) && !world.control().is_good("otto", &old));
}

/// Two replicas want to renew at the same moment, again and again; a token that was lost once would end it.
///
/// Case 55.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_renew_five_hundred_times_and_never_lose_the_pair() {
    let world = dying().await;
    let other = replica(&world).await;
    for round in 1..=500 {
        let version = otto(&world).await.unwrap().token_version;
        let (one, two) = tokio::join!(renew(&world.bridge, OTTO, version), renew(&other, OTTO, version));
        assert!(one.is_ok() && two.is_ok(), "round {round}: {one:?} {two:?}");
        assert_eq!(world.control().rotations(), round, "one refresh a round");
    }
    assert!(world.control().is_good("otto", &token_of_otto(&world).await));
}

#[tokio::test]
async fn a_pair_is_renewed_ahead_of_its_end_by_a_worker() {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    let person = otto(&world).await.unwrap();
    let ahead = person.token_expires_at.unwrap() - person.refresh_due_at.unwrap();
    assert!((24..=36).contains(&ahead.num_minutes()), "half an hour and some jitter: {ahead}");
    assert_eq!(refresh_batch(&world.bridge).await.unwrap(), 0);
    world.advance(8 * 3600 - 24 * 60 + 1);
    assert_eq!(refresh_batch(&world.bridge).await.unwrap(), 1);
    assert_eq!(world.control().rotations(), 1);
    assert_eq!(refresh_batch(&world.bridge).await.unwrap(), 0, "not again");
    // New sealing keys change neither half.
    assert_eq!(reseal(&world.bridge).await.unwrap(), 0);
}

/// Else all who signed in on the first morning would be renewed in the same second, every time.
#[tokio::test]
async fn people_who_sign_in_at_the_same_moment_are_not_renewed_at_the_same_moment() {
    let world = world().await;
    let mut due = std::collections::BTreeSet::new();
    for id in 3001..3009 {
        let (login, token) = (format!("early-{id}"), format!("sandbox-early-{id}-token"));
        world.control().add_user(UserSpec::person(id, &login, &token)).unwrap();
        Browser::new(&world).sign_in(&world, &login).await;
        let person = world.bridge.store.person(PersonId(id)).await.unwrap().unwrap();
        let ahead = person.token_expires_at.unwrap() - person.refresh_due_at.unwrap();
        assert!((24..=36).contains(&ahead.num_minutes()), "half an hour and some jitter: {ahead}");
        due.insert(person.refresh_due_at.unwrap());
    }
    assert!(due.len() >= 3, "{due:?}");
}

/// The process dies after GitHub has renewed the pair and before the new one is stored: the old token tells that it is
/// lost, the person is told, and what waits is held and not failed.
///
/// Case 56.
#[tokio::test]
async fn a_pair_that_died_with_the_process_is_noticed_and_its_person_is_told() {
    let world = open(Setup {
        app: true,
        adjust: Box::new(|settings| {
            settings.connect_url = Some("http://127.0.0.1:9/connect".to_owned());
            settings.call_timeout = Duration::from_millis(300);
        }),
        ..setup()
    })
    .await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    Browser::new(&world).sign_in(&world, "otto").await;
    world.advance(8 * 3600 - 30);
    spoil(&world, TOKENS, 1, FaultKind::DelayAfter { ms: 4000 });
    let bridge = world.bridge.clone();
    let mut dies = JoinSet::new();
    dies.spawn(async move { renew_otto(&bridge).await });
    while world.control().rotations() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    dies.abort_all();
    while dies.join_next().await.is_some() {}
    assert!(otto(&world).await.unwrap().refresh_sent_at.is_some(), "that it left is written down");
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO_ACTOR, world.bridge.ground.now())).await;
    tokio::time::sleep(Duration::from_millis(1300)).await;
    world.live_for(20).await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)), "{}", task.reason);
    assert_eq!(otto(&world).await.unwrap().token_state, "reauth_required");
    assert_eq!(world.control().count_calls("POST", TOKENS), 2, "the sign-in and one refresh: nothing was sent blindly");
    let told = world.comments().concat();
    assert!(told.contains("the new one was lost on the way") && told.contains("Connect your account"), "{told}");
    Browser::new(&world).sign_in(&world, "otto").await;
    world.live_for(10).await;
    assert!(world.task().await.remote_id.is_some(), "signing in lets it go on");
}

/// Case 57.
#[tokio::test]
async fn a_lost_answer_that_renewed_nothing_is_told_apart_and_the_same_refresh_token_is_used_again() {
    let world = world().await;
    Browser::new(&world).sign_in(&world, "otto").await;
    world.advance(8 * 3600 - 20 * 60);
    let old = token_of_otto(&world).await;
    spoil(&world, TOKENS, 1, FaultKind::DropBefore);
    world.control().clear_calls();
    assert!(matches!(renew_otto(&world.bridge).await, Err(NotRenewed::Later(_))));
    assert_eq!(world.control().count_calls("GET", "/user"), 1, "the old token was asked about");
    let person = otto(&world).await.unwrap();
    assert!(person.token_state == "ok" && person.refresh_sent_at.is_none() && token_of_otto(&world).await == old);
    assert!(act_as(&world.bridge, OTTO).await.is_ok(), "meanwhile the old one is used");
    renew_otto(&world.bridge).await.unwrap();
    assert!(world.control().is_good("otto", &token_of_otto(&world).await));
    // While not even that can be asked, nothing leaves.
    spoil(&world, TOKENS, 1, FaultKind::DropBefore);
    spoil(&world, "/user", 1, FaultKind::StatusBefore { status: 502 });
    assert!(matches!(renew_otto(&world.bridge).await, Err(NotRenewed::Later(_))));
    assert!(otto(&world).await.unwrap().refresh_sent_at.is_some());
    spoil(&world, "/user", 1, FaultKind::StatusBefore { status: 502 });
    world.control().clear_calls();
    assert!(matches!(renew_otto(&world.bridge).await, Err(NotRenewed::Later(_))));
    assert_eq!(world.control().count_calls("POST", TOKENS), 0, "no refresh before the old token was asked about");
    renew_otto(&world.bridge).await.unwrap();
    assert_eq!(world.control().rotations(), 2);
}

/// A lost answer that did renew: the person must sign in again, and nothing was sent twice.
///
/// Case 56.
#[tokio::test]
async fn a_lost_answer_that_renewed_is_not_followed_by_a_second_try() {
    for kind in [FaultKind::DropAfter, FaultKind::Truncate, FaultKind::Html, FaultKind::StatusAfter { status: 502 }] {
        let world = dying().await;
        spoil(&world, TOKENS, 1, kind.clone());
        let outcome = renew_otto(&world.bridge).await;
        assert!(matches!(outcome, Err(NotRenewed::Ended)), "{kind:?}: {outcome:?}");
        assert!(matches!(renew_otto(&world.bridge).await, Err(NotRenewed::Ended)));
        assert_eq!(world.control().count_calls("POST", TOKENS), 2, "{kind:?}: the sign-in and one refresh");
        assert_eq!(otto(&world).await.unwrap().token_state, "reauth_required");
    }
}

/// Case 58.
#[tokio::test]
async fn a_refresh_token_that_github_does_not_know_ends_the_sign_in_but_never_a_newer_one() {
    let world = dying().await;
    world.control().revoke_authorization("otto").unwrap();
    assert!(matches!(renew_otto(&world.bridge).await, Err(NotRenewed::Ended)), "HTTP 200 with an error is an error");
    let person = otto(&world).await.unwrap();
    assert_eq!(person.token_state, "reauth_required");
    assert!(person.token_reason.unwrap().contains("sign in again"));
    assert_eq!((person.token, person.refresh_token), (None, None), "what is dead is not kept");
    // The same, and somebody signs in while the refusal is on its way.
    Browser::new(&world).sign_in(&world, "otto").await;
    world.control().revoke_authorization("otto").unwrap();
    spoil(&world, TOKENS, 1, FaultKind::DelayAfter { ms: 500 });
    world.control().clear_calls();
    let bridge = world.bridge.clone();
    let mut late = JoinSet::new();
    late.spawn(async move { renew_otto(&bridge).await });
    while world.control().count_calls("POST", TOKENS) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Browser::new(&world).sign_in(&world, "otto").await;
    let outcome = late.join_next().await.unwrap().unwrap();
    assert!(outcome.is_ok(), "the newer sign-in is there: {outcome:?}");
    assert_eq!(otto(&world).await.unwrap().token_state, "ok");
    assert!(world.control().is_good("otto", &token_of_otto(&world).await));
}

/// Case 61.
#[tokio::test]
async fn who_takes_back_the_authorization_is_out_at_once_and_what_waits_is_held() {
    let world = open(Setup { app: true, ..setup() }).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    Browser::new(&world).sign_in(&world, "otto").await;
    // The word of a webhook alone ends nothing: the token still works, and does after a while.
    let says_so = json!({ "action": "revoked", "sender": { "login": "otto", "id": 1002, "type": "User" } });
    let says_so_again =
        json!({ "action": "revoked", "sender": { "login": "otto", "id": 1002, "type": "User" }, "nth": 2 });
    let answer = world.hook("github_app_authorization", "d-0", &says_so).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    world.settle().await;
    let delivery = world.delivery("d-0").await;
    assert_eq!(delivery.state, DeliveryState::Received, "{:?}", delivery.reason);
    world.live_for(120).await;
    assert_eq!(otto(&world).await.unwrap().token_state, "ok");
    let reason = world.delivery("d-0").await.reason.unwrap_or_default();
    assert!(reason.contains("still works, and is kept"), "{reason}");
    // What GitHub tells of a moment before it is so is seen all the same.
    world.hook("github_app_authorization", "d-00", &says_so_again).await;
    world.live_for(5).await;
    assert_eq!(otto(&world).await.unwrap().token_state, "ok");
    let payload = world.control().revoke_authorization("otto").unwrap();
    world.live_for(60).await;
    assert_eq!(otto(&world).await.unwrap().token_state, "reauth_required");
    Browser::new(&world).sign_in(&world, "otto").await;
    assert_eq!(otto(&world).await.unwrap().token_state, "ok");
    world.control().revoke_authorization("otto").unwrap();
    // While GitHub cannot be asked the delivery waits.
    spoil(&world, "/user", 1, FaultKind::StatusBefore { status: 502 });
    world.hook("github_app_authorization", "d-1", &payload).await;
    world.live_for(120).await;
    let person = otto(&world).await.unwrap();
    assert_eq!(person.token_state, "reauth_required", "{:?}", world.delivery("d-1").await.reason);
    assert_eq!((person.token, person.refresh_token), (None, None), "what is dead is not kept");
    world.hook("issues", "d-2", &labelled("copilot-fix", OTTO_ACTOR, world.bridge.ground.now())).await;
    world.live_for(10).await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)));
    assert!(world.control().tasks().is_empty());
}

/// Where the App is installed is remembered for some minutes; that it was taken away, or suspended, is known at once.
///
/// Case 61.
#[tokio::test]
async fn that_the_app_was_uninstalled_or_suspended_is_known_at_once() {
    let world = open(Setup { app: true, ..setup() }).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    Browser::new(&world).sign_in(&world, "otto").await;
    let asked = || world.control().count_calls("GET", "/repos/acme/widgets/installation");
    let mut known = 0;
    for (nth, action) in ["deleted", "suspend", "unsuspend"].into_iter().enumerate() {
        for label in ["first", "second"] {
            let delivery = format!("d-{nth}-{label}");
            world.hook("issues", &delivery, &labelled("copilot-fix", OTTO_ACTOR, world.bridge.ground.now())).await;
            world.live_for(5).await;
        }
        known += 1;
        assert_eq!(asked(), known, "it is asked once and remembered");
        let event = json!({
            "action": action, "installation": { "id": 8001, "account": { "login": "acme", "id": 9001 } },
            "sender": { "login": "otto", "id": 1002, "type": "User" }
        });
        world.hook("installation", &format!("d-{action}"), &event).await;
        world.settle().await;
        let reason = world.delivery(&format!("d-{action}")).await.reason.unwrap_or_default();
        assert_eq!(reason, format!("the App was {action}: where it is installed is asked anew"));
    }
    // Uninstalled: people's own tokens look things up, and whoever has none that can be used waits.
    assert!(world.control().remove_installation(8001));
    world.control().revoke_authorization("otto").unwrap();
    world.hook("installation", "d-last", &json!({ "action": "deleted", "installation": { "id": 8001 } })).await;
    let before = world.tasks().await.len();
    world.hook("issues", "d-end", &labelled("copilot-fix", OTTO_ACTOR, world.bridge.ground.now())).await;
    world.live_for(120).await;
    let task = world.tasks().await.pop().unwrap();
    assert_eq!(world.tasks().await.len(), before + 1);
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)), "{}", world.story(task.id).await);
}

fn sign_in_again(world: &World) {
    world.control().set_sign_in("Iv23connect", sign_in().client_secret.expose(), None);
}

/// A secret that was changed at GitHub is no fault of the people's: nobody is signed out.
#[tokio::test]
async fn wrong_client_credentials_sign_nobody_out() {
    let world = dying().await;
    world.control().set_sign_in("Iv23connect", "another-secret", None);
    assert!(matches!(renew_otto(&world.bridge).await, Err(NotRenewed::Later(_))));
    let person = otto(&world).await.unwrap();
    assert!(person.token_state == "ok" && person.refresh_sent_at.is_none());
    assert!(act_as(&world.bridge, OTTO).await.is_ok(), "the old token lives for half a minute more");
    world.advance(60);
    world.control().clear_calls();
    for _ in 0..5 {
        let refused = act_as(&world.bridge, OTTO).await;
        assert!(refused.is_err_and(|error| matches!(error, taskbridge::pipeline::people::NoToken::Later(_))));
    }
    assert_eq!(world.control().count_calls("POST", TOKENS), 0, "it is not asked by everybody");
    sign_in_again(&world);
    world.advance(400);
    assert!(act_as(&world.bridge, OTTO).await.is_ok(), "and goes on when the secret is right again");
}

/// A change of the sealing key seals both halves anew and disturbs no refresh on its way.
#[tokio::test]
async fn a_change_of_keys_seals_both_halves_anew() {
    use taskbridge::secret::Secret;
    use taskbridge::vault::{Key, Vault};
    let world = dying().await;
    let key = |hex: &str| Key::parse(&Secret::new(hex.repeat(32))).unwrap();
    let other = replica(&world).await;
    let vault = Vault::new(vec![key("1e"), key("0f")]).unwrap();
    let settings = other.settings.clone();
    let live = taskbridge::cli::live_of(&crate::support::world::configuration("rules: []"), other.github.host());
    let rotated = Bridge::new(other.store.clone(), other.github.clone(), vault, other.ground.clone(), settings, live);
    let before = otto(&world).await.unwrap();
    assert_eq!(reseal(&rotated).await.unwrap(), 2, "mona and otto");
    let after = otto(&world).await.unwrap();
    assert!(after.token != before.token && after.refresh_token != before.refresh_token);
    assert_eq!(after.token_version, before.token_version, "it is the same pair");
    renew_otto(&rotated).await.unwrap();
    assert_eq!(world.control().rotations(), 1);
}
