//! Chats among the `sources`: how each proves itself, with what it is spoken to, and what holds in its channels.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::findings::Findings;
use super::super::form::{Name, RepoName, SlashName, WebUrl};
use super::super::node::Document;
use super::super::place::Path;
use super::super::secret_text::SecretText;
use super::OneOrMany;
use super::limits::ChannelLimitsSpec;
use crate::domain::signing_key::{PublicKey, SharedKey};

/// An app in Slack. `taskbridge manifest slack` prints what Slack asks for when an app is made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackSource {
    /// The app's signing secret; several while one is being replaced. Needed unless there is an `app_token`.
    #[serde(default = "no_secrets", skip_serializing_if = "is_none")]
    pub signing_secret: OneOrMany<SecretText>,
    /// The app-level token (`xapp-…`) with the scope `connections:write`. With it Slack sends through a connection that
    /// is opened from here (Socket Mode), and no public address is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_token: Option<SecretText>,
    /// The app's bot token (`xoxb-…`), with which it speaks.
    pub bot_token: SecretText,
    /// The app's id (`A…`). With it, requests for another app with the same secret are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The command that messages to the app, and its shortcuts, count as.
    #[serde(default = "default_command")]
    pub command: SlashName,
    /// What holds in a channel when nothing else is said, by the channel's id (`C…`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, ChannelSpec>,
    /// Slack's API.
    #[serde(default = "default_slack_api")]
    pub api_url: WebUrl,
}

/// An application of Discord.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscordSource {
    /// The application's id.
    pub application_id: String,
    /// The application's public key, 64 hex digits; several while one is being replaced.
    pub public_key: OneOrMany<String>,
    /// The bot's token, with which it speaks.
    pub bot_token: SecretText,
    /// The command that people type, as it was registered.
    #[serde(default = "default_command")]
    pub command: SlashName,
    /// What holds in a channel when nothing else is said, by the channel's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, ChannelSpec>,
    /// Discord's API.
    #[serde(default = "default_discord_api")]
    pub api_url: WebUrl,
}

/// Slash commands of a Mattermost server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MattermostSource {
    /// The server, as its own `SiteURL` says it. Addresses for answers must lead there.
    pub server_url: WebUrl,
    /// The tokens of the commands that lead here, one a command.
    pub tokens: OneOrMany<SecretText>,
    /// The token of a bot there. Without it nothing is told after half an hour, and no message is edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot_token: Option<SecretText>,
    /// The command that people type.
    #[serde(default = "default_command")]
    pub command: SlashName,
    /// What holds in a channel when nothing else is said, by the channel's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, ChannelSpec>,
}

/// An outgoing webhook of Microsoft Teams.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamsSource {
    /// The security token that Teams showed when the webhook was made; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
    /// The command that messages to it count as.
    #[serde(default = "default_command")]
    pub command: SlashName,
    /// What holds in a channel when nothing else is said, by the channel's id (`19:…@thread.tacv2`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<String, ChannelSpec>,
}

/// What holds in a channel when nothing else is said.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelSpec {
    /// The repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<RepoName>,
    /// The rule, instead of all that listen to the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Name>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The branch that the work starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_ref: Option<String>,
    /// How many tasks may come from it, beside what the rules and the whole allow.
    #[serde(skip_serializing_if = "ChannelLimitsSpec::is_none")]
    pub limits: ChannelLimitsSpec,
}

fn no_secrets() -> OneOrMany<SecretText> {
    OneOrMany(Vec::new())
}

fn is_none(secrets: &OneOrMany<SecretText>) -> bool {
    secrets.is_empty()
}

fn default_command() -> SlashName {
    SlashName::read("/copilot").expect("a literal form")
}

fn default_discord_api() -> WebUrl {
    WebUrl::read("https://discord.com/api/v10").expect("a literal form")
}

fn default_slack_api() -> WebUrl {
    WebUrl::read("https://slack.com/api").expect("a literal form")
}

impl SlackSource {
    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        if self.api_url.is_open() {
            let message = "the bot token would be sent in the open: use `https`";
            found.fault(document, &path.key("api_url"), message);
        }
        if self.signing_secret.is_empty() && self.app_token.is_none() {
            let message = "either `signing_secret` (Slack sends to an address) or `app_token` (Socket Mode) is needed";
            found.fault(document, path, message);
        }
        if let Some(token) = &self.app_token
            && let text = token.value().expose()
            && !text.is_empty()
            && !text.starts_with("xapp-")
        {
            let message =
                "an app-level token begins with `xapp-`: it is made under Basic Information → App-Level Tokens";
            found.fault(document, &path.key("app_token"), message);
        }
        for channel in self.channels.keys().filter(|id| !is_channel(id)) {
            let message =
                "a channel is named by its id, such as `C0123ABCD`: Slack shows it at the end of the channel's details";
            found.fault(document, &path.key("channels").key(channel), message);
        }
    }
}

fn is_channel(id: &str) -> bool {
    (2..=64).contains(&id.len())
        && id.starts_with(['C', 'G', 'D'])
        && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

impl DiscordSource {
    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        if self.api_url.is_open() {
            let message = "the bot token would be sent in the open: use `https`";
            found.fault(document, &path.key("api_url"), message);
        }
        if !is_snowflake(&self.application_id) {
            let message = "an application's id is a number of 17 to 20 digits, in quotes: Discord shows it under General Information";
            found.fault(document, &path.key("application_id"), message);
        }
        if self.public_key.is_empty() {
            found.fault(document, &path.key("public_key"), "there must be one at least");
        }
        for (nth, key) in self.public_key.iter().enumerate() {
            if let Err(fault) = PublicKey::of_hex(key) {
                found.fault(document, &path.key("public_key").index(nth), fault.to_string());
            }
        }
        for channel in self.channels.keys().filter(|id| !is_snowflake(id)) {
            let message =
                "a channel is named by its id, a number in quotes: in Discord's developer mode, *Copy Channel ID*";
            found.fault(document, &path.key("channels").key(channel), message);
        }
    }
}

impl MattermostSource {
    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        if self.server_url.is_open() {
            let message = "tokens and answers would be sent in the open: use `https`";
            found.fault(document, &path.key("server_url"), message);
        }
        let is_id = |id: &str| id.len() == 26 && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        for channel in self.channels.keys().filter(|id| !is_id(id)) {
            let message =
                "a channel is named by its id of 26 letters and digits: Mattermost shows it under *View Info*";
            found.fault(document, &path.key("channels").key(channel), message);
        }
    }
}

impl TeamsSource {
    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        // Without its secrets (a command that needs none) there is nothing to read.
        for (nth, secret) in self.secrets.iter().enumerate().filter(|(_, secret)| !secret.value().expose().is_empty()) {
            if let Err(fault) = SharedKey::of_base64(secret.value()) {
                found.fault(document, &path.key("secrets").index(nth), fault.to_string());
            }
        }
        for channel in self.channels.keys().filter(|id| !id.contains('@') || id.contains(';')) {
            let message =
                "a channel is named by its id, such as `19:…@thread.tacv2`: it stands in the link to the channel";
            found.fault(document, &path.key("channels").key(channel), message);
        }
    }
}

fn is_snowflake(id: &str) -> bool {
    (17..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}
