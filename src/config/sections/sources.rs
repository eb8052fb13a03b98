//! `sources`: who may send webhooks and how they prove that it is them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::findings::Findings;
use super::super::form::Name;
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
        }
    }

    /// The secrets that its webhooks may be signed with.
    #[must_use]
    pub fn secrets(&self) -> &[SecretText] {
        match self {
            Self::Github(source) => &source.secrets,
        }
    }

    pub(super) fn secrets_mut(&mut self) -> &mut [SecretText] {
        match self {
            Self::Github(source) => &mut source.secrets.0,
        }
    }

    pub(super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        if let Some(super::super::place::Step::Key(name)) = path.0.last()
            && let Err(message) = Name::read(name)
        {
            found.fault(document, path, message);
        }
        let Self::Github(source) = self;
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
