//! From a body of Slack's to the common reading. Who somebody is comes from Slack's ids alone: names change and are
//! chosen by everybody.

use chrono::DateTime;
use serde_json::Value;

use super::super::request::{Envelope, Reading};
use super::super::unreadable::Unreadable;
use super::payload::{Body, EventCallback, Interaction, SlashCommand};
use super::words;
use crate::chat::slack::form::{FORM, FormNote};
use crate::domain::chat::{Chat, ChatSaid, Form, Place};
use crate::domain::command::place::is_repo;
use crate::domain::event::Event;
use crate::domain::identity::Identity;
use crate::secret::Secret;

const PLATFORM: &str = "slack";
/// The event that says that the app is no longer let in.
const GONE: &str = "app_gone";

/// The thread in which something is answered.
#[derive(Default)]
struct Thread {
    of: Option<String>,
    /// Slack names the thread of a message only when it is a reply, or has some.
    stands: bool,
}

impl Thread {
    /// The one that the message is in, or that it begins.
    fn at(ts: &str, thread_ts: Option<&str>) -> Self {
        Self { of: Some(thread_ts.unwrap_or(ts).to_owned()), stands: thread_ts.is_some() }
    }
}

/// What is common to all that is said.
struct Heard<'a> {
    source: &'a str,
    host: &'a str,
    envelope: &'a Envelope,
}

impl Heard<'_> {
    fn event(&self, name: &str, action: &str, identity: String, chat: Chat) -> Reading {
        self.about(name, action, identity, Some(Box::new(chat)))
    }

    fn about(&self, name: &str, action: &str, identity: String, chat: Option<Box<Chat>>) -> Reading {
        let event = Event::of_chat(self.source, self.host, name, identity, chat);
        Reading::Event(Box::new(Event { action: action.to_owned(), ..event }))
    }

    fn place(&self, channel: &str, thread: Thread, account: &str) -> Place {
        let (source, channel, account) = (self.source.to_owned(), channel.to_owned(), account.to_owned());
        Place { source, channel, within: None, thread: thread.of, thread_stands: thread.stands, account }
    }

    fn identity(&self, enterprise: Option<&str>, team: &str, account: &str) -> Result<Identity, Unreadable> {
        let team = enterprise.filter(|id| !id.is_empty()).unwrap_or(team);
        Identity::new(PLATFORM, team, account)
            .and_then(|named| named.vouched_by(self.source))
            .map_err(|error| Unreadable(error.to_string()))
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
        identity: heard.identity(slash.enterprise_id.as_deref(), &slash.team_id, &slash.user_id)?,
        place: heard.place(&slash.channel_id, Thread::default(), &slash.user_id),
        said: ChatSaid::Command { name: slash.command, text: words::plain(&slash.text) },
        replies: false,
        answer_to: slash.response_url.map(Secret::new),
        server: None,
        opens: slash.trigger_id.map(Secret::new),
    };
    Ok(heard.event("slash", "", heard.own_id(), chat))
}

fn event_callback(heard: &Heard<'_>, command: &str, callback: EventCallback) -> Result<Reading, Unreadable> {
    let nothing = |why: &str| Ok(Reading::Nothing(why.to_owned()));
    let event = &callback.event;
    match event.kind.as_str() {
        "app_uninstalled" => return Ok(heard.about(GONE, "uninstalled", heard.own_id(), None)),
        "tokens_revoked" if event.tokens.as_ref().is_none_or(|tokens| !tokens.bot.is_empty()) => {
            return Ok(heard.about(GONE, "revoked", heard.own_id(), None));
        }
        "tokens_revoked" => return nothing("tokens of people were taken back at Slack; none are used here"),
        "app_mention" => {}
        // In channels a mention comes by itself; without one nobody speaks to us.
        "message" if event.channel_type.as_deref() == Some("im") => {}
        "message" => return nothing("a message that is not said to the app"),
        other => return Ok(Reading::Nothing(format!("the event `{}` starts nothing", shown(other)))),
    }
    if event.bot_id.is_some() || event.app_id.is_some() || event.subtype.as_deref() == Some("bot_message") {
        return nothing("a message by an app: apps start nothing");
    }
    // Somebody adds a file to what they say, or shows a reply to the channel too; all others are changes.
    if !matches!(event.subtype.as_deref(), None | Some("file_share" | "thread_broadcast")) {
        return nothing("a change of a message, not a message");
    }
    let (Some(user), Some(Value::String(channel))) = (&event.user, &event.channel) else {
        return Err(Unreadable("the message says not who wrote it, or not where".to_owned()));
    };
    let ours: Vec<&str> = callback.authorizations.iter().filter_map(|own| own.user_id.as_deref()).collect();
    if ours.contains(&user.as_str()) {
        return nothing("a message by the app itself");
    }
    let Some(identity_of_user) = writer(heard, &callback, user)? else {
        return nothing("in a channel that is shared with others, a message that says not whose account wrote it");
    };
    let chat = Chat {
        identity: identity_of_user,
        place: heard.place(channel, Thread::at(&event.ts, event.thread_ts.as_deref()), user),
        said: ChatSaid::Command {
            name: command.to_owned(),
            text: words::said_to(&ours, event.kind == "message", &event.text),
        },
        replies: event.thread_ts.as_ref().is_some_and(|thread| *thread != event.ts),
        answer_to: None,
        server: None,
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

/// Who wrote a message. In a channel that is shared with others, their people are of their own workspace, and count as
/// nobody's when it is not named: an account's id alone must not make a stranger one of us.
fn writer(heard: &Heard<'_>, callback: &EventCallback, user: &str) -> Result<Option<Identity>, Unreadable> {
    let enterprise = callback
        .authorizations
        .iter()
        .find_map(|own| own.enterprise_id.as_deref())
        .or(callback.enterprise_id.as_deref())
        .or(callback.context_enterprise_id.as_deref());
    let named = callback.event.user_team.as_deref().or(callback.event.team.as_deref()).filter(|team| !team.is_empty());
    if !callback.is_ext_shared_channel {
        return heard.identity(enterprise, named.unwrap_or(&callback.team_id), user).map(Some);
    }
    let Some(team) = named else { return Ok(None) };
    let installed = || callback.authorizations.iter().filter_map(|own| own.team_id.as_deref());
    // The outer team is where it happened, which may be the others' workspace: where the app is installed says who we are.
    let ours = match installed().next() {
        Some(_) => installed().any(|own| own == team),
        None => callback.team_id == team,
    };
    heard.identity(enterprise.filter(|own| ours || *own == team), team, user).map(Some)
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
        (Some(channel), Some(message)) => (channel.id.clone(), Thread::at(&message.ts, message.thread_ts.as_deref())),
        (Some(channel), None) => (channel.id.clone(), Thread::default()),
        (None, _) if note.channel.is_empty() => {
            (filled(&interaction, "channel").unwrap_or_default(), Thread::default())
        }
        (None, _) => (note.channel, Thread { of: note.thread, stands: note.thread_stands }),
    };
    let user = &interaction.user;
    let here = interaction.team.as_ref().map(|team| team.id.as_str());
    let own = user.team_id.as_deref().filter(|team| !team.is_empty());
    // Whoever is of another workspace than where it was pressed is of the enterprise that is named for them, if one is.
    let outside = own.is_some() && here.is_some() && own != here;
    let enterprise = match outside {
        true => user.enterprise_id.as_deref(),
        false => interaction.enterprise.as_ref().map(|enterprise| enterprise.id.as_str()),
    };
    let chat = Chat {
        identity: heard.identity(enterprise, own.or(here).unwrap_or_default(), &user.id)?,
        place: heard.place(&channel, thread, &user.id),
        said,
        replies: false,
        answer_to: interaction
            .response_url
            .or_else(|| interaction.response_urls.into_iter().find_map(|chosen| chosen.response_url))
            .map(Secret::new),
        server: None,
        opens: interaction.trigger_id.map(Secret::new),
    };
    Ok(heard.event("action", &interaction.kind, heard.own_id(), chat))
}

fn is_our_form(interaction: &Interaction) -> bool {
    interaction.view.as_ref().is_some_and(|view| view.callback_id == FORM)
}

fn note(interaction: &Interaction) -> FormNote {
    let note = interaction.view.as_ref().map(|view| view.private_metadata.as_str()).unwrap_or_default();
    serde_json::from_str(note).unwrap_or_default()
}

/// What stands in a field of the form.
fn filled(interaction: &Interaction, field: &str) -> Option<String> {
    let blocks = interaction.view.as_ref()?.state.as_ref()?;
    let element = blocks.values.get(field)?.as_object()?.values().next()?;
    let ways = ["/value", "/selected_option/value", "/selected_conversation"];
    let text = ways.iter().find_map(|way| element.pointer(way))?.as_str()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn form(interaction: &Interaction) -> Form {
    let value = |field: &str| filled(interaction, field);
    let note = note(interaction);
    Form {
        base_emptied: note.has_base && value("base").is_none(),
        without_channel: note.channel.is_empty(),
        command: note.command,
        repo: value("repo").unwrap_or_default(),
        prompt: value("prompt").unwrap_or_default(),
        base: value("base"),
        model: value("model"),
        pull_request: match value("pull_request").as_deref() {
            Some("yes") => Some(true),
            Some("no") => Some(false),
            _ => None,
        },
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::through_socket;
    use super::{Body, Reading, reading};

    /// Who said it, as `team account`; empty when it is nobody's word.
    fn who(kind: &str, payload: &Value) -> String {
        let (envelope, body) = through_socket(kind, &payload.to_string()).expect("a kind that is known");
        let body = Body::parse(&envelope.content_type, &body).expect("a body of Slack's");
        match reading("slack", "github.com", "/copilot", &envelope, body).expect("it reads") {
            Reading::Event(event) => {
                let chat = event.chat.expect("said in a chat");
                format!("{} {}", chat.identity.workspace(), chat.identity.account())
            }
            Reading::Nothing(_) | Reading::Elsewhere(_) | Reading::Ping => String::new(),
        }
    }

    #[test]
    fn a_command_is_said_by_an_account_of_its_enterprise_or_of_its_workspace() {
        let slash = |enterprise: Value| {
            json!({ "team_id": "T1", "enterprise_id": enterprise, "user_id": "U1", "channel_id": "C1", "command": "/copilot",
                    "text": "fix it", "trigger_id": "1", "is_enterprise_install": "true" })
        };
        assert_eq!(who("slash_commands", &slash(Value::Null)), "T1 U1");
        assert_eq!(who("slash_commands", &slash("".into())), "T1 U1");
        assert_eq!(who("slash_commands", &slash("E1".into())), "E1 U1");
    }

    #[test]
    fn in_a_channel_that_is_shared_nobody_is_taken_for_one_of_us() {
        let said = |shared: bool, outer: &str, user_team: Option<&str>, enterprise: Option<&str>| {
            json!({
                "type": "event_callback", "team_id": outer, "is_ext_shared_channel": shared, "event_id": "Ev1",
                "authorizations": [{ "team_id": "T1", "enterprise_id": enterprise, "user_id": "U0BOT" }],
                "event": { "type": "app_mention", "user": "U1", "user_team": user_team, "channel": "C1", "ts": "1.1",
                           "text": "<@U0BOT> fix it" },
            })
        };
        let who = |shared, outer, team, enterprise| who("events_api", &said(shared, outer, team, enterprise));
        assert_eq!(who(false, "T1", None, None), "T1 U1");
        assert_eq!(who(false, "T1", None, Some("E1")), "E1 U1");
        assert_eq!(who(false, "T1", Some("T3"), Some("E1")), "E1 U1", "another workspace of the enterprise");
        assert_eq!(who(true, "T1", Some("T1"), None), "T1 U1");
        assert_eq!(who(true, "T1", Some("T1"), Some("E1")), "E1 U1");
        assert_eq!(who(true, "T1", Some("T2"), None), "T2 U1");
        assert_eq!(who(true, "T1", Some("T2"), Some("E1")), "T2 U1", "not of our enterprise");
        assert_eq!(who(true, "T1", Some("E1"), Some("E1")), "E1 U1", "the enterprise itself is named");
        assert_eq!(who(true, "T2", Some("T2"), None), "T2 U1", "the others' workspace is named as where it happened");
        assert_eq!(who(true, "T2", Some("T1"), None), "T1 U1");
        assert_eq!(who(true, "T1", None, Some("E1")), "", "it says not whose account");
    }

    #[test]
    fn what_is_pressed_and_filled_in_counts_for_the_account_s_own_workspace() {
        let pressed = |kind: &str, user: Value, enterprise: Value| {
            json!({
                "type": kind, "user": user, "team": { "id": "T1" }, "enterprise": enterprise, "trigger_id": "1",
                "channel": { "id": "C1" }, "actions": [{ "action_id": "why", "value": "x" }],
                "view": { "id": "V1", "callback_id": crate::chat::slack::form::FORM, "private_metadata": "{}" },
            })
        };
        for kind in ["block_actions", "view_submission", "message_action", "shortcut"] {
            let who = |user: Value, enterprise: Value| who("interactive", &pressed(kind, user, enterprise));
            let e1 = || json!({ "id": "E1" });
            assert_eq!(who(json!({ "id": "U1" }), Value::Null), "T1 U1", "{kind}");
            assert_eq!(who(json!({ "id": "U1", "team_id": "T1" }), e1()), "E1 U1", "{kind}");
            assert_eq!(who(json!({ "id": "U1", "team_id": "T2" }), Value::Null), "T2 U1", "{kind}");
            assert_eq!(who(json!({ "id": "U1", "team_id": "T2" }), e1()), "T2 U1", "{kind}: not of our enterprise");
            let named = json!({ "id": "U1", "team_id": "T3", "enterprise_id": "E1" });
            assert_eq!(who(named, e1()), "E1 U1", "{kind}");
        }
        let whole = json!({ "type": "block_actions", "user": { "id": "U1" }, "team": null, "enterprise": { "id": "E1" },
                            "actions": [{ "action_id": "why", "value": "x" }], "channel": { "id": "C1" } });
        assert_eq!(who("interactive", &whole), "E1 U1", "installed for the whole enterprise");
    }
}
