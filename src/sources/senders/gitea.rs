//! Gitea and Forgejo: a bare HMAC-SHA256 in hex over the JSON text, also where that comes as the field `payload` of a form.
//! They send GitHub's and Gogs' headers too; only their own count here.
//! Facts from go-gitea/gitea, `services/webhook/deliver.go`.

use super::scheme::Scheme;
use super::scheme::hmac::Hmac;
use super::{Body, Dialect, Facts, header, preset};
use crate::domain::signing_key::SharedKey;

/// How Gitea proves itself.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac { payload_of_form: true, ..Hmac::over_body(keys, "x-gitea-signature", "") })
}

/// How Forgejo proves itself.
#[must_use]
pub fn forgejo_scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac { payload_of_form: true, ..Hmac::over_body(keys, "x-forgejo-signature", "") })
}

/// How Gitea reads.
#[must_use]
pub fn dialect() -> Dialect {
    Dialect { form: true, ..preset(vec![header("x-gitea-delivery")], vec![header("x-gitea-event")], read) }
}

/// How Forgejo reads.
#[must_use]
pub fn forgejo_dialect() -> Dialect {
    Dialect { form: true, ..preset(vec![header("x-forgejo-delivery")], vec![header("x-forgejo-event")], read) }
}

fn read(_: &str, body: &Body<'_>) -> Facts {
    Facts {
        action: body.text(&["/action"]),
        title: body.text(&["/pull_request/title", "/issue/title", "/release/name"]),
        text: body.text(&["/comment/body", "/pull_request/body", "/issue/body", "/release/body"]),
        link: body.text(&[
            "/comment/html_url",
            "/pull_request/html_url",
            "/issue/html_url",
            "/release/html_url",
            "/compare_url",
        ]),
        ..Facts::default()
    }
}
