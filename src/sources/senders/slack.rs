//! Slack: `v0=` and HMAC-SHA256 in hex over `v0:timestamp:body`, five minutes in both directions.
//! Facts from <https://docs.slack.dev/authentication/verifying-requests-from-slack>.

use super::scheme::Scheme;
use super::scheme::hmac::{Hmac, Part, Stamp};
use super::scheme::stamp::Window;
use crate::domain::signing_key::SharedKey;

/// How it proves itself.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac {
        signed: vec![Part::Text("v0:".into()), Part::Stamp, Part::Text(":".into()), Part::Body],
        stamp: Stamp::Header("x-slack-request-timestamp".into(), Window::both(300)),
        ..Hmac::over_body(keys, "x-slack-signature", "v0=")
    })
}
