//! The senders that are known: what each signs, which headers it sends and what in its payloads everybody wants to read.
//! Facts of each stand at the head of its file.

/// Azure DevOps.
pub mod azure_devops;
/// Bitbucket Cloud.
pub mod bitbucket;
/// Senders that the operator describes.
pub mod described;
/// Discord's interactions.
pub mod discord;
/// Gitea and Forgejo.
pub mod gitea;
/// GitLab.
pub mod gitlab;
/// Grafana's alerts.
pub mod grafana;
/// Jira Cloud.
pub mod jira;
/// Linear.
pub mod linear;
/// Mattermost's slash commands.
pub mod mattermost;
/// PagerDuty.
pub mod pagerduty;
/// Sentry.
pub mod sentry;
/// Stripe.
pub mod stripe;
/// Outgoing webhooks of Microsoft Teams.
pub mod teams;

use super::scheme;
use super::sender::{Body, Dialect, Facts, Place, Reads};

const fn header(name: &'static str) -> Place {
    Place::Header(std::borrow::Cow::Borrowed(name))
}

const fn body(pointer: &'static str) -> Place {
    Place::Body(std::borrow::Cow::Borrowed(pointer))
}

/// A preset whose names stand in these places.
fn preset(id: Vec<Place>, event: Vec<Place>, read: fn(&str, &Body<'_>) -> Facts) -> Dialect {
    let id_is_signed = !id.is_empty() && id.iter().all(|place| matches!(place, Place::Body(_)));
    Dialect { id, id_is_signed, hook: None, event, reads: Reads::Preset(read), form: false, patience: None }
}
