//! Bodies: whatever is signed is kept and explained, however strange; how much of it may come is bounded.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, StatusCode};
use hyper::body::Frame;
use serde_json::json;
use taskbridge::store::deliveries::DeliveryState;

use crate::support::payloads::MONA;
use crate::support::world::{HOOK_SECRET, LABEL_RULE, Setup, World, labelled, signature, signed};

/// Sends signed bytes and answers what became of the delivery.
async fn fate(world: &World, delivery: &str, body: &[u8]) -> (DeliveryState, String) {
    let answer = world.send(signed("issues", delivery, body)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{delivery}");
    world.settle().await;
    let delivery = world.delivery(delivery).await;
    let kept = world.bridge.store.delivery_with_body(delivery.id).await.unwrap().unwrap();
    assert_eq!(kept.body.as_deref(), Some(body), "kept as it came");
    (delivery.state, delivery.reason.unwrap_or_default())
}

/// Case 9.
#[tokio::test]
async fn signed_nonsense_is_recorded_and_fails_with_a_reason_that_helps() {
    let world = World::new(LABEL_RULE).await;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let cases: [(&str, &[u8], &str); 12] = [
        ("empty", b"", "empty"),
        ("words", b"hello", "line 1 column 1"),
        ("cut", b"{\"action\":\"opened\"", "line 1 column 18"),
        ("two", b"{} {}", "something follows the JSON document"),
        ("latin-1", b"{\"action\":\"caf\xe9\"}", "UTF-8"),
        ("deep", deep.as_bytes(), "nested too deeply"),
        ("nul", br#"{"action":"a\u0000b"}"#, r"\u0000"),
        ("lone surrogate", br#"{"action":"\ud800"}"#, "action"),
        ("bom", b"\xef\xbb\xbf{\"action\":\"opened\"}", "byte order mark"),
        ("list", b"[1,2]", "expected"),
        ("wrong shape", br#"{"action":"opened","issue":{"id":1,"number":"two"}}"#, "issue.number"),
        ("huge number", br#"{"action":"opened","issue":{"id":1e400,"number":1}}"#, "issue.id"),
    ];
    for (name, body, says) in cases {
        let (state, reason) = fate(&world, name, body).await;
        assert_eq!(state, DeliveryState::Failed, "{name}");
        assert!(reason.contains(says), "{name}: {reason}");
    }
    assert!(world.tasks().await.is_empty());
}

/// Case 9.
#[tokio::test]
async fn a_key_that_comes_twice_is_not_silently_read_one_way() {
    let world = World::new(LABEL_RULE).await;
    let now = world.bridge.ground.now();
    let payload = labelled("copilot-fix", MONA, now).to_string();
    let doubled = payload.replacen("\"action\":\"labeled\"", "\"action\":\"opened\",\"action\":\"labeled\"", 1);
    let (state, reason) = fate(&world, "d-1", doubled.as_bytes()).await;
    assert_eq!(state, DeliveryState::Failed);
    assert!(reason.contains("duplicate field `action`"), "{reason}");
    assert!(world.tasks().await.is_empty());
}

/// Case 11.
#[tokio::test]
async fn a_form_with_a_payload_works_and_its_odd_forms_fail() {
    let world = World::new(LABEL_RULE).await;
    let now = world.bridge.ground.now();
    let form = |fields: &[(&str, &str)]| form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let payload = labelled("copilot-fix", MONA, now).to_string();
    let send = async |delivery: &str, body: String| {
        let mut request = signed("issues", delivery, body.as_bytes());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert("content-type", kind);
        assert_eq!(world.send(request).await.status, StatusCode::ACCEPTED);
        world.settle().await;
        world.delivery(delivery).await
    };
    assert_eq!(send("good", form(&[("payload", &payload)])).await.state, DeliveryState::Processed);
    world.task().await;
    for (name, body, says) in [
        ("none", form(&[("load", &payload)]), "no field `payload`"),
        ("twice", form(&[("payload", &payload), ("payload", "{}")]), "twice"),
        ("bare", payload.clone(), "no field `payload`"),
        ("empty", form(&[("payload", "")]), "empty"),
    ] {
        let delivery = send(name, body).await;
        assert_eq!(delivery.state, DeliveryState::Failed, "{name}");
        assert!(delivery.reason.as_deref().unwrap_or_default().contains(says), "{name}: {:?}", delivery.reason);
    }
    world.task().await;
}

/// Case 13.
#[tokio::test]
async fn a_ping_is_answered_200_and_ignored() {
    let world = World::new(LABEL_RULE).await;
    let answer = world.hook("ping", "d-1", &json!({ "zen": "Keep it logically awesome.", "hook_id": 1 })).await;
    assert_eq!(answer.status, StatusCode::OK);
    world.settle().await;
    let delivery = world.delivery("d-1").await;
    assert_eq!(delivery.state, DeliveryState::Ignored);
    assert!(delivery.reason.unwrap().contains("ping"));
}

/// Case 13.
#[tokio::test]
async fn an_event_or_action_that_nobody_knows_is_kept_and_says_so() {
    let world = World::new(LABEL_RULE).await;
    world.hook("moon_landing", "d-1", &json!({ "action": "touched" })).await;
    world.hook("issues", "d-2", &json!({ "action": "teleported" })).await;
    world.settle().await;
    for (id, words) in [("d-1", "moon_landing.touched"), ("d-2", "issues.teleported")] {
        let delivery = world.delivery(id).await;
        assert_eq!(delivery.state, DeliveryState::Ignored);
        let reason = delivery.reason.unwrap();
        assert!(reason.contains(&format!("no rule listens to {words} on the source github")), "{reason}");
    }
}

fn small() -> Setup<'static> {
    let intake = taskbridge::http::state::Intake::new(4096, Duration::from_millis(300), 4096);
    Setup { intake, ..Setup::new(LABEL_RULE) }
}

/// Case 5.
#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_unread() {
    let world = World::of(small()).await;
    // Had it been read, there would be no answer: nothing of it ever comes.
    let endless = Body::new(Pieces { left: 0, endless: true });
    let request = Request::post("/hooks/github")
        .header("content-length", "4097")
        .header("x-hub-signature-256", signature(HOOK_SECRET, b""))
        .body(endless)
        .unwrap();
    let answer = world.send(request).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.body["detail"].as_str().unwrap().contains("4096"), "{}", answer.body);
    assert_eq!(world.refusals().await, [("too_large".to_owned(), 1)]);
}

/// A body that comes in pieces of 1 KiB without saying how long it is.
struct Pieces {
    left: usize,
    endless: bool,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let size = self.left.min(1024);
        self.left -= size;
        match (size, self.endless) {
            (0, true) => Poll::Pending,
            (0, false) => Poll::Ready(None),
            _ => Poll::Ready(Some(Ok(Frame::data(vec![b'a'; size].into())))),
        }
    }
}

/// Case 5.
#[tokio::test]
async fn a_body_of_unsaid_length_is_refused_once_it_is_too_large() {
    let world = World::of(small()).await;
    let request = |left: usize| {
        Request::post("/hooks/github")
            .header("x-github-event", "issues")
            .header("x-github-delivery", "d-1")
            .header("x-hub-signature-256", signature(HOOK_SECRET, &vec![b'a'; left]))
            .body(Body::new(Pieces { left, endless: false }))
            .unwrap()
    };
    assert_eq!(world.send(request(4097)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.delivery_count().await, 0);
    assert_eq!(world.send(request(4096)).await.status, StatusCode::ACCEPTED);
}

/// Case 6.
#[tokio::test]
async fn bodies_that_would_not_fit_together_are_told_to_come_again() {
    let world = World::of(small()).await;
    // Each holds what has come of it: the part for small bodies is full with the first, the rest with the second.
    let stuck = || tower::ServiceExt::oneshot(world.router.clone(), stuck(4096, "4096"));
    let (first, second) = (stuck(), stuck());
    tokio::pin!(first, second);
    assert!(still_waits(first.as_mut()).await && still_waits(second.as_mut()).await, "they are still being read");
    let answer = world.send(signed("issues", "d-1", b"{}")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "2");
    // Their deadline frees their room.
    assert_eq!(first.await.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(second.await.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(world.send(signed("issues", "d-1", b"{}")).await.status, StatusCode::ACCEPTED);
    let mut refusals = world.refusals().await;
    refusals.sort();
    assert_eq!(refusals, [("over_budget".to_owned(), 1), ("too_slow".to_owned(), 2)]);
}

/// A request that looks signed, says how long it is, brings `left` bytes and then nothing.
fn stuck(left: usize, length: &str) -> Request<Body> {
    Request::post("/hooks/github")
        .header("content-length", length)
        .header("x-hub-signature-256", signature(HOOK_SECRET, b""))
        .body(Body::new(Pieces { left, endless: true }))
        .unwrap()
}

/// Case 6.
#[tokio::test]
async fn what_is_only_announced_keeps_nobody_out() {
    let world = World::of(small()).await;
    let mut idle = tokio::task::JoinSet::new();
    for _ in 0..50 {
        idle.spawn(tower::ServiceExt::oneshot(world.router.clone(), stuck(0, "4096")));
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let answer = world.send(signed("issues", "d-1", b"{}")).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
}

#[tokio::test]
async fn what_does_not_even_look_signed_is_turned_away_unread() {
    let world = World::of(small()).await;
    for (value, reason) in [(None, "signature_missing"), (Some("sha256=00"), "signature_malformed")] {
        let mut request = stuck(0, "4096");
        request.headers_mut().remove("x-hub-signature-256");
        if let Some(value) = value {
            request.headers_mut().insert("x-hub-signature-256", HeaderValue::from_static(value));
        }
        // Had the body been waited for, this would be a time-out.
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{reason}");
        assert!(world.refusals().await.contains(&(reason.to_owned(), 1)), "{reason}");
    }
}

/// Whether a request is still waiting after a moment.
async fn still_waits(request: Pin<&mut impl Future>) -> bool {
    tokio::time::timeout(Duration::from_millis(20), request).await.is_err()
}
