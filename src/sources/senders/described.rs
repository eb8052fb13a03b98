//! Senders that no preset knows, as the operator describes them.

use super::scheme::hmac::{Encoding, Form, Hash, Hmac, Part, Stamp};
use super::scheme::shown::Shown;
use super::scheme::stamp::Window;
use super::scheme::standard_webhooks::StandardWebhooks;
use super::{Dialect, Place, Reads};
use crate::config::{
    BasicSource, Duration, EncodingName, HashName, HmacSource, NamedBy, ReadsSpec, SecretText, SignedPart,
    StandardWebhooksSource, TokenSource, signed_parts,
};
use crate::domain::signing_key::{SharedKey, SigningKey};
use crate::secret::Secret;
use crate::sources::scheme::Scheme;

/// A window of the configuration, in both directions.
#[must_use]
pub fn window(window: Duration) -> Window {
    Window::both(i64::try_from(window.std().as_secs()).unwrap_or(i64::MAX))
}

/// The secrets as they are.
#[must_use]
pub fn secrets(secrets: &[SecretText]) -> Vec<Secret> {
    secrets.iter().map(|secret| secret.value().clone()).collect()
}

/// The secrets as keys, letter for letter.
#[must_use]
pub fn keys(secrets: &[SecretText]) -> Vec<SharedKey> {
    secrets.iter().map(|secret| SharedKey::of_text(secret.value())).collect()
}

/// The secrets as keys of Standard Webhooks. The configuration has been checked: one that is none verifies nothing.
#[must_use]
pub fn signing_keys(secrets: &[SecretText]) -> Vec<SigningKey> {
    secrets.iter().filter_map(|secret| SigningKey::parse(secret.value()).ok()).collect()
}

/// `type: hmac`.
#[must_use]
pub fn hmac(source: &HmacSource) -> (Scheme, Dialect) {
    let id_header = source.reads.id.as_ref().and_then(|id| id.header.as_deref());
    let parts = signed_parts(&source.signed).unwrap_or_default();
    let id_is_signed = parts.iter().any(|part| match part {
        SignedPart::Id => true,
        SignedPart::Header(name) => id_header.is_some_and(|id| id.eq_ignore_ascii_case(name)),
        _ => false,
    });
    let signed = parts.into_iter().map(|part| match part {
        SignedPart::Text(text) => Part::Text(text.into()),
        SignedPart::Header(name) => Part::Header(name.to_ascii_lowercase().into()),
        SignedPart::Timestamp => Part::Stamp,
        SignedPart::Id => Part::Header(id_header.map(|name| name.to_ascii_lowercase()).unwrap_or_default().into()),
        SignedPart::Body => Part::Body,
    });
    let scheme = Scheme::Hmac(Hmac {
        keys: keys(&source.secrets),
        header: source.header.to_ascii_lowercase().into(),
        hash: match source.algorithm {
            HashName::Sha256 => Hash::Sha256,
            HashName::Sha512 => Hash::Sha512,
        },
        encoding: match source.encoding {
            EncodingName::Hex => Encoding::Hex,
            EncodingName::Base64 => Encoding::Base64,
        },
        form: Form::One(source.prefix.clone().into()),
        signed: signed.collect(),
        stamp: match &source.timestamp {
            None => Stamp::None,
            Some(stamp) => Stamp::Header(stamp.header.to_ascii_lowercase().into(), window(stamp.window)),
        },
        payload_of_form: false,
    });
    (scheme, dialect(&source.reads, id_is_signed))
}

/// `type: standard-webhooks`.
#[must_use]
pub fn standard_webhooks(source: &StandardWebhooksSource) -> (Scheme, Dialect) {
    let standard = StandardWebhooks::new(signing_keys(&source.secrets), &source.header_prefix, window(source.window));
    let id = vec![Place::Header(standard.id_header().to_owned().into())];
    let dialect = Dialect { id, id_is_signed: true, ..dialect(&source.reads, true) };
    (Scheme::StandardWebhooks(standard), dialect)
}

/// `type: token`.
#[must_use]
pub fn token(source: &TokenSource) -> (Scheme, Dialect) {
    let (header, prefix) = match &source.header {
        None => ("authorization".to_owned(), "Bearer ".to_owned()),
        Some(header) => (header.to_ascii_lowercase(), source.prefix.clone().unwrap_or_default()),
    };
    let scheme = Scheme::Shown(Shown::token(secrets(&source.secrets), header, prefix));
    (scheme, dialect(&source.reads, false))
}

/// `type: basic`.
#[must_use]
pub fn basic(source: &BasicSource) -> (Scheme, Dialect) {
    let scheme = Scheme::Shown(Shown::basic(source.username.clone(), secrets(&source.secrets)));
    (scheme, dialect(&source.reads, false))
}

/// What stands in the body is as good as the body; a header is as good as the proof that covers it.
fn dialect(reads: &ReadsSpec, header_is_signed: bool) -> Dialect {
    let text = |pointer: &Option<crate::config::PointerText>| pointer.as_ref().map(|pointer| pointer.to_string());
    let in_body = reads.id.as_ref().is_some_and(|id| id.body.is_some());
    Dialect {
        id: reads.id.iter().map(place).collect(),
        id_is_signed: in_body || header_is_signed,
        hook: None,
        event: reads.event.iter().map(place).collect(),
        reads: Reads::Pointers([text(&reads.title), text(&reads.text), text(&reads.link)]),
        form: false,
        patience: None,
    }
}

fn place(named: &NamedBy) -> Place {
    match (&named.header, &named.body, &named.always) {
        (Some(header), ..) => Place::Header(header.to_ascii_lowercase().into()),
        (_, Some(pointer), _) => Place::Body(pointer.to_string().into()),
        (_, _, always) => Place::Always(always.clone().unwrap_or_default().into()),
    }
}
