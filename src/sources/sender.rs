//! A sender that is not GitHub: how it proves itself, where its deliveries say what they are, and what of them everybody
//! wants to read. It names nobody whose right could be looked up at GitHub, so its events have no actor and no repository; all
//! that it sends can be reached as `payload`.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::pluck::pluck;
use super::request::{Envelope, Reading, Refusal, is_plain, json_bytes, only};
use super::scan;
use super::scheme::Scheme;
use super::unreadable::Unreadable;
use crate::domain::event::{Event, Subject, SubjectKind};

/// The event of a sender that gives it no name.
const UNNAMED: &str = "webhook";
/// How the id of a delivery begins to which its sender gives none.
const BY_BODY: &str = "body ";
/// Longest action, in bytes.
const ACTION_LIMIT: usize = 100;

/// One configured sender.
#[derive(Debug)]
pub struct Sender {
    /// The GitHub host that tasks are started on.
    host: String,
    scheme: Scheme,
    dialect: Dialect,
}

/// How the deliveries of a sender read.
#[derive(Debug)]
pub struct Dialect {
    /// Where the sender's id of a delivery may stand; the first that is there counts, and else a hash of the body.
    pub id: Vec<Place>,
    /// Whether the proof covers that id: then it alone tells two deliveries apart, and not their bodies.
    pub id_is_signed: bool,
    /// The header that names the hook.
    pub hook: Option<&'static str>,
    /// Where the name of the event may stand.
    pub event: Vec<Place>,
    /// What else is read.
    pub reads: Reads,
    /// Whether a body may be a form with the JSON in its field `payload`.
    pub form: bool,
    /// How long it waits for an answer, if shorter than most.
    pub patience: Option<Duration>,
}

/// Where a name stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this header.
    Header(Cow<'static, str>),
    /// In the body, at this JSON pointer.
    Body(Cow<'static, str>),
    /// It is always this.
    Always(Cow<'static, str>),
}

/// What is read of a body.
#[derive(Debug)]
pub enum Reads {
    /// Title, text and link, each at a JSON pointer.
    Pointers([Option<String>; 3]),
    /// What this preset knows of its payloads, given the name of the event.
    Preset(fn(&str, &Body<'_>) -> Facts),
}

/// What everybody wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The sender's word for what happened.
    pub action: String,
    /// What kind of thing it is about.
    pub kind: SubjectKind,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
    /// Its page.
    pub link: String,
    /// Its state; for an alert `firing`, `acknowledged` or `resolved`, or empty when the event is no change of that.
    pub state: String,
    /// When it happened.
    pub at: Option<DateTime<Utc>>,
}

impl Default for Facts {
    fn default() -> Self {
        let none = String::new;
        Self {
            action: none(),
            kind: SubjectKind::Other,
            title: none(),
            text: none(),
            link: none(),
            state: none(),
            at: None,
        }
    }
}

/// A JSON body that single values are taken out of.
#[derive(Debug)]
pub struct Body<'a>(&'a str);

impl Body<'_> {
    /// The first of these places that says anything.
    #[must_use]
    pub fn text(&self, pointers: &[&str]) -> String {
        let mut found = pointers.iter().filter_map(|pointer| pluck(self.0, pointer));
        found.find(|text| !text.trim().is_empty()).unwrap_or_default()
    }

    /// A moment written as RFC 3339.
    #[must_use]
    pub fn moment(&self, pointer: &str) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&pluck(self.0, pointer)?).ok().map(|moment| moment.with_timezone(&Utc))
    }

    /// A moment in seconds, or in milliseconds, since 1970.
    #[must_use]
    pub fn unix(&self, pointer: &str, millis: bool) -> Option<DateTime<Utc>> {
        let number = pluck(self.0, pointer)?.parse().ok()?;
        if millis { DateTime::from_timestamp_millis(number) } else { DateTime::from_timestamp(number, 0) }
    }
}

impl Sender {
    /// A sender whose tasks are started on `host`.
    #[must_use]
    pub fn new(host: String, scheme: Scheme, dialect: Dialect) -> Self {
        Self { host, scheme, dialect }
    }

    pub(super) fn patience(&self) -> Option<Duration> {
        self.dialect.patience
    }

    pub(super) fn looks_signed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        self.scheme.looks_signed(headers)
    }

    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<Envelope, Refusal> {
        self.scheme.verify(headers, body, now)?;
        let optional = |name: &str| match only(headers, name) {
            Ok(None) => Ok(String::new()),
            Ok(Some(text)) if is_plain(text) => Ok(text.to_owned()),
            _ => Err(Refusal::HeaderUnusable),
        };
        let content_type = optional("content-type")?;
        let json = self.json(&content_type, body).ok();
        let json = json.as_deref().and_then(|json| std::str::from_utf8(json).ok()).unwrap_or_default();
        let find = |places: &[Place]| -> Result<Option<String>, Refusal> {
            for place in places {
                let found = match place {
                    Place::Header(name) => optional(name)?,
                    // A name that cannot be kept is none: the body is signed, and nobody else has to be told.
                    Place::Body(pointer) => pluck(json, pointer).filter(|text| is_plain(text)).unwrap_or_default(),
                    Place::Always(name) => name.clone().into_owned(),
                };
                if !found.is_empty() {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        };
        Ok(Envelope {
            sender_id: find(&self.dialect.id)?
                .unwrap_or_else(|| format!("{BY_BODY}{}", hex::encode(Sha256::digest(body)))),
            hook_id: self.dialect.hook.map_or_else(|| Ok(String::new()), optional)?,
            event_name: find(&self.dialect.event)?.unwrap_or_else(|| UNNAMED.to_owned()),
            content_type,
        })
    }

    /// The name of the event, if the body says it or it is always the same.
    pub(super) fn event_of(&self, body: &[u8]) -> Option<String> {
        let json = std::str::from_utf8(body).ok()?;
        let mut names = self.dialect.event.iter().filter_map(|place| match place {
            Place::Header(_) => None,
            Place::Body(pointer) => pluck(json, pointer),
            Place::Always(name) => Some(name.clone().into_owned()),
        });
        let unnamed = || self.dialect.event.is_empty().then(|| UNNAMED.to_owned());
        names.find(|name| is_plain(name)).or_else(unnamed)
    }

    /// What makes a delivery the same as another under a new id, or another one under the same.
    pub(super) fn fingerprint(&self, envelope: &Envelope, body: &[u8]) -> [u8; 32] {
        if self.dialect.id_is_signed && !envelope.sender_id.starts_with(BY_BODY) {
            return envelope.hash_of_id();
        }
        Sha256::digest(body).into()
    }

    pub(super) fn read(&self, source: &str, envelope: &Envelope, body: &[u8]) -> Result<Reading, Unreadable> {
        let json = self.json(&envelope.content_type, body)?;
        let json = scan::check(&json).map_err(|why| Unreadable(why.to_owned()))?;
        serde_json::from_str::<serde::de::IgnoredAny>(json).map_err(|error| Unreadable(error.to_string()))?;
        let body = Body(json);
        let facts = match &self.dialect.reads {
            Reads::Preset(read) => read(&envelope.event_name, &body),
            Reads::Pointers(pointers) => {
                let [title, text, link] =
                    pointers.each_ref().map(|pointer| pointer.as_ref().map(|p| body.text(&[p])).unwrap_or_default());
                Facts { title, text, link, ..Facts::default() }
            }
        };
        let (name, action) = match envelope.event_name.split_once('.') {
            Some((name, action)) if facts.action.is_empty() => (name.to_owned(), action.to_owned()),
            _ => (envelope.event_name.clone(), line(&facts.action, ACTION_LIMIT)),
        };
        Ok(Reading::Event(Box::new(Event {
            source: source.to_owned(),
            host: self.host.clone(),
            name,
            action,
            actor: None,
            repo: None,
            at: facts.at,
            subject: subject(facts),
            label: None,
            comment: None,
            installed_in: None,
            chat: None,
            identity: String::new(),
        })))
    }

    /// The identity of an event is the signed id, or all that is signed.
    pub(super) fn identify(&self, event: &mut Event, envelope: &Envelope, body: &[u8]) {
        event.identity = if self.dialect.id_is_signed {
            format!("{} id {}", event.source, envelope.sender_id)
        } else {
            format!("{} body {}", event.source, hex::encode(Sha256::digest(body)))
        };
    }

    pub(super) fn payload(&self, envelope: &Envelope, body: &[u8]) -> Result<serde_json::Value, Unreadable> {
        serde_json::from_slice(&self.json(&envelope.content_type, body)?).map_err(|error| Unreadable(error.to_string()))
    }

    fn json<'a>(&self, content_type: &str, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Unreadable> {
        if self.dialect.form { json_bytes(content_type, body) } else { Ok(Cow::Borrowed(body)) }
    }
}

fn subject(facts: Facts) -> Option<Subject> {
    let says = !(facts.title.is_empty() && facts.text.is_empty() && facts.link.is_empty());
    let is_page = facts.link.starts_with("https://") || facts.link.starts_with("http://");
    (says || facts.kind == SubjectKind::Alert).then(|| Subject {
        kind: facts.kind,
        id: 0,
        number: None,
        title: facts.title,
        body: facts.text,
        url: if is_page { line(&facts.link, 2_000) } else { String::new() },
        author: None,
        author_association: String::new(),
        labels: Vec::new(),
        state: facts.state,
        updated_at: String::new(),
        branches: None,
    })
}

/// The beginning of a text, without what would break a line.
fn line(text: &str, limit: usize) -> String {
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].chars().filter(|c| !c.is_control()).collect()
}
