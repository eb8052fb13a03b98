//! Requests of Slack: slash commands, events, and what people press and fill in. All are signed the same way over the raw
//! body, which is a form or JSON. Slack waits three seconds for the answer, so it is told nothing here but that the
//! request is kept; what is said in the chat is said later.
//! Facts from Slack's documentation "Slash commands", "Events API" and "Handling user interaction".

mod payload;
mod read;
mod signature;
mod words;

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::{Value, json};

use super::request::{Envelope, Reading, Refusal, Reply, content_type_of};
use super::scheme::Scheme;
use super::unreadable::Unreadable;
use crate::domain::signing_key::SharedKey;
use payload::Body;
pub use signature::scheme;

/// Slack gives up after three seconds.
pub(super) const PATIENCE: Duration = Duration::from_millis(2500);

/// One configured app of Slack.
#[derive(Debug)]
pub struct SlackSource {
    scheme: Scheme,
    app_id: Option<String>,
    command: String,
    host: String,
}

impl SlackSource {
    /// An app that signs with one of `keys`. Messages to it count as `command`; repositories are on `host`.
    #[must_use]
    pub fn new(keys: Vec<SharedKey>, app_id: Option<String>, command: String, host: String) -> Self {
        Self { scheme: scheme(keys), app_id, command, host }
    }

    pub(super) fn looks_signed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.scheme.looks_signed(headers)
    }

    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<Envelope, Refusal> {
        self.scheme.verify(headers, body, now)?;
        Ok(envelope(content_type_of(headers)?, body))
    }

    pub(super) fn read(&self, source: &str, envelope: &Envelope, body: &[u8]) -> Result<Reading, Unreadable> {
        let body = Body::parse(&envelope.content_type, body)?;
        if let (Some(own), Some(named)) = (&self.app_id, body.app_id())
            && own != named
        {
            return Ok(Reading::Elsewhere(
                "it is meant for another app: compare `app_id` with the id in the app's settings at Slack".to_owned(),
            ));
        }
        read::reading(source, &self.host, &self.command, envelope, body)
    }
}

/// The facts of a request whose sender is known for sure.
fn envelope(content_type: String, body: &[u8]) -> Envelope {
    // Signed like the rest of the body: unlike most senders, Slack puts no id into the headers.
    let named = Body::parse(&content_type, body).ok().map(|parsed| (parsed.kind().to_owned(), parsed.id()));
    Envelope::of_body(content_type, body, named)
}

/// What came through the app's own socket, as the request that it would have been: the same bytes, so that it reads the
/// same and is known again whichever way it comes.
#[must_use]
pub fn through_socket(kind: &str, payload: &str) -> Option<(Envelope, Vec<u8>)> {
    const FORM: &str = "application/x-www-form-urlencoded";
    let mut form = form_urlencoded::Serializer::new(String::new());
    let (content_type, body) = match kind {
        "events_api" => ("application/json", payload.to_owned()),
        "interactive" => (FORM, form.append_pair("payload", payload).finish()),
        "slash_commands" => {
            let fields: serde_json::Map<String, Value> = serde_json::from_str(payload).ok()?;
            for (name, value) in &fields {
                match value {
                    Value::String(text) => form.append_pair(name, text),
                    Value::Null => &mut form,
                    other => form.append_pair(name, &other.to_string()),
                };
            }
            (FORM, form.finish())
        }
        _ => return None,
    };
    let body = body.into_bytes();
    Some((envelope(content_type.to_owned(), &body), body))
}

/// What Slack is answered. Whatever stands in an answer to a command or a form is shown to the person.
pub(super) fn reply(envelope: &Envelope, body: &[u8]) -> Reply {
    let Ok(body) = Body::parse(&envelope.content_type, body) else { return Reply::Quiet };
    match body {
        Body::Check => Reply::AtOnce { content_type: "text/plain", body: String::new() },
        Body::Challenge(challenge) => Reply::AtOnce { content_type: "text/plain", body: challenge },
        Body::Interaction(interaction) => match read::wrong_fields(&interaction) {
            wrong if wrong.is_empty() => Reply::Quiet,
            wrong => {
                let errors: serde_json::Map<String, Value> =
                    wrong.into_iter().map(|(field, why)| (field.to_owned(), Value::from(why))).collect();
                let answer = json!({ "response_action": "errors", "errors": errors });
                Reply::AtOnce { content_type: "application/json", body: answer.to_string() }
            }
        },
        Body::Command(_) | Body::Event(_) => Reply::Quiet,
    }
}

/// The payload as it is, for rules that mention `payload`. What would let its reader answer in our name is left out.
pub(super) fn payload_value(envelope: &Envelope, body: &[u8]) -> Result<Value, Unreadable> {
    let mut value = payload::value(&envelope.content_type, body)?;
    if let Some(fields) = value.as_object_mut() {
        for secret in ["token", "response_url", "response_urls", "trigger_id"] {
            fields.remove(secret);
        }
    }
    Ok(value)
}
