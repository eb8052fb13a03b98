//! Simulated chats beside the simulated GitHub: a Discord and a Mattermost server. They keep what was posted, edited and
//! whispered, refuse what the real ones refuse, and make requests as the real ones would send them.

mod discord;
/// The application of the simulated Discord, as its developer makes it.
mod discord_app;
mod mattermost;

use std::collections::VecDeque;

use serde_json::{Value, json};

pub use discord::{APPLICATION, DISCORD_BOT_TOKEN, DiscordControl, public_key};
pub use mattermost::{MATTERMOST_BOT_TOKEN, MATTERMOST_TOKEN, MattermostControl};

use super::call::Answer;

pub(in crate::sandbox) use discord::{DiscordWorld, answer as answer_discord};
pub(in crate::sandbox) use mattermost::{MattermostWorld, answer as answer_mattermost};

/// A message as it stands now.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ChatMessage {
    /// The chat's name of it.
    pub id: String,
    /// The channel; empty for an answer to a request.
    pub channel: String,
    /// The message that it stands under, if it does.
    pub under: Option<String>,
    /// All its text, and its buttons as `[name]`.
    pub text: String,
    /// The accounts that are notified by it.
    pub called: Vec<String>,
    /// The account that alone sees it, if it is one.
    pub only: Option<String>,
    /// How often it was edited.
    pub edits: u32,
}

/// A request as a chat sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRequest {
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: String,
}

impl ChatRequest {
    fn new(headers: &[(&str, &str)], body: String) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { headers, body }
    }
}

/// What goes wrong next.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatFault {
    /// This status, with this number in the body.
    Refused(u16, u64),
    /// 429, and how many seconds to wait.
    Limited(f64),
    /// It is done, and 502 is answered.
    Lost,
}

/// What goes wrong with calls of one kind, in turn.
type Faults = std::collections::BTreeMap<String, VecDeque<ChatFault>>;

/// The fault that is due, and whether the call is carried out before it.
fn fault(faults: &mut Faults, kind: &str) -> Option<(Answer, bool)> {
    Some(match faults.get_mut(kind).and_then(VecDeque::pop_front)? {
        ChatFault::Refused(status, code) => (refused(status, code), false),
        ChatFault::Limited(seconds) => (Answer::json(429, json!({ "retry_after": seconds, "global": false })), false),
        ChatFault::Lost => (refused(502, 0), true),
    })
}

fn refused(status: u16, code: u64) -> Answer {
    Answer::json(status, json!({ "code": code, "message": "refused", "status_code": status }))
}

fn text(fields: &Value, name: &str) -> String {
    fields[name].as_str().unwrap_or_default().to_owned()
}
