//! From a request to a proof that its sender signed it. Nothing is parsed or stored before.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::bridge::Live;
use crate::sources::{Envelope, Refusal};

/// A request whose signature was checked over its raw bytes. Only [`verify`] makes one.
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

    /// SHA-256 of the raw body.
    #[must_use]
    pub fn body_hash(&self) -> [u8; 32] {
        self.body_hash
    }
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
    let body_hash = Sha256::digest(&body).into();
    Ok(Verified { source: name.to_owned(), envelope, body, body_hash })
}
