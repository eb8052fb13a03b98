//! Azure DevOps: `Authorization: Basic` and no signature. `id` is that of the event, the same for each subscription.
//! Facts from MicrosoftDocs/azure-devops-docs, `docs/service-hooks/services/webhooks.md` and `events.md`.

use super::scheme::Scheme;
use super::scheme::shown::Shown;
use super::{Body, Dialect, Facts, body, preset};
use crate::secret::Secret;

/// How it proves itself.
#[must_use]
pub fn scheme(username: String, passwords: Vec<Secret>) -> Scheme {
    Scheme::Shown(Shown::basic(username, passwords))
}

/// How it reads.
#[must_use]
pub fn dialect() -> Dialect {
    preset(vec![body("/id")], vec![body("/eventType")], read)
}

fn read(_: &str, body: &Body<'_>) -> Facts {
    Facts {
        title: body.text(&["/message/text"]),
        text: body.text(&["/detailedMessage/text"]),
        link: body.text(&["/resource/_links/html/href", "/resource/_links/web/href", "/resource/url"]),
        at: body.moment("/createdDate"),
        ..Facts::default()
    }
}
