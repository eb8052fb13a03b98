//! `sources`: who may send webhooks and how they prove that it is them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::form::{HeaderText, Name, RepoName, SlashName, WebUrl};
use super::super::node::Document;
use super::super::place::Path;
use super::super::secret_text::SecretText;
use super::OneOrMany;
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
    pub username: String,
    /// Its passwords; several while one is being replaced.
    pub secrets: OneOrMany<SecretText>,
}

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

fn no_secrets() -> OneOrMany<SecretText> {
    OneOrMany(Vec::new())
}

fn is_none(secrets: &OneOrMany<SecretText>) -> bool {
    secrets.is_empty()
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

/// Does the same with whatever kind it is.
macro_rules! each_kind {
    ($source:expr, $known:ident => $what:expr, $slack:ident => $of_slack:expr) => {
        match $source {
            SourceConfig::Slack($slack) => $of_slack,
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
        }
    }

    /// The secrets that its webhooks may be signed with.
    #[must_use]
    pub fn secrets(&self) -> &[SecretText] {
        each_kind!(self, source => &source.secrets, slack => &slack.signing_secret)
    }

    /// Every secret with the way to it from `path`.
    pub(super) fn secrets_mut(&mut self, path: &Path) -> Vec<(Path, &mut SecretText)> {
        fn all(path: Path, secrets: &mut [SecretText]) -> Vec<(Path, &mut SecretText)> {
            secrets.iter_mut().enumerate().map(|(nth, secret)| (path.index(nth), secret)).collect()
        }
        each_kind!(self, source => all(path.key("secrets"), &mut source.secrets.0), slack => {
            let mut secrets = all(path.key("signing_secret"), &mut slack.signing_secret.0);
            secrets.push((path.key("bot_token"), &mut slack.bot_token));
            secrets.extend(slack.app_token.as_mut().map(|token| (path.key("app_token"), token)));
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
impl SlackSource {
    fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
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
