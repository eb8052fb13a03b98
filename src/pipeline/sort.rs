//! What a delivery and the rules alone tell: how it reads, and whether any rule listens to it at all. Most deliveries
//! end here, and one that does is recorded with its end: it costs one row and one commit, and no worker sees it.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use chrono::TimeDelta;

use super::verify::Verified;
use super::{Bridge, Live};
use crate::domain::chat::{Chat, ChatSaid, Form, anew};
use crate::domain::command::{self, Command, Grammar, Own, OwnWord, Parsed, place};
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
    /// The command is wrong: what to answer.
    Answer(String),
    /// One of our own commands.
    Own(Own),
    /// Help was asked for.
    Help,
    /// In a chat: nothing more was said, or a message was chosen, so the form is opened.
    Form,
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
        Ok(Reading::Nothing(why)) => return end(DeliveryState::Ignored, &why),
        Ok(Reading::Elsewhere(why)) => {
            // Whoever asked there sees nothing come of it, so whoever runs this must.
            tracing::warn!(source = unsorted.source, why, "a request starts nothing");
            return end(DeliveryState::Ignored, &why);
        }
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
    let candidates = match &event.chat {
        None => listeners(live, &event, label, name),
        Some(chat) => chat_candidates(live, source, chat, &said),
    };
    let touches_tasks = is_thread_event(&event, "unlabeled") || event.name.starts_with("pull_request");
    if candidates.is_empty()
        && matches!(said, Said::Nothing)
        && !touches_tasks
        && !takes_back(&event)
        && !app_is_gone(&event)
        && !moves_the_app(&event)
    {
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

/// Somebody took back at GitHub what they allowed the app that people sign in with.
pub(in crate::pipeline) fn takes_back(event: &Event) -> bool {
    event.name == "github_app_authorization" && event.action == "revoked"
}

/// The App was installed, uninstalled, suspended or let in again somewhere, or repositories were added or taken out.
pub(in crate::pipeline) fn moves_the_app(event: &Event) -> bool {
    matches!(event.name.as_str(), "installation" | "installation_repositories")
}

/// A chat no longer lets its app in.
pub(in crate::pipeline) fn app_is_gone(event: &Event) -> bool {
    event.name == "app_gone" && event.repo.is_none()
}

/// Labels start and cancel on issues and pull requests.
pub(in crate::pipeline) fn is_thread_event(event: &Event, action: &str) -> bool {
    event.action == action && matches!(event.name.as_str(), "issues" | "pull_request")
}

/// The rules for work that is wanted in a chat: the channel's own, or all that listen to the command or to the name behind it.
pub(in crate::pipeline) fn chat_candidates(
    live: &Live,
    source: &super::bridge::LiveSource,
    chat: &Chat,
    said: &Said,
) -> Vec<usize> {
    let Said::Command(command) = said else { return Vec::new() };
    if let Some(own) = rule_of_channel(source, chat) {
        return live.rules.rules.iter().position(|rule| rule.name == *own).into_iter().collect();
    }
    let (typed, usual) = (chat_command(source, chat), counts_as_usual(source, chat));
    live.rules.said_in_chat(&chat.place.source, typed, usual, &command.name)
}

/// The channel's own rule, to which all work leads that is wanted there.
pub(in crate::pipeline) fn rule_of_channel<'l>(source: &'l super::bridge::LiveSource, chat: &Chat) -> Option<&'l str> {
    source.chat.as_ref()?.channels.get(&chat.place.channel)?.rule.as_deref()
}

/// The command that something said in a chat is, or counts as.
pub(in crate::pipeline) fn chat_command<'c>(source: &'c super::bridge::LiveSource, chat: &'c Chat) -> &'c str {
    match &chat.said {
        ChatSaid::Command { name, .. } => name,
        ChatSaid::Form(Form { command, .. }) if !command.is_empty() => command,
        _ => &source.grammar.prefix,
    }
}

/// Whether it is said with the command behind which the names stand that rules declare.
pub(in crate::pipeline) fn counts_as_usual(source: &super::bridge::LiveSource, chat: &Chat) -> bool {
    chat_command(source, chat).eq_ignore_ascii_case(&source.grammar.prefix)
}

/// What can be written there: names that lead nowhere are text.
fn grammar_of<'l>(source: &'l super::bridge::LiveSource, chat: &Chat) -> Cow<'l, Grammar> {
    match counts_as_usual(source, chat) && rule_of_channel(source, chat).is_none() {
        true => Cow::Borrowed(&source.grammar),
        false => Cow::Owned(Grammar { names: Vec::new(), ..source.grammar.clone() }),
    }
}

/// What is said to us in a chat.
fn said_in_chat(chat: &Chat, host: &str, source: &super::bridge::LiveSource) -> Said {
    match &chat.said {
        ChatSaid::Command { text, .. } if text.trim().is_empty() => Said::Form,
        ChatSaid::Chosen { .. } => Said::Form,
        ChatSaid::Button { name, value } => match OwnWord::parse(name) {
            Some(word) => Said::Own(Own { word, argument: Some(value.clone()) }),
            // A button that opens a page tells us of it too.
            None => Said::Nothing,
        },
        ChatSaid::Form(form) => Said::Command(Command {
            text: form.prompt.clone(),
            model: form.model.clone(),
            base: form.base.clone(),
            create_pull_request: form.pull_request,
            ..Command::default()
        }),
        ChatSaid::Command { text, .. } => {
            let text = anew(text).filter(|_| chat.replies).unwrap_or(text);
            let rest = match place::repo_of(text, host) {
                Ok((_, rest)) => rest,
                Err(message) => return Said::Answer(message),
            };
            // What our own words are about may be a link, which is no place to work in.
            match command::parse_said(&rest, &grammar_of(source, chat)) {
                Parsed::None => Said::Nothing,
                Parsed::Command(command) => Said::Command(command),
                Parsed::Own(own) => Said::Own(own),
                Parsed::Approve(argument) => Said::Own(Own { word: OwnWord::Approve, argument }),
                Parsed::Help => Said::Help,
                Parsed::Bad { message } => Said::Answer(message),
            }
        }
    }
}

/// What the comment of an event, or a message in a chat, says to us.
pub(in crate::pipeline) fn said(event: &Event, source: &super::bridge::LiveSource) -> Said {
    if let Some(chat) = &event.chat {
        return said_in_chat(chat, &event.host, source);
    }
    let writes =
        event.action == "created" && matches!(event.name.as_str(), "issue_comment" | "pull_request_review_comment");
    let Some(comment) = event.comment.as_ref().filter(|_| writes) else { return Said::Nothing };
    match command::parse(&comment.body, &source.grammar) {
        Parsed::None => Said::Nothing,
        Parsed::Command(command) => Said::Command(command),
        Parsed::Own(own) => Said::Own(own),
        Parsed::Approve(argument) => Said::Own(Own { word: OwnWord::Approve, argument }),
        Parsed::Help => Said::Help,
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
