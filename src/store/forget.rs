//! Deleting what was kept long enough, in small batches, so that no lock is held for long. What is old is found by its
//! time-ordered id: the oldest are at the front of an index, so that a batch costs the same whatever else is kept.

use sqlx::{Connection as _, PgConnection};

use super::in_time::{Bounds, On};
use super::{Moment, Store, StoreError};
use crate::ids::uuid_floor;

/// That one replica does a chore. Whatever becomes of it, its connection ends, and the chore is free.
#[derive(Debug)]
pub struct Chore {
    connection: PgConnection,
    bounds: Bounds,
}

impl Chore {
    /// Lets others do it, now.
    pub async fn end(mut self) {
        // Said aloud, because the server takes its time to notice a closed connection. If either fails, the connection
        // is broken, which ends the chore as well.
        let _ = sqlx::query!(r#"/* end_chore */ SELECT pg_advisory_unlock_all() AS "free: ()""#)
            .fetch_one(On::new((&mut self.connection, &mut true), &self.bounds))
            .await;
        let _ = self.bounds.one(self.connection.close()).await;
    }
}

impl Store {
    /// Takes the body off deliveries received before `before` that are done. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_bodies(&self, before: Moment, limit: i64) -> Result<u64, StoreError> {
        Ok(sqlx::query!(
            "/* forget_bodies */
            UPDATE deliveries SET body = NULL WHERE id = ANY (ARRAY(
                SELECT id FROM deliveries
                WHERE id < $1 AND body IS NOT NULL AND state <> 'received'
                ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))",
            uuid_floor(before),
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
            "/* forget_deliveries: what has a live task is few, and they are gathered once */
            DELETE FROM deliveries WHERE id = ANY (ARRAY(
                SELECT id FROM deliveries
                WHERE id < $1 AND state <> 'received'
                  AND id <> ALL (ARRAY(SELECT delivery_id FROM tasks WHERE ended_at IS NULL AND delivery_id < $1))
                ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))",
            uuid_floor(before),
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
            DELETE FROM tasks WHERE id = ANY (ARRAY(
                SELECT id FROM tasks WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
            before,
            limit
        )
        .execute(&self.work)
        .await?
        .rows_affected())
    }

    /// Deletes reports that belong to no task, were made before `before` and were told or given up.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_reports(&self, before: Moment, limit: i64) -> Result<u64, StoreError> {
        Ok(sqlx::query!(
            "/* forget_reports */
            DELETE FROM reports WHERE id = ANY (ARRAY(
                SELECT id FROM reports WHERE id < $1 AND task_id IS NULL AND state <> 'pending'
                ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))",
            uuid_floor(before),
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
            "/* forget_rule_versions: the next version in use is one step in an index; EXISTS might be planned as a scan */
            DELETE FROM rule_versions WHERE version IN (
                SELECT version FROM rule_versions v
                WHERE loaded_at < $1
                  AND loaded_at < (SELECT max(loaded_at) FROM rule_versions)
                  AND (SELECT min(rule_version) FROM deliveries WHERE rule_version >= v.version)
                      IS DISTINCT FROM v.version
                  AND (SELECT min(rule_version) FROM tasks WHERE rule_version >= v.version) IS DISTINCT FROM v.version
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
    pub async fn chore(&self, name: &str) -> Result<Option<Chore>, StoreError> {
        // A connection of its own: an open transaction would be ended for idleness in the middle of the chore, and
        // would keep the database from tidying up meanwhile.
        let mut connection = self.work.detached().await?;
        let mine = sqlx::query_scalar!(
            r#"/* chore */ SELECT pg_try_advisory_lock(hashtextextended($1, 7422)) AS "mine!""#,
            name
        )
        .fetch_one(On::new((&mut connection, &mut true), self.work.bounds()))
        .await?;
        let chore = Chore { connection, bounds: self.work.bounds().clone() };
        if mine {
            return Ok(Some(chore));
        }
        chore.end().await;
        Ok(None)
    }
}
