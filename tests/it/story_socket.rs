//! Requests of Slack that come through a socket: they become what they would have become at the door, they are
//! acknowledged when they are kept and not before, and a socket that is lost, closed or silent is opened again.

use std::time::Duration;

use serde_json::json;
use taskbridge::domain::task::State;
use taskbridge::ids::PersonId;
use taskbridge::pipeline::chat::socket::Patience;
use taskbridge::pipeline::record::recorder;
use taskbridge::pipeline::sockets::SocketState;
use taskbridge::workers::sockets;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT};
use crate::support::cut::{Cut, Line};
use crate::support::world::{Setup, World};

/// The sockets of one replica.
pub(crate) struct Replica {
    stop: CancellationToken,
    running: JoinSet<()>,
}

impl Replica {
    pub(crate) fn of(world: &World) -> Self {
        let (recorder, writer) = recorder(world.bridge.store.clone(), world.bridge.ground.clone());
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(writer.run());
        let short = Duration::from_millis(100);
        let patience = Patience { hello: 20 * short, ping: short, silence: 6 * short, leave: 10 * short };
        running.spawn(sockets::run(world.bridge.clone(), recorder, patience, stop.clone()));
        Self { stop, running }
    }

    /// Ends by itself, the writer too.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let all = async { while self.running.join_next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(5), all).await.expect("it stops");
    }
}

fn rule() -> String {
    CHAT_RULE.replace("signing_secret: \"${SLACK_SIGNING_SECRET}\"", "app_token: \"${SLACK_APP_TOKEN}\"")
}

async fn socket_world() -> (World, Replica) {
    let world = World::of(Setup::new(&rule())).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    let replica = Replica::of(&world);
    until(|| world.slack().sockets() == 1).await;
    (world, replica)
}

pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it does not come to be");
}

#[tokio::test]
async fn what_comes_through_a_socket_becomes_what_it_would_have_become_at_the_door() {
    let (world, replica) = socket_world().await;
    let slash = world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "fix the login button");
    let id = world.slack().push(&slash);
    until(|| world.slack().acks(&id).len() == 1).await;
    assert_eq!(world.slack().acks(&id)[0], json!({ "envelope_id": id }), "an answer would be shown to everybody");
    world.settle().await;
    let task = world.task().await;
    assert_eq!((task.prompt.as_str(), task.person_login.as_str()), ("fix the login button", "mona"));
    // Sent again, it is acknowledged again, and starts nothing.
    assert!(world.slack().push_again(&id));
    until(|| world.slack().acks(&id).len() == 2).await;
    let mention =
        world.slack().push(&world.slack().mention("Ev1", MONA_CHAT, CHANNEL, "1515449522.000016", "and test it"));
    let press = world.slack().push(&world.slack().press(MONA_CHAT, CHANNEL, "1.1", "why", &task.id.to_string()));
    until(|| !world.slack().acks(&mention).is_empty() && !world.slack().acks(&press).is_empty()).await;
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 2);
    assert!(world.whispered(MONA_CHAT).contains("made by the rule chat"), "{}", world.whispered(MONA_CHAT));
    assert_eq!(world.delivery_count().await, 3);
    // What can be told while the form is open goes with the acknowledgement.
    world.slack().push(&world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", ""));
    until_async(&world, 4).await;
    world.settle().await;
    let bad = world.slack().push(&world.slack().submit(MONA_CHAT, &[("repo", "widgets"), ("prompt", "fix it")]));
    until(|| !world.slack().acks(&bad).is_empty()).await;
    assert_eq!(world.slack().acks(&bad)[0]["payload"]["response_action"], "errors");
    assert_eq!(world.delivery_count().await, 4);
    replica.stop().await;
    until(|| world.slack().sockets() == 0).await;
    world.live_for(60).await;
    assert!(world.tasks().await.iter().all(|task| task.state == State::Completed || task.state == State::InProgress));
}

async fn until_async(world: &World, count: usize) {
    for _ in 0..400 {
        if world.delivery_count().await == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{} deliveries", world.delivery_count().await);
}

/// Case 12.
#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_kept() {
    let line = Cut::new();
    let world = World::of(Setup { cut: Some(line.clone()), ..Setup::new(&rule()) }).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    let replica = Replica::of(&world);
    until(|| world.slack().sockets() == 1).await;
    line.set(Line::Refusing);
    let id = world.slack().push(&world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "fix it"));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(world.slack().acks(&id).is_empty(), "the database is away");
    line.set(Line::Open);
    for _ in 0..100 {
        world.slack().push_again(&id);
        tokio::time::sleep(Duration::from_millis(100)).await;
        if !world.slack().acks(&id).is_empty() {
            break;
        }
    }
    assert!(!world.slack().acks(&id).is_empty(), "it is taken when it comes again");
    world.settle().await;
    assert_eq!(world.delivery_count().await, 1);
    assert_eq!(world.task().await.prompt, "fix it");
    replica.stop().await;
}

#[tokio::test]
async fn a_socket_that_ends_or_falls_silent_is_opened_again() {
    let (world, replica) = socket_world().await;
    for (nth, end) in ["close", "drop", "silence"].into_iter().enumerate() {
        let made = world.slack().sockets_made();
        match end {
            "close" => world.slack().close_sockets(),
            "drop" => world.slack().drop_sockets(),
            _ => world.slack().silence_sockets(),
        }
        until(|| world.slack().sockets_made() > made && world.slack().sockets() == 1).await;
        let text = format!("fix {end}");
        let id = world.slack().push(&world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", &text));
        until(|| world.slack().acks(&id).len() == 1).await;
        world.settle().await;
        assert_eq!(world.tasks().await.len(), nth + 1, "{end}");
    }
    // When Slack says beforehand that it will close one, the next is open before that.
    let made = world.slack().sockets_made();
    world.slack().disconnect("warning");
    until(|| world.slack().sockets_made() > made && world.slack().sockets() == 2).await;
    let id = world.slack().push(&world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "fix it in time"));
    until(|| world.slack().acks(&id).len() == 1).await;
    until(|| world.slack().sockets() == 1).await;
    // What is not understood breaks nothing.
    for odd in ["", "x", "{}", r#"{"type":"news","payload":7}"#, r#"{"type":"events_api","envelope_id":7}"#] {
        world.slack().say(odd);
    }
    let unknown = world.slack().push_raw("news", &json!({ "a": 1 }));
    until(|| world.slack().acks(&unknown).len() == 1).await;
    let made = world.slack().sockets_made();
    world.slack().say(&"x".repeat(2 * 1024 * 1024));
    until(|| world.slack().sockets_made() > made && world.slack().sockets() == 1).await;
    replica.stop().await;
}

#[tokio::test]
async fn two_replicas_have_a_socket_each_and_start_a_wish_once() {
    let (world, first) = socket_world().await;
    let second = Replica::of(&world);
    until(|| world.slack().sockets() == 2).await;
    let id = world.slack().push(&world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "fix it"));
    until(|| world.slack().acks(&id).len() == 1).await;
    // Its acknowledgement was not heard: it comes again, to the other.
    second.stop().await;
    until(|| world.slack().sockets() == 1).await;
    world.slack().push_again(&id);
    until(|| world.slack().acks(&id).len() == 2).await;
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 1);
    assert_eq!(world.delivery_count().await, 1);
    first.stop().await;
}

#[tokio::test]
async fn a_wrong_token_is_said_and_a_right_one_is_taken_up() {
    let wrong = rule().replace("SLACK_APP_TOKEN", "WRONG_APP_TOKEN");
    let world = World::of(Setup::new(&wrong)).await;
    let replica = Replica::of(&world);
    until(
        || matches!(world.bridge.sockets.of("slack"), Some(SocketState::Trouble(why)) if why.contains("invalid_auth")),
    )
    .await;
    world.reload(&rule());
    until(|| world.bridge.sockets.of("slack") == Some(SocketState::Open)).await;
    // Without one, nothing is listened to any more, and nothing that is posted is believed.
    let posted = world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", "fix it");
    assert_eq!(world.slack_says(&posted).await.status, axum::http::StatusCode::UNAUTHORIZED);
    world.reload(CHAT_RULE);
    until(|| world.slack().sockets() == 0).await;
    assert_eq!(world.bridge.sockets.of("slack"), None);
    assert_eq!(world.slack_says(&posted).await.status, axum::http::StatusCode::OK);
    replica.stop().await;
}
