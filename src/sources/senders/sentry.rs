//! Sentry's integrations: a bare HMAC-SHA256 in hex over the raw body, under the client secret. `Sentry-Hook-Timestamp` is not
//! signed and counts for nothing. Sentry waits one second for an answer.
//! Facts from <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>.

use std::time::Duration;

use super::scheme::Scheme;
use super::scheme::hmac::Hmac;
use super::{Body, Dialect, Facts, header, preset};
use crate::domain::event::SubjectKind;
use crate::domain::signing_key::SharedKey;

/// Below its one second, with room for the way there and back.
const PATIENCE: Duration = Duration::from_millis(750);
const _: () = assert!(PATIENCE.as_millis() + 200 < 1000);

/// How it proves itself.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac::over_body(keys, "sentry-hook-signature", ""))
}

/// How it reads.
#[must_use]
pub fn dialect() -> Dialect {
    let names = preset(vec![header("request-id")], vec![header("sentry-hook-resource")], read);
    Dialect { patience: Some(PATIENCE), ..names }
}

fn read(resource: &str, body: &Body<'_>) -> Facts {
    let action = body.text(&["/action"]);
    let state = match (resource, action.as_str()) {
        ("issue", "created" | "unresolved") | ("error", "created") | ("event_alert", "triggered") => "firing",
        ("metric_alert", "critical" | "warning") => "firing",
        ("issue" | "metric_alert", "resolved") => "resolved",
        ("issue", "archived" | "ignored") => "acknowledged",
        _ => "",
    };
    let alerts = matches!(resource, "issue" | "error" | "event_alert" | "metric_alert");
    Facts {
        kind: if alerts { SubjectKind::Alert } else { SubjectKind::Other },
        title: body.text(&[
            "/data/issue/title",
            "/data/event/title",
            "/data/error/title",
            "/data/description_title",
            "/data/issue_title",
        ]),
        text: body.text(&[
            "/data/issue/culprit",
            "/data/event/culprit",
            "/data/error/culprit",
            "/data/description_text",
            "/data/comment",
        ]),
        link: body.text(&[
            "/data/issue/web_url",
            "/data/event/web_url",
            "/data/error/web_url",
            "/data/web_url",
            "/data/issue/permalink",
        ]),
        state: state.to_owned(),
        action,
        at: None,
    }
}
