//! Grafana's webhook contact point: a bare HMAC-SHA256 in hex over the body, or over `timestamp:body` where the contact
//! point names a header for the time stamp. It gives no id: an equal body counts once.
//! Facts from <https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>.

use std::borrow::Cow;

use super::scheme::Scheme;
use super::scheme::hmac::{Hmac, Part, Stamp};
use super::scheme::stamp::Window;
use super::{Body, Dialect, Facts, preset};
use crate::domain::event::SubjectKind;
use crate::domain::signing_key::SharedKey;
use crate::sources::sender::Place;

/// How it proves itself.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>, header: String, timestamp_header: Option<String>) -> Scheme {
    let over_body = Hmac { header: header.into(), ..Hmac::over_body(keys, "", "") };
    Scheme::Hmac(match timestamp_header {
        None => over_body,
        Some(name) => Hmac {
            signed: vec![Part::Stamp, Part::Text(":".into()), Part::Body],
            stamp: Stamp::Header(name.into(), Window::both(300)),
            ..over_body
        },
    })
}

/// How it reads.
#[must_use]
pub fn dialect() -> Dialect {
    preset(Vec::new(), vec![Place::Always(Cow::Borrowed("alert"))], read)
}

fn read(_: &str, body: &Body<'_>) -> Facts {
    let state = body.text(&["/status"]);
    Facts {
        action: state.clone(),
        kind: SubjectKind::Alert,
        title: body.text(&["/title", "/commonLabels/alertname"]),
        text: body.text(&["/message"]),
        link: body.text(&["/alerts/0/panelURL", "/alerts/0/generatorURL", "/externalURL"]),
        state,
        at: None,
    }
}
