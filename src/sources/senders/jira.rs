//! Jira Cloud, webhooks made by an administrator or over REST with a secret: `X-Hub-Signature: sha256=…` over the raw body.
//! Facts from <https://developer.atlassian.com/cloud/jira/platform/webhooks/>.

use super::scheme::Scheme;
use super::scheme::hmac::Hmac;
use super::{Body, Dialect, Facts, body, header, preset};
use crate::domain::signing_key::SharedKey;

/// How it proves itself.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac::over_body(keys, "x-hub-signature", "sha256="))
}

/// How it reads.
#[must_use]
pub fn dialect() -> Dialect {
    preset(vec![header("x-atlassian-webhook-identifier")], vec![body("/webhookEvent")], read)
}

fn read(_: &str, body: &Body<'_>) -> Facts {
    // The payload has only the address of the API; people want the page.
    let (api, key) = (body.text(&["/issue/self"]), body.text(&["/issue/key"]));
    let link = match api.split_once("/rest/") {
        Some((site, _)) if !key.is_empty() => format!("{site}/browse/{key}"),
        _ => String::new(),
    };
    Facts {
        title: body.text(&["/issue/fields/summary"]),
        text: body.text(&["/comment/body", "/issue/fields/description"]),
        link,
        at: body.unix("/timestamp", true),
        ..Facts::default()
    }
}
