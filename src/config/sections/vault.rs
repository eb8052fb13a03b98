//! `vault`: the keys under which people's tokens are sealed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::secret_text::SecretText;
use super::OneOrMany;

/// The keys that seal stored tokens.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VaultConfig {
    /// The first key seals, every key opens: to rotate, put the new key first (with several replicas last at first, until
    /// each has it). Without keys, one is generated in `data_dir`, readable by the owner only.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub keys: OneOrMany<SecretText>,
}
