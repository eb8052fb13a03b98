//! Standard Webhooks: three headers, a signed id and a signed time stamp. Version `v1` is HMAC-SHA256, `v1a` Ed25519.
//! Facts from <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use ::hmac::Hmac as Code;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use sha2::Sha256;

use super::super::request::{LISTED, Refusal, needed};
use super::ed25519;
use super::hmac::fits;
use super::stamp::Window;
use crate::domain::signing_key::{PublicKey, SharedKey, SigningKey};

/// One sender, with its keys.
#[derive(Debug)]
pub struct StandardWebhooks {
    shared: Vec<SharedKey>,
    public: Vec<PublicKey>,
    id: String,
    stamp: String,
    signature: String,
    window: Window,
}

/// What the headers say.
pub(super) struct Announced<'a> {
    id: &'a str,
    stamp: &'a str,
    /// Version `v1`.
    codes: Vec<Vec<u8>>,
    /// Version `v1a`.
    signatures: Vec<[u8; 64]>,
}

impl StandardWebhooks {
    /// With headers that begin with `prefix`, which is `webhook` or `svix`.
    #[must_use]
    pub fn new(keys: Vec<SigningKey>, prefix: &str, window: Window) -> Self {
        let (mut shared, mut public) = (Vec::new(), Vec::new());
        for key in keys {
            match key {
                SigningKey::Shared(key) => shared.push(key),
                SigningKey::Public(key) => public.push(key),
            }
        }
        let name = |end: &str| format!("{}-{end}", prefix.to_ascii_lowercase());
        Self { shared, public, id: name("id"), stamp: name("timestamp"), signature: name("signature"), window }
    }

    /// The header of the signed id.
    #[must_use]
    pub fn id_header(&self) -> &str {
        &self.id
    }

    pub(super) fn announced<'a>(&self, headers: &'a HeaderMap) -> Result<Announced<'a>, Refusal> {
        let (id, stamp) = (needed(headers, &self.id)?, needed(headers, &self.stamp)?);
        let listed = needed(headers, &self.signature)?;
        let items: Vec<&str> = listed.splitn(LISTED + 1, ' ').collect();
        let (mut codes, mut signatures) = (Vec::new(), Vec::new());
        for item in &items {
            let (version, text) = item.split_once(',').ok_or(Refusal::SignatureMalformed)?;
            let bytes = || STANDARD.decode(text).map_err(|_| Refusal::SignatureMalformed);
            match version {
                "v1" => {
                    codes.push(bytes()?);
                    if codes.last().is_some_and(|code| code.len() != 32) {
                        return Err(Refusal::SignatureMalformed);
                    }
                }
                "v1a" => signatures.push(bytes()?.try_into().map_err(|_| Refusal::SignatureMalformed)?),
                // Of a version to come.
                _ => {}
            }
        }
        if items.len() > LISTED || (codes.is_empty() && signatures.is_empty()) {
            return Err(Refusal::SignatureMalformed);
        }
        Ok(Announced { id, stamp, codes, signatures })
    }

    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), Refusal> {
        let announced = self.announced(headers)?;
        self.window.holds(announced.stamp, now)?;
        // What is signed is a text by the specification, and its libraries refuse bytes that are none.
        if std::str::from_utf8(body).is_err() {
            return Err(Refusal::SignatureWrong);
        }
        let signed: [&[u8]; 5] = [announced.id.as_bytes(), b".", announced.stamp.as_bytes(), b".", body];
        let mut right = fits::<Code<Sha256>>(&self.shared, &signed, &announced.codes);
        if !announced.signatures.is_empty() {
            let signed = signed.concat();
            for key in &self.public {
                for signature in &announced.signatures {
                    right |= ed25519::is_made_by(key, &signed, signature);
                }
            }
        }
        if right { Ok(()) } else { Err(Refusal::SignatureWrong) }
    }
}
