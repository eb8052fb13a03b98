//! `database`: where PostgreSQL is. Intake has connections of its own, so that a slow query of an
//! operator cannot keep webhooks from being recorded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::node::Document;
use super::super::place::Path;
use super::super::secret_text::SecretText;

/// PostgreSQL.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// The address with user and password (`postgres://…`), as a secret. Without it a private PostgreSQL is
    /// started in `data_dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<SecretText>,
    /// Connections for recording webhooks.
    #[schemars(range(min = 1, max = 100))]
    pub intake_connections: u32,
    /// Connections for everything else; of these the admin API takes at most half.
    #[schemars(range(min = 2, max = 500))]
    pub worker_connections: u32,
    /// How long to wait for the database when starting.
    pub connect_wait: Duration,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: None, intake_connections: 4, worker_connections: 12, connect_wait: Duration::secs(60) }
    }
}

impl DatabaseConfig {
    pub(super) fn check(&self, document: &Document, found: &mut Findings) {
        super::refuse_zero(document, "database", &[("connect_wait", self.connect_wait)], found);
        // An address that could not be fetched is empty here and has its own fault.
        let url = self.url.as_ref().map_or("", |url| url.value().expose());
        if !url.is_empty() && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            found.fault(document, &Path::of(&["database", "url"]), "the address must start with `postgres://`");
        }
    }
}
