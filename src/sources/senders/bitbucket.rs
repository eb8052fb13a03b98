//! Bitbucket Cloud: `X-Hub-Signature: sha256=…` (not GitHub's header of the like name) over the raw body.
//! Facts from <https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/>.

use super::scheme::Scheme;
use super::scheme::hmac::Hmac;
use super::{Body, Dialect, Facts, header, preset};
use crate::domain::signing_key::SharedKey;

/// How it proves itself.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac::over_body(keys, "x-hub-signature", "sha256="))
}

/// How it reads.
#[must_use]
pub fn dialect() -> Dialect {
    let names = preset(vec![header("x-request-uuid")], vec![header("x-event-key")], read);
    Dialect { hook: Some("x-hook-uuid"), ..names }
}

fn read(_: &str, body: &Body<'_>) -> Facts {
    Facts {
        title: body.text(&["/pullrequest/title", "/issue/title"]),
        text: body.text(&["/comment/content/raw", "/pullrequest/description", "/issue/content/raw"]),
        link: body.text(&["/comment/links/html/href", "/pullrequest/links/html/href", "/issue/links/html/href"]),
        ..Facts::default()
    }
}
