//! The admin API does what its description says, whatever it is asked: for every operation that is described, requests
//! that chance puts together from what is allowed and what is not. No 5xx, only described statuses, answers that fit
//! their schemas, and 400 for what the description forbids.
//!
//! The requests are new ones each time; `TASKBRIDGE_API_SEED` asks those of one time again. A failure prints the seed.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, StatusCode};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use taskbridge::clock::Ground;
use taskbridge::http::api::openapi;
use taskbridge::pipeline::steer;
use taskbridge::sandbox::FaultKind;
use taskbridge::store::api_keys::Scope;

use crate::api_kit::{Caller, request};
use crate::api_schema::{fits, said};
use crate::support::stories::MONA;
use crate::support::world::{Answer, LABEL_RULE, World};

/// Requests an operation.
const ROUNDS: usize = 90;

/// Draws the same whenever it begins with the same seed.
struct Dice(TestRunner);

impl Dice {
    /// With the seed that the environment names, or a new one, which is printed.
    fn new() -> Self {
        let named = std::env::var("TASKBRIDGE_API_SEED").ok().map(|text| text.parse().expect("the seed is a number"));
        let seed = named.unwrap_or_else(|| u64::from(u32::from_le_bytes(Ground::system().bytes())));
        println!("TASKBRIDGE_API_SEED={seed} asks the same again");
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)))
    }

    fn below(&mut self, end: usize) -> usize {
        (0..end).new_tree(&mut self.0).unwrap().current()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Texts that are right somewhere, and texts that are right nowhere.
async fn texts(world: &World, admin: &Caller<'_>) -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\0",
        "a\0b",
        "\u{202e}",
        "'; DROP TABLE tasks;--",
        "1e9",
        "1000000000",
        "-1",
        "0",
        "1",
        "200",
        "201",
        "9223372036854775807",
        "9223372036854775808",
        "99999999999999999999999999",
        "0x10",
        "1.5",
        "null",
        "true",
        "[]",
        "{}",
        "%",
        "%00",
        "..",
        "../../etc/passwd",
        "a/b/c",
        "/",
        "acme/widgets",
        "ACME/Widgets",
        "acme/",
        "github",
        "fix-labelled-issues",
        "mona",
        "issues",
        "completed",
        "Completed",
        "received",
        "cancelled",
        "processed",
        "2026-01-01T00:00:00Z",
        "2026-13-45T99:99:99Z",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999999Z",
        "2026-01-01T00:00:00+14:00",
        "2026-01-01",
        "now",
        "AAAA",
        "=====",
        "-_-_",
        "0199d1c8-8f6e-7cc1-9bb2-3f4a5b6c7d8e",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "0199d1c8-8f6e-7cc1-9bb2-3f4a5b6c7d8",
        "all",
        "rule",
        "repo",
    ]
    .map(str::to_owned)
    .into();
    texts.extend([255, 256, 5000].map(|length| "a".repeat(length)));
    texts.push("💥".repeat(255));
    for path in ["/api/v1/tasks?limit=1", "/api/v1/deliveries?limit=1"] {
        let cursor = admin.get(path).await.body["next_cursor"].as_str().unwrap().to_owned();
        // As it is, cut, and changed in one place.
        texts.push(cursor[..cursor.len() - 1].to_owned());
        texts.push(format!("{}{}", if cursor.starts_with('A') { 'B' } else { 'A' }, &cursor[1..]));
        texts.push(cursor);
    }
    texts.extend(world.tasks().await.into_iter().map(|task| task.id.to_string()));
    texts
}

/// Everything but what RFC 3986 lets stand as it is.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A value for a schema, most often one that fits.
fn value(document: &Value, schema: &Value, texts: &[String], dice: &mut Dice) -> Value {
    let strange = [json!(null), json!(1), json!(-1e300), json!([]), json!({}), json!(true), json!(u64::MAX)];
    if dice.one_in(8) {
        return dice.pick(&strange).clone();
    }
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    if let Some(ways) = schema["oneOf"].as_array() {
        return value(document, dice.pick(ways), texts, dice);
    }
    if let Some(words) = schema["enum"].as_array() {
        return dice.pick(words).clone();
    }
    let of =
        |name: &str| schema["type"] == name || schema["type"].as_array().is_some_and(|all| all.contains(&json!(name)));
    if of("boolean") {
        return json!(dice.one_in(2));
    }
    if !of("object") {
        return json!(dice.pick(texts));
    }
    let mut object = serde_json::Map::new();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        if !dice.one_in(6) {
            object.insert(name.clone(), value(document, inner, texts, dice));
        }
    }
    if dice.one_in(8) {
        object.insert("unknown".to_owned(), json!(1));
    }
    Value::Object(object)
}

/// A body as it is sent, its type, and whether the description allows it; `None` where only the product can say.
fn body(document: &Value, schema: &Value, texts: &[String], dice: &mut Dice) -> (Vec<u8>, &'static str, Option<bool>) {
    const JSON: &str = "application/json";
    let good = value(document, schema, texts, dice);
    match dice.below(12) {
        0 => (b"{".to_vec(), JSON, Some(false)),
        1 => (vec![0xff, 0xfe, 0], JSON, Some(false)),
        2 => ("[".repeat(50_000).into_bytes(), JSON, Some(false)),
        3 => (format!("\"{}\"", "x".repeat(70_000)).into_bytes(), JSON, Some(false)),
        4 => (Vec::new(), JSON, None),
        5 => (good.to_string().into_bytes(), "text/plain", Some(false)),
        _ => {
            let fits = fits(document, schema, &good).is_ok();
            // What fits may still contradict itself.
            (good.to_string().into_bytes(), JSON, if fits { None } else { Some(false) })
        }
    }
}

/// Tasks in most states, and some deliveries.
async fn populated() -> World {
    let world = World::new(LABEL_RULE).await;
    world.wish(MONA, 2).await;
    world.live_for(60).await;
    for kind in [FaultKind::StatusBefore { status: 422 }, FaultKind::DropAfter] {
        world.spoil_start(kind, 1);
        world.wish(MONA, 1).await;
        world.start().await;
    }
    let early = world.wish(MONA, 2).await;
    steer::cancel(&world.bridge, early.id, "mona").await.unwrap();
    world.hook("ping", "p-1", &json!({ "zen": "Speak like a human." })).await;
    world.hook("issues", "p-2", &json!({ "action": "opened", "issue": 7 })).await;
    world.settle().await;
    world.wish(MONA, 1).await;
    world
}

fn declared_schema<'a>(operation: &'a Value, answer: &Answer) -> Option<&'a Value> {
    let told = &operation["responses"][answer.status.as_str()];
    let kind = answer.headers.get("content-type").map(|kind| kind.to_str().unwrap());
    match kind {
        Some(kind) => told["content"].get(kind).map(|content| &content["schema"]),
        None => told.get("content").is_none().then_some(&Value::Null),
    }
}

/// Cases 70, 73.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_it_is_asked_the_api_answers_as_it_is_described() {
    let world = populated().await;
    let admin = Caller::new(&world, "root", Scope::Admin).await;
    let texts = texts(&world, &admin).await;
    let document = serde_json::to_value(openapi()).unwrap();
    let mut dice = Dice::new();
    let (mut good, mut refused) = (0, 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for _ in 0..ROUNDS {
                let mut allowed = Some(true);
                let (mut concrete, mut query) = (path.clone(), Vec::new());
                let mut building = request(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), "/");
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
                    let text = dice.pick(&texts);
                    match parameter["in"].as_str().unwrap() {
                        "path" => {
                            // An empty part of a path is another path.
                            let text = if text.is_empty() { "0" } else { text.as_str() };
                            concrete = concrete.replace(&format!("{{{name}}}"), &encoded(text));
                            allowed =
                                allowed.filter(|_| fits(&document, schema, &said(&document, schema, text)).is_ok());
                            if allowed.is_none() {
                                break;
                            }
                        }
                        "query" if dice.one_in(3) => {
                            query.push(format!("{name}={}", encoded(text)));
                            if fits(&document, schema, &said(&document, schema, text)).is_err() {
                                allowed = None;
                            }
                            if dice.one_in(20) {
                                query.push(format!("{name}={}", encoded(text)));
                                allowed = None;
                            }
                        }
                        "header" if dice.one_in(2) => building = building.header(name, encoded(text)),
                        _ => {}
                    }
                }
                if dice.one_in(15) {
                    query.push("unknown=1".to_owned());
                    allowed = None;
                }
                let mut sent = Body::empty();
                let mut shown = String::new();
                if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
                    let (bytes, kind, fine) = body(&document, schema, &texts, &mut dice);
                    shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
                    if fine == Some(false) && !(bytes.is_empty()) {
                        allowed = None;
                    }
                    building = building.header("content-type", kind);
                    sent = Body::from(bytes);
                }
                let uri = if query.is_empty() { concrete } else { format!("{concrete}?{}", query.join("&")) };
                let key = match dice.below(12) {
                    0 => None,
                    _ => Some(format!("Bearer {}", admin.key.expose())),
                };
                let opened = key.is_some();
                let building =
                    key.into_iter().fold(building.uri(&uri), |building, key| building.header("authorization", key));
                let what = format!("{method} {} {shown}", &uri[..uri.len().min(300)]);
                let begun = Instant::now();
                let answer = world.send(building.body(sent).unwrap()).await;
                assert!(begun.elapsed() < Duration::from_secs(5), "{what}: {:?}", begun.elapsed());
                assert!(!answer.status.is_server_error(), "{what}: {}", answer.body);
                let schema = declared_schema(operation, &answer);
                let schema =
                    schema.unwrap_or_else(|| panic!("{what}: {} is not described: {}", answer.status, answer.body));
                let shape = fits(&document, schema, &answer.body);
                assert_eq!(shape, Ok(()), "{what}: {}", answer.body);
                if !opened {
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
                } else if allowed.is_none() {
                    let refusals =
                        [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE];
                    assert!(
                        refusals.contains(&answer.status),
                        "{what} is forbidden: {} {}",
                        answer.status,
                        answer.body
                    );
                    refused += 1;
                } else if answer.status.is_success() {
                    good += 1;
                }
            }
        }
    }
    assert!(good > 100 && refused > 100, "both kinds were tried: {good} good, {refused} refused");
}

/// A client that has nothing to say may say `null`, as the description lets it.
///
/// Case 70.
#[tokio::test]
async fn a_body_that_is_null_is_no_body_where_none_is_needed() {
    let world = World::new(LABEL_RULE).await;
    let admin = Caller::new(&world, "root", Scope::Admin).await;
    world.spoil_start(FaultKind::StatusBefore { status: 422 }, 1);
    let task = world.wish(MONA, 1).await;
    world.settle().await;
    let answer = admin.call(Method::POST, &format!("/api/v1/tasks/{}/retry", task.id), Some(&Value::Null)).await;
    assert_eq!((answer.status, &answer.body["state"]), (StatusCode::OK, &json!("pending")), "{}", answer.body);
    let answer = admin.call(Method::PUT, "/api/v1/pause", Some(&Value::Null)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
}
