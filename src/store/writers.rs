//! Turn-taking: GitHub asks for one write at a time, a pause between two and not too many an hour. The turn belongs to a
//! token's owner and holds across all replicas.
//!
//! Replicas' clocks differ, and a pause that one wrote down with its own would be an hour too long or too short for
//! another. So pauses come in as how long they last, and count on the database's clock. A story that moves the time cannot
//! move that one: it says as `shown` what all of its replicas take for it.

use std::time::Duration;

use super::{Lease, Moment, Store, StoreError};
use crate::domain::hourly::Hourly;

impl Store {
    /// Takes the turn to write as `owner` (`person:<id>` or `installation:<id>`), if it is free, and books the write.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn take_turn(
        &self,
        owner: &str,
        lease: Lease,
        hourly: Hourly,
        shown: Option<Moment>,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* take_turn: one row an owner; the lock of the row decides a race. What is booked too far ahead makes the
                next turn come later; excluded.free_at is the present */
            INSERT INTO writers (owner, lease, lease_until, free_at, booked_until)
            SELECT $1, $2, clock_timestamp() + $3 * interval '1 millisecond', coalesce($4, clock_timestamp()),
                   coalesce($4, clock_timestamp()) + $5 * interval '1 microsecond'
            WHERE (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL
            ON CONFLICT (owner) DO UPDATE SET
                lease = excluded.lease, lease_until = excluded.lease_until,
                booked_until = greatest(writers.booked_until, excluded.free_at) + $5 * interval '1 microsecond',
                free_at = greatest(writers.free_at, greatest(writers.booked_until, excluded.free_at)
                                                    + ($5 - $6) * interval '1 microsecond')
            WHERE writers.free_at <= excluded.free_at
              AND (writers.lease IS NULL OR writers.lease_until < clock_timestamp())",
            owner,
            lease.token,
            lease.millis as f64,
            shown,
            hourly.each.as_micros() as f64,
            hourly.ahead.as_micros() as f64,
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Gives the turn back; the next one begins after `pause` at the earliest.
    ///
    /// # Errors
    /// [`StoreError`]: the lease will run out by itself.
    pub async fn end_turn(
        &self,
        owner: &str,
        lease: Lease,
        pause: Duration,
        shown: Option<Moment>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* end_turn: fenced by the lease */
            UPDATE writers SET lease = NULL, lease_until = NULL,
                   free_at = greatest(free_at, coalesce($4, clock_timestamp()) + $3 * interval '1 microsecond')
            WHERE owner = $1 AND lease = $2 AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL",
            owner,
            lease.token,
            pause.as_micros() as f64,
            shown,
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// How long until the turn of `owner` may be free; none when it may be now.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn turn_comes_in(&self, owner: &str, shown: Option<Moment>) -> Result<Duration, StoreError> {
        let seconds = sqlx::query_scalar!(
            r#"/* turn_comes_in */
            SELECT greatest(0, extract(epoch FROM free_at - coalesce($2, clock_timestamp())))::float8 AS "wait!"
            FROM writers WHERE owner = $1"#,
            owner,
            shown
        )
        .fetch_optional(&self.work)
        .await?;
        Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default())
    }
}
