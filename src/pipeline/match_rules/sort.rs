//! The part of the match step that needs only the delivery and the rules: reading it, and finding out
//! whether any rule listens to it at all. Most deliveries end here.

use chrono::TimeDelta;

use super::ended;
use crate::domain::command::{self, Command, Parsed};
use crate::domain::event::Event;
use crate::ids::DeliveryId;
use crate::pipeline::{Bridge, Live};
use crate::sources::{Envelope, Reading};
use crate::store::decisions::Finished;
use crate::store::deliveries::{ClaimedDelivery, DeliveryState};

/// What the delivery alone says.
pub(super) enum Sorted {
    /// It is done.
    Ended(Box<Finished>),
    /// It concerns a rule, a task or the one who wrote a command.
    Concerns(Box<Concern>),
}

/// A delivery that must be weighed.
pub(super) struct Concern {
    pub delivery: ClaimedDelivery,
    pub envelope: Envelope,
    pub event: Event,
    /// The rules that listen to it, in order.
    pub candidates: Vec<usize>,
    /// What its comment says to us.
    pub said: Said,
}

/// What a comment says to us.
pub(in crate::pipeline) enum Said {
    Nothing,
    Command(Command),
    /// Help was asked for, or the command is wrong: what to answer.
    Answer(String),
}

pub(super) fn sort(bridge: &Bridge, live: &Live, delivery: ClaimedDelivery, replay_of: Option<DeliveryId>) -> Sorted {
    let id = delivery.id;
    let end = |state, reason: &str| Sorted::Ended(Box::new(ended(id, state, reason)));
    if let Some(first) = replay_of {
        let reason = format!("the same body came before, as the delivery {first}: a replay, or told by a second hook");
        let mut finished = ended(id, DeliveryState::Duplicate, &reason);
        finished.duplicate_of = Some(first);
        return Sorted::Ended(Box::new(finished));
    }
    let Some(body) = &delivery.body else { return end(DeliveryState::Failed, "its body is no longer kept") };
    let Some(source) = live.sources.get(&delivery.source) else {
        return end(
            DeliveryState::Failed,
            "its source is no longer configured; configure it again and replay the delivery",
        );
    };
    let envelope = Envelope {
        sender_id: delivery.sender_id.clone(),
        hook_id: delivery.hook_id.clone(),
        event_name: delivery.event_name.clone(),
        content_type: delivery.content_type.clone(),
    };
    let event = match source.source.read(&delivery.source, &envelope, body) {
        Ok(Reading::Event(event)) => *event,
        Ok(Reading::Ping) => return end(DeliveryState::Ignored, "a ping: the hook is set up and reaches taskbridge"),
        Err(unreadable) => return end(DeliveryState::Failed, &unreadable.to_string()),
    };
    let keep = TimeDelta::from_std(bridge.settings.keep_bodies).unwrap_or(TimeDelta::MAX);
    if let Some(at) = event.at
        && delivery.received_at.signed_duration_since(at) > keep
    {
        let mut finished = describe(id, live, &event, DeliveryState::Ignored);
        finished.reason = format!(
            "it tells of {}, which is longer ago than bodies are kept: it cannot be told from a replay",
            at.format("%Y-%m-%d %H:%M UTC")
        );
        return Sorted::Ended(Box::new(finished));
    }
    let label = put_on(&event);
    let said = said(&event, source);
    let name = match &said {
        Said::Command(command) => Some(command.name.as_str()),
        _ => None,
    };
    let candidates = live.rules.candidates(&delivery.source, &event.full_name(), &event.name, label, name);
    let touches_tasks = is_thread_event(&event, "unlabeled") || event.name.starts_with("pull_request");
    if candidates.is_empty() && matches!(said, Said::Nothing) && !touches_tasks {
        let mut finished = describe(id, live, &event, DeliveryState::Ignored);
        finished.reason = nobody_listens(&event, label);
        return Sorted::Ended(Box::new(finished));
    }
    Sorted::Concerns(Box::new(Concern { delivery, envelope, event, candidates, said }))
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
pub(in crate::pipeline) fn said(event: &Event, source: &crate::pipeline::bridge::LiveSource) -> Said {
    let writes =
        event.action == "created" && matches!(event.name.as_str(), "issue_comment" | "pull_request_review_comment");
    let Some(comment) = event.comment.as_ref().filter(|_| writes) else { return Said::Nothing };
    match command::parse(&comment.body, &source.grammar) {
        Parsed::None => Said::Nothing,
        Parsed::Command(command) => Said::Command(command),
        Parsed::Help => Said::Answer(command::help_text(&source.grammar)),
        Parsed::Bad { message } => Said::Answer(message),
    }
}

/// The end of a delivery that was read.
pub(super) fn describe(delivery: DeliveryId, live: &Live, event: &Event, state: DeliveryState) -> Finished {
    let mut finished = ended(delivery, state, "");
    finished.action.clone_from(&event.action);
    finished.actor_login = event.actor.as_ref().map(|actor| actor.login.clone()).unwrap_or_default();
    finished.repo_name = event.repo.as_ref().map(crate::domain::event::Repo::full_name).unwrap_or_default();
    finished.subject_url = event.subject.as_ref().map(|subject| subject.url.clone()).unwrap_or_default();
    finished.rule_version.clone_from(&live.rules.version);
    finished
}
