//! From a request to a proof that its sender signed it, or that it came through a connection that we opened ourselves
//! to a sender that TLS and a token have proved. Nothing is stored before.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::bridge::Live;
use crate::sources::{Envelope, Refusal};

/// A request whose signature was checked over its raw bytes, or that came from a proven other end. Only this file makes
/// one.
#[derive(Debug, Clone)]
pub struct Verified {
    source: String,
    envelope: Envelope,
    body: Bytes,
    body_hash: [u8; 32],
}

impl Verified {
    /// The name of the configured source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The facts of its headers.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The raw body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What tells it from another delivery: SHA-256 of the raw body, of its signature, or of an id that is signed.
    #[must_use]
    pub fn body_hash(&self) -> [u8; 32] {
        self.body_hash
    }
}

/// What came through the app's own socket to the source `name`; `None` when it is of no kind that is known.
#[must_use]
pub(super) fn through_socket(live: &Live, name: &str, kind: &str, payload: &str) -> Option<Verified> {
    let source = live.sources.get(name)?;
    source.chat.as_ref()?.listener.as_ref()?;
    let (envelope, body) = crate::sources::slack::through_socket(kind, payload)?;
    let body_hash = source.source.fingerprint(&HeaderMap::new(), &envelope, &body);
    Some(Verified { source: name.to_owned(), envelope, body: body.into(), body_hash })
}

/// Checks a request posted to the source `name`, at this moment.
///
/// # Errors
/// [`Refusal`]: give up; the sender is told no detail.
pub fn verify(
    live: &Live,
    name: &str,
    headers: &HeaderMap,
    body: Bytes,
    now: DateTime<Utc>,
) -> Result<Verified, Refusal> {
    let source = live.sources.get(name).ok_or(Refusal::UnknownSource)?;
    let envelope = source.source.verify(headers, &body, now)?;
    let body_hash = source.source.fingerprint(headers, &envelope, &body);
    Ok(Verified { source: name.to_owned(), envelope, body, body_hash })
}
