//! Received webhooks: written in batches before they are acknowledged, taken up by the match step.

mod list;
mod record;
mod row;

pub use row::{ClaimedDelivery, Delivery, DeliveryState, End, NewDelivery, PutOff, Recorded};

use std::time::Duration;

use uuid::Uuid;

use super::{Lease, Moment, Store, StoreError};
use crate::ids::DeliveryId;

/// How long a batch may take to be recorded. The database ends slow statements by itself, but a dead line tells
/// nobody; senders give up after about ten seconds.
const RECORD_WAIT: Duration = Duration::from_secs(6);

/// Most bytes of bodies that one claim loads, if it is more than one delivery.
const CLAIM_BYTES: i64 = 16 * 1024 * 1024;

/// Filters of the list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only of this source.
    pub source: Option<String>,
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Only of this kind of event.
    pub event: Option<String>,
    /// Only received at or after this time.
    pub since: Option<Moment>,
}

impl Store {
    /// Records many deliveries with one statement and one commit. The answer has the order of
    /// `batch`. A redelivery of one that failed without any decision runs again.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of the batch can be taken as recorded; the sender is told to retry.
    pub async fn record_deliveries(&self, batch: &[NewDelivery]) -> Result<Vec<Recorded>, StoreError> {
        let mut connection = self.intake.acquire().await?;
        if let Ok(outcome) = tokio::time::timeout(RECORD_WAIT, record::record(&mut connection, batch)).await {
            return self.disk.noted(outcome);
        }
        // The connection may lead nowhere any more, and giving it back would wait on it: it is closed instead.
        connection.close_on_drop();
        Err(StoreError::Unavailable(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
    }

    /// Takes up to `limit` waiting deliveries, oldest first, but not more bodies than fit into memory well, and
    /// counts the try before any work, so that one that kills its worker is parked after a few. One that was taken up
    /// before and neither ended nor given back comes alone, so that it takes nobody with it, and only if `suspects` says
    /// that the caller holds no other such.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn claim_deliveries(
        &self,
        lease: Lease,
        now: Moment,
        limit: i64,
        suspects: bool,
    ) -> Result<Vec<ClaimedDelivery>, StoreError> {
        Ok(sqlx::query_as!(
            ClaimedDelivery,
            r#"/* claim_deliveries: skips rows that another worker is just taking; one that has been taken up before comes alone */
            WITH due AS MATERIALIZED (
                SELECT id, due_at, tries, octet_length(body) AS bytes FROM deliveries
                WHERE state = 'received' AND due_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
                  AND (tries = 0 OR $6)
                ORDER BY due_at, id
                LIMIT $2
                FOR NO KEY UPDATE SKIP LOCKED
            ), fits AS (
                SELECT id, row_number() OVER line AS place, sum(bytes) OVER line AS bytes,
                       tries = 0 AND first_value(tries) OVER line = 0 AS fresh
                FROM due
                WINDOW line AS (ORDER BY due_at, id ROWS UNBOUNDED PRECEDING)
            )
            UPDATE deliveries d
            SET lease = $3, lease_until = clock_timestamp() + $4 * interval '1 millisecond', tries = tries + 1
            FROM fits WHERE d.id = fits.id AND (fits.place = 1 OR fits.fresh AND fits.bytes <= $5)
            RETURNING d.id, d.source, d.hook_id, d.sender_id, d.event_name, d.content_type, d.body,
                      d.received_at, d.tries, d.trying_since"#,
            now,
            limit,
            lease.token,
            lease.millis as f64,
            CLAIM_BYTES,
            suspects,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Gives deliveries back with the try uncounted, to be taken up again at `due_at` because what they need is asked for in vain
    /// since `trying_since`, or as they were. Where the lease is lost, only the count changes: the try was slow and no crash.
    ///
    /// # Errors
    /// [`StoreError`]: the lease will run out by itself, and the try stays counted.
    pub async fn give_back_deliveries(
        &self,
        ids: &[DeliveryId],
        lease: Lease,
        later: Option<PutOff<'_>>,
    ) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query!(
            "/* give_back_deliveries: who is alive to give back has not crashed, also where the lease is another's by now */
            UPDATE deliveries SET
                tries = greatest(tries - 1, 0),
                due_at = CASE WHEN lease = $2 THEN coalesce($3, due_at) ELSE due_at END,
                reason = CASE WHEN lease = $2 THEN coalesce($4, reason) ELSE reason END,
                trying_since = CASE WHEN lease = $2 THEN coalesce(trying_since, $5) ELSE trying_since END,
                lease_until = CASE WHEN lease = $2 THEN NULL ELSE lease_until END,
                lease = nullif(lease, $2)
            WHERE id = ANY($1) AND state = 'received'",
            &ids,
            lease.token,
            later.map(|later| later.until),
            later.map(|later| later.why),
            later.map(|later| later.since),
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// A delivery stays in hand, but the try, which was the `tries`-th, is no longer counted as one that may kill its worker.
    ///
    /// # Errors
    /// [`StoreError`]: the try stays counted.
    pub async fn uncount_try(&self, id: DeliveryId, lease: Lease, tries: i16) -> Result<(), StoreError> {
        sqlx::query!(
            "/* uncount_try */
            UPDATE deliveries SET tries = $3::smallint - 1::smallint WHERE id = $1 AND lease = $2 AND state = 'received'",
            id.0,
            lease.token,
            tries,
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Gives back all deliveries under a lease with the try uncounted, when it is not known which they are.
    ///
    /// # Errors
    /// [`StoreError`]: the lease will run out by itself, and the try stays counted.
    pub async fn give_back_lease(&self, lease: Lease) -> Result<(), StoreError> {
        sqlx::query!(
            "/* give_back_lease: the claim's answer was lost */
            UPDATE deliveries SET lease = NULL, lease_until = NULL, tries = greatest(tries - 1, 0)
            WHERE state = 'received' AND lease = $1",
            lease.token,
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// For each of these deliveries that repeats the body of an earlier one of the same source, while that body
    /// is kept: the pair of the two. Neither the sender's id nor the hook's is signed, so neither is looked at.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn replays_among(&self, ids: &[DeliveryId]) -> Result<Vec<(DeliveryId, DeliveryId)>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let pairs = sqlx::query!(
            "/* replays_among */
            SELECT d.id, first.id AS first FROM deliveries d
            CROSS JOIN LATERAL (
                SELECT e.id FROM deliveries e
                WHERE e.body_hash = d.body_hash AND e.source = d.source AND e.id < d.id AND e.body IS NOT NULL
                ORDER BY e.id LIMIT 1) first
            WHERE d.id = ANY($1)",
            &ids
        )
        .fetch_all(&self.work)
        .await?;
        Ok(pairs.into_iter().map(|pair| (pair.id, pair.first)).collect())
    }

    /// One delivery.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        Ok(sqlx::query_as!(
            Delivery,
            "/* delivery */
            SELECT id, source, hook_id, sender_id, event_name, content_type, received_at, state, reason, action,
                   actor_login, repo_name, subject_url, rule_version, duplicate_of, processed_at, tries
            FROM deliveries WHERE id = $1",
            id.0
        )
        .fetch_optional(&self.work)
        .await?)
    }

    /// The raw body of a delivery, while it is kept, in the shape that the match step reads.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn delivery_with_body(&self, id: DeliveryId) -> Result<Option<ClaimedDelivery>, StoreError> {
        Ok(sqlx::query_as!(
            ClaimedDelivery,
            "/* delivery_with_body */
            SELECT id, source, hook_id, sender_id, event_name, content_type, body, received_at, tries, trying_since
            FROM deliveries WHERE id = $1",
            id.0
        )
        .fetch_optional(&self.work)
        .await?)
    }

    /// Lets the match step see a delivery again. The caller has made sure that it has no tasks.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn replay_delivery(&self, id: DeliveryId, now: Moment) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let replayed = sqlx::query!(
            "/* replay_delivery: refused by the WHERE when a task exists or the body is gone */
            UPDATE deliveries SET state = 'received', reason = NULL, duplicate_of = NULL, tries = 0, due_at = $2,
                   trying_since = NULL, processed_at = NULL, lease = NULL, lease_until = NULL
            WHERE id = $1 AND body IS NOT NULL AND state <> 'received'
              AND NOT EXISTS (SELECT FROM tasks WHERE delivery_id = $1)",
            id.0,
            now
        )
        .execute(tx.connection())
        .await?
        .rows_affected()
            == 1;
        if replayed {
            sqlx::query!("/* replay_delivery */ DELETE FROM decisions WHERE delivery_id = $1", id.0)
                .execute(tx.connection())
                .await?;
        }
        tx.commit().await?;
        Ok(replayed)
    }
}
