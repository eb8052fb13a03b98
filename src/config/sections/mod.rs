//! What the operator may say, a section a file. These structs are the one source of truth: the
//! schema, the check of a file and the reference are all made from them.

mod chats;
mod database;
mod github;
mod limits;
mod outgoing;
mod retention;
mod rule;
mod senders;
mod server;
mod sources;
mod sweep;
mod tasks;
mod vault;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use chats::is_snowflake;
pub use chats::{ChannelSpec, DiscordSource, MattermostSource, SlackRotation, SlackSource, TeamsSource};
pub use database::DatabaseConfig;
pub use github::{AppConfig, GithubConfig, SignInConfig};
pub use limits::{BoundSpec, ChannelLimitsSpec, GlobalLimits, LimitsSpec, WindowSpec};
pub use outgoing::OutgoingConfig;
pub(super) use outgoing::check_chosen_rules;
pub use retention::RetentionConfig;
pub(super) use rule::default_idle_for;
pub use rule::{
    AllowSpec, IncludedRules, OnSpec, OncePerFull, OncePerSpec, OneOrMany, ReactionSpec, ReportLabelsSpec, ReportSpec,
    RuleSpec, TaskPart,
};
pub use senders::{
    BasicSource, EncodingName, HashName, HmacSource, NamedBy, ReadsSpec, SignedPart, StampSpec, StandardWebhooksSource,
    TokenSource, signed_parts,
};
pub use server::ServerConfig;
pub use sources::{
    AzureDevopsSource, GithubSource, GitlabSource, GrafanaSource, LinearSource, PresetSource, SourceConfig, is_chat,
};
pub use sweep::SweepConfig;
pub use tasks::{OnUncertain, TasksConfig};
pub use vault::VaultConfig;

use super::duration::Duration;
use super::findings::Findings;
use super::node::Document;
use super::place::Path;
use super::secret_text::SecretText;

/// The configuration of taskbridge.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "taskbridge configuration")]
pub struct Config {
    /// The folder for what this service keeps on disk: its private PostgreSQL and the sealing key it
    /// generates. Seen from the folder of this file.
    pub data_dir: PathBuf,
    /// The HTTP server and its bounds.
    pub server: ServerConfig,
    /// PostgreSQL.
    pub database: DatabaseConfig,
    /// The keys that seal stored tokens.
    pub vault: VaultConfig,
    /// GitHub's API.
    pub github: GithubConfig,
    /// Who may send webhooks, by name. The name is part of the address: `/hooks/<name>`. When the section
    /// is absent and the environment has `GITHUB_WEBHOOK_SECRET`, there is one source, `github`, with it.
    pub sources: BTreeMap<String, SourceConfig>,
    /// How tasks are started and watched.
    pub tasks: TasksConfig,
    /// How often running tasks are looked at.
    pub sweep: SweepConfig,
    /// How long records are kept.
    pub retention: RetentionConfig,
    /// Bounds over all rules together.
    pub limits: GlobalLimits,
    /// Who is told of every change of a task's state, by webhooks signed as Standard Webhooks: up to 16 receivers.
    pub outgoing: Vec<OutgoingConfig>,
    /// The rules, in order: the first one that is selected has the delivery.
    pub rules: Vec<RuleSpec>,
    /// Files with more rules, which come after those above, in this order: a file, a folder (all its `.yaml`
    /// and `.yml` files by name) or a pattern such as `rules/*.yaml`. Seen from the folder of this file.
    pub rules_from: OneOrMany<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".taskbridge"),
            server: ServerConfig::default(),
            database: DatabaseConfig::default(),
            vault: VaultConfig::default(),
            github: GithubConfig::default(),
            sources: BTreeMap::new(),
            tasks: TasksConfig::default(),
            sweep: SweepConfig::default(),
            retention: RetentionConfig::default(),
            limits: GlobalLimits::default(),
            outgoing: Vec::new(),
            rules: Vec::new(),
            rules_from: OneOrMany::default(),
        }
    }
}

impl Config {
    /// The page where people sign in for themselves, without a slash at its end, if they can.
    #[must_use]
    pub fn connect_url(&self) -> Option<String> {
        let public = self.server.public_url.as_ref().filter(|_| self.github.sign_in.is_some())?;
        Some(format!("{}/connect", public.to_string().trim_end_matches('/')))
    }

    /// Every secret of the file with the way to it.
    pub(super) fn secrets(&mut self) -> Vec<(Path, &mut SecretText)> {
        let mut secrets = Vec::new();
        if let Some(url) = &mut self.database.url {
            secrets.push((Path::of(&["database", "url"]), url));
        }
        let keys = Path::of(&["vault", "keys"]);
        secrets.extend(self.vault.keys.0.iter_mut().enumerate().map(|(nth, key)| (keys.index(nth), key)));
        if let Some(app) = &mut self.github.app {
            secrets.push((Path::of(&["github", "app", "private_key"]), &mut app.private_key));
        }
        if let Some(sign_in) = &mut self.github.sign_in {
            secrets.push((Path::of(&["github", "sign_in", "client_secret"]), &mut sign_in.client_secret));
        }
        for (name, source) in &mut self.sources {
            secrets.extend(source.secrets_mut(&Path::of(&["sources", name])));
        }
        let outgoing = Path::of(&["outgoing"]);
        for (nth, receiver) in self.outgoing.iter_mut().enumerate() {
            let path = outgoing.index(nth).key("secrets");
            secrets.extend(receiver.secrets.0.iter_mut().enumerate().map(|(nth, key)| (path.index(nth), key)));
        }
        secrets
    }

    /// What no schema can say about the sections.
    pub(super) fn check(&self, document: &Document, found: &mut Findings) {
        self.server.check(document, found);
        self.database.check(document, found);
        self.github.check(document, found);
        if self.github.sign_in.is_some() && self.server.public_url.is_none() {
            let message =
                "people can sign in only when `server.public_url` says under which address GitHub sends them back";
            found.fault(document, &Path::of(&["github", "sign_in"]), message);
        }
        self.tasks.check(self.github.timeout, document, found);
        self.sweep.check(document, found);
        self.retention.check(document, found);
        self.limits.check(document, found);
        for (name, source) in &self.sources {
            let path = Path::of(&["sources", name]);
            source.check(document, &path, found);
            if is_chat(source.kind()) && (self.github.sign_in.is_none() || self.server.public_url.is_none()) {
                let message = "nobody can link an account of this chat, and so nobody can ask for anything there: people sign in \
                               behind a link, which needs `github.sign_in` and `server.public_url`";
                found.warn(document, &path, message);
            }
        }
        outgoing::check(&self.outgoing, self.tasks.lease, document, found);
    }
}

/// Notes each of these lengths of time that is zero, where zero would mean "at once" or "all the time".
fn refuse_zero(document: &Document, section: &str, values: &[(&str, Duration)], found: &mut Findings) {
    for (key, value) in values {
        if value.std().is_zero() {
            found.fault(document, &Path::of(&[section, key]), "must be longer than zero");
        }
    }
}
