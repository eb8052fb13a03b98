//! Senders that no preset knows: how they sign and how they read, said by the operator.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::form::{HeaderText, PointerText};
use super::super::node::Document;
use super::super::place::Path;
use super::super::secret_text::SecretText;
use super::OneOrMany;
use crate::domain::signing_key::SigningKey;

/// A sender that signs with an HMAC over the body, alone or with a time stamp, an id and the like.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacSource {
    /// The secrets that it may be signed with; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
    /// The header that holds the signature.
    pub header: HeaderText,
    /// The hash that the HMAC is made with.
    #[serde(default)]
    pub algorithm: HashName,
    /// How the signature is written: `hex` in lower case, or `base64` with its padding.
    #[serde(default)]
    pub encoding: EncodingName,
    /// What stands in front of the signature, such as `sha256=`.
    #[serde(default)]
    pub prefix: String,
    /// What is signed: `{body}` alone, or with `{timestamp}`, `{id}`, `{header:NAME}` and literal text, such as
    /// `v0:{timestamp}:{body}`.
    #[serde(default = "body_alone")]
    pub signed: String,
    /// The time stamp, which must be part of what is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<StampSpec>,
    /// How its deliveries read.
    #[serde(default)]
    pub reads: ReadsSpec,
}

fn body_alone() -> String {
    "{body}".to_owned()
}

/// A time stamp in a header, in whole seconds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StampSpec {
    /// The header that holds it.
    pub header: HeaderText,
    /// How far it may be away from the present, in the past and in the future.
    #[serde(default = "five_minutes")]
    pub window: Duration,
}

/// The window of most senders.
pub(super) fn five_minutes() -> Duration {
    Duration::secs(300)
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashName {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncodingName {
    /// Hex digits in lower case.
    #[default]
    Hex,
    /// Base64 of the standard alphabet, with padding.
    Base64,
}

/// A sender that follows [Standard Webhooks](https://www.standardwebhooks.com).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StandardWebhooksSource {
    /// The keys that it may be signed with: `whsec_…` (version `v1`), or the sender's public key `whpk_…` (`v1a`).
    pub secrets: OneOrMany<SecretText>,
    /// What the names of the three headers begin with: `webhook` for `webhook-id` and so on, `svix` for Svix.
    #[serde(default = "webhook")]
    pub header_prefix: HeaderText,
    /// How far the time stamp may be away from the present, in the past and in the future.
    #[serde(default = "five_minutes")]
    pub window: Duration,
    /// How its deliveries read; the id is the signed `webhook-id` always.
    #[serde(default)]
    pub reads: ReadsSpec,
}

fn webhook() -> HeaderText {
    HeaderText::read("webhook").expect("a literal form")
}

/// A sender that shows a secret token in a header and signs nothing. Whoever reads one request can send others.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenSource {
    /// The tokens; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
    /// The header that holds the token. Without it: `Authorization: Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderText>,
    /// What stands in front of the token in that header, with its blank, such as `Token `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How its deliveries read.
    #[serde(default)]
    pub reads: ReadsSpec,
}

/// A sender that shows a user name and password (`Authorization: Basic`) and signs nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicSource {
    /// The user name.
    #[schemars(length(min = 1))]
    pub username: String,
    /// The passwords; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
    /// How its deliveries read.
    #[serde(default)]
    pub reads: ReadsSpec,
}

/// Where a delivery says what it is. A place in the body is a JSON pointer such as `/data/title`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReadsSpec {
    /// The sender's id of the delivery, the same when it is sent again. Without it, or where it is missing: a hash of the body, so
    /// that an equal body counts once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<NamedBy>,
    /// The name of the event, which `on.event` compares. Without it: `webhook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<NamedBy>,
    /// The title (`subject.title`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<PointerText>,
    /// The text (`subject.body`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<PointerText>,
    /// The page (`subject.url`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<PointerText>,
}

/// Where a name stands: exactly one of these.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NamedBy {
    /// In this header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderText>,
    /// In the body, at this JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<PointerText>,
    /// It is this word always (for the event only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always: Option<String>,
}

/// One piece of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedPart {
    /// This text.
    Text(String),
    /// The value of this header.
    Header(String),
    /// The time stamp, as the header has it.
    Timestamp,
    /// The id, as the header has it.
    Id,
    /// The raw body.
    Body,
}

/// Reads what is signed.
///
/// # Errors
/// One sentence that says what is wrong.
pub fn signed_parts(text: &str) -> Result<Vec<SignedPart>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(open) = rest.find('{') else {
            parts.push(SignedPart::Text(rest.to_owned()));
            break;
        };
        if open > 0 {
            parts.push(SignedPart::Text(rest[..open].to_owned()));
        }
        let Some(close) = rest[open..].find('}') else { return Err("a `{` is not closed".to_owned()) };
        let word = &rest[open + 1..open + close];
        parts.push(match word.split_once(':') {
            Some(("header", name)) => SignedPart::Header(HeaderText::read(name)?.to_string()),
            _ => match word {
                "timestamp" => SignedPart::Timestamp,
                "id" => SignedPart::Id,
                "body" => SignedPart::Body,
                _ => return Err("known here: `{body}`, `{timestamp}`, `{id}` and `{header:NAME}`".to_owned()),
            },
        });
        rest = &rest[open + close + 1..];
    }
    match parts.iter().filter(|part| **part == SignedPart::Body).count() {
        1 => Ok(parts),
        0 => Err("`{body}` is missing: a signature that does not cover the body proves nothing of it".to_owned()),
        _ => Err("`{body}` stands there more than once".to_owned()),
    }
}

impl HmacSource {
    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        self.reads.check(document, &path.key("reads"), found);
        let signed = path.key("signed");
        let parts = match signed_parts(&self.signed) {
            Ok(parts) => parts,
            Err(message) => return found.fault(document, &signed, message),
        };
        let stamped = parts.contains(&SignedPart::Timestamp);
        match &self.timestamp {
            None if stamped => {
                found.fault(document, &signed, "`{timestamp}` is signed: say under `timestamp` which header holds it");
            }
            Some(_) if !stamped => {
                let message = "a time stamp that is not signed can be changed by anybody: put `{timestamp}` into `signed`, or leave it out";
                found.fault(document, &path.key("timestamp"), message);
            }
            Some(stamp) => check_window(stamp.window, document, &path.key("timestamp").key("window"), found),
            None => {}
        }
        let id_in_header = self.reads.id.as_ref().is_some_and(|id| id.header.is_some());
        if parts.contains(&SignedPart::Id) && !id_in_header {
            found.fault(document, &signed, "`{id}` is signed: say under `reads.id.header` which header holds it");
        }
    }
}

impl StandardWebhooksSource {
    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        self.reads.check(document, &path.key("reads"), found);
        if self.reads.id.is_some() {
            found.fault(
                document,
                &path.key("reads").key("id"),
                "the id is the signed `webhook-id` always: leave this out",
            );
        }
        check_window(self.window, document, &path.key("window"), found);
        check_keys(&self.secrets, document, path, found);
    }
}

/// Keys that are not filled yet are those of a command that needs none.
pub(super) fn check_keys(secrets: &[SecretText], document: &Document, path: &Path, found: &mut Findings) {
    for (nth, secret) in secrets.iter().enumerate().filter(|(_, secret)| !secret.value().expose().is_empty()) {
        if let Err(fault) = SigningKey::parse(secret.value()) {
            found.fault(document, &path.key("secrets").index(nth), fault.to_string());
        }
    }
}

pub(super) fn check_window(window: Duration, document: &Document, path: &Path, found: &mut Findings) {
    let window = window.std();
    if window.is_zero() {
        found.fault(document, path, "must be longer than zero");
    } else if window > std::time::Duration::from_secs(86_400) {
        found.fault(document, path, "must be at most `1d`: within it, whoever has seen a request can send it again");
    }
}

impl TokenSource {
    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        self.reads.check(document, &path.key("reads"), found);
        if self.header.is_none() && self.prefix.is_some() {
            found.fault(
                document,
                &path.key("prefix"),
                "say the `header` too: without it the token is `Authorization: Bearer …`",
            );
        }
    }
}

impl BasicSource {
    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        self.reads.check(document, &path.key("reads"), found);
        check_username(&self.username, document, path, found);
    }
}

pub(super) fn check_username(username: &str, document: &Document, path: &Path, found: &mut Findings) {
    if username.contains(':') {
        found.fault(document, &path.key("username"), "a user name has no `:`");
    }
}

impl ReadsSpec {
    fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        for (key, named) in [("id", &self.id), ("event", &self.event)] {
            let Some(named) = named else { continue };
            let said = [named.header.is_some(), named.body.is_some(), named.always.is_some()];
            if said.iter().filter(|said| **said).count() != 1 {
                found.fault(document, &path.key(key), "takes exactly one of `header`, `body` and `always`");
            }
            if key == "id" && named.always.is_some() {
                let message = "an id that is always the same would make one delivery of all";
                found.fault(document, &path.key("id").key("always"), message);
            }
            let Some(word) = &named.always else { continue };
            if word.trim().is_empty() || word.len() > 100 || word.chars().any(char::is_control) {
                found.fault(document, &path.key(key).key("always"), "a name is 1 to 100 characters on one line");
            }
        }
    }
}
