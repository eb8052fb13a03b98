//! How a request proves who sent it, a way a file. Nothing of a body is read before its proof, but what the proof itself
//! covers; every secret is tried, whichever fits, so that the time says nothing about which.

/// An Ed25519 signature over a time stamp and the body.
pub mod ed25519;
/// An HMAC over the body, alone or with more.
pub mod hmac;
/// Secrets that are shown and sign nothing.
pub mod shown;
/// Time stamps.
pub mod stamp;
/// Standard Webhooks.
pub mod standard_webhooks;

use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::request::Refusal;

/// One way, with its keys.
#[derive(Debug)]
pub enum Scheme {
    /// An HMAC.
    Hmac(hmac::Hmac),
    /// Standard Webhooks.
    StandardWebhooks(standard_webhooks::StandardWebhooks),
    /// Ed25519, as Discord has it.
    Ed25519(ed25519::Ed25519),
    /// A token or a password.
    Shown(shown::Shown),
}

impl Scheme {
    /// Whether the headers hold a proof of the right form.
    ///
    /// # Errors
    /// [`Refusal`]: give up.
    pub fn looks_signed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match self {
            Self::Hmac(hmac) => hmac.announced(headers).map(drop),
            Self::StandardWebhooks(standard) => standard.announced(headers).map(drop),
            Self::Ed25519(ed25519) => ed25519.announced(headers).map(drop),
            Self::Shown(shown) => shown.announced(headers).map(drop),
        }
    }

    /// Whether the proof is right for these bytes at this moment.
    ///
    /// # Errors
    /// [`Refusal`]: give up.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), Refusal> {
        match self {
            Self::Hmac(hmac) => hmac.verify(headers, body, now),
            Self::StandardWebhooks(standard) => standard.verify(headers, body, now),
            Self::Ed25519(ed25519) => ed25519.verify(headers, body, now),
            Self::Shown(shown) => shown.verify(headers),
        }
    }
}
