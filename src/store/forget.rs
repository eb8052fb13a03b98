//! Deleting what was kept long enough, in small batches, so that no lock is held for long.

use super::{Moment, Store, StoreError};

impl Store {
    /// Takes the body off deliveries received before `before` that are done. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_bodies(&self, before: Moment, limit: i64) -> Result<u64, StoreError> {
        Ok(sqlx::query!(
            "/* forget_bodies */
            UPDATE deliveries SET body = NULL WHERE id IN (
                SELECT id FROM deliveries
                WHERE received_at < $1 AND body IS NOT NULL AND state <> 'received'
                ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)",
            before,
            limit
        )
        .execute(&self.work)
        .await?
        .rows_affected())
    }

    /// Deletes deliveries (and their decisions) received before `before` that are done and whose
    /// tasks, if any, have ended.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_deliveries(&self, before: Moment, limit: i64) -> Result<u64, StoreError> {
        Ok(sqlx::query!(
            "/* forget_deliveries */
            DELETE FROM deliveries WHERE id IN (
                SELECT id FROM deliveries d
                WHERE received_at < $1 AND state <> 'received'
                  AND NOT EXISTS (SELECT FROM tasks t WHERE t.delivery_id = d.id AND t.ended_at IS NULL)
                ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)",
            before,
            limit
        )
        .execute(&self.work)
        .await?
        .rows_affected())
    }

    /// Deletes tasks (with attempts, timeline, sessions, intents and reports) that ended before
    /// `before`.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_tasks(&self, before: Moment, limit: i64) -> Result<u64, StoreError> {
        Ok(sqlx::query!(
            "/* forget_tasks */
            DELETE FROM tasks WHERE id IN (
                SELECT id FROM tasks WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
            before,
            limit
        )
        .execute(&self.work)
        .await?
        .rows_affected())
    }

    /// Deletes reports that belong to no task and were told, or given up, before `before`.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_reports(&self, before: Moment, limit: i64) -> Result<u64, StoreError> {
        Ok(sqlx::query!(
            "/* forget_reports */
            DELETE FROM reports WHERE id IN (
                SELECT id FROM reports WHERE task_id IS NULL AND state <> 'pending' AND made_at < $1
                ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)",
            before,
            limit
        )
        .execute(&self.work)
        .await?
        .rows_affected())
    }

    /// Deletes counts of refusals from before `before`.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_refusals(&self, before: Moment) -> Result<u64, StoreError> {
        Ok(sqlx::query!("/* forget_refusals */ DELETE FROM refusals WHERE hour < $1", before)
            .execute(&self.work)
            .await?
            .rows_affected())
    }

    /// Deletes rule sets loaded before `before` that no delivery or task refers to any more.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_rule_versions(&self, before: Moment, limit: i64) -> Result<u64, StoreError> {
        Ok(sqlx::query!(
            "/* forget_rule_versions */
            DELETE FROM rule_versions WHERE version IN (
                SELECT version FROM rule_versions v
                WHERE loaded_at < $1
                  AND loaded_at < (SELECT max(loaded_at) FROM rule_versions)
                  AND NOT EXISTS (SELECT FROM deliveries d WHERE d.rule_version = v.version)
                  AND NOT EXISTS (SELECT FROM tasks t WHERE t.rule_version = v.version)
                LIMIT $2)",
            before,
            limit
        )
        .execute(&self.work)
        .await?
        .rows_affected())
    }

    /// Lets only one replica at a time do a chore. Answers the guard, or nothing if another does it.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn chore(&self, name: &str) -> Result<Option<super::Tx>, StoreError> {
        let mut tx = self.begin().await?;
        let mine = sqlx::query_scalar!(
            r#"/* chore */ SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7422)) AS "mine!""#,
            name
        )
        .fetch_one(tx.connection())
        .await?;
        Ok(mine.then_some(tx))
    }
}
