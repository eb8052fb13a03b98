//! Linear: a bare HMAC-SHA256 in hex over the raw body, with a time stamp in milliseconds inside it. The header
//! `Linear-Timestamp` is not signed and counts for nothing.
//! Facts from <https://linear.app/developers/webhooks> and the package `@linear/sdk`.

use super::scheme::Scheme;
use super::scheme::hmac::{Hmac, Stamp};
use super::scheme::stamp::Window;
use super::{Body, Dialect, Facts, body, header, preset};
use crate::domain::signing_key::SharedKey;

/// How it proves itself, with a window in seconds.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>, window: i64) -> Scheme {
    let stamp = Stamp::InBody("/webhookTimestamp", Window::both(window.saturating_mul(1_000)));
    Scheme::Hmac(Hmac { stamp, ..Hmac::over_body(keys, "linear-signature", "") })
}

/// How it reads.
#[must_use]
pub fn dialect() -> Dialect {
    preset(vec![header("linear-delivery")], vec![body("/type")], read)
}

fn read(_: &str, body: &Body<'_>) -> Facts {
    Facts {
        action: body.text(&["/action"]),
        title: body.text(&["/data/title", "/data/issue/title", "/data/name"]),
        text: body.text(&["/data/body", "/data/description"]),
        link: body.text(&["/url", "/data/url"]),
        at: body.unix("/webhookTimestamp", true),
        ..Facts::default()
    }
}
