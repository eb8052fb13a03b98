//! Slack's token rotation: the app's token is renewed ahead of its end, by one, and is never lost by being careless. What
//! cannot be renewed any more is told to the operator, who begins anew with another refresh token.

use std::time::{Duration, Instant};

use taskbridge::cli::live_of;
use taskbridge::config::{Reader, load};
use taskbridge::ids::PersonId;
use taskbridge::pipeline::Bridge;
use taskbridge::pipeline::chat::rotation::{renew, rotate_batch};
use taskbridge::pipeline::forget::forget;
use taskbridge::pipeline::refresh::NotRenewed;
use taskbridge::pipeline::reseal::reseal;
use taskbridge::sandbox::SlackFault;
use taskbridge::sandbox::slack::SIGNING_SECRET;
use taskbridge::sandbox::slack::rotation::CLIENT_SECRET;
use taskbridge::secret::Secret;
use taskbridge::store::Lease;
use taskbridge::store::chat_tokens::ChatToken;
use taskbridge::vault::{Key, Place, Vault};

use crate::support::canary;
use crate::support::chat::{CHANNEL, MONA_CHAT};
use crate::support::world::{LABEL_RULE, Setup, World};

const RENEW: &str = "oauth.v2.access";
const HALF_A_DAY: u64 = 43_200;

/// What stands in the configuration, with the secrets that the environment holds.
fn configured(world: &World, bridge: &Bridge, client_secret: &str, refresh_token: &str) {
    canary::listen(&[SIGNING_SECRET, client_secret, refresh_token]);
    let text = format!(
        "sources:
  slack:
    type: slack
    signing_secret: \"${{SIGNING_SECRET}}\"
    rotation: {{ client_id: \"1111.2222\", client_secret: \"${{CLIENT_SECRET}}\", refresh_token: \"${{REFRESH_TOKEN}}\" }}
    app_id: A0001
    api_url: {}
    channels: {{ {CHANNEL}: {{ repo: acme/widgets }} }}
rules:
  - {{ name: chat, on: {{ slash: /copilot }}, prompt: \"{{{{ command.text }}}}\" }}
",
        world.slack().api_url()
    );
    let env = [("SIGNING_SECRET", SIGNING_SECRET), ("CLIENT_SECRET", client_secret), ("REFRESH_TOKEN", refresh_token)];
    let reader = Reader::fixed(&env, &[("/etc/taskbridge.yaml", &text)]);
    let loaded = load(std::path::Path::new("/etc/taskbridge.yaml"), &reader).unwrap_or_else(|why| panic!("{why}"));
    bridge.swap(live_of(&loaded, bridge.github.host()));
}

/// A world with an app whose tokens rotate, and the refresh token that Slack showed.
async fn world() -> (World, String) {
    let world = World::of(Setup::new(LABEL_RULE)).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    let refresh_token = world.slack().install_rotating();
    configured(&world, &world.bridge, CLIENT_SECRET, &refresh_token);
    (world, refresh_token)
}

async fn row(world: &World) -> ChatToken {
    world.bridge.store.chat_token("slack").await.unwrap().unwrap()
}

/// The app's token, opened.
async fn token(world: &World) -> String {
    let row = row(world).await;
    let open = |column, sealed: &[u8]| {
        let place = Place { table: "chat_tokens", row: "slack", column };
        let secret = world.bridge.vault.open(&place, sealed).unwrap();
        canary::know(&[secret.expose()]);
        secret.expose().to_owned()
    };
    open("refresh_token", &row.refresh_token);
    open("token", &row.token.unwrap())
}

async fn renew_now(bridge: &Bridge) -> Result<(), NotRenewed> {
    let live = bridge.live();
    let rotation = live.sources["slack"].chat.as_ref().unwrap().rotation.as_ref().unwrap();
    let row = bridge.store.chat_token("slack").await.unwrap().unwrap();
    renew(bridge, "slack", rotation, row.version).await
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end_and_the_chat_never_notices() {
    let (world, _) = world().await;
    assert_eq!(rotate_batch(&world.bridge).await.unwrap(), 1, "the first token of all");
    let first = token(&world).await;
    world.slash(MONA_CHAT, "fix it").await;
    let living = world.living();
    assert_eq!(rotate_batch(&world.bridge).await.unwrap(), 0, "not again");
    let row = row(&world).await;
    let ahead = row.token_expires_at.unwrap() - row.due_at.unwrap();
    assert!((24..=36).contains(&ahead.num_minutes()), "half an hour and some jitter: {ahead}");
    world.advance(HALF_A_DAY - 24 * 60 + 1);
    assert_eq!(rotate_batch(&world.bridge).await.unwrap(), 1);
    let second = token(&world).await;
    assert!(second != first && world.slack().takes(&second) && world.slack().rotations() == 2);
    world.live_for(60).await;
    assert!(world.living().edits > living.edits, "the same message goes on");
    // Nobody has looked after it for long: what is to be told has it renewed first.
    world.advance(3 * HALF_A_DAY);
    world.slash(MONA_CHAT, "status").await;
    assert!(world.slack().rotations() == 3 && !world.whispered(MONA_CHAT).is_empty());
    assert_eq!(world.slack().refreshes_asked(), 3);
}

/// Two replicas want to renew at the same moment, again and again; a pair that was lost once would end it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_renew_two_hundred_times_and_never_lose_the_pair() {
    let (world, refresh_token) = world().await;
    let other = world.replica(|_| {}, |_| {}).await;
    configured(&world, &other, CLIENT_SECRET, &refresh_token);
    let (one, two) = tokio::join!(rotate_batch(&world.bridge), rotate_batch(&other));
    assert!(one.is_ok() && two.is_ok());
    for round in 2..=200 {
        let (one, two) = tokio::join!(renew_now(&world.bridge), renew_now(&other));
        assert!(one.is_ok() && two.is_ok(), "round {round}: {one:?} {two:?}");
        // Whoever came late to a round may have begun the next.
        let rotations = world.slack().rotations();
        assert_eq!(world.slack().refreshes_asked(), rotations, "each refresh token was shown once");
        assert!(rotations >= round, "{rotations} in round {round}");
    }
    assert!(world.slack().takes(&token(&world).await));
}

#[tokio::test]
async fn a_lost_answer_that_renewed_nothing_costs_nothing() {
    let (world, _) = world().await;
    rotate_batch(&world.bridge).await.unwrap();
    let old = token(&world).await;
    world.slack().fail(RENEW, SlackFault::Away);
    assert!(matches!(renew_now(&world.bridge).await, Err(NotRenewed::Later(_))));
    assert!(row(&world).await.sent_at.is_some() && token(&world).await == old, "that it left is written down");
    world.slash(MONA_CHAT, "fix it").await;
    assert!(world.living().text.contains("acme/widgets"), "meanwhile the old one is used");
    // While the old token cannot be asked about, nothing leaves.
    world.slack().fail("auth.test", SlackFault::Away);
    assert!(matches!(renew_now(&world.bridge).await, Err(NotRenewed::Later(_))));
    assert_eq!(world.slack().refreshes_asked(), 1, "not on a guess");
    renew_now(&world.bridge).await.unwrap();
    let new = token(&world).await;
    assert!(new != old && world.slack().takes(&new) && world.slack().rotations() == 2);
    // A token that was dead before tells nothing: the refresh token does.
    world.advance(HALF_A_DAY + 1);
    world.slack().fail(RENEW, SlackFault::Away);
    rotate_batch(&world.bridge).await.unwrap();
    world.advance(40);
    rotate_batch(&world.bridge).await.unwrap();
    assert!(world.slack().takes(&token(&world).await) && world.slack().rotations() == 3);
}

/// Whether the old token dies with its pair or not: what was lost is noticed, said, and nothing goes round in circles.
#[tokio::test]
async fn a_lost_answer_that_renewed_is_noticed_and_told_to_the_operator() {
    for keeps_old in [false, true] {
        let (world, refresh_token) = world().await;
        world.slack().keep_old_tokens(keeps_old);
        rotate_batch(&world.bridge).await.unwrap();
        token(&world).await;
        world.slack().fail(RENEW, SlackFault::AwayAfter);
        assert!(matches!(renew_now(&world.bridge).await, Err(NotRenewed::Later(_))));
        for _ in 0..5 {
            assert!(matches!(renew_now(&world.bridge).await, Err(NotRenewed::Ended)), "keeps {keeps_old}");
            world.advance(600);
            rotate_batch(&world.bridge).await.unwrap();
        }
        let asked = if keeps_old { 3 } else { 2 };
        assert_eq!(world.slack().refreshes_asked(), asked, "asked once more only where the old token says nothing");
        let status = world.chat_status().await;
        assert!(status["app_gone_because"].as_str().unwrap().contains("was lost on the way"), "{status}");
        world.slash(MONA_CHAT, "fix it").await;
        assert_eq!(world.slack().messages().is_empty(), !keeps_old, "what still works is used");
        // The same refresh token again is no news; another is.
        configured(&world, &world.bridge, CLIENT_SECRET, &refresh_token);
        rotate_batch(&world.bridge).await.unwrap();
        assert!(row(&world).await.ended_at.is_some());
        let newer = world.slack().install_rotating();
        configured(&world, &world.bridge, CLIENT_SECRET, &newer);
        rotate_batch(&world.bridge).await.unwrap();
        assert!(world.slack().takes(&token(&world).await));
        assert!(world.chat_status().await["app_gone_since"].is_null());
        world.live_for(1500).await;
        let told = world.slack().messages();
        assert!(told.iter().any(|message| message.text.contains("*Done*")), "what waited is told: {told:#?}");
    }
}

/// The process dies after Slack has renewed the pair and before the new one is stored.
#[tokio::test]
async fn a_pair_that_died_with_the_process_is_noticed_when_its_lease_has_run_out() {
    let (world, _) = world().await;
    rotate_batch(&world.bridge).await.unwrap();
    let (store, ground) = (&world.bridge.store, &world.bridge.ground);
    token(&world).await;
    let row = row(&world).await;
    let lease = Lease::new(ground, Duration::from_millis(700));
    assert!(store.take_rotation("slack", row.version, lease).await.unwrap().is_some());
    assert!(store.rotation_leaves("slack", row.version, lease, ground.now()).await.unwrap());
    let place = Place { table: "chat_tokens", row: "slack", column: "refresh_token" };
    let refresh = world.bridge.vault.open(&place, &row.refresh_token).unwrap();
    let live = world.bridge.live();
    let rotation = live.sources["slack"].chat.as_ref().unwrap().rotation.as_ref().unwrap();
    drop(rotation.rotator.refresh(&refresh, ground.now()).await.unwrap());
    let began = Instant::now();
    assert!(matches!(renew_now(&world.bridge).await, Err(NotRenewed::Ended)), "it is waited for the dead one's lease");
    assert!(began.elapsed() > Duration::from_millis(300) && world.slack().refreshes_asked() == 2);
    let status = world.chat_status().await;
    assert!(status["app_gone_because"].as_str().unwrap().contains("was lost on the way"), "{status}");
}

#[tokio::test]
async fn a_dead_refresh_token_is_told_and_an_older_configuration_never_takes_its_place_again() {
    let (world, refresh_token) = world().await;
    let stale = world.replica(|_| {}, |_| {}).await;
    configured(&world, &stale, CLIENT_SECRET, &refresh_token);
    rotate_batch(&world.bridge).await.unwrap();
    token(&world).await;
    world.slack().end_refresh_tokens();
    world.advance(HALF_A_DAY - 24 * 60 + 1);
    rotate_batch(&world.bridge).await.unwrap();
    let status = world.chat_status().await;
    assert!(status["app_gone_because"].as_str().unwrap().contains("invalid_refresh_token"), "{status}");
    world.slash(MONA_CHAT, "fix it").await;
    let before = world.living();
    assert!(world.chat_status().await["app_gone_since"].is_string(), "its last token works, and it is broken");
    world.advance(3600);
    world.live_for(60).await;
    assert_eq!(world.living(), before, "then nothing is told");
    let newer = world.slack().install_rotating();
    configured(&world, &world.bridge, CLIENT_SECRET, &newer);
    rotate_batch(&world.bridge).await.unwrap();
    let (good, asked) = (token(&world).await, world.slack().refreshes_asked());
    for bridge in [&stale, &world.bridge] {
        assert_eq!(rotate_batch(bridge).await.unwrap(), 0, "the replica that was not told yet begins nothing");
    }
    assert!(token(&world).await == good && world.slack().refreshes_asked() == asked);
    world.live_for(2400).await;
    assert!(world.living().text.contains("*Done*"), "what waited is told");
}

#[tokio::test]
async fn a_token_that_slack_refuses_is_renewed_once_before_the_app_counts_as_gone() {
    let (world, _) = world().await;
    rotate_batch(&world.bridge).await.unwrap();
    token(&world).await;
    world.slack().end_tokens();
    world.slash(MONA_CHAT, "fix it").await;
    world.live_for(10).await;
    assert!(world.living().text.contains("acme/widgets") && world.slack().rotations() == 2);
    assert!(world.chat_status().await["app_gone_since"].is_null());
    token(&world).await;
    // The word of a webhook alone ends nothing, and the token is renewed before it is believed.
    world.advance(2 * 3600);
    world.slack().end_tokens();
    let revoked = "{\"type\":\"event_callback\",\"team_id\":\"T0001\",\"api_app_id\":\"A0001\",\"event_id\":\"Ev1\",\
                   \"event\":{\"type\":\"tokens_revoked\",\"tokens\":{\"oauth\":[],\"bot\":[\"U0BOT\"]}}}";
    world.slack_says(&world.slack().signed("application/json", revoked.to_owned())).await;
    world.settle().await;
    assert!(world.chat_status().await["app_gone_since"].is_null());
    assert_eq!(world.slack().rotations(), 3);
    token(&world).await;
    // And one more so soon is not renewed again.
    world.slack().end_tokens();
    world.slash(MONA_CHAT, "status").await;
    world.live_for(60).await;
    assert!(world.chat_status().await["app_gone_since"].is_string() && world.slack().rotations() == 3);
}

#[tokio::test]
async fn a_wrong_client_secret_ends_nothing() {
    let (world, refresh_token) = world().await;
    rotate_batch(&world.bridge).await.unwrap();
    token(&world).await;
    configured(&world, &world.bridge, "canary-the-wrong-one-2f", &refresh_token);
    assert!(matches!(renew_now(&world.bridge).await, Err(NotRenewed::Later(_))));
    assert!(row(&world).await.ended_at.is_none() && world.chat_status().await["app_gone_since"].is_null());
    configured(&world, &world.bridge, CLIENT_SECRET, &refresh_token);
    world.advance(600);
    rotate_batch(&world.bridge).await.unwrap();
    assert_eq!(world.slack().rotations(), 2);
}

/// A change of the sealing key seals both halves anew.
#[tokio::test]
async fn a_change_of_keys_seals_the_apps_pair_anew() {
    let (world, _) = world().await;
    rotate_batch(&world.bridge).await.unwrap();
    let key = |hex: &str| Key::parse(&Secret::new(hex.repeat(32))).unwrap();
    let vault = Vault::new(vec![key("1e"), key("0f")]).unwrap();
    let other = world.replica(|_| {}, |_| {}).await;
    let live = live_of(&crate::support::world::configuration("rules: []"), other.github.host());
    let (store, github) = (other.store.clone(), other.github.clone());
    let rotated = Bridge::new(store, github, vault, other.ground.clone(), other.settings.clone(), live);
    let before = row(&world).await;
    assert_eq!(reseal(&rotated).await.unwrap(), 2, "mona and the app");
    let after = row(&world).await;
    assert!(after.token != before.token && after.refresh_token != before.refresh_token);
    assert_eq!(after.version, before.version, "it is the same pair");
}

/// What is good for nothing any more lies nowhere, not even sealed; what still works is used to its end.
#[tokio::test]
async fn a_dead_refresh_token_is_wiped_at_once_and_the_token_beside_it_when_it_ends() {
    let (world, _) = world().await;
    rotate_batch(&world.bridge).await.unwrap();
    token(&world).await;
    world.slack().end_refresh_tokens();
    world.advance(HALF_A_DAY - 24 * 60 + 1);
    rotate_batch(&world.bridge).await.unwrap();
    let ended = row(&world).await;
    assert!(ended.ended_at.is_some() && ended.refresh_token.is_empty() && ended.token.is_some());
    assert_eq!(reseal(&world.bridge).await.unwrap(), 0, "there is nothing to open");
    world.advance(24 * 60);
    rotate_batch(&world.bridge).await.unwrap();
    assert!(row(&world).await.token.is_none());
    world.slash(MONA_CHAT, "fix it").await;
    assert!(world.slack().messages().is_empty());
    let newer = world.slack().install_rotating();
    configured(&world, &world.bridge, CLIENT_SECRET, &newer);
    rotate_batch(&world.bridge).await.unwrap();
    assert!(world.slack().takes(&token(&world).await));
}

/// A source may be missing from one replica only, or for a while: its tokens wait for two days after somebody should have
/// renewed them.
#[tokio::test]
async fn the_tokens_of_a_source_that_is_gone_are_wiped_when_nobody_renews_them() {
    const DAY: u64 = 86_400;
    let (world, refresh_token) = world().await;
    rotate_batch(&world.bridge).await.unwrap();
    token(&world).await;
    let here = async || world.bridge.store.chat_token("slack").await.unwrap().is_some();
    world.advance(9 * DAY);
    forget(&world.bridge).await.unwrap();
    assert!(here().await, "a source that is there has its pair, however long nobody was there to renew it");
    rotate_batch(&world.bridge).await.unwrap();
    token(&world).await;
    world.reload(LABEL_RULE);
    world.advance(2 * DAY);
    forget(&world.bridge).await.unwrap();
    assert!(here().await, "not yet");
    world.advance(DAY);
    forget(&world.bridge).await.unwrap();
    assert!(!here().await);
    configured(&world, &world.bridge, CLIENT_SECRET, &refresh_token);
    rotate_batch(&world.bridge).await.unwrap();
    let status = world.chat_status().await;
    assert!(status["app_gone_because"].as_str().unwrap().contains("invalid_refresh_token"), "{status}");
}
