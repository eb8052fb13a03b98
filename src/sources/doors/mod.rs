//! Chats whose requests are one thing said each: Discord, Mattermost and outgoing webhooks of Microsoft Teams. Each reads its
//! bodies in a file of its own; what is the same for all stands here. (Slack, which says more than that, has its own folder.)

mod asked;
mod discord;
mod mattermost;
mod teams;

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::Value;

use super::form::Form;
use super::request::{Envelope, Reading, Refusal, Reply, content_type_of};
use super::scheme::Scheme;
use super::scheme::shown::same;
use super::senders;
use super::unreadable::Unreadable;
use crate::domain::event::Event;
use crate::domain::signing_key::{PublicKey, SharedKey};
use crate::secret::Secret;
use asked::{Asked, Says, unreadable};

/// All of them give up after a few seconds: this much is for recording.
const PATIENCE: Duration = Duration::from_millis(2000);
/// One configured chat.
#[derive(Debug)]
pub struct Door {
    kind: Kind,
    scheme: Scheme,
    host: String,
}

#[derive(Debug)]
enum Kind {
    Discord { application: String },
    Mattermost { tokens: Vec<Secret> },
    Teams { command: String },
}

impl Door {
    /// An application of Discord; repositories are on `host`.
    #[must_use]
    pub fn discord(keys: Vec<PublicKey>, application: String, host: String) -> Self {
        Self { kind: Kind::Discord { application }, scheme: senders::discord::scheme(keys), host }
    }

    /// A Mattermost server, whose commands show one of these tokens.
    #[must_use]
    pub fn mattermost(tokens: Vec<Secret>, host: String) -> Self {
        let scheme = senders::mattermost::scheme(tokens.clone());
        Self { kind: Kind::Mattermost { tokens }, scheme, host }
    }

    /// An outgoing webhook of Teams. What is said to it counts as `command`.
    #[must_use]
    pub fn teams(keys: Vec<SharedKey>, command: String, host: String) -> Self {
        Self { kind: Kind::Teams { command }, scheme: senders::teams::scheme(keys), host }
    }

    /// Whether a request is signed, and its id with it; Mattermost only shows a token.
    pub(super) fn signs(&self) -> bool {
        !matches!(self.kind, Kind::Mattermost { .. })
    }

    pub(super) fn patience(&self) -> Duration {
        PATIENCE
    }

    pub(super) fn looks_signed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.scheme.looks_signed(headers)
    }

    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<Envelope, Refusal> {
        self.scheme.verify(headers, body, now)?;
        let content_type = content_type_of(headers)?;
        if let Kind::Mattermost { tokens } = &self.kind {
            shows_no_other(tokens, &content_type, body)?;
        }
        let named = self.asked("", &content_type, body).ok().map(|asked| (asked.kind, asked.id));
        Ok(Envelope::of_body(content_type, body, named))
    }

    /// What the request is answered. Whatever stands there is shown to the person.
    pub(super) fn reply(&self, envelope: &Envelope, body: &[u8]) -> Reply {
        let says = self.asked("", &envelope.content_type, body).map(|asked| asked.says);
        match &self.kind {
            Kind::Discord { .. } => discord::reply(says.ok()),
            Kind::Mattermost { .. } => mattermost::reply(),
            Kind::Teams { .. } => teams::reply(says.ok()),
        }
    }

    pub(super) fn read(&self, source: &str, envelope: &Envelope, body: &[u8]) -> Result<Reading, Unreadable> {
        let asked = self.asked(source, &envelope.content_type, body)?;
        let (name, mut chat) = match asked.says {
            Says::Ping | Says::Choices => return Ok(Reading::Ping),
            Says::Nothing(why) => return Ok(Reading::Nothing(why)),
            Says::Elsewhere(why) => return Ok(Reading::Elsewhere(why)),
            Says::Chat { event, chat } => (event, chat),
        };
        // Discord signs everything itself; elsewhere the secret is in the hands of whoever set the chat up.
        if !matches!(self.kind, Kind::Discord { .. }) {
            chat.identity = chat.identity.vouched_by(source).map_err(|error| Unreadable(error.to_string()))?;
        }
        let identity = format!("{} {}", chat.identity.platform(), envelope.sender_id);
        let event = Event::of_chat(source, &self.host, name, identity, Some(chat));
        Ok(Reading::Event(Box::new(Event { at: asked.at, ..event })))
    }

    /// The payload as it is, without what would let its reader answer in our name.
    pub(super) fn payload(&self, envelope: &Envelope, body: &[u8]) -> Result<Value, Unreadable> {
        let mut value = match &self.kind {
            Kind::Mattermost { .. } => mattermost::form(&envelope.content_type, body)?.to_json(),
            Kind::Discord { .. } | Kind::Teams { .. } => serde_json::from_slice(body).map_err(unreadable)?,
        };
        if let Some(fields) = value.as_object_mut() {
            for secret in ["token", "response_url", "trigger_id"] {
                fields.remove(secret);
            }
        }
        Ok(value)
    }

    fn asked(&self, source: &str, content_type: &str, body: &[u8]) -> Result<Asked, Unreadable> {
        match &self.kind {
            Kind::Discord { application } => discord::asked(source, application, body),
            Kind::Mattermost { .. } => mattermost::asked(source, content_type, body),
            Kind::Teams { command } => teams::asked(source, command, body),
        }
    }
}

/// A form that shows a token at all must show one of ours, and one only.
fn shows_no_other(tokens: &[Secret], content_type: &str, body: &[u8]) -> Result<(), Refusal> {
    if !Form::is_one(content_type) {
        return Ok(());
    }
    let mut shown = form_urlencoded::parse(body).filter(|(name, _)| name == "token").map(|(_, value)| value);
    match (shown.next(), shown.next()) {
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::SignatureDoubled),
        (Some(shown), None) => {
            let mut right = false;
            for token in tokens {
                right |= same(token.expose().as_bytes(), shown.as_bytes());
            }
            if right { Ok(()) } else { Err(Refusal::SignatureWrong) }
        }
    }
}
