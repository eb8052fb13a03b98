//! GitLab: a secret token shown as it is, or (from 19.0) a signing token, which is Standard Webhooks. A token signs nothing.
//! Facts from <https://docs.gitlab.com/user/project/integrations/webhooks/>.

use super::scheme::Scheme;
use super::scheme::shown::Shown;
use super::scheme::stamp::Window;
use super::scheme::standard_webhooks::StandardWebhooks;
use super::{Body, Dialect, Facts, header, preset};
use crate::domain::signing_key::SigningKey;
use crate::secret::Secret;

/// How it proves itself with a secret token.
#[must_use]
pub fn token_scheme(tokens: Vec<Secret>) -> Scheme {
    Scheme::Shown(Shown::token(tokens, "x-gitlab-token", ""))
}

/// How it proves itself with a signing token.
#[must_use]
pub fn signing_scheme(keys: Vec<SigningKey>) -> Scheme {
    Scheme::StandardWebhooks(StandardWebhooks::new(keys, "webhook", Window::both(300)))
}

/// How it reads. `X-Gitlab-Event-UUID` is no id of a delivery: events that a webhook sets off in their turn share it.
#[must_use]
pub fn dialect(signed: bool) -> Dialect {
    let id = header(if signed { "webhook-id" } else { "idempotency-key" });
    let names = preset(vec![id], vec![header("x-gitlab-event")], read);
    Dialect { id_is_signed: signed, hook: Some("x-gitlab-webhook-uuid"), ..names }
}

fn read(_: &str, body: &Body<'_>) -> Facts {
    Facts {
        action: body.text(&["/object_attributes/action"]),
        title: body.text(&["/object_attributes/title", "/issue/title", "/merge_request/title"]),
        text: body.text(&["/object_attributes/note", "/object_attributes/description"]),
        link: body.text(&["/object_attributes/url", "/project/web_url"]),
        ..Facts::default()
    }
}
