//! Signature vectors and payloads of Slack kept outside this repository, sent through the real door. The folder is named by
//! `TASKBRIDGE_CONFORMANCE_DIR`; without it these tests say that they were skipped.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use taskbridge::domain::signing_key::SharedKey;
use taskbridge::secret::Secret;
use taskbridge::sources::slack::SlackSource;
use taskbridge::sources::{Reading, Source};
use taskbridge::store::Moment;

use crate::conformance::{folder, say};

fn source(secret: &str) -> Source {
    let keys = vec![SharedKey::of_text(&Secret::new(secret))];
    Source::Slack(SlackSource::new(keys, None, "/copilot".to_owned(), "github.com".to_owned()))
}

fn request(of: &Value, body: Vec<u8>) -> Option<Request<Body>> {
    let mut request = Request::post("/hooks/slack").body(Body::from(body)).unwrap();
    for header in of["headers"].as_array().unwrap() {
        let name = HeaderName::from_bytes(header[0].as_str().unwrap().as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(header[1].as_str().unwrap().as_bytes()).ok()?);
    }
    Some(request)
}

fn at(of: &Value) -> Moment {
    Moment::from_timestamp(of["now"].as_i64().unwrap(), 0).unwrap()
}

fn json(path: std::path::PathBuf) -> Value {
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn every_signature_vector_of_slack_gets_its_verdict() {
    let Some(folder) = folder("signature vectors of Slack") else { return };
    let all = json(folder.join("signature-vectors.json"));
    let (mut good, mut bad) = (0, 0);
    for vector in all["vectors"].as_array().unwrap().iter().filter(|v| v["scheme"] == "slack-v0") {
        let (id, valid) = (vector["id"].as_str().unwrap(), vector["expect"] == "valid");
        let body = STANDARD.decode(vector["body_b64"].as_str().unwrap()).unwrap();
        let Some(request) = request(vector, body.clone()) else {
            assert!(!valid, "{id}: HTTP cannot carry it");
            continue;
        };
        let verdict = source(vector["secret"].as_str().unwrap()).verify(request.headers(), &body, at(vector));
        assert_eq!(verdict.is_ok(), valid, "{id}: {} ({verdict:?})", vector["reason"]);
        *if valid { &mut good } else { &mut bad } += 1;
    }
    say(&format!("Slack: {good} signatures accepted, {bad} refused"));
    assert!(good > 5 && bad > 15, "{good} accepted, {bad} refused");
}

#[tokio::test]
async fn every_payload_of_slack_is_read_and_answered() {
    let Some(folder) = folder("payloads of Slack") else { return };
    let folder = folder.join("slack-payloads");
    let files = json(folder.join("index.json"));
    let world = crate::support::chat::chat_world().await;
    let (mut events, mut nothing, mut echoes) = (0, 0, 0);
    for (nth, file) in files["files"].as_array().unwrap().iter().enumerate() {
        let (name, kind) = (file["file"].as_str().unwrap(), file["kind"].as_str().unwrap());
        let sample = json(folder.join(name));
        let (secret, body) = (sample["signing_secret"].as_str().unwrap(), sample["body"].as_str().unwrap());
        let source = source(secret);
        let request = request(&sample, body.as_bytes().to_vec()).unwrap();
        let envelope = source.verify(request.headers(), body.as_bytes(), at(&sample)).unwrap();
        match source.read("slack", &envelope, body.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}")) {
            // The app was removed: nobody says anything.
            Reading::Event(event) if event.chat.is_none() => {
                assert_eq!(event.name, "app_gone", "{name}");
                nothing += 1;
            }
            Reading::Event(event) => {
                let chat = event.chat.unwrap();
                assert!(!chat.identity.account().is_empty() && !event.identity.is_empty(), "{name}");
                events += 1;
            }
            Reading::Nothing(_) | Reading::Elsewhere(_) | Reading::Ping => nothing += 1,
        }
        assert_eq!(envelope.event_name == kind, kind != "event_callback", "{name}: {}", envelope.event_name);
        // The same through the door, signed anew for the time of the story; the samples share what is never shared.
        let again = world.slack().signed(
            &envelope.content_type,
            body.replace("8088930838d88f008e0", &format!("8088930838d88f{nth:05}"))
                .replace("1395872398", &format!("13958{nth:05}"))
                .replace("Ev123", &format!("Ev{nth}")),
        );
        let answer = world.slack_says(&again).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.body);
        // A challenge is echoed; whatever stood in another answer, people would read.
        let parsed: Value = serde_json::from_str(body).unwrap_or_default();
        let echoed = parsed["challenge"].as_str().filter(|_| kind == "url_verification").unwrap_or_default();
        assert_eq!(answer.text, echoed, "{name}");
        echoes += usize::from(!echoed.is_empty());
    }
    // As they are, one is the repetition of another.
    let before = world.delivery_count().await;
    for name in ["event.app_mention.json", "event.app_mention.retry.json"] {
        let body = json(folder.join(name))["body"].as_str().unwrap().to_owned();
        assert_eq!(
            world.slack_says(&world.slack().signed("application/json", body)).await.status,
            StatusCode::OK,
            "{name}"
        );
        assert_eq!(world.delivery_count().await, before + 1, "{name}");
    }
    say(&format!("{events} payloads of Slack that say something, {nothing} that do not"));
    assert!(echoes > 0, "a challenge is among them");
    assert!(events >= 10 && nothing >= 6, "{events} say something, {nothing} do not");
    world.settle().await;
    assert_eq!(world.bridge.store.waiting_deliveries().await.unwrap(), 0);
    assert!(world.tasks().await.is_empty(), "nobody in them is linked");
}
