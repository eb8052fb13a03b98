//! What a delivery and the rules alone tell: how it reads, and whether any rule listens to it at all. Most deliveries
//! end here, and one that does is recorded with its end: it costs one row and one commit, and no worker sees it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use chrono::TimeDelta;

use super::verify::Verified;
use super::{Bridge, Live};
use crate::domain::command::{self, Command, Parsed};
use crate::domain::event::{Event, SubjectKind};
use crate::sources::{Envelope, Reading};
use crate::store::Moment;
use crate::store::deliveries::{DeliveryState, End};

/// A longer body is read by the match step: no sender waits for it, and no other request beside it.
const READ_AT_ONCE: usize = 256 * 1024;

/// What is looked at.
pub(super) struct Unsorted<'a> {
    pub source: &'a str,
    pub envelope: &'a Envelope,
    pub body: &'a [u8],
    pub received_at: Moment,
}

/// What the delivery alone says.
pub(super) enum Sorted {
    /// It is done.
    Ended(Box<End>),
    /// It concerns a rule, a task or the one who wrote a command.
    Concerns(Box<Heard>),
}

/// What a delivery that must be weighed says.
pub(super) struct Heard {
    pub event: Event,
    /// The rules that listen to it, in order.
    pub candidates: Vec<usize>,
    /// What its comment says to us.
    pub said: Said,
}

/// The end of a delivery that has not been recorded yet, if it concerns nobody. Whatever cannot be told at once is
/// left to the match step.
#[must_use]
pub fn at_once(bridge: &Bridge, live: &Live, verified: &Verified) -> Option<End> {
    if verified.body().len() > READ_AT_ONCE {
        return None;
    }
    let unsorted = Unsorted {
        source: verified.source(),
        envelope: verified.envelope(),
        body: verified.body(),
        received_at: bridge.ground.now(),
    };
    let sorted = std::panic::catch_unwind(AssertUnwindSafe(|| sort(bridge.settings.keep_bodies, live, &unsorted)));
    match sorted {
        Ok(Sorted::Ended(end)) => Some(*end),
        Ok(Sorted::Concerns(_)) | Err(_) => None,
    }
}

/// What a comment says to us.
pub(in crate::pipeline) enum Said {
    Nothing,
    Command(Command),
    /// What waits there for approval may go on, or the task of this id.
    Approve(Option<String>),
    /// Help was asked for, or the command is wrong: what to answer.
    Answer(String),
}

pub(super) fn sort(keep_bodies: Duration, live: &Live, unsorted: &Unsorted<'_>) -> Sorted {
    let end = |state, reason: &str| Sorted::Ended(Box::new(End::new(state, reason)));
    let Some(source) = live.sources.get(unsorted.source) else {
        return end(
            DeliveryState::Failed,
            "its source is no longer configured; configure it again and replay the delivery",
        );
    };
    let event = match source.source.read(unsorted.source, unsorted.envelope, unsorted.body) {
        Ok(Reading::Event(event)) => *event,
        Ok(Reading::Ping) => return end(DeliveryState::Ignored, "a ping: the hook is set up and reaches taskbridge"),
        Err(unreadable) => return end(DeliveryState::Failed, &unreadable.to_string()),
    };
    let keep = TimeDelta::from_std(keep_bodies).unwrap_or(TimeDelta::MAX);
    if let Some(at) = event.at
        && unsorted.received_at.signed_duration_since(at) > keep
    {
        let mut end = describe(live, &event, DeliveryState::Ignored);
        end.reason = format!(
            "it tells of {}, which is longer ago than bodies are kept: it cannot be told from a replay",
            at.format("%Y-%m-%d %H:%M UTC")
        );
        return Sorted::Ended(Box::new(end));
    }
    let label = put_on(&event);
    let said = said(&event, source);
    let name = match &said {
        Said::Command(command) => Some(command.name.as_str()),
        _ => None,
    };
    let candidates = listeners(live, &event, label, name);
    let touches_tasks = is_thread_event(&event, "unlabeled") || event.name.starts_with("pull_request");
    if candidates.is_empty() && matches!(said, Said::Nothing) && !touches_tasks {
        let mut end = describe(live, &event, DeliveryState::Ignored);
        end.reason = nobody_listens(&event, label);
        return Sorted::Ended(Box::new(end));
    }
    Sorted::Concerns(Box::new(Heard { event, candidates, said }))
}

/// The rules that an event could concern, in order.
pub(in crate::pipeline) fn listeners(
    live: &Live,
    event: &Event,
    label: Option<&str>,
    command: Option<&str>,
) -> Vec<usize> {
    let mut heard = live.rules.candidates(&event.source, &event.full_name(), &event.name, label, command);
    if let Some(state) = alert_state(event) {
        heard.extend(live.rules.alerted(&event.source, state));
        heard.sort_unstable();
        heard.dedup();
    }
    heard
}

/// The state of the alert that an event tells of.
pub(in crate::pipeline) fn alert_state(event: &Event) -> Option<&str> {
    let subject = event.subject.as_ref().filter(|subject| subject.kind == SubjectKind::Alert)?;
    Some(subject.state.as_str()).filter(|state| !state.is_empty())
}

/// The words for an event that no rule listens to.
pub(in crate::pipeline) fn nobody_listens(event: &Event, label: Option<&str>) -> String {
    let holds_no_command = event.comment.is_some() && event.action == "created";
    match label {
        Some(label) => format!("no rule listens to the label `{label}` on the source {}", event.source),
        None if holds_no_command => format!(
            "the comment holds no command, and no rule listens to {} on the source {} as such",
            event.full_name(),
            event.source
        ),
        None => format!("no rule listens to {} on the source {}", event.full_name(), event.source),
    }
}

/// The label that an event put on an issue or pull request.
pub(in crate::pipeline) fn put_on(event: &Event) -> Option<&str> {
    event.label.as_ref().filter(|_| is_thread_event(event, "labeled")).map(|label| label.name.as_str())
}

/// Labels start and cancel on issues and pull requests.
pub(in crate::pipeline) fn is_thread_event(event: &Event, action: &str) -> bool {
    event.action == action && matches!(event.name.as_str(), "issues" | "pull_request")
}

/// What the comment of an event says to us.
pub(in crate::pipeline) fn said(event: &Event, source: &super::bridge::LiveSource) -> Said {
    let writes =
        event.action == "created" && matches!(event.name.as_str(), "issue_comment" | "pull_request_review_comment");
    let Some(comment) = event.comment.as_ref().filter(|_| writes) else { return Said::Nothing };
    match command::parse(&comment.body, &source.grammar) {
        Parsed::None => Said::Nothing,
        Parsed::Command(command) => Said::Command(command),
        Parsed::Approve(named) => Said::Approve(named),
        Parsed::Help => Said::Answer(command::help_text(&source.grammar)),
        Parsed::Bad { message } => Said::Answer(message),
    }
}

/// The end of a delivery that was read.
pub(super) fn describe(live: &Live, event: &Event, state: DeliveryState) -> End {
    End {
        action: event.action.clone(),
        actor_login: event.actor.as_ref().map(|actor| actor.login.clone()).unwrap_or_default(),
        repo_name: event.repo.as_ref().map(crate::domain::event::Repo::full_name).unwrap_or_default(),
        subject_url: event.subject.as_ref().map(|subject| subject.url.clone()).unwrap_or_default(),
        rule_version: live.rules.version.clone(),
        ..End::new(state, "")
    }
}
