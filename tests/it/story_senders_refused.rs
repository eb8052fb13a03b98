//! What senders other than GitHub may not do: a wrong, old, future, doubled or missing proof is turned away alike, at the
//! door and before anything is read.

use axum::body::Body;
use axum::http::{Request, StatusCode};

use crate::support::senders::{base64_code, hex_code, request};
use crate::support::world::{HOOK_SECRET, SIGNING_KEY, World};

const SENDERS: &str = "
sources:
  plain: { type: hmac, secrets: \"${HOOK_SECRET}\", header: X-Sig }
  stamped:
    type: hmac
    secrets: \"${HOOK_SECRET}\"
    header: X-Sig
    algorithm: sha256
    encoding: base64
    signed: 'v0:{timestamp}:{header:X-More}:{body}'
    timestamp: { header: X-Time, window: 5m }
  shop: { type: standard-webhooks, secrets: \"${SIGNING_KEY}\" }
  stripe: { type: stripe, secrets: \"${HOOK_SECRET}\" }
  linear: { type: linear, secrets: \"${HOOK_SECRET}\" }
  gitlab: { type: gitlab, secrets: \"${HOOK_SECRET}\" }
  devops: { type: azure-devops, username: keeper, secrets: \"${HOOK_SECRET}\" }
rules: []
";
const BODY: &[u8] = b"{}";

fn stamped(stamp: &str) -> Request<Body> {
    let code = base64_code(HOOK_SECRET.as_bytes(), &[b"v0:", stamp.as_bytes(), b":more:", BODY]);
    request("stamped", &[("x-time", stamp), ("x-more", "more"), ("x-sig", &code)], BODY)
}

fn standard(stamp: &str) -> Request<Body> {
    use base64::Engine as _;
    let key = base64::engine::general_purpose::STANDARD.decode(&SIGNING_KEY["whsec_".len()..]).unwrap();
    let code = base64_code(&key, &[b"m-1.", stamp.as_bytes(), b".", BODY]);
    let signature = format!("v1,{code}");
    request("shop", &[("webhook-id", "m-1"), ("webhook-timestamp", stamp), ("webhook-signature", &signature)], BODY)
}

fn stripe(stamp: &str) -> Request<Body> {
    let code = hex_code(HOOK_SECRET.as_bytes(), &[stamp.as_bytes(), b".", BODY]);
    request("stripe", &[("stripe-signature", &format!("t={stamp},v1={code}"))], BODY)
}

/// Each signed rightly over the stamp that it carries.
///
/// Case 21.
#[tokio::test]
async fn a_stamp_that_is_old_or_of_the_future_or_none_is_turned_away() {
    let world = World::new(SENDERS).await;
    let now = world.bridge.ground.now().timestamp();
    type Sender = fn(&str) -> Request<Body>;
    let senders: [(&str, Sender); 3] = [("stamped", stamped), ("shop", standard), ("stripe", stripe)];
    for (name, send) in senders {
        for good in [now, now - 300] {
            let answer = world.send(send(&good.to_string())).await;
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{name} {}", good - now);
        }
        let mut bad = vec![
            (now - 301).to_string(),
            format!("-{now}"),
            format!("{now}.0"),
            "yesterday".to_owned(),
            "9223372036854775808".to_owned(),
            (now * 1000).to_string(),
        ];
        match name {
            // Its own libraries set no bound in the future.
            "stripe" => {
                bad.pop();
            }
            _ => bad.push((now + 301).to_string()),
        }
        for stamp in bad {
            let answer = world.send(send(&stamp)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name} {stamp}");
            assert_eq!(answer.body["type"], "urn:taskbridge:problem:not-signed");
        }
    }
    let linear = |millis: i64| {
        let body = format!("{{\"type\":\"Issue\",\"webhookTimestamp\":{millis}}}");
        let code = hex_code(HOOK_SECRET.as_bytes(), &[body.as_bytes()]);
        request("linear", &[("linear-signature", &code)], body.as_bytes())
    };
    for (off, expected) in [
        (0, StatusCode::ACCEPTED),
        (-60_000, StatusCode::ACCEPTED),
        (-60_001, StatusCode::UNAUTHORIZED),
        (60_001, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(world.send(linear(now * 1000 + off)).await.status, expected, "{off}");
    }
    let refusals = world.refusals().await;
    for reason in ["stamp_stale", "stamp_unusable"] {
        let count: i64 = refusals.iter().filter(|(name, _)| name == reason).map(|(_, count)| count).sum();
        assert!(count > 5, "{reason}: {refusals:?}");
    }
}

#[tokio::test]
async fn a_proof_that_is_wrong_missing_or_doubled_is_turned_away_alike() {
    let world = World::new(SENDERS).await;
    let right = hex_code(HOOK_SECRET.as_bytes(), &[BODY]);
    let other = hex_code(b"another secret", &[BODY]);
    let stamp = world.bridge.ground.now().timestamp().to_string();
    let mut cases: Vec<(&str, Request<Body>)> = vec![
        ("missing", request("plain", &[], BODY)),
        ("empty", request("plain", &[("x-sig", "")], BODY)),
        ("wrong", request("plain", &[("x-sig", &other)], BODY)),
        ("another body", request("plain", &[("x-sig", &right)], b"{} ")),
        ("capitals", request("plain", &[("x-sig", &right.to_uppercase())], BODY)),
        ("short", request("plain", &[("x-sig", &right[1..])], BODY)),
        ("prefixed", request("plain", &[("x-sig", &format!("sha256={right}"))], BODY)),
        ("doubled", request("plain", &[("x-sig", &right), ("x-sig", &right)], BODY)),
        ("no token", request("gitlab", &[], BODY)),
        ("empty token", request("gitlab", &[("x-gitlab-token", "")], BODY)),
        ("doubled token", request("gitlab", &[("x-gitlab-token", HOOK_SECRET), ("x-gitlab-token", HOOK_SECRET)], BODY)),
        ("another token", request("gitlab", &[("x-gitlab-token", "another")], BODY)),
        ("longer token", request("gitlab", &[("x-gitlab-token", &format!("{HOOK_SECRET}x"))], BODY)),
        ("no password", request("devops", &[("authorization", "Basic a2VlcGVyOg==")], BODY)),
        ("bearer", request("devops", &[("authorization", &format!("Bearer {HOOK_SECRET}"))], BODY)),
        ("no base64", request("devops", &[("authorization", "Basic %%%")], BODY)),
        ("of GitHub", request("plain", &[("x-hub-signature-256", &format!("sha256={right}"))], BODY)),
    ];
    for name in ["x-sig", "x-time", "x-more"] {
        let mut missing = stamped(&stamp);
        missing.headers_mut().remove(name);
        cases.push((name, missing));
        let mut doubled = stamped(&stamp);
        let value = doubled.headers()[name].clone();
        doubled.headers_mut().append(name, value);
        cases.push((name, doubled));
        let mut changed = stamped(&stamp);
        changed.headers_mut().insert(name, axum::http::HeaderValue::from_static("1"));
        cases.push((name, changed));
    }
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut doubled = standard(&stamp);
        let value = doubled.headers()[name].clone();
        doubled.headers_mut().append(name, value);
        cases.push((name, doubled));
        let mut missing = standard(&stamp);
        missing.headers_mut().remove(name);
        cases.push((name, missing));
    }
    let mut bodies = std::collections::BTreeSet::new();
    for (what, case) in cases {
        let answer = world.send(case).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
        bodies.insert(answer.body.to_string());
    }
    assert_eq!(bodies.len(), 1, "nobody is told what was wrong: {bodies:?}");
    assert_eq!(world.delivery_count().await, 0);
    assert_eq!(world.send(request("plain", &[("x-sig", &right)], BODY)).await.status, StatusCode::ACCEPTED);
    assert_eq!(
        world.send(request("gitlab", &[("x-gitlab-token", HOOK_SECRET)], BODY)).await.status,
        StatusCode::ACCEPTED
    );
}

/// Case 18.
#[tokio::test]
async fn each_flipped_bit_of_what_a_described_sender_signs_is_turned_away() {
    let world = World::new(SENDERS).await;
    let stamp = world.bridge.ground.now().timestamp().to_string();
    let code = base64_code(HOOK_SECRET.as_bytes(), &[b"v0:", stamp.as_bytes(), b":more:", BODY]);
    for bit in 0..BODY.len() * 8 {
        let mut body = BODY.to_vec();
        body[bit / 8] ^= 1 << (bit % 8);
        let answer =
            world.send(request("stamped", &[("x-time", &stamp), ("x-more", "more"), ("x-sig", &code)], &body)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "bit {bit} of the body");
    }
    let names = ["x-time", "x-sig", "x-more"];
    for (name, bit) in names.iter().flat_map(|name| (0..code.len() * 8).map(move |bit| (*name, bit))) {
        let mut request = stamped(&stamp);
        let mut value = request.headers()[name].as_bytes().to_vec();
        let Some(byte) = value.get_mut(bit / 8) else { continue };
        *byte ^= 1 << (bit % 8);
        let Ok(value) = axum::http::HeaderValue::from_bytes(&value) else { continue };
        request.headers_mut().insert(name, value);
        assert_eq!(world.send(request).await.status, StatusCode::UNAUTHORIZED, "bit {bit} of {name}");
    }
    assert_eq!(world.delivery_count().await, 0);
}
