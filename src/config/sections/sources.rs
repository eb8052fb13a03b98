//! `sources`: who may send webhooks and how they prove that it is them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::findings::Findings;
use super::super::form::{Name, RepoName, SlashName, WebUrl};
use super::super::node::Document;
use super::super::place::Path;
use super::super::secret_text::SecretText;
use super::OneOrMany;

/// One sender of webhooks, reached at `/hooks/<name>`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SourceConfig {
    /// Webhooks of GitHub repositories, organizations and Apps.
    Github(GithubSource),
    /// An app in Slack: commands, messages to it, buttons and its form.
    Slack(SlackSource),
}

/// Webhooks of GitHub repositories, organizations and Apps.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubSource {
    /// The secrets that webhooks may be signed with; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
    /// What a command in a comment starts with.
    #[serde(default = "default_prefix")]
    pub command_prefix: String,
}

/// An app in Slack. `taskbridge manifest slack` prints what Slack asks for when an app is made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackSource {
    /// The app's signing secret; several while one is being replaced.
    pub signing_secret: OneOrMany<SecretText>,
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
}

fn default_command() -> SlashName {
    SlashName::read("/copilot").expect("a literal form")
}

fn default_slack_api() -> WebUrl {
    WebUrl::read("https://slack.com/api").expect("a literal form")
}

fn default_prefix() -> String {
    "/copilot".to_owned()
}

impl GithubSource {
    /// A source with this secret and the default command prefix.
    #[must_use]
    pub fn with_secret(secret: SecretText) -> Self {
        Self { secrets: OneOrMany(vec![secret]), command_prefix: default_prefix() }
    }
}

impl SourceConfig {
    /// The word for its kind, as the file has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Github(_) => "github",
            Self::Slack(_) => "slack",
        }
    }

    /// The secrets that its webhooks may be signed with.
    #[must_use]
    pub fn secrets(&self) -> &[SecretText] {
        match self {
            Self::Github(source) => &source.secrets,
            Self::Slack(source) => &source.signing_secret,
        }
    }

    /// Every secret with the way to it from `path`.
    pub(super) fn secrets_mut(&mut self, path: &Path) -> Vec<(Path, &mut SecretText)> {
        let all = |key: &str, secrets| {
            let path = path.key(key);
            let secrets: &mut Vec<SecretText> = secrets;
            secrets.iter_mut().enumerate().map(|(nth, secret)| (path.index(nth), secret)).collect()
        };
        match self {
            Self::Github(source) => all("secrets", &mut source.secrets.0),
            Self::Slack(source) => {
                let mut secrets: Vec<_> = all("signing_secret", &mut source.signing_secret.0);
                secrets.push((path.key("bot_token"), &mut source.bot_token));
                secrets
            }
        }
    }

    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        if let Some(super::super::place::Step::Key(name)) = path.0.last()
            && let Err(message) = Name::read(name)
        {
            found.fault(document, path, message);
        }
        let source = match self {
            Self::Github(source) => source,
            Self::Slack(source) => return source.check(document, path, found),
        };
        let prefix = &source.command_prefix;
        if !(2..=32).contains(&prefix.len()) || prefix.chars().any(|c| c.is_whitespace() || c.is_control()) {
            found.fault(
                document,
                &path.key("command_prefix"),
                "a prefix is one word of 2 to 32 characters: `/copilot`",
            );
        }
    }
}

impl SlackSource {
    fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        if self.api_url.is_open() {
            let message = "the bot token would be sent in the open: use `https`";
            found.fault(document, &path.key("api_url"), message);
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
