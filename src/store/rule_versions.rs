//! Every rule set that was ever in force, so that an old decision can still be explained.

use super::{Moment, Store, StoreError};

impl Store {
    /// Keeps a rule set.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn keep_rule_version(
        &self,
        version: &str,
        rules: &serde_json::Value,
        now: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* keep_rule_version */
            INSERT INTO rule_versions (version, rules, loaded_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            version,
            rules,
            now
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// The rules of a version, as written.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn rule_version(&self, version: &str) -> Result<Option<serde_json::Value>, StoreError> {
        Ok(sqlx::query_scalar!("/* rule_version */ SELECT rules FROM rule_versions WHERE version = $1", version)
            .fetch_optional(&self.work)
            .await?)
    }
}
