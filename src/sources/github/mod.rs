//! Webhooks of GitHub: signed with HMAC-SHA256 over the raw body, in JSON or as a form field.
//! Facts from GitHub's documentation "Webhook events and payloads" and "Validating webhook deliveries".

mod payload;
mod read;
mod scan;
mod signature;

use std::borrow::Cow;

use http::HeaderMap;

use super::{Envelope, Reading, Refusal, Unreadable, only};
use crate::domain::event::Event;
use crate::secret::Secret;

/// Longest header value that is kept, in bytes; GitHub's are far shorter.
const HEADER_LIMIT: usize = 128;

/// One configured GitHub webhook sender.
#[derive(Debug)]
pub struct GithubSource {
    secrets: Vec<Secret>,
    host: String,
}

impl GithubSource {
    /// A sender that signs with one of `secrets` and whose ids belong to `host`.
    #[must_use]
    pub fn new(secrets: Vec<Secret>, host: String) -> Self {
        Self { secrets, host }
    }

    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Envelope, Refusal> {
        signature::verify(&self.secrets, headers, body)?;
        let required = |name| match only(headers, name) {
            Ok(Some(text)) if is_plain(text) => Ok(text.to_owned()),
            _ => Err(Refusal::HeaderUnusable),
        };
        let optional = |name| match only(headers, name) {
            Ok(None) => Ok(String::new()),
            Ok(Some(text)) if is_plain(text) => Ok(text.to_owned()),
            _ => Err(Refusal::HeaderUnusable),
        };
        Ok(Envelope {
            sender_id: required("x-github-delivery")?,
            event_name: required("x-github-event")?,
            hook_id: optional("x-github-hook-id")?,
            content_type: optional("content-type")?,
        })
    }

    pub(super) fn read(&self, source: &str, envelope: &Envelope, body: &[u8]) -> Result<Reading, Unreadable> {
        let json = json_bytes(envelope, body)?;
        let json = scan::check(&json).map_err(|why| Unreadable(why.to_owned()))?;
        if envelope.event_name == "ping" {
            return Ok(Reading::Ping);
        }
        let payload = payload::parse(json)?;
        Ok(Reading::Event(Box::new(read::event(source, &self.host, &envelope.event_name, payload))))
    }
}

/// Whether there is one signature, of the right form.
pub(super) fn looks_signed(headers: &HeaderMap) -> Result<(), Refusal> {
    signature::announced(headers).map(|_| ())
}

/// Completes the identity of an event.
pub(super) fn identify(event: &mut Event, envelope: &Envelope, body: &[u8]) -> Result<(), Unreadable> {
    if event.identity.is_empty() {
        event.identity = read::body_identity(payload_value(envelope, body)?);
    }
    Ok(())
}

/// The payload as it is, for rules that mention `payload`.
pub(super) fn payload_value(envelope: &Envelope, body: &[u8]) -> Result<serde_json::Value, Unreadable> {
    serde_json::from_slice(&json_bytes(envelope, body)?).map_err(|error| Unreadable(error.to_string()))
}

/// The JSON in a body: the body itself, or the form field `payload`.
fn json_bytes<'a>(envelope: &Envelope, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Unreadable> {
    let kind = envelope.content_type.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(Cow::Borrowed(body));
    }
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == "payload");
    match (fields.next(), fields.next()) {
        (Some((_, value)), None) => Ok(Cow::Owned(value.into_owned().into_bytes())),
        (None, _) => Err(Unreadable("the form has no field `payload`".to_owned())),
        (Some(_), Some(_)) => Err(Unreadable("the form has the field `payload` twice".to_owned())),
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= HEADER_LIMIT && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}
