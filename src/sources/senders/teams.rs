//! Outgoing webhooks of Microsoft Teams: `Authorization: HMAC …` in base64 over the raw body, under the security token
//! decoded from base64. When it was said stands in the body. Its documentation names no window for that; ours is that of
//! the others.
//! Facts from MicrosoftDocs/msteams-docs, `add-outgoing-webhook.md`.

use super::scheme::Scheme;
use super::scheme::hmac::{Encoding, Hmac, Stamp};
use super::scheme::stamp::Window;
use crate::domain::signing_key::SharedKey;

/// How it proves itself; keys are read with [`SharedKey::of_base64`].
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    let stamp = Stamp::Written(&["/timestamp", "/localTimestamp"], Window::both(300));
    Scheme::Hmac(Hmac { encoding: Encoding::Base64, stamp, ..Hmac::over_body(keys, "authorization", "HMAC ") })
}
