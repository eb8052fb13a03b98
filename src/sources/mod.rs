//! Dialects: how each sender signs and how its payload reads, a folder a sender. A sender is chosen by the
//! path that it posts to, never by sniffing headers: several products imitate each other's.

/// Chats where one thing is said a request.
pub mod doors;
mod form;
/// Webhooks of GitHub.
pub mod github;
mod pluck;
mod scan;
/// How a request proves who sent it.
pub mod scheme;
/// A sender that is not GitHub.
pub mod sender;
/// The senders that are known.
pub mod senders;

/// Requests of Slack.
pub mod slack;
mod unreadable;

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::domain::event::Event;

pub use unreadable::Unreadable;

/// A configured sender.
#[derive(Debug)]
pub enum Source {
    /// GitHub.
    Github(github::GithubSource),
    /// Any other.
    Sender(Box<sender::Sender>),
    /// Slack.
    Slack(slack::SlackSource),
    /// Another chat.
    Door(doors::Door),
}

/// Longest header value that is kept, in bytes; those of senders are far shorter.
const HEADER_LIMIT: usize = 128;

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

impl Source {
    /// Checks, before any of the body is read, that the request has a signature of the right form.
    ///
    /// # Errors
    /// [`Refusal`], as [`Source::verify`] would answer: give up, the request is turned away.
    pub fn looks_signed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match self {
            Self::Github(_) => github::looks_signed(headers),
            Self::Sender(sender) => sender.looks_signed(headers),
            Self::Slack(slack) => slack.looks_signed(headers),
            Self::Door(door) => door.looks_signed(headers),
        }
    }

    /// Checks the signature over the raw bytes, and a signed time stamp against `now`. Nothing is parsed before.
    ///
    /// # Errors
    /// [`Refusal`]: give up, the request is turned away.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<Envelope, Refusal> {
        match self {
            Self::Github(github) => github.verify(headers, body),
            Self::Sender(sender) => sender.verify(headers, body, now),
            Self::Slack(slack) => slack.verify(headers, body, now),
            Self::Door(door) => door.verify(headers, body, now),
        }
    }

    /// What a verified request is answered.
    #[must_use]
    pub fn reply(&self, envelope: &Envelope, body: &[u8]) -> Reply {
        match self {
            Self::Github(_) | Self::Sender(_) => Reply::Accepted,
            Self::Slack(_) => slack::reply(envelope, body),
            Self::Door(door) => door.reply(envelope, body),
        }
    }

    /// What tells one verified delivery from another whatever id it comes under: a hash of its body, of the signature that
    /// was proved over it (which says as much, and is there already), or of an id that is signed.
    #[must_use]
    pub fn fingerprint(&self, headers: &HeaderMap, envelope: &Envelope, body: &[u8]) -> [u8; 32] {
        match self {
            Self::Github(_) => github::fingerprint(headers).unwrap_or_else(|| Sha256::digest(body).into()),
            Self::Slack(_) | Self::Door(_) => Sha256::digest(body).into(),
            Self::Sender(sender) => sender.fingerprint(envelope, body),
        }
    }

    /// How long the sender waits for an answer, if it is known to be impatient.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        match self {
            Self::Github(_) => None,
            Self::Sender(sender) => sender.patience(),
            Self::Slack(_) => Some(slack::PATIENCE),
            Self::Door(door) => Some(door.patience()),
        }
    }

    /// The kind of event that a body is about, where no header is needed to tell it. For trying a payload out.
    #[must_use]
    pub fn event_of(&self, body: &[u8]) -> Option<String> {
        match self {
            Self::Github(_) | Self::Slack(_) | Self::Door(_) => None,
            Self::Sender(sender) => sender.event_of(body),
        }
    }

    /// Whether its events name who did it. If not, rules say who answers for what they start.
    #[must_use]
    pub fn names_actors(&self) -> bool {
        matches!(self, Self::Github(_) | Self::Slack(_) | Self::Door(_))
    }

    /// Reads a delivery that was verified when it came.
    ///
    /// # Errors
    /// [`Unreadable`]: give up, the bytes will not change.
    pub fn read(&self, name: &str, envelope: &Envelope, body: &[u8]) -> Result<Reading, Unreadable> {
        match self {
            Self::Github(github) => github.read(name, envelope, body),
            Self::Sender(sender) => sender.read(name, envelope, body),
            Self::Slack(slack) => slack.read(name, envelope, body),
            Self::Door(door) => door.read(name, envelope, body),
        }
    }

    /// Completes the identity of an event that a rule listens to: where it has no subject, it is the whole payload, which
    /// takes longer than to read it.
    ///
    /// # Errors
    /// [`Unreadable`]: give up, the bytes will not change.
    pub fn identify(&self, event: &mut Event, envelope: &Envelope, body: &[u8]) -> Result<(), Unreadable> {
        match self {
            Self::Github(_) => github::identify(event, envelope, body),
            Self::Sender(sender) => {
                sender.identify(event, envelope, body);
                Ok(())
            }
            Self::Slack(_) | Self::Door(_) => Ok(()),
        }
    }

    /// The payload as it is, for rules that mention `payload`.
    ///
    /// # Errors
    /// [`Unreadable`]: give up.
    pub fn payload(&self, envelope: &Envelope, body: &[u8]) -> Result<serde_json::Value, Unreadable> {
        match self {
            Self::Github(_) => github::payload_value(envelope, body),
            Self::Sender(sender) => sender.payload(envelope, body),
            Self::Slack(_) => slack::payload_value(envelope, body),
            Self::Door(door) => door.payload(envelope, body),
        }
    }
}

/// The only value of a header; `None` if absent. Two values, or bytes that are no text, are an error.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(());
    }
    first.map(|value| value.to_str().map_err(|_| ())).transpose()
}

/// Whether a name can be kept: printable ASCII, and short.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= HEADER_LIMIT && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// The content type of a request; empty if absent.
fn content_type_of(headers: &HeaderMap) -> Result<String, Refusal> {
    match only(headers, "content-type") {
        Ok(Some(text)) if is_plain(text) => Ok(text.to_owned()),
        Ok(None) => Ok(String::new()),
        _ => Err(Refusal::HeaderUnusable),
    }
}

impl Envelope {
    /// The facts of a request that has them in its signed body and not in headers: the kind of event and the id, if it has
    /// one. `None` is a body that cannot be read: it is kept, and fails where everybody can see why.
    fn of_body(content_type: String, body: &[u8], named: Option<(String, Option<String>)>) -> Self {
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
}

/// The JSON in a body: the body itself, or the form field `payload`.
fn json_bytes<'a>(content_type: &str, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Unreadable> {
    if !form::Form::is_one(content_type) {
        return Ok(Cow::Borrowed(body));
    }
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == "payload");
    match (fields.next(), fields.next()) {
        (Some((_, value)), None) => Ok(Cow::Owned(value.into_owned().into_bytes())),
        (None, _) => Err(Unreadable("the form has no field `payload`".to_owned())),
        (Some(_), Some(_)) => Err(Unreadable("the form has the field `payload` twice".to_owned())),
    }
}
