//! Signature vectors and payloads kept outside this repository, sent through the real door. The folder is named by
//! `TASKBRIDGE_CONFORMANCE_DIR`; without it these tests say that they were skipped.

use std::io::Write as _;
use std::path::PathBuf;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::Value;
use taskbridge::domain::signing_key::{PublicKey, SharedKey, SigningKey};
use taskbridge::secret::Secret;
use taskbridge::sources::Source;
use taskbridge::sources::github::GithubSource;
use taskbridge::sources::scheme::Scheme;
use taskbridge::sources::scheme::ed25519::is_made_by;
use taskbridge::sources::scheme::shown::Shown;
use taskbridge::sources::scheme::stamp::Window;
use taskbridge::sources::scheme::standard_webhooks::StandardWebhooks;
use taskbridge::sources::sender::{Dialect, Reads, Sender};
use taskbridge::sources::senders::{
    azure_devops, bitbucket, discord, gitea, gitlab, grafana, jira, linear, mattermost, pagerduty, sentry, stripe,
    teams,
};
use taskbridge::sources::slack;
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

/// The request of a vector to a source; none if HTTP cannot carry its headers.
fn request(vector: &Value, source: &str, number: usize) -> Option<Request<Body>> {
    let body = STANDARD.decode(vector["body_b64"].as_str().unwrap()).unwrap();
    let mut request = Request::post(format!("/hooks/{source}")).body(Body::from(Bytes::from(body))).unwrap();
    let headers = request.headers_mut();
    for header in vector["headers"].as_array().unwrap() {
        let name = HeaderName::from_bytes(header[0].as_str().unwrap().as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(header[1].as_str().unwrap().as_bytes()).ok()?);
    }
    if source == "github" {
        headers.entry("x-github-event").or_insert(HeaderValue::from_static("issues"));
        headers.insert("x-github-delivery", HeaderValue::from_str(&format!("vector-{number}")).unwrap());
    }
    Some(request)
}

/// The receiver of a vector.
fn receiver(vector: &Value) -> Source {
    let text = |key: &str| Secret::new(vector[key].as_str().unwrap());
    let more =
        vector["additional_secrets"].as_array().into_iter().flatten().map(|more| Secret::new(more.as_str().unwrap()));
    let secrets = || vector["secret"].as_str().map(Secret::new).into_iter().chain(more.clone()).collect::<Vec<_>>();
    let keys = || secrets().iter().map(SharedKey::of_text).collect::<Vec<_>>();
    let signing = |key: &str| vec![SigningKey::parse(&text(key)).unwrap()];
    let standard = |keys, prefix| Scheme::StandardWebhooks(StandardWebhooks::new(keys, prefix, Window::both(300)));
    let token = |header: &'static str, prefix: &'static str| Scheme::Shown(Shown::token(secrets(), header, prefix));
    let plain = || Dialect {
        id: Vec::new(),
        id_is_signed: false,
        hook: None,
        event: Vec::new(),
        reads: Reads::Pointers([None, None, None]),
        form: false,
        patience: None,
    };
    let (scheme, dialect) = match vector["scheme"].as_str().unwrap() {
        "github-sha256" | "github-sha1" => {
            return Source::Github(GithubSource::new(secrets(), "github.com".to_owned()));
        }
        "slack-v0" => (slack::scheme(keys()), plain()),
        "standard-webhooks-v1" => (standard(signing("secret"), "webhook"), plain()),
        "standard-webhooks-v1-svix-names" => (standard(signing("secret"), "svix"), plain()),
        "standard-webhooks-v1a" => (standard(signing("public_key"), "webhook"), plain()),
        "discord-ed25519" => {
            (discord::scheme(vec![PublicKey::of_hex(vector["public_key"].as_str().unwrap()).unwrap()]), plain())
        }
        "stripe-v1" => (stripe::scheme(keys()), stripe::dialect()),
        "linear" => (linear::scheme(keys(), 60), linear::dialect()),
        "bitbucket-sha256" => (bitbucket::scheme(keys()), bitbucket::dialect()),
        "jira-sha256" => (jira::scheme(keys()), jira::dialect()),
        "gitea-sha256" => (gitea::scheme(keys()), gitea::dialect()),
        "forgejo-sha256" => (gitea::forgejo_scheme(keys()), gitea::forgejo_dialect()),
        "gitlab-token" => (gitlab::token_scheme(secrets()), gitlab::dialect(false)),
        "gitlab-signing-token" => (gitlab::signing_scheme(signing("secret")), gitlab::dialect(true)),
        "sentry" => (sentry::scheme(keys()), sentry::dialect()),
        "pagerduty-v1" => (pagerduty::scheme(keys()), pagerduty::dialect()),
        "grafana-hmac" => {
            let stamp = vector["timestamp_header"].as_str().map(str::to_ascii_lowercase);
            (grafana::scheme(keys(), "x-grafana-alerting-signature".to_owned(), stamp), grafana::dialect())
        }
        "teams-hmac" => (teams::scheme(vec![SharedKey::of_base64(&text("secret")).unwrap()]), plain()),
        "telegram-secret-token" => (token("x-telegram-bot-api-secret-token", ""), plain()),
        "mattermost-token" => (mattermost::scheme(secrets()), plain()),
        "azure-devops-basic" => {
            (azure_devops::scheme(vector["username"].as_str().unwrap().to_owned(), secrets()), azure_devops::dialect())
        }
        "bearer" => (token("authorization", "Bearer "), plain()),
        other => panic!("a scheme that nothing here verifies: {other}"),
    };
    Source::Sender(Box::new(Sender::new("github.com".to_owned(), scheme, dialect)))
}

/// Where the receiver's clock stands: as the vector says, else at the time stamp that the request carries.
fn clock_of(vector: &Value) -> DateTime<Utc> {
    let stamp = vector["headers"].as_array().unwrap().iter().find_map(|header| {
        header[0]
            .as_str()
            .unwrap()
            .to_ascii_lowercase()
            .ends_with("timestamp")
            .then(|| header[1].as_str()?.parse().ok())?
    });
    let in_body = || {
        let body: Value = serde_json::from_str(vector["body"].as_str()?).ok()?;
        Some(body["timestamp"].as_str()?.parse::<DateTime<Utc>>().ok()?.timestamp())
    };
    DateTime::from_timestamp(vector["now"].as_i64().or(stamp).or_else(in_body).unwrap_or(1_800_000_000), 0).unwrap()
}

/// Each by the scheme of its sender, through the door.
#[tokio::test]
async fn every_signature_vector_gets_its_verdict() {
    let Some(folder) = folder("signature vectors") else { return };
    let all = json(folder.join("signature-vectors.json"));
    let vectors: Vec<&Value> = all["vectors"].as_array().unwrap().iter().collect();
    assert!(vectors.len() > 180, "{} vectors", vectors.len());
    let world = World::of(Setup::new(LABEL_RULE)).await;
    let (mut accepted, mut refused, mut beside) = (0, 0, 0);
    for (number, vector) in vectors.iter().enumerate() {
        let (id, scheme) = (vector["id"].as_str().unwrap(), vector["scheme"].as_str().unwrap());
        // The older SHA-1 signature counts for nothing here, however right it is.
        let valid = vector["expect"] == "valid" && scheme != "github-sha1";
        if scheme == "ed25519-raw" {
            let key = PublicKey::of_hex(vector["public_key"].as_str().unwrap()).unwrap();
            let body = STANDARD.decode(vector["body_b64"].as_str().unwrap()).unwrap();
            let signature = hex::decode(vector["headers"][0][1].as_str().unwrap()).unwrap().try_into().unwrap();
            assert_eq!(is_made_by(&key, &body, &signature), valid, "{id}");
            beside += 1;
            continue;
        }
        // A source of its own for each scheme, as ids belong to a source.
        let name = if scheme.starts_with("github-") { "github" } else { scheme };
        let mut live = taskbridge::cli::live_of(&crate::support::world::configuration(LABEL_RULE), "github.com");
        let mut source = live.sources.remove("github").unwrap();
        source.source = receiver(vector);
        live.sources.insert(name.to_owned(), source);
        world.bridge.swap(live);
        world.clock.set(clock_of(vector));
        let Some(request) = request(vector, name, number) else {
            assert!(!valid, "{id}: HTTP cannot carry it");
            beside += 1;
            continue;
        };
        let answer = world.send(request).await;
        let expected = if valid { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status, expected, "{id}: {} {}", vector["reason"], answer.body);
        *if valid { &mut accepted } else { &mut refused } += 1;
    }
    say(&format!(
        "{} signature vectors: {accepted} accepted, {refused} refused, {beside} beside the door",
        vectors.len()
    ));
    assert!(accepted > 50 && refused > 100, "{accepted} accepted, {refused} refused");
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
