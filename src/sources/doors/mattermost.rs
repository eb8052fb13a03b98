//! Slash commands of Mattermost: a form with a token, which is all the proof there is. An empty answer would be shown as a
//! failure, so something is always said.
//! Facts from mattermost/mattermost-developer-documentation, `integrate/slash-commands/`.

use serde::Deserialize;
use serde_json::json;

use super::super::form::Form;
use super::super::request::Reply;
use super::super::unreadable::Unreadable;
use super::asked::{Asked, Says, place};
use crate::domain::chat::{Chat, ChatSaid};
use crate::domain::identity::Identity;
use crate::secret::Secret;

const PLATFORM: &str = "mattermost";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SlashCommand {
    team_id: String,
    channel_id: String,
    user_id: String,
    command: String,
    text: String,
    root_id: Option<String>,
    response_url: Option<String>,
    trigger_id: Option<String>,
}

pub(super) fn asked(source: &str, content_type: &str, body: &[u8]) -> Result<Asked, Unreadable> {
    let slash: SlashCommand = form(content_type, body)?.read()?;
    let thread = slash.root_id.as_deref().filter(|id| !id.is_empty());
    let replies = thread.is_some();
    let chat = Chat {
        identity: Identity::new(PLATFORM, &slash.team_id, &slash.user_id)
            .map_err(|error| Unreadable(error.to_string()))?,
        place: place(source, &slash.channel_id, thread, &slash.user_id)?,
        said: ChatSaid::Command { name: slash.command, text: slash.text },
        replies,
        answer_to: slash.response_url.filter(|url| !url.is_empty()).map(Secret::new),
        server: None,
        opens: None,
    };
    let says = Says::Chat { event: "slash", chat: Box::new(chat) };
    Ok(Asked { kind: "slash_command".to_owned(), id: slash.trigger_id, at: None, says })
}

pub(super) fn reply() -> Reply {
    let body = json!({ "response_type": "ephemeral", "text": "One moment." }).to_string();
    Reply::Recorded { content_type: "application/json", body }
}

/// The form of a command.
pub(super) fn form<'a>(content_type: &str, body: &'a [u8]) -> Result<Form<'a>, Unreadable> {
    if !Form::is_one(content_type) {
        return Err(Unreadable("it is no form: let the command use the request method POST".to_owned()));
    }
    Form::parse(body)
}
