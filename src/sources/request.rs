//! What the requests of all senders have: the facts of their headers that are kept, why one is turned away, what one is
//! answered, and what a kept one says.

use std::borrow::Cow;

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::form::Form;
use super::unreadable::Unreadable;
use crate::domain::event::Event;

/// Longest header value that is kept, in bytes; those of senders are far shorter.
const HEADER_LIMIT: usize = 128;

/// Most signatures that one header may list.
pub(super) const LISTED: usize = 16;

/// The few facts of a delivery's headers that are kept. None of them is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The sender's id of the delivery, the same on a redelivery.
    pub sender_id: String,
    /// Which hook sent it; empty if unknown.
    pub hook_id: String,
    /// The kind of event.
    pub event_name: String,
    /// How the body reads.
    pub content_type: String,
}

/// Why a request is turned away. The caller is told no detail; the reason is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such source.
    #[error("unknown source")]
    UnknownSource,
    /// No signature.
    #[error("signature missing")]
    SignatureMissing,
    /// More than one signature.
    #[error("signature doubled")]
    SignatureDoubled,
    /// A signature of another form.
    #[error("signature malformed")]
    SignatureMalformed,
    /// A signature that no secret makes.
    #[error("signature wrong")]
    SignatureWrong,
    /// A signed time stamp that is none.
    #[error("time stamp unusable")]
    StampUnusable,
    /// A signed time stamp that is too far away from the present.
    #[error("time stamp stale")]
    StampStale,
    /// A header that names the delivery or the event is missing, doubled or too long.
    #[error("header unusable")]
    HeaderUnusable,
}

impl Refusal {
    /// The word it is counted under.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown_source",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureDoubled => "signature_doubled",
            Self::SignatureMalformed => "signature_malformed",
            Self::SignatureWrong => "signature_wrong",
            Self::StampUnusable => "stamp_unusable",
            Self::StampStale => "stamp_stale",
            Self::HeaderUnusable => "header_unusable",
        }
    }
}

/// What a stored delivery says.
#[derive(Debug, Clone)]
pub enum Reading {
    /// The sender tries whether anybody is there.
    Ping,
    /// Something happened.
    Event(Box<Event>),
    /// Something that starts nothing, whatever the rules say.
    Nothing(String),
    /// Something for another app: one of the two is not configured as was meant.
    Elsewhere(String),
}

/// What a verified request is answered beside being recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// As webhooks are: the delivery's id.
    Accepted,
    /// 200 and nothing to read: the sender would show it to somebody.
    Quiet,
    /// 200 and this, once it is recorded.
    Recorded {
        /// How it reads.
        content_type: &'static str,
        /// What is answered.
        body: String,
    },
    /// 200 and what it led to, as far as that is known in time: there is no other way to tell it.
    Heard,
    /// This, at once: nothing happened that has to be recorded.
    AtOnce {
        /// How it reads.
        content_type: &'static str,
        /// What is answered.
        body: String,
    },
}

/// The only value of a header; `None` if absent. Two values, or bytes that are no text, are an error.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(());
    }
    first.map(|value| value.to_str().map_err(|_| ())).transpose()
}

/// Whether a name can be kept: printable ASCII, and short.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= HEADER_LIMIT && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// A header that a proof needs: there once, and text.
pub(super) fn needed<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    match only(headers, name) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(Refusal::SignatureMissing),
        Err(()) if headers.get_all(name).iter().nth(1).is_some() => Err(Refusal::SignatureDoubled),
        Err(()) => Err(Refusal::SignatureMalformed),
    }
}

/// The content type of a request; empty if absent.
pub(super) fn content_type_of(headers: &HeaderMap) -> Result<String, Refusal> {
    match only(headers, "content-type") {
        Ok(Some(text)) if is_plain(text) => Ok(text.to_owned()),
        Ok(None) => Ok(String::new()),
        _ => Err(Refusal::HeaderUnusable),
    }
}

impl Envelope {
    /// The facts of a request that has them in its signed body and not in headers: the kind of event and the id, if it has
    /// one. `None` is a body that cannot be read: it is kept, and fails where everybody can see why.
    pub(super) fn of_body(content_type: String, body: &[u8], named: Option<(String, Option<String>)>) -> Self {
        let (event_name, id) = named.unwrap_or_else(|| ("unreadable".to_owned(), None));
        let event_name = if is_plain(&event_name) { event_name } else { "unknown".to_owned() };
        let hash = |bytes: &[u8]| format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
        let sender_id = match id {
            Some(id) if is_plain(&id) => id,
            Some(id) if !id.is_empty() => hash(id.as_bytes()),
            _ => hash(body),
        };
        Self { sender_id, hook_id: String::new(), event_name, content_type }
    }

    /// Tells one delivery from another where the id is signed.
    pub(super) fn hash_of_id(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"id ").chain_update(&self.sender_id).finalize().into()
    }
}

/// The JSON in a body: the body itself, or the form field `payload`.
pub(super) fn json_bytes<'a>(content_type: &str, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Unreadable> {
    if !Form::is_one(content_type) {
        return Ok(Cow::Borrowed(body));
    }
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == "payload");
    match (fields.next(), fields.next()) {
        (Some((_, value)), None) => Ok(Cow::Owned(value.into_owned().into_bytes())),
        (None, _) => Err(Unreadable("the form has no field `payload`".to_owned())),
        (Some(_), Some(_)) => Err(Unreadable("the form has the field `payload` twice".to_owned())),
    }
}
