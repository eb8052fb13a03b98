//! Dialects: how each sender signs and how its payload reads, a folder a sender. A sender is chosen by the
//! path that it posts to, never by sniffing headers: several products imitate each other's.

/// Chats where one thing is said a request.
pub mod doors;
mod form;
/// Webhooks of GitHub.
pub mod github;
mod pluck;
mod request;
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

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::domain::event::Event;

pub use request::{Envelope, Reading, Refusal, Reply};
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
            Self::Slack(_) => envelope.hash_of_id(),
            Self::Door(door) if door.signs() => envelope.hash_of_id(),
            Self::Door(_) => Sha256::digest(body).into(),
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
