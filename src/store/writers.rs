//! Turn-taking: GitHub asks for one write at a time and a pause between two. The turn belongs to a
//! token's owner and holds across all replicas.

use super::{Lease, Moment, Store, StoreError};

impl Store {
    /// Takes the turn to write as `owner` (`person:<id>` or `installation:<id>`), if it is free.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn take_turn(&self, owner: &str, lease: Lease, now: Moment) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* take_turn: one row an owner; the lock of the row decides a race */
            INSERT INTO writers (owner, lease, lease_until, free_at)
            VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond', $4)
            ON CONFLICT (owner) DO UPDATE SET lease = excluded.lease, lease_until = excluded.lease_until
            WHERE writers.free_at <= $4 AND (writers.lease IS NULL OR writers.lease_until < clock_timestamp())",
            owner,
            lease.token,
            lease.millis as f64,
            now
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Gives the turn back; the next one begins at `free_at` at the earliest.
    ///
    /// # Errors
    /// [`StoreError`]: the lease will run out by itself.
    pub async fn end_turn(&self, owner: &str, lease: Lease, free_at: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* end_turn: fenced by the lease */
            UPDATE writers SET lease = NULL, lease_until = NULL, free_at = greatest(free_at, $3)
            WHERE owner = $1 AND lease = $2",
            owner,
            lease.token,
            free_at
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// When the turn of `owner` is next free, if it is not now.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn turn_free_at(&self, owner: &str) -> Result<Option<Moment>, StoreError> {
        Ok(sqlx::query_scalar!("/* turn_free_at */ SELECT free_at FROM writers WHERE owner = $1", owner)
            .fetch_optional(&self.work)
            .await?)
    }
}
