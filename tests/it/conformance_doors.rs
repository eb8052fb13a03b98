//! Signature vectors of Discord, Mattermost and Teams kept outside this repository, sent through the real door to a source
//! of their own kind. The folder is named by `TASKBRIDGE_CONFORMANCE_DIR`; without it this test says that it was skipped.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde_json::Value;
use taskbridge::domain::signing_key::{PublicKey, SharedKey};
use taskbridge::secret::Secret;
use taskbridge::sources::Source;
use taskbridge::sources::doors::Door;

use crate::conformance::{folder, say};
use crate::support::world::{LABEL_RULE, Setup, World, configuration};

fn source(vector: &Value) -> Option<(&'static str, Source)> {
    let text = |key: &str| Secret::new(vector[key].as_str().unwrap());
    let host = || "github.com".to_owned();
    let (name, door) = match vector["scheme"].as_str()? {
        "discord-ed25519" => {
            let key = PublicKey::of_hex(vector["public_key"].as_str()?).unwrap();
            ("discord", Door::discord(vec![key], "845027738276462632".to_owned(), host()))
        }
        "mattermost-token" => ("mattermost", Door::mattermost(vec![text("secret")], host())),
        "teams-hmac" => {
            let key = SharedKey::of_base64(&text("secret")).unwrap();
            ("teams", Door::teams(vec![key], "/copilot".to_owned(), host()))
        }
        _ => return None,
    };
    Some((name, Source::Door(door)))
}

fn request(vector: &Value, name: &str) -> Option<Request<Body>> {
    let body = STANDARD.decode(vector["body_b64"].as_str().unwrap()).unwrap();
    let mut request = Request::post(format!("/hooks/{name}")).body(Body::from(body)).unwrap();
    for header in vector["headers"].as_array().unwrap() {
        let name = HeaderName::from_bytes(header[0].as_str().unwrap().as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(header[1].as_str().unwrap().as_bytes()).ok()?);
    }
    Some(request)
}

/// Where the receiver's clock stands: where the vector says, or else at its time stamp in a header or the body.
fn now(vector: &Value) -> i64 {
    let body: Value =
        serde_json::from_slice(&STANDARD.decode(vector["body_b64"].as_str().unwrap()).unwrap()).unwrap_or_default();
    let written = body["timestamp"].as_str().and_then(|stamp| DateTime::parse_from_rfc3339(stamp).ok());
    let mut stamps = vector["headers"].as_array().unwrap().iter().filter_map(|header| {
        let name = header[0].as_str()?.to_ascii_lowercase();
        header[1].as_str().filter(|_| name.ends_with("timestamp"))?.parse().ok()
    });
    vector["now"].as_i64().or_else(|| stamps.next()).or(written.map(|at| at.timestamp())).unwrap_or(1_800_000_000)
}

/// Case 23.
#[tokio::test]
async fn every_signature_vector_of_these_chats_gets_its_verdict() {
    let Some(folder) = folder("signature vectors of Discord, Mattermost and Teams") else { return };
    let text = std::fs::read(folder.join("signature-vectors.json")).unwrap();
    let all: Value = serde_json::from_slice(&text).unwrap();
    let world = World::of(Setup::new(LABEL_RULE)).await;
    let (mut accepted, mut refused) = (0, 0);
    for vector in all["vectors"].as_array().unwrap() {
        let Some((name, source)) = source(vector) else { continue };
        let (id, valid) = (vector["id"].as_str().unwrap(), vector["expect"] == "valid");
        let mut live = taskbridge::cli::live_of(&configuration(LABEL_RULE), "github.com");
        let mut entry = live.sources.remove("github").unwrap();
        entry.source = source;
        live.sources.insert(name.to_owned(), entry);
        world.bridge.swap(live);
        world.clock.set(DateTime::from_timestamp(now(vector), 0).unwrap());
        let Some(request) = request(vector, name) else {
            assert!(!valid, "{id}: HTTP cannot carry it");
            continue;
        };
        let before = world.delivery_count().await;
        let answer = world.send(request).await;
        let expected = if valid { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status, expected, "{id}: {} {}", vector["reason"], answer.body);
        let is_ping = answer.body == serde_json::json!({ "type": 1 });
        let kept = world.delivery_count().await - before;
        assert_eq!(kept, usize::from(valid && !is_ping), "{id}: what is answered is kept, and nothing else");
        *if valid { &mut accepted } else { &mut refused } += 1;
    }
    say(&format!("Discord, Mattermost, Teams: {accepted} accepted, {refused} refused"));
    assert!(accepted >= 5 && refused >= 12, "{accepted} accepted, {refused} refused");
}
