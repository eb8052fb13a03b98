//! The door: what is not signed leaves nothing behind but a count, and is told nothing.

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode};

use crate::support::world::{HOOK_SECRET, LABEL_RULE, OLD_SECRET, Setup, World, signature, signed};

const BODY: &[u8] = br#"{"action":"opened"}"#;

/// A request with these signature headers.
fn with(headers: &[(&'static str, String)]) -> Request<Body> {
    let mut request = signed("issues", "d-1", BODY);
    request.headers_mut().remove("x-hub-signature-256");
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// The SHA-1 signature of [`BODY`] by the stories' secret: right, and too weak.
const SHA1: &str = "sha1=8b0b6cc637c61bdcc011eca1ab546a1d609dc690";

/// Case 16.
#[tokio::test]
async fn what_is_not_rightly_signed_is_turned_away_alike_and_leaves_only_a_count() {
    const NAME: &str = "x-hub-signature-256";
    let world = World::new(LABEL_RULE).await;
    let right = signature(HOOK_SECRET, BODY);
    let upper = format!("sha256={}", right["sha256=".len()..].to_uppercase());
    let cases: Vec<Vec<(&'static str, String)>> = vec![
        vec![],
        vec![(NAME, String::new())],
        vec![(NAME, signature("another secret", BODY))],
        vec![(NAME, signature(HOOK_SECRET, b"another body"))],
        vec![(NAME, right.clone()), (NAME, right.clone())],
        vec![(NAME, "sha256=00".to_owned()), (NAME, right.clone())],
        vec![(NAME, format!("{right}, {right}"))],
        vec![(NAME, right[..right.len() - 1].to_owned())],
        vec![(NAME, format!("{right}0"))],
        vec![(NAME, "sha256=".to_owned())],
        vec![(NAME, upper)],
        vec![(NAME, format!("{}g", &right[..right.len() - 1]))],
        vec![(NAME, format!("sha256={}", "0".repeat(64)))],
        vec![(NAME, right.replace("sha256=", "sha1="))],
        vec![(NAME, right.replace("sha256=", ""))],
        vec![("x-hub-signature", SHA1.to_owned())],
    ];
    let mut bodies = std::collections::BTreeSet::new();
    let count = i64::try_from(cases.len()).unwrap();
    for case in cases {
        let shown = format!("{case:?}");
        let answer = world.send(with(&case)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{shown}");
        bodies.insert(answer.body.to_string());
    }
    assert_eq!(bodies.len(), 1, "the answer says nothing of what was wrong: {bodies:?}");
    assert_eq!(world.delivery_count().await, 0);
    let refusals = world.refusals().await;
    assert_eq!(refusals.iter().map(|(_, count)| count).sum::<i64>(), count, "{refusals:?}");
    for reason in ["signature_missing", "signature_wrong", "signature_doubled", "signature_malformed"] {
        assert!(refusals.iter().any(|(name, _)| name == reason), "{reason}: {refusals:?}");
    }
}

#[tokio::test]
async fn an_unknown_source_is_not_found_and_is_counted_under_no_name_of_the_senders_choice() {
    let world = World::new(LABEL_RULE).await;
    let mut request = signed("issues", "d-1", BODY);
    *request.uri_mut() = "/hooks/somebody-elses".parse().unwrap();
    let answer = world.send(request).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(world.refusals().await, [("unknown_source".to_owned(), 1)]);
    let since = world.bridge.ground.now() - chrono::TimeDelta::hours(2);
    assert_eq!(world.bridge.store.refusals(since).await.unwrap()[0].source, "");
}

/// Case 19.
#[tokio::test]
async fn during_a_rotation_both_secrets_are_good_and_afterwards_only_the_new_one() {
    let both = "sources:\n  github: { type: github, secrets: [\"${HOOK_SECRET}\", \"${OLD_SECRET}\"] }\n";
    let world = World::of(Setup::new(both)).await;
    let request = |delivery: &str, secret: &str| {
        let mut request = signed("issues", delivery, BODY);
        let value = HeaderValue::from_str(&signature(secret, BODY)).unwrap();
        request.headers_mut().insert("x-hub-signature-256", value);
        request
    };
    assert_eq!(world.send(request("d-1", HOOK_SECRET)).await.status, StatusCode::ACCEPTED);
    assert_eq!(world.send(request("d-2", OLD_SECRET)).await.status, StatusCode::ACCEPTED);
    world.reload("rules: []\n");
    assert_eq!(world.send(request("d-3", OLD_SECRET)).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.send(request("d-4", HOOK_SECRET)).await.status, StatusCode::ACCEPTED);
}

/// Case 10.
#[tokio::test]
async fn delivery_and_event_must_be_named_once_and_shortly() {
    let world = World::new(LABEL_RULE).await;
    for name in ["x-github-delivery", "x-github-event"] {
        for wrong in
            [vec![], vec![String::new()], vec!["a".repeat(129)], vec!["a".into(), "a".into()], vec!["a\tb".into()]]
        {
            let mut request = signed("issues", "d-1", BODY);
            request.headers_mut().remove(name);
            for value in &wrong {
                request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
            }
            let answer = world.send(request).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name} {wrong:?}");
        }
    }
    let mut request = signed("issues", "d-1", BODY);
    request.headers_mut().insert("x-github-delivery", HeaderValue::from_bytes(b"caf\xe9").unwrap());
    assert_eq!(world.send(request).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.delivery_count().await, 0);
    assert_eq!(world.refusals().await, [("header_unusable".to_owned(), 11)]);
    assert_eq!(world.send(signed("issues", &"a".repeat(128), BODY)).await.status, StatusCode::ACCEPTED);
}

/// Case 8.
#[tokio::test]
async fn a_compressed_body_is_refused_by_name() {
    let world = World::new(LABEL_RULE).await;
    for encoding in ["gzip", "zstd", "br", "identity, gzip"] {
        let mut request = signed("issues", "d-1", BODY);
        request.headers_mut().insert("content-encoding", HeaderValue::from_static(encoding));
        assert_eq!(world.send(request).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encoding}");
    }
    assert_eq!(world.refusals().await, [("compressed".to_owned(), 4)]);
    assert_eq!(world.delivery_count().await, 0);
}
