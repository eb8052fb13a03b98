//! `sources`: who may send webhooks and how they prove that it is them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::form::{HeaderText, Name};
use super::super::node::Document;
use super::super::place::Path;
use super::super::secret_text::SecretText;
use super::OneOrMany;
use super::chats::{ChannelSpec, DiscordSource, MattermostSource, SlackSource, TeamsSource};
use super::senders::{
    BasicSource, HmacSource, StandardWebhooksSource, TokenSource, check_keys, check_username, check_window,
};

/// One sender of webhooks, reached at `/hooks/<name>`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum SourceConfig {
    /// Webhooks of GitHub repositories, organizations and Apps.
    Github(GithubSource),
    /// Any sender that signs with an HMAC.
    Hmac(HmacSource),
    /// Any sender that follows Standard Webhooks, Svix among them.
    StandardWebhooks(StandardWebhooksSource),
    /// Any sender that shows a secret token in a header.
    Token(TokenSource),
    /// Any sender that shows a user name and password.
    Basic(BasicSource),
    /// GitLab.
    Gitlab(GitlabSource),
    /// Gitea.
    Gitea(PresetSource),
    /// Forgejo.
    Forgejo(PresetSource),
    /// Bitbucket Cloud.
    Bitbucket(PresetSource),
    /// Jira Cloud.
    Jira(PresetSource),
    /// Linear.
    Linear(LinearSource),
    /// Sentry.
    Sentry(PresetSource),
    /// PagerDuty.
    Pagerduty(PresetSource),
    /// Grafana's alerts.
    Grafana(GrafanaSource),
    /// Stripe.
    Stripe(PresetSource),
    /// Azure DevOps.
    AzureDevops(AzureDevopsSource),
    /// An app in Slack: commands, messages to it, buttons and its form.
    Slack(SlackSource),
    /// An application of Discord: its command and its buttons.
    Discord(DiscordSource),
    /// Slash commands of a Mattermost server.
    Mattermost(MattermostSource),
    /// An outgoing webhook of Microsoft Teams.
    Teams(TeamsSource),
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

/// A sender whose way of signing and reading is known: it needs a secret and nothing else.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresetSource {
    /// The secrets that webhooks may be signed with; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
}

/// GitLab, by its secret token or by its signing token.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitlabSource {
    /// The secret tokens, or the signing tokens (`whsec_…`); several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
    /// Whether only a signing token will do. One is known by how it begins, so this only keeps a plain one out.
    #[serde(default)]
    pub signing: bool,
}

/// Linear.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinearSource {
    /// The signing secrets; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
    /// How far the time stamp in the body may be away from the present.
    #[serde(default = "one_minute")]
    pub window: Duration,
}

fn one_minute() -> Duration {
    Duration::secs(60)
}

/// Grafana's webhook contact point with an HMAC signature.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrafanaSource {
    /// The secrets of the HMAC signature; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
    /// The header that holds the signature, as the contact point names it.
    #[serde(default = "grafana_header")]
    pub header: HeaderText,
    /// The header that holds the time stamp, if the contact point names one; it is then demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<HeaderText>,
}

fn grafana_header() -> HeaderText {
    HeaderText::read("X-Grafana-Alerting-Signature").expect("a literal form")
}

/// Azure DevOps, which shows a user name and password.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureDevopsSource {
    /// The basic authentication user name of the subscription.
    #[schemars(length(min = 1))]
    #[serde(default = "default_username")]
    pub username: String,
    /// Its passwords; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
}

fn default_username() -> String {
    "taskbridge".to_owned()
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

/// Does the same with whatever kind it is.
macro_rules! each_kind {
    ($source:expr, $known:ident => $what:expr, $slack:ident => $of_slack:expr, $discord:ident => $of_discord:expr,
     $mattermost:ident => $of_mattermost:expr) => {
        match $source {
            SourceConfig::Slack($slack) => $of_slack,
            SourceConfig::Discord($discord) => $of_discord,
            SourceConfig::Mattermost($mattermost) => $of_mattermost,
            SourceConfig::Teams($known) => $what,
            SourceConfig::Github($known) => $what,
            SourceConfig::Hmac($known) => $what,
            SourceConfig::StandardWebhooks($known) => $what,
            SourceConfig::Token($known) => $what,
            SourceConfig::Basic($known) => $what,
            SourceConfig::Gitlab($known) => $what,
            SourceConfig::Linear($known) => $what,
            SourceConfig::Grafana($known) => $what,
            SourceConfig::AzureDevops($known) => $what,
            SourceConfig::Gitea($known)
            | SourceConfig::Forgejo($known)
            | SourceConfig::Bitbucket($known)
            | SourceConfig::Jira($known)
            | SourceConfig::Sentry($known)
            | SourceConfig::Pagerduty($known)
            | SourceConfig::Stripe($known) => $what,
        }
    };
}

/// Whether the kind of this word is a chat.
#[must_use]
pub fn is_chat(kind: &str) -> bool {
    matches!(kind, "slack" | "discord" | "mattermost" | "teams")
}

impl SourceConfig {
    /// The word for its kind, as the file has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Github(_) => "github",
            Self::Hmac(_) => "hmac",
            Self::StandardWebhooks(_) => "standard-webhooks",
            Self::Token(_) => "token",
            Self::Basic(_) => "basic",
            Self::Gitlab(_) => "gitlab",
            Self::Gitea(_) => "gitea",
            Self::Forgejo(_) => "forgejo",
            Self::Bitbucket(_) => "bitbucket",
            Self::Jira(_) => "jira",
            Self::Linear(_) => "linear",
            Self::Sentry(_) => "sentry",
            Self::Pagerduty(_) => "pagerduty",
            Self::Grafana(_) => "grafana",
            Self::Stripe(_) => "stripe",
            Self::AzureDevops(_) => "azure-devops",
            Self::Slack(_) => "slack",
            Self::Discord(_) => "discord",
            Self::Mattermost(_) => "mattermost",
            Self::Teams(_) => "teams",
        }
    }

    /// The secrets that its webhooks may be signed with.
    #[must_use]
    pub fn secrets(&self) -> &[SecretText] {
        each_kind!(self, source => &source.secrets, slack => &slack.signing_secret, _discord => &[],
            mattermost => &mattermost.tokens)
    }

    /// What holds in its channels, if it is a chat.
    #[must_use]
    pub fn channels(&self) -> Option<&BTreeMap<String, ChannelSpec>> {
        match self {
            Self::Slack(source) => Some(&source.channels),
            Self::Discord(source) => Some(&source.channels),
            Self::Mattermost(source) => Some(&source.channels),
            Self::Teams(source) => Some(&source.channels),
            _ => None,
        }
    }

    /// Every secret with the way to it from `path`.
    pub(super) fn secrets_mut(&mut self, path: &Path) -> Vec<(Path, &mut SecretText)> {
        fn all(path: Path, secrets: &mut [SecretText]) -> Vec<(Path, &mut SecretText)> {
            secrets.iter_mut().enumerate().map(|(nth, secret)| (path.index(nth), secret)).collect()
        }
        each_kind!(self, source => all(path.key("secrets"), &mut source.secrets.0), slack => {
            let mut secrets = all(path.key("signing_secret"), &mut slack.signing_secret.0);
            secrets.extend(slack.bot_token.as_mut().map(|token| (path.key("bot_token"), token)));
            if let Some(rotation) = &mut slack.rotation {
                let path = path.key("rotation");
                secrets.push((path.key("client_secret"), &mut rotation.client_secret));
                secrets.push((path.key("refresh_token"), &mut rotation.refresh_token));
            }
            secrets.extend(slack.app_token.as_mut().map(|token| (path.key("app_token"), token)));
            secrets
        }, discord => vec![(path.key("bot_token"), &mut discord.bot_token)], mattermost => {
            let mut secrets = all(path.key("tokens"), &mut mattermost.tokens.0);
            secrets.extend(mattermost.bot_token.as_mut().map(|token| (path.key("bot_token"), token)));
            secrets
        })
    }

    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        if let Some(super::super::place::Step::Key(name)) = path.0.last()
            && let Err(message) = Name::read(name)
        {
            found.fault(document, path, message);
        }
        match self {
            Self::Github(source) => source.check(document, path, found),
            Self::Slack(source) => source.check(document, path, found),
            Self::Discord(source) => source.check(document, path, found),
            Self::Mattermost(source) => source.check(document, path, found),
            Self::Teams(source) => source.check(document, path, found),
            Self::Hmac(source) => source.check(document, path, found),
            Self::StandardWebhooks(source) => source.check(document, path, found),
            Self::Token(source) => source.check(document, path, found),
            Self::Basic(source) => source.check(document, path, found),
            Self::Gitlab(source) => source.check(document, path, found),
            Self::Linear(source) => check_window(source.window, document, &path.key("window"), found),
            Self::AzureDevops(source) => check_username(&source.username, document, path, found),
            Self::Gitea(_)
            | Self::Forgejo(_)
            | Self::Bitbucket(_)
            | Self::Jira(_)
            | Self::Sentry(_)
            | Self::Pagerduty(_)
            | Self::Grafana(_)
            | Self::Stripe(_) => {}
        }
    }
}

impl GithubSource {
    fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        let prefix = &self.command_prefix;
        if !(2..=32).contains(&prefix.len()) || prefix.chars().any(|c| c.is_whitespace() || c.is_control()) {
            found.fault(
                document,
                &path.key("command_prefix"),
                "a prefix is one word of 2 to 32 characters: `/copilot`",
            );
        }
    }
}

impl GitlabSource {
    /// Whether its webhooks are signed: by how its tokens begin.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.secrets.iter().any(|secret| secret.value().expose().starts_with("whsec_"))
    }

    fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        // Without its secrets (a command that needs none) there is nothing to hold together.
        if self.secrets.iter().any(|secret| secret.value().expose().is_empty()) {
            return;
        }
        if self.is_signed() {
            // A plain token beside it would make the signature worth no more than the token.
            check_keys(&self.secrets, document, path, found);
        } else if self.signing {
            let message = "`signing` demands signing tokens, which begin with `whsec_`, and none of the secrets does";
            found.fault(document, &path.key("signing"), message);
        }
    }
}
