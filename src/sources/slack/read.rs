//! From a body of Slack's to the common reading. Who somebody is comes from Slack's ids alone: names change and are
//! chosen by everybody.

use chrono::DateTime;
use serde_json::Value;

use super::super::{Envelope, Reading, Unreadable};
use super::payload::{Body, EventCallback, Interaction, SlashCommand};
use super::words;
use crate::chat::slack::form::{FORM, FormNote};
use crate::domain::chat::{Chat, ChatSaid, Form, Place};
use crate::domain::command::place::is_repo;
use crate::domain::event::Event;
use crate::domain::identity::Identity;
use crate::secret::Secret;

const PLATFORM: &str = "slack";

/// What is common to all that is said.
struct Heard<'a> {
    source: &'a str,
    host: &'a str,
    envelope: &'a Envelope,
}

impl Heard<'_> {
    fn event(&self, name: &str, action: &str, identity: String, chat: Chat) -> Reading {
        Reading::Event(Box::new(Event {
            source: self.source.to_owned(),
            host: self.host.to_owned(),
            name: name.to_owned(),
            action: action.to_owned(),
            actor: None,
            repo: None,
            subject: None,
            label: None,
            comment: None,
            at: None,
            chat: Some(Box::new(chat)),
            identity,
        }))
    }

    fn place(&self, channel: &str, thread: Option<String>, account: &str) -> Place {
        Place { source: self.source.to_owned(), channel: channel.to_owned(), thread, account: account.to_owned() }
    }

    /// Slack's id of it, which is signed.
    fn own_id(&self) -> String {
        format!("{PLATFORM} {}", self.envelope.sender_id)
    }
}

pub(super) fn reading(
    source: &str,
    host: &str,
    command: &str,
    envelope: &Envelope,
    body: Body,
) -> Result<Reading, Unreadable> {
    let heard = Heard { source, host, envelope };
    match body {
        Body::Check | Body::Challenge(_) => Ok(Reading::Ping),
        Body::Command(slash) => slash_command(&heard, *slash),
        Body::Event(event) => event_callback(&heard, command, *event),
        Body::Interaction(interaction) => pressed(&heard, command, *interaction),
    }
}

fn slash_command(heard: &Heard<'_>, slash: SlashCommand) -> Result<Reading, Unreadable> {
    let chat = Chat {
        identity: identity(slash.enterprise_id.as_deref(), &slash.team_id, &slash.user_id)?,
        place: heard.place(&slash.channel_id, None, &slash.user_id),
        said: ChatSaid::Command { name: slash.command, text: words::plain(&slash.text) },
        replies: false,
        answer_to: slash.response_url.map(Secret::new),
        opens: slash.trigger_id.map(Secret::new),
    };
    Ok(heard.event("slash", "", heard.own_id(), chat))
}

fn event_callback(heard: &Heard<'_>, command: &str, callback: EventCallback) -> Result<Reading, Unreadable> {
    let nothing = |why: &str| Ok(Reading::Nothing(why.to_owned()));
    let event = &callback.event;
    match event.kind.as_str() {
        "app_uninstalled" => {
            return nothing("the app was uninstalled from the workspace: nothing can be told there now");
        }
        "tokens_revoked" => return nothing("tokens of the app were revoked at Slack: install it again for a new one"),
        "app_mention" => {}
        // In channels a mention comes by itself; without one nobody speaks to us.
        "message" if event.channel_type.as_deref() == Some("im") => {}
        "message" => return nothing("a message that is not said to the app"),
        other => return Ok(Reading::Nothing(format!("the event `{}` starts nothing", shown(other)))),
    }
    if event.bot_id.is_some() || event.app_id.is_some() || event.subtype.as_deref() == Some("bot_message") {
        return nothing("a message by an app: apps start nothing");
    }
    if event.subtype.is_some() {
        return nothing("a change of a message, not a message");
    }
    let (Some(user), Some(Value::String(channel))) = (&event.user, &event.channel) else {
        return Err(Unreadable("the message says not who wrote it, or not where".to_owned()));
    };
    if callback.authorizations.iter().any(|own| own.user_id.as_ref() == Some(user)) {
        return nothing("a message by the app itself");
    }
    let enterprise = callback
        .enterprise_id
        .as_deref()
        .or(callback.context_enterprise_id.as_deref())
        .or_else(|| callback.authorizations.iter().find_map(|own| own.enterprise_id.as_deref()));
    let own_team = event.user_team.as_deref().or(event.team.as_deref()).unwrap_or(&callback.team_id);
    // In a channel that is shared with others, their people are of their own workspace.
    let outside = callback.is_ext_shared_channel && own_team != callback.team_id;
    let chat = Chat {
        identity: identity(enterprise.filter(|_| !outside), own_team, user)?,
        place: heard.place(channel, Some(event.thread_ts.clone().unwrap_or_else(|| event.ts.clone())), user),
        said: ChatSaid::Command { name: command.to_owned(), text: words::plain(words::without_mention(&event.text)) },
        replies: event.thread_ts.as_ref().is_some_and(|thread| *thread != event.ts),
        answer_to: None,
        opens: None,
    };
    // Two events may tell of one message.
    let identity = format!("{PLATFORM} message {} {channel} {}", callback.team_id, event.ts);
    let mut reading = heard.event("message", &event.kind, identity, chat);
    if let Reading::Event(event) = &mut reading {
        event.at = callback.event_time.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    }
    Ok(reading)
}

fn pressed(heard: &Heard<'_>, command: &str, interaction: Interaction) -> Result<Reading, Unreadable> {
    let nothing = |why: &str| Ok(Reading::Nothing(why.to_owned()));
    let said = match interaction.kind.as_str() {
        "block_actions" => match interaction.actions.first() {
            Some(action) => {
                ChatSaid::Button { name: action.action_id.clone(), value: action.value.clone().unwrap_or_default() }
            }
            None => return nothing("nothing was pressed"),
        },
        "view_submission" if is_our_form(&interaction) => ChatSaid::Form(form(&interaction)),
        "view_submission" => return nothing("a form that is not ours"),
        "view_closed" => return nothing("the form was closed"),
        "message_action" => ChatSaid::Chosen {
            text: interaction.message.as_ref().map(|message| words::plain(&message.text)).unwrap_or_default(),
        },
        "shortcut" => ChatSaid::Command { name: command.to_owned(), text: String::new() },
        other => return Ok(Reading::Nothing(format!("the interaction `{}` starts nothing", shown(other)))),
    };
    let note = note(&interaction);
    let (channel, thread) = match (&interaction.channel, &interaction.message) {
        (Some(channel), Some(message)) => {
            (channel.id.clone(), Some(message.thread_ts.clone().unwrap_or_else(|| message.ts.clone())))
        }
        (Some(channel), None) => (channel.id.clone(), None),
        (None, _) => (note.channel, note.thread),
    };
    let user = &interaction.user;
    let team = interaction.team.as_ref().map(|team| team.id.as_str()).or(user.team_id.as_deref()).unwrap_or_default();
    let enterprise = interaction.enterprise.as_ref().map(|enterprise| enterprise.id.as_str());
    let chat = Chat {
        identity: identity(enterprise.filter(|id| !id.is_empty()), team, &user.id)?,
        place: heard.place(&channel, thread, &user.id),
        said,
        replies: false,
        answer_to: interaction.response_url.map(Secret::new),
        opens: interaction.trigger_id.map(Secret::new),
    };
    Ok(heard.event("action", &interaction.kind, heard.own_id(), chat))
}

fn identity(enterprise: Option<&str>, team: &str, account: &str) -> Result<Identity, Unreadable> {
    let team = enterprise.filter(|id| !id.is_empty()).unwrap_or(team);
    Identity::new(PLATFORM, team, account).map_err(|error| Unreadable(error.to_string()))
}

fn is_our_form(interaction: &Interaction) -> bool {
    interaction.view.as_ref().is_some_and(|view| view.callback_id == FORM)
}

fn note(interaction: &Interaction) -> FormNote {
    let note = interaction.view.as_ref().map(|view| view.private_metadata.as_str()).unwrap_or_default();
    serde_json::from_str(note).unwrap_or_default()
}

fn form(interaction: &Interaction) -> Form {
    let value = |field: &str| {
        let blocks = interaction.view.as_ref()?.state.as_ref()?;
        let element = blocks.values.get(field)?.as_object()?.values().next()?;
        let text = element.get("value").or_else(|| element.pointer("/selected_option/value"))?.as_str()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    Form {
        command: note(interaction).command,
        repo: value("repo").unwrap_or_default(),
        prompt: value("prompt").unwrap_or_default(),
        base: value("base"),
        model: value("model"),
        pull_request: value("pull_request").map(|choice| choice == "yes"),
    }
}

/// The fields of our form that cannot be right, each with what is wanted; told while the form is open.
pub(super) fn wrong_fields(interaction: &Interaction) -> Vec<(&'static str, &'static str)> {
    if interaction.kind != "view_submission" || !is_our_form(interaction) {
        return Vec::new();
    }
    let form = form(interaction);
    let mut wrong = Vec::new();
    if !is_repo(&form.repo) {
        wrong.push(("repo", "Write the repository as owner/name."));
    }
    if form.prompt.is_empty() {
        wrong.push(("prompt", "Say what the agent is to do."));
    }
    wrong
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect()
}
