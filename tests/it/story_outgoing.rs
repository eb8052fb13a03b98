//! Outgoing webhooks: every change of a task's state reaches each receiver once under one id, signed, in order; what a
//! receiver does or does not do touches nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta};
use serde_json::json;
use taskbridge::domain::signing_key::SigningKey;
use taskbridge::pipeline::{forget, outgoing, steer};
use taskbridge::secret::Secret;
use taskbridge::sources::Refusal;
use taskbridge::sources::scheme::Scheme;
use taskbridge::sources::scheme::stamp::Window;
use taskbridge::sources::scheme::standard_webhooks::StandardWebhooks;
use taskbridge::store::api_keys::Scope;
use taskbridge::store::reports::{Report, ReportKind};
use taskbridge::workers::Workers;

use crate::api_kit::Caller;
use crate::support::receiver::{Heard, Receiver, Reply};
use crate::support::senders::base64_code;
use crate::support::stories::MONA;
use crate::support::world::{LABEL_RULE, OLD_SIGNING_KEY, SIGNING_KEY, World};

/// The rule of labels with one receiver of this name, and what else is said of it.
fn told_to(name: &str, receiver: &Receiver, more: &str) -> String {
    format!("{LABEL_RULE}outgoing:\n{}", one(name, receiver, more))
}

fn one(name: &str, receiver: &Receiver, more: &str) -> String {
    format!("  - {{ name: {name}, url: \"{}\", secrets: \"${{SIGNING_KEY}}\"{more} }}\n", receiver.url())
}

const PRIVATE: &str = ", allow_private: true";

/// Sends what is due in a lane.
async fn deliver(world: &World, lane: usize) {
    while outgoing::send_batch(&world.bridge, lane).await.unwrap() > 0 {}
}

async fn messages(world: &World) -> Vec<Report> {
    let mut reports = world.bridge.store.reports_of_task(world.task().await.id).await.unwrap();
    reports.retain(|report| report.kind == ReportKind::Outgoing);
    // Ids of one millisecond have no order.
    reports.sort_by_key(|report| report.seq);
    reports
}

fn steps(heard: &[Heard]) -> Vec<(String, String)> {
    heard.iter().map(Heard::step).collect()
}

/// By the verifier that takes in such webhooks from others.
fn verify(key: &str, headers: &HeaderMap, body: &[u8], now: DateTime<chrono::Utc>) -> Result<(), Refusal> {
    let keys = vec![SigningKey::parse(&Secret::new(key)).unwrap()];
    Scheme::StandardWebhooks(StandardWebhooks::new(keys, "webhook", Window::both(300))).verify(headers, body, now)
}

#[tokio::test]
async fn every_change_is_told_once_in_order_and_signed() {
    let receiver = Receiver::start().await;
    let world = World::new(&told_to("board", &receiver, PRIVATE)).await;
    world.wish(MONA, 1).await;
    world.live_for(90).await;
    let task = world.task().await;
    let entries = world.bridge.store.timeline(task.id).await.unwrap();
    let told: Vec<_> = entries.iter().filter(|entry| entry.kind == "made" || entry.kind == "state").collect();
    let waiting = messages(&world).await;
    assert_eq!(waiting.len(), told.len(), "as many as there are changes, before anything is sent");
    assert!(receiver.heard().is_empty() && told.len() >= 4, "{entries:#?}");

    // Two replicas at once.
    tokio::join!(deliver(&world, 0), deliver(&world, 0));
    let heard = receiver.heard();
    assert_eq!(heard.len(), told.len(), "{:?}", steps(&heard));
    let now = world.bridge.ground.now();
    let key = STANDARD.decode(SIGNING_KEY.strip_prefix("whsec_").unwrap()).unwrap();
    for (nth, message) in heard.iter().enumerate() {
        let (id, stamp) = (message.header("webhook-id"), message.header("webhook-timestamp"));
        let code = base64_code(&key, &[id.as_bytes(), b".", stamp.as_bytes(), b".", &message.body]);
        assert_eq!(message.header("webhook-signature"), format!("v1,{code}"));
        verify(SIGNING_KEY, &message.headers, &message.body, now).unwrap();
        let other = [&message.body[..], b" "].concat();
        assert!(verify(SIGNING_KEY, &message.headers, &other, now).is_err());
        assert_eq!(message.header("content-type"), "application/json");
        assert_eq!((message.path.as_str(), id), ("/hook/", waiting[nth].id.to_string().as_str()));
        let body = message.json();
        assert_eq!(body["type"], "task.state_changed");
        assert_eq!(body["data"]["sequence"], nth + 1);
        let after = told[nth].to_state.clone().unwrap_or_else(|| "pending".to_owned());
        assert_eq!(body["data"]["to"], after);
        for (key, value) in [("rule", "fix-labelled-issues"), ("repo", "acme/widgets"), ("person", "mona")] {
            assert_eq!(body["data"][key], value);
        }
        let text = String::from_utf8(message.body.to_vec()).unwrap();
        assert!(!text.contains(task.marker.expose()) && !text.contains("Fix issue"), "{text}");
    }
    let last = heard.last().unwrap().json();
    assert_eq!(last["data"]["task"], json!(task.id.0));
    assert_eq!(last["data"]["to"], "completed");
    assert_eq!(last["data"]["remote_url"], json!(task.remote_url));
    assert!(messages(&world).await.iter().all(|message| message.state == "sent"));
    deliver(&world, 0).await;
    assert_eq!(receiver.heard().len(), told.len(), "once");
}

/// A word that is not known after another is a change to nobody: whoever counts misses none.
#[tokio::test]
async fn what_is_no_change_of_state_takes_no_number() {
    let receiver = Receiver::start().await;
    let world = World::new(&told_to("board", &receiver, PRIVATE)).await;
    world.wish(MONA, 1).await;
    world.live_for(5).await;
    let remote = world.task().await.remote_id.unwrap();
    for state in ["weird-a", "weird-b", "completed"] {
        world.control().set_state(&remote, state, None).unwrap();
        world.live_for(120).await;
    }
    deliver(&world, 0).await;
    let told: Vec<(i64, String)> = receiver
        .heard()
        .iter()
        .map(|heard| {
            let body = heard.json();
            (body["data"]["sequence"].as_i64().unwrap(), body["data"]["to"].as_str().unwrap().to_owned())
        })
        .collect();
    let numbers: Vec<i64> = told.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=i64::try_from(told.len()).unwrap()).collect::<Vec<_>>(), "{told:?}");
    assert_eq!(told.iter().filter(|(_, to)| to == "unrecognised").count(), 1, "{told:?}");
    assert_eq!(told.last().unwrap().1, "completed");
    let entries = world.bridge.store.timeline(world.task().await.id).await.unwrap();
    assert!(
        entries.iter().filter(|entry| entry.to_state.as_deref() == Some("unrecognised")).count() > 1,
        "{entries:#?}"
    );
}

#[tokio::test]
async fn a_retry_has_the_same_id_and_a_fresh_signature_and_what_is_behind_it_waits() {
    let receiver = Receiver::start().await;
    let world = World::new(&told_to("board", &receiver, PRIVATE)).await;
    receiver.reply([Reply::Status(500), Reply::Later(1000)]);
    world.wish(MONA, 1).await;
    world.settle().await;
    deliver(&world, 0).await;
    assert_eq!(receiver.heard().len(), 1, "the first of them, and none past it");
    world.advance(60);
    deliver(&world, 0).await;
    assert_eq!(receiver.heard().len(), 2);
    world.advance(300);
    deliver(&world, 0).await;
    assert_eq!(receiver.heard().len(), 2, "it asked to be left alone");
    world.advance(1300);
    deliver(&world, 0).await;
    let heard = receiver.heard();
    let [first, second, third, ..] = &heard[..] else { panic!("tried again: {heard:?}") };
    for again in [second, third] {
        assert_eq!(first.header("webhook-id"), again.header("webhook-id"));
        assert_eq!(first.body, again.body);
        assert_ne!(first.header("webhook-timestamp"), again.header("webhook-timestamp"));
    }
    verify(SIGNING_KEY, &third.headers, &third.body, world.bridge.ground.now()).unwrap();
    let sequence: Vec<i64> =
        heard[2..].iter().map(|heard| heard.json()["data"]["sequence"].as_i64().unwrap()).collect();
    assert_eq!(sequence, (1..=i64::try_from(sequence.len()).unwrap()).collect::<Vec<_>>(), "then all, in order");
    assert!(sequence.len() >= 3);
}

/// With the real workers: one receiver never answers, and everybody else is told.
#[tokio::test]
async fn a_receiver_that_never_answers_delays_no_other_and_not_github() {
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    slow.always(Reply::Never);
    let mut text = told_to("slow", &slow, &format!("{PRIVATE}, timeout: 30s"));
    text.push_str(&one("quick", &quick, PRIVATE));
    let world = World::new(&text).await;
    world.wish(MONA, 1).await;
    let workers = Workers::start(&world.bridge);
    let all = async {
        while quick.heard().len() < 3 || world.comments().is_empty() || slow.heard().is_empty() {
            world.advance(1);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), all).await;
    assert!(in_time.is_ok(), "{} {:?} {}", quick.heard().len(), world.comments(), slow.heard().len());
    assert_eq!(slow.heard().len(), 1, "it is still at the first");
    workers.stop(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn after_about_a_day_it_is_given_up_and_the_admin_api_says_so() {
    let receiver = Receiver::start().await;
    receiver.always(Reply::Status(500));
    let world = World::new(&told_to("board", &receiver, ", allow_private: true, states: [pending, held]")).await;
    world.wish(MONA, 1).await;
    world.settle().await;
    let begun = world.bridge.ground.now();
    while messages(&world).await[0].state == "pending" {
        deliver(&world, 0).await;
        world.advance(600);
        assert!(world.bridge.ground.now() - begun < TimeDelta::hours(36), "it ends");
    }
    let lasted = world.bridge.ground.now() - begun;
    assert!(lasted > TimeDelta::hours(18), "{lasted}");
    assert_eq!(receiver.heard().len(), 19);
    let heard = receiver.heard();
    assert!(heard.iter().all(|again| again.header("webhook-id") == heard[0].header("webhook-id")));
    let operator = Caller::new(&world, "op", Scope::Read).await;
    let task = world.task().await;
    let shown = operator.get(&format!("/api/v1/tasks/{}", task.id)).await.body;
    let report =
        shown["reports"].as_array().unwrap().iter().find(|report| report["kind"] == "outgoing").unwrap().clone();
    assert_eq!(
        (&report["receiver"], &report["state"], &report["trouble"], &report["tries"]),
        (&json!("board"), &json!("failed"), &json!("it answers 500"), &json!(19))
    );
    assert_eq!(report["webhook_id"], receiver.heard()[0].header("webhook-id"));
    assert!(world.made(&task) == 1, "the task itself goes its way");
}

#[tokio::test]
async fn a_receiver_that_is_gone_hears_no_more_of_that_and_of_the_next_change_it_does() {
    let receiver = Receiver::start().await;
    let world = World::new(&told_to("board", &receiver, ", allow_private: true, states: [pending, starting]")).await;
    receiver.reply([Reply::Status(410), Reply::Large]);
    world.wish(MONA, 1).await;
    world.settle().await;
    deliver(&world, 0).await;
    let states: Vec<String> = messages(&world).await.into_iter().map(|message| message.state).collect();
    assert_eq!(states, ["failed", "sent"], "a long answer is as good as none");
    assert_eq!(steps(&receiver.heard()), [("-".into(), "pending".into()), ("pending".into(), "starting".into())]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_private_address_is_not_called() {
    let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
    let mut text = told_to("board", &receiver, PRIVATE);
    text.push_str(&one("inside", &elsewhere, ""));
    let world = World::new(&text).await;
    receiver.always(Reply::Redirect(elsewhere.url()));
    world.wish(MONA, 1).await;
    world.settle().await;
    deliver(&world, 0).await;
    deliver(&world, 1).await;
    assert_eq!((receiver.heard().len(), elsewhere.heard().len()), (1, 0));
    let troubles = messages(&world).await.into_iter().filter_map(|message| message.receiver.zip(message.trouble));
    let troubles: BTreeMap<String, String> = troubles.collect();
    assert_eq!(troubles["board"], "it answers 307 and points elsewhere; redirects are not followed");
    assert_eq!(troubles["inside"], "its address is not one of the whole internet, and `allow_private` is not set");
}

#[tokio::test]
async fn while_a_secret_is_replaced_either_verifies() {
    let receiver = Receiver::start().await;
    let text = told_to("board", &receiver, PRIVATE)
        .replace("\"${SIGNING_KEY}\"", "[\"${SIGNING_KEY}\", \"${OLD_SIGNING_KEY}\"]");
    let world = World::new(&text).await;
    world.wish(MONA, 1).await;
    world.settle().await;
    deliver(&world, 0).await;
    let heard = receiver.heard();
    let now = world.bridge.ground.now();
    for key in [SIGNING_KEY, OLD_SIGNING_KEY] {
        verify(key, &heard[0].headers, &heard[0].body, now).unwrap();
        let shown = format!("{:?} {:?}", world.bridge.live(), heard[0].header("webhook-signature"));
        assert!(!shown.contains(key) && !shown.contains(&key[6..]) && !shown.contains("/hook/"), "{shown}");
    }
    assert_eq!(heard[0].header("webhook-signature").split(' ').count(), 2);
}

#[tokio::test]
async fn a_receiver_hears_only_the_rules_and_states_it_chose_and_reloads_take_effect() {
    let receiver = Receiver::start().await;
    let chosen = format!("{LABEL_RULE}  - name: other\n    on: {{ label: other }}\n    prompt: Do it.\n");
    let more = ", allow_private: true, rules: other";
    let world = World::new(&format!("{chosen}outgoing:\n{}", one("board", &receiver, more))).await;
    world.wish(MONA, 1).await;
    world.settle().await;
    assert!(messages(&world).await.is_empty());
    world.reload(&told_to("board", &receiver, ", allow_private: true, states: cancelled"));
    world.live_for(90).await;
    let id = world.task().await.id;
    let again = steer::retry(&world.bridge, id, "ann", false).await.unwrap();
    steer::cancel(&world.bridge, again.id, "ann").await.unwrap();
    deliver(&world, 0).await;
    let heard = receiver.heard();
    assert_eq!(steps(&heard), [("pending".into(), "cancelled".into())]);
    assert_eq!(heard[0].json()["data"]["reason"], "cancelled before the start by ann");
    assert_eq!(heard[0].json()["data"]["sequence"], 2);
}

#[tokio::test]
async fn what_waits_for_a_receiver_that_is_configured_no_more_is_given_up_after_two_days() {
    let receiver = Receiver::start().await;
    let world = World::new(&told_to("board", &receiver, PRIVATE)).await;
    world.wish(MONA, 1).await;
    world.settle().await;
    world.reload(LABEL_RULE);
    world.advance(86_400);
    forget::forget(&world.bridge).await.unwrap();
    assert!(messages(&world).await.iter().all(|message| message.state == "pending"));
    world.advance(86_400 + 60);
    forget::forget(&world.bridge).await.unwrap();
    let left = messages(&world).await;
    assert!(!left.is_empty() && left.iter().all(|message| message.state == "failed"), "{left:#?}");
    assert_eq!(left[0].trouble.as_deref(), Some("no receiver of this name is configured any more"));
}
