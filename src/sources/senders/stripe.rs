//! Stripe: `t=…,v1=…`, HMAC-SHA256 in hex over `timestamp.body`. The key is the whole text `whsec_…`, which is not
//! decoded. Its own libraries refuse what is older than five minutes and ask for no bound in the future.
//! Facts from the packages `stripe` of npm and PyPI.

use super::scheme::Scheme;
use super::scheme::hmac::{Form, Hmac, Part, Stamp};
use super::scheme::stamp::Window;
use super::{Body, Dialect, Facts, body, preset};
use crate::domain::signing_key::SharedKey;

/// How it proves itself.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac {
        form: Form::Stamped,
        signed: vec![Part::Stamp, Part::Text(".".into()), Part::Body],
        stamp: Stamp::Beside(Window { past: 300, future: None }),
        ..Hmac::over_body(keys, "stripe-signature", "")
    })
}

/// How it reads.
#[must_use]
pub fn dialect() -> Dialect {
    preset(vec![body("/id")], vec![body("/type")], read)
}

fn read(event: &str, body: &Body<'_>) -> Facts {
    Facts {
        title: event.to_owned(),
        text: body.text(&["/data/object/description"]),
        at: body.unix("/created", false),
        ..Facts::default()
    }
}
