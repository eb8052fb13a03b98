//! What is said in chats, a folder a chat. The words come from above; here they take the chat's form and leave.

/// Discord.
pub mod discord;
mod error;
mod http;
/// Mattermost.
pub mod mattermost;
mod platform;
/// Slack.
pub mod slack;
/// Microsoft Teams.
pub mod teams;

pub use error::{ChatError, ChatNext};
pub use platform::{Answers, Platform, address_in};

/// A message, before it takes a chat's form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The text, as Markdown with `**bold**`, `` `code` `` and `[links](https://…)`.
    pub text: String,
    /// The account that is called by it, if one is.
    pub mention: Option<String>,
    /// What can be pressed under it.
    pub buttons: Vec<Button>,
    /// What is the same when it is said again because the first answer was lost, for chats that look at it.
    pub key: Option<String>,
}

/// Something to press.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// The name by which we know it again.
    pub name: &'static str,
    /// What stands on it.
    pub label: &'static str,
    /// What it carries.
    pub value: String,
    /// The page that it opens instead.
    pub url: Option<String>,
}
