//! Signature vectors and payloads kept outside this repository, sent through the real door. The folder is named by
//! `TASKBRIDGE_CONFORMANCE_DIR`; without it these tests say that they were skipped.

use std::io::Write as _;
use std::path::PathBuf;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use taskbridge::secret::Secret;
use taskbridge::sources::Source;
use taskbridge::sources::github::GithubSource;
use taskbridge::store::deliveries::DeliveryState;

use crate::support::world::{LABEL_RULE, Setup, World, signed};

/// The folder; `what` is named when there is none.
pub(crate) fn folder(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TASKBRIDGE_CONFORMANCE_DIR").filter(|text| !text.is_empty());
    if folder.is_none() {
        say(&format!("{what} skipped, TASKBRIDGE_CONFORMANCE_DIR names no folder"));
    }
    folder.map(PathBuf::from)
}

/// Says it also when the test passes, when what `println!` writes is not shown.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().write_all(format!("conformance: {text}\n").as_bytes());
}

fn json(path: PathBuf) -> Value {
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The request of a vector; none if HTTP cannot carry its headers.
fn request(vector: &Value, number: usize) -> Option<Request<Body>> {
    let body = STANDARD.decode(vector["body_b64"].as_str().unwrap()).unwrap();
    let mut request = Request::post("/hooks/github").body(Body::from(Bytes::from(body))).unwrap();
    let headers = request.headers_mut();
    for header in vector["headers"].as_array().unwrap() {
        let name = HeaderName::from_bytes(header[0].as_str().unwrap().as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(header[1].as_str().unwrap().as_bytes()).ok()?);
    }
    headers.entry("x-github-event").or_insert(HeaderValue::from_static("issues"));
    headers.insert("x-github-delivery", HeaderValue::from_str(&format!("vector-{number}")).unwrap());
    Some(request)
}

#[tokio::test]
async fn every_signature_vector_of_github_gets_its_verdict() {
    let Some(folder) = folder("signature vectors") else { return };
    let all = json(folder.join("signature-vectors.json"));
    let vectors: Vec<&Value> = all["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|v| v["scheme"].as_str().unwrap().starts_with("github-"))
        .collect();
    assert!(vectors.len() > 30, "{} vectors", vectors.len());
    let world = World::of(Setup::new(LABEL_RULE)).await;
    let (mut accepted, mut refused) = (0, 0);
    for (number, vector) in vectors.iter().enumerate() {
        let id = vector["id"].as_str().unwrap();
        // The older SHA-1 signature counts for nothing here, however right it is.
        let valid = vector["expect"] == "valid" && vector["scheme"] == "github-sha256";
        let more = vector["additional_secrets"].as_array().into_iter().flatten();
        let secrets =
            std::iter::once(&vector["secret"]).chain(more).map(|secret| Secret::new(secret.as_str().unwrap()));
        let source = GithubSource::new(secrets.collect(), "github.com".to_owned());
        let mut live = taskbridge::cli::live_of(&crate::support::world::configuration(LABEL_RULE), "github.com");
        live.sources.get_mut("github").unwrap().source = Source::Github(source);
        world.bridge.swap(live);
        let Some(request) = request(vector, number) else {
            assert!(!valid, "{id}: HTTP cannot carry it");
            continue;
        };
        let answer = world.send(request).await;
        let expected = if valid { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status, expected, "{id}: {}", vector["reason"]);
        *if valid { &mut accepted } else { &mut refused } += 1;
    }
    say(&format!("{} signature vectors: {accepted} accepted, {refused} refused", vectors.len()));
    assert!(accepted > 5 && refused > 10, "{accepted} accepted, {refused} refused");
    assert_eq!(world.delivery_count().await, accepted, "only what is signed is recorded");
    world.settle().await;
    assert_eq!(world.bridge.store.waiting_deliveries().await.unwrap(), 0);
}

#[tokio::test]
async fn every_payload_of_github_is_read_as_what_it_is() {
    let Some(folder) = folder("payloads") else { return };
    let folder = folder.join("github-payloads");
    let index = json(folder.join("index.json"));
    let files = index["files"].as_array().unwrap();
    assert!(files.len() > 50, "{} files", files.len());
    let world =
        World::with(LABEL_RULE, |settings| settings.keep_bodies = std::time::Duration::from_secs(1 << 34), |_| {})
            .await;
    for file in files {
        let (name, event) = (file["file"].as_str().unwrap(), file["event"].as_str().unwrap());
        let body = std::fs::read(folder.join(name)).unwrap();
        let answer = world.send(signed(event, name, &body)).await;
        let expected = if event == "ping" { StatusCode::OK } else { StatusCode::ACCEPTED };
        assert_eq!(answer.status, expected, "{name}: {}", answer.body);
        world.settle().await;
        let delivery = world.delivery(name).await;
        assert!(
            matches!(delivery.state, DeliveryState::Processed | DeliveryState::Ignored),
            "{name}: {:?} {:?}",
            delivery.state,
            delivery.reason
        );
        assert_eq!(delivery.event_name, event, "{name}");
        if event != "ping" {
            assert_eq!(delivery.action.as_deref(), file["action"].as_str(), "{name}");
        }
    }
    say(&format!("{} payloads read", files.len()));
    assert!(world.tasks().await.is_empty(), "nobody in them may write in the demo's repository");
}
