//! Discord's interactions: a command typed, a button pressed. Discord wants an answer within three seconds and shows
//! meanwhile, to the one who asked alone, that we think about it.
//! Facts from discord/discord-api-docs, `interactions/receiving-and-responding` and `interactions/application-commands`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::request::Reply;
use super::super::unreadable::Unreadable;
use super::asked::{Asked, Says, place, unreadable};
use crate::chat::discord::read_button;
use crate::domain::chat::{Chat, ChatSaid, Place};
use crate::domain::command::OwnWord;
use crate::domain::identity::Identity;
use crate::secret::Secret;

const PLATFORM: &str = "discord";
/// Of what an account is: its id is the same in all servers and to all applications, and never another's. So whoever linked it
/// once is known everywhere, and to nobody else is lent anything: Discord signs who wrote.
const EVERYWHERE: &str = "discord.com";
/// Stands for the server where there is none: between the account and us alone.
const DIRECT: &str = "dm";
const TEXT: u64 = 3;
/// Threads: of an announcement channel, public, private. All others name as `parent_id` the category they stand in.
const THREADS: std::ops::RangeInclusive<u64> = 10..=12;
/// Only the one who asked sees it.
const ALONE: u64 = 1 << 6;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Interaction {
    #[serde(rename = "type")]
    kind: u64,
    id: String,
    application_id: String,
    token: String,
    guild_id: Option<String>,
    channel_id: Option<String>,
    channel: Option<Channel>,
    member: Option<Member>,
    user: Option<Named>,
    data: Option<Data>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Channel {
    id: String,
    #[serde(rename = "type")]
    kind: Option<u64>,
    /// Not in all that Discord sends of a channel: without it a thread counts as a channel of its own.
    parent_id: Option<String>,
}

impl Channel {
    /// The channel in which this thread is, if it is one.
    fn parent(&self) -> Option<&str> {
        let thread = self.kind.is_some_and(|kind| THREADS.contains(&kind));
        self.parent_id.as_deref().filter(|id| thread && !id.is_empty())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Member {
    user: Option<Named>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    name: String,
    #[serde(rename = "type")]
    kind: Option<u64>,
    options: Vec<OptionValue>,
    custom_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OptionValue {
    #[serde(rename = "type")]
    kind: u64,
    value: Option<Value>,
}

pub(super) fn asked(source: &str, application: &str, body: &[u8]) -> Result<Asked, Unreadable> {
    let interaction: Interaction = serde_json::from_slice(body).map_err(unreadable)?;
    let kind = match interaction.kind {
        1 => "ping",
        2 => "command",
        3 => "button",
        4 => "autocomplete",
        5 => "form",
        _ => "unknown",
    };
    let id = Some(interaction.id.clone());
    let says = says(source, application, interaction)?;
    Ok(Asked { kind: kind.to_owned(), id, at: None, says })
}

fn says(source: &str, application: &str, interaction: Interaction) -> Result<Says, Unreadable> {
    let nothing = |why: &str| Ok(Says::Nothing(why.to_owned()));
    let data = interaction.data.unwrap_or_default();
    let (event, said) = match interaction.kind {
        1 => return Ok(Says::Ping),
        4 => return Ok(Says::Choices),
        _ if interaction.application_id != application => {
            return Ok(Says::Elsewhere(
                "it is meant for another application: compare `application_id` with the id in the Developer Portal"
                    .to_owned(),
            ));
        }
        2 if data.kind.unwrap_or(1) == 1 => {
            let text = data.options.iter().find(|option| option.kind == TEXT).and_then(|option| option.value.as_ref());
            let text = text.and_then(Value::as_str).unwrap_or_default();
            ("slash", ChatSaid::Command { name: format!("/{}", data.name), text: text.to_owned() })
        }
        3 => match read_button(&data.custom_id) {
            Some((name, value)) if OwnWord::parse(name).is_some() => {
                ("action", ChatSaid::Button { name: name.to_owned(), value: value.to_owned() })
            }
            _ => return nothing("a button that is not ours"),
        },
        _ => return nothing("an interaction that starts nothing"),
    };
    let user = interaction.member.and_then(|member| member.user).or(interaction.user).unwrap_or_default().id;
    let server = interaction.guild_id.filter(|id| !id.is_empty()).unwrap_or_else(|| DIRECT.to_owned());
    let told = interaction.channel.unwrap_or_default();
    let spoken_in = interaction.channel_id.unwrap_or_else(|| told.id.clone());
    let spoken_in = place(source, &spoken_in, None, &user)?;
    let replies = told.parent().is_some();
    let place = match told.parent() {
        Some(parent) => Place { within: Some(spoken_in.channel), ..place(source, parent, None, &user)? },
        None => spoken_in,
    };
    let chat = Chat {
        identity: Identity::new(PLATFORM, EVERYWHERE, &user).map_err(|error| Unreadable(error.to_string()))?,
        place,
        said,
        replies,
        answer_to: Some(interaction.token).filter(|token| !token.is_empty()).map(Secret::new),
        server: Some(server),
        opens: None,
    };
    Ok(Says::Chat { event, chat: Box::new(chat) })
}

pub(super) fn reply(says: Option<Says>) -> Reply {
    let json = |value: Value| ("application/json", value.to_string());
    let (content_type, body) = match says {
        Some(Says::Ping) => {
            let (content_type, body) = json(json!({ "type": 1 }));
            return Reply::AtOnce { content_type, body };
        }
        Some(Says::Choices) => {
            let (content_type, body) = json(json!({ "type": 8, "data": { "choices": [] } }));
            return Reply::AtOnce { content_type, body };
        }
        // For a button too: to say nothing now would leave us only its own message to answer in, which all see.
        Some(Says::Chat { .. }) => json(json!({ "type": 5, "data": { "flags": ALONE } })),
        Some(Says::Nothing(_) | Says::Elsewhere(_)) | None => {
            json(json!({ "type": 4, "data": { "content": "There is nothing to do here.", "flags": ALONE } }))
        }
    };
    Reply::Recorded { content_type, body }
}
