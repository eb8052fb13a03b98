//! Webhooks of GitHub: signed with HMAC-SHA256 over the raw body, in JSON or as a form field.
//! Facts from GitHub's documentation "Webhook events and payloads" and "Validating webhook deliveries".

mod payload;
mod read;
mod signature;

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::request::{Envelope, Reading, Refusal, is_plain, json_bytes, only};
use super::scan;
use super::unreadable::Unreadable;
use crate::domain::event::Event;
use crate::secret::Secret;

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
        let json = json_bytes(&envelope.content_type, body)?;
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

/// A hash of the signature, once it is verified: whoever replays a body must send the signature that came with it. To hash
/// the body too takes as long as the signature did.
pub(super) fn fingerprint(headers: &HeaderMap) -> Option<[u8; 32]> {
    let signature = signature::announced(headers).ok()?;
    Some(Sha256::new().chain_update(b"signature ").chain_update(signature).finalize().into())
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
    serde_json::from_slice(&json_bytes(&envelope.content_type, body)?).map_err(|error| Unreadable(error.to_string()))
}
