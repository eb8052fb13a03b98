//! Bodies of GitHub's webhooks. An input is the name of the event, a line end, and the JSON.
//!
//! Promises: the same JSON reads the same from a JSON body and from a form; what is read is what the JSON says; no NUL
//! gets through to the database; a body that cannot be read has a reason.

use serde_json::Value;
use taskbridge::secret::Secret;
use taskbridge::sources::github::GithubSource;
use taskbridge::sources::{Envelope, Reading, Source, Unreadable};

use super::Target;

pub(crate) const PAYLOAD: Target = Target {
    name: "payload",
    check,
    words: &[
        "\"action\":\"labeled\",",
        "\"issue\":{",
        "\"pull_request\":{",
        "\"discussion\":{",
        "\"comment\":{",
        "\"id\":1,",
        "\"number\":2,",
        "\"title\":\"t\",",
        "\"body\":\"b\",",
        "\"label\":{\"id\":3,\"name\":\"l\"},",
        "\"labels\":[",
        "\"sender\":{\"id\":4,\"login\":\"m\"},",
        "\"repository\":{",
        "\"owner\":{\"login\":\"o\"},",
        "\\u0000",
        "\\ud800",
        "\\u0041",
        "1e400",
        "9223372036854775808",
        "-0",
        "null",
        "[[[[[[[[",
        "{\"a\":",
        "}",
        "]",
        "\u{feff}",
        ",",
        "ping\n",
        "\"user\":null,",
        "\"updated_at\":\"2026-01-01T00:00:00Z\",",
        "\"workflow_run\":{",
        "\"alert\":{",
        "&payload=",
        "%00",
        "+",
    ],
    slowest_ms: 1_000,
};

fn check(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (name, json) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    // The header with the name has been read before: it is short and plain.
    let plain = name.iter().copied().filter(|byte| (b' '..=b'~').contains(byte));
    let name: String = plain.take(128).map(char::from).collect();
    let source = Source::Github(GithubSource::new(vec![Secret::new("x")], "github.com".to_owned()));
    let envelope = |content_type: &str| Envelope {
        sender_id: "1".to_owned(),
        hook_id: String::new(),
        event_name: name.clone(),
        content_type: content_type.to_owned(),
    };
    let as_json = envelope("application/json");
    let read = source.read("github", &as_json, json);
    match &read {
        Ok(Reading::Event(event)) => {
            assert_eq!(event.name, name);
            let mut whole = event.clone();
            if source.identify(&mut whole, &as_json, json).is_ok() {
                assert!(!whole.identity.is_empty());
            }
            // What nobody reads may be broken: a lone surrogate in it is no fault of the event.
            let value: Option<Value> = serde_json::from_slice(json).ok();
            let shown = serde_json::to_value(event).unwrap();
            value.as_ref().map_or_else(|| no_nul(&shown), |value| same_as(value, &shown));
            assert_eq!(source.payload(&as_json, json).ok(), value);
        }
        Ok(Reading::Ping) => assert_eq!(name, "ping"),
        Ok(Reading::Nothing(why) | Reading::Elsewhere(why)) => panic!("of GitHub everything is weighed: {why}"),
        Err(Unreadable(why)) => assert!(!why.is_empty() && !why.contains('\0'), "{why:?}"),
    }
    if let Ok(text) = std::str::from_utf8(json) {
        let form: String =
            form_urlencoded::Serializer::new("zen=a+b&".to_owned()).append_pair("payload", text).finish();
        let typed = envelope("Application/X-WWW-Form-Urlencoded; charset=utf-8");
        assert_eq!(told(&source.read("github", &typed, form.as_bytes())), told(&read), "{form}");
        assert_eq!(source.payload(&typed, form.as_bytes()).ok(), serde_json::from_str(text).ok());
        let twice = format!("{form}&payload=%7B%7D");
        assert!(source.read("github", &typed, twice.as_bytes()).is_err());
    }
    // The bytes as a form that nobody encoded: only an answer is promised.
    let _ = source.read("github", &envelope("application/x-www-form-urlencoded"), json);
}

fn told(read: &Result<Reading, Unreadable>) -> String {
    format!("{read:?}")
}

/// The event against the payload, by another way than the reader's.
fn same_as(payload: &Value, event: &Value) {
    no_nul(event);
    let has = |path: &str| payload.pointer(path).is_some_and(|value| !value.is_null());
    let alike = |from: &str, to: &str, absent: Value| {
        let wanted = payload.pointer(from).filter(|value| !value.is_null()).cloned().unwrap_or(absent);
        assert_eq!(event.pointer(to), Some(&wanted), "{from} {to}");
    };
    alike("/action", "/action", "".into());
    if has("/sender") {
        alike("/sender/id", "/actor/id", Value::Null);
        alike("/sender/login", "/actor/login", Value::Null);
    } else {
        assert_eq!(event["actor"], Value::Null);
    }
    if has("/repository") {
        alike("/repository/id", "/repo/id", Value::Null);
        alike("/repository/name", "/repo/name", Value::Null);
        alike("/repository/private", "/repo/private", false.into());
    }
    if has("/label") {
        alike("/label/name", "/label/name", Value::Null);
        alike("/label/id", "/label/id", 0.into());
    }
    let comment = if has("/comment") { "/comment" } else { "/review" };
    if has(comment) {
        alike(&format!("{comment}/id"), "/comment/id", Value::Null);
        alike(&format!("{comment}/body"), "/comment/body", "".into());
    }
    let thread = ["/issue", "/pull_request", "/discussion"].into_iter().find(|path| has(path));
    if let Some(thread) = thread {
        alike(&format!("{thread}/id"), "/subject/id", Value::Null);
        alike(&format!("{thread}/number"), "/subject/number", Value::Null);
        alike(&format!("{thread}/title"), "/subject/title", "".into());
        alike(&format!("{thread}/body"), "/subject/body", "".into());
        if has(&format!("{thread}/user")) {
            alike(&format!("{thread}/user/id"), "/subject/author/id", Value::Null);
        }
    }
}

fn no_nul(value: &Value) {
    match value {
        Value::String(text) => assert!(!text.contains('\0'), "{text:?}"),
        Value::Array(items) => items.iter().for_each(no_nul),
        Value::Object(fields) => fields.values().for_each(no_nul),
        _ => {}
    }
}
