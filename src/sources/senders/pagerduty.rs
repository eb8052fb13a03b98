//! PagerDuty's webhooks of version 3: `v1=…` in a list with commas, HMAC-SHA256 in hex over the raw body alone.
//! Facts from PagerDuty/go-pagerduty, `webhookv3/webhookv3.go` and its test vectors.

use super::scheme::Scheme;
use super::scheme::hmac::{Form, Hmac};
use super::{Body, Dialect, Facts, body, preset};
use crate::domain::event::SubjectKind;
use crate::domain::signing_key::SharedKey;

/// How it proves itself.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac { form: Form::List, ..Hmac::over_body(keys, "x-pagerduty-signature", "") })
}

/// How it reads.
#[must_use]
pub fn dialect() -> Dialect {
    let names = preset(vec![body("/event/id")], vec![body("/event/event_type")], read);
    Dialect { hook: Some("x-webhook-subscription"), ..names }
}

fn read(event: &str, body: &Body<'_>) -> Facts {
    let state = match event {
        "incident.triggered" | "incident.reopened" | "incident.unacknowledged" | "incident.escalated" => "firing",
        "incident.acknowledged" => "acknowledged",
        "incident.resolved" => "resolved",
        _ => "",
    };
    Facts {
        kind: if event.starts_with("incident.") { SubjectKind::Alert } else { SubjectKind::Other },
        title: body.text(&["/event/data/title", "/event/data/incident/summary", "/event/data/summary"]),
        text: body.text(&["/event/data/content", "/event/data/message"]),
        link: body.text(&["/event/data/html_url", "/event/data/incident/html_url"]),
        state: state.to_owned(),
        at: body.moment("/event/occurred_at"),
        action: String::new(),
    }
}
