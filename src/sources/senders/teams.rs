//! Outgoing webhooks of Microsoft Teams: `Authorization: HMAC …` in base64 over the raw body, under the security token
//! decoded from base64.
//! Facts from MicrosoftDocs/msteams-docs, `add-outgoing-webhook.md`.

use super::scheme::Scheme;
use super::scheme::hmac::{Encoding, Hmac};
use crate::domain::signing_key::SharedKey;

/// How it proves itself; keys are read with [`SharedKey::of_base64`].
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac { encoding: Encoding::Base64, ..Hmac::over_body(keys, "authorization", "HMAC ") })
}
