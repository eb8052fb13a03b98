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
    /// The app's bot token (`xoxb-…`), with which it speaks. Needed unless its tokens rotate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot_token: Option<SecretText>,
    /// Instead of `bot_token`, for an app with *token rotation* switched on: its tokens end after twelve hours, and are
    /// renewed from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<SlackRotation>,
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

/// How the tokens of a Slack app with *token rotation* are renewed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackRotation {
    /// The app's client id: Basic Information → App Credentials.
    pub client_id: String,
    /// The app's client secret, beside it.
    pub client_secret: SecretText,
    /// The refresh token (`xoxe-…`) that Slack showed when the app was installed. It is used once; from then on the newest
    /// pair is kept sealed in the database, and another refresh token here begins anew.
    pub refresh_token: SecretText,
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
    /// The branch that the work starts from; one of the channel's own `repo`, if it has one.
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
        self.check_tokens(document, path, found);
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

    fn check_tokens(&self, document: &Document, path: &Path, found: &mut Findings) {
        let begins = |token: &SecretText, with: &str| token.value().expose().starts_with(with);
        match (&self.bot_token, &self.rotation) {
            (None, None) => {
                let message = "either `bot_token` or, for an app whose tokens rotate, `rotation` is needed";
                found.fault(document, path, message);
            }
            (Some(_), Some(_)) => {
                let message =
                    "`bot_token` and `rotation` exclude each other: a token that rotates is kept in the database";
                found.fault(document, &path.key("bot_token"), message);
            }
            (Some(token), None) if begins(token, "xoxe") => {
                let message =
                    "this token ends after twelve hours (token rotation is switched on): give `rotation` instead";
                found.fault(document, &path.key("bot_token"), message);
            }
            // The two tokens are easily taken for each other; of other texts a proxy may make the right one.
            (Some(token), None) if begins(token, "xapp-") || begins(token, "xoxp-") => {
                let message = "this is another token of the app: the bot token begins with `xoxb-` and stands under OAuth & Permissions";
                found.fault(document, &path.key("bot_token"), message);
            }
            (None, Some(rotation)) => rotation.check(document, &path.key("rotation"), found),
            (Some(_), None) => {}
        }
    }
}

impl SlackRotation {
    fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        let plain = |text: &str| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain(&self.client_id) {
            let message = "a client id is two numbers with a point between: it stands under App Credentials";
            found.fault(document, &path.key("client_id"), message);
        }
        let token = self.refresh_token.value().expose();
        if !token.is_empty() && !token.starts_with("xoxe-") {
            let message = "a refresh token begins with `xoxe-`; one with `xoxe.xoxb-` is the access token beside it";
            found.fault(document, &path.key("refresh_token"), message);
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

/// Whether this is an id of Discord.
pub(crate) fn is_snowflake(id: &str) -> bool {
    (17..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}
