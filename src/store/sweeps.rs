//! How far each person's remote tasks were read, and when the next round is due.

use super::{Lease, Moment, Store, StoreError, Tx};
use crate::ids::PersonId;

/// When the round of somebody with nothing to be swept for is due: not in the life of this program.
const NOT_DUE: Moment = Moment::from_timestamp(253_370_764_800, 0).expect("the year 9999 is in range");

/// A person's reading position.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Sweep {
    pub person_id: PersonId,
    pub watermark: Moment,
    pub etag: Option<String>,
    pub etag_since: Option<Moment>,
    pub due_at: Moment,
    pub rounds: i64,
    pub list_calls: i64,
    pub get_calls: i64,
    pub trouble: Option<String>,
    pub tries: i32,
    pub last_round_at: Option<Moment>,
    pub lease: Option<uuid::Uuid>,
    pub lease_until: Option<Moment>,
}

/// What a person has to be swept for.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    /// Tasks on GitHub that have not ended.
    pub live: i64,
    /// Tasks that ended lately and may be reopened.
    pub settled: i64,
    /// When the newest of them started.
    pub newest_start: Option<Moment>,
}

/// The end of a round.
#[derive(Debug, Clone)]
pub struct RoundEnd {
    /// The new reading position; absent when the round was not complete.
    pub watermark: Option<Moment>,
    /// The validator of the first page and the start it belongs to.
    pub etag: Option<(String, Moment)>,
    /// When the next round is due.
    pub due_at: Moment,
    /// List requests made.
    pub list_calls: i64,
    /// Requests for one task made.
    pub get_calls: i64,
    /// Why the round was not complete.
    pub trouble: Option<String>,
}

impl Tx {
    /// Makes sure that a person with a task on GitHub is swept, from `watermark` on, and soon.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn sweep_soon(&mut self, person: PersonId, watermark: Moment, due_at: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* sweep_soon */
            INSERT INTO sweeps (person_id, watermark, due_at)
            SELECT $1, $2, $3 WHERE EXISTS (SELECT FROM people WHERE id = $1)
            ON CONFLICT (person_id) DO UPDATE SET due_at = least(sweeps.due_at, excluded.due_at)",
            person.0,
            watermark,
            due_at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Store {
    /// When the next round for a person is due.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn next_round(&self, person: PersonId) -> Result<Option<Moment>, StoreError> {
        Ok(sqlx::query_scalar!("/* next_round */ SELECT due_at FROM sweeps WHERE person_id = $1", person.0)
            .fetch_optional(&self.work)
            .await?)
    }

    /// A hint: asks for a round as soon as possible.
    ///
    /// # Errors
    /// [`StoreError`]: the round will come by itself.
    pub async fn hint_sweep(&self, person: PersonId, now: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* hint_sweep */ UPDATE sweeps SET due_at = least(due_at, $2) WHERE person_id = $1",
            person.0,
            now
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Has the tasks of a person looked at now that are looked at one by one: what nobody's token saw may be seen again.
    ///
    /// # Errors
    /// [`StoreError`]: they are looked at when their time comes.
    pub async fn look_again(&self, person: PersonId, now: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* look_again */
            UPDATE tasks SET look_at = $2 WHERE person_id = $1 AND remote_id IS NOT NULL AND look_at > $2",
            person.0,
            now
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Puts off the rounds of people who have nothing to be swept for, until [`Tx::sweep_soon`] or a hint brings them
    /// back: otherwise they would be weighed anew at each poll, and be ever more. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn rest_sweeps(&self, now: Moment, settled_since: Moment, limit: i64) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let idle = sqlx::query_scalar!(
            "/* idle_sweeps */
            SELECT person_id FROM sweeps s
            WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
              AND NOT EXISTS (SELECT FROM tasks t
                              WHERE t.person_id = s.person_id AND t.remote_id IS NOT NULL
                                AND coalesce(t.ended_at, 'infinity') > $2)
            ORDER BY due_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED",
            now,
            settled_since,
            limit
        )
        .fetch_all(tx.connection())
        .await?;
        if idle.is_empty() {
            return Ok(0);
        }
        let idle: Vec<i64> = idle.into_iter().map(|person| person.0).collect();
        let rested = sqlx::query!(
            "/* rest_sweeps: looks again with the rows locked, so that no start slips in between */
            UPDATE sweeps s SET due_at = $1
            WHERE person_id = ANY ($2)
              AND NOT EXISTS (SELECT FROM tasks t
                              WHERE t.person_id = s.person_id AND t.remote_id IS NOT NULL
                                AND coalesce(t.ended_at, 'infinity') > $3)",
            NOT_DUE,
            &idle,
            settled_since
        )
        .execute(tx.connection())
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(rested)
    }

    /// Takes people whose round is due and who have something to be swept for.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn claim_sweeps(
        &self,
        lease: Lease,
        now: Moment,
        settled_since: Moment,
        limit: i64,
    ) -> Result<Vec<Sweep>, StoreError> {
        Ok(sqlx::query_as!(
            Sweep,
            "/* claim_sweeps: nothing to watch, nothing asked */
            WITH due AS MATERIALIZED (
                SELECT person_id FROM sweeps s
                WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
                  AND EXISTS (SELECT FROM tasks t
                              WHERE t.person_id = s.person_id AND t.remote_id IS NOT NULL
                                AND coalesce(t.ended_at, 'infinity') > $2)
                ORDER BY due_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
            )
            UPDATE sweeps s SET lease = $4, lease_until = clock_timestamp() + $5 * interval '1 millisecond'
            FROM due WHERE s.person_id = due.person_id
              AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL
            RETURNING s.*",
            now,
            settled_since,
            limit,
            lease.token,
            lease.millis as f64,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// What a person has to be swept for.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn watched(&self, person: PersonId, settled_since: Moment) -> Result<Watched, StoreError> {
        Ok(sqlx::query_as!(
            Watched,
            r#"/* watched */
            SELECT count(*) FILTER (WHERE ended_at IS NULL) AS "live!",
                   count(*) FILTER (WHERE ended_at IS NOT NULL) AS "settled!", max(started_at) AS newest_start
            FROM tasks WHERE person_id = $1 AND remote_id IS NOT NULL AND coalesce(ended_at, 'infinity') > $2"#,
            person.0,
            settled_since
        )
        .fetch_one(&self.work)
        .await?)
    }

    /// Records the end of a round and gives the lease back.
    ///
    /// # Errors
    /// [`StoreError`]: the round will be repeated, which is harmless.
    pub async fn end_round(
        &self,
        person: PersonId,
        lease: Lease,
        end: &RoundEnd,
        now: Moment,
    ) -> Result<(), StoreError> {
        let (etag, etag_since) = end.etag.clone().unzip();
        let trouble = end.trouble.as_deref().map(super::text::bounded);
        sqlx::query!(
            "/* end_round: fenced by the lease; the watermark only moves forward */
            UPDATE sweeps SET
                watermark = greatest(watermark, coalesce($3, watermark)),
                etag = CASE WHEN $3::timestamptz IS NULL THEN etag ELSE $4 END,
                etag_since = CASE WHEN $3::timestamptz IS NULL THEN etag_since ELSE $5 END,
                due_at = $6, rounds = rounds + CASE WHEN $3::timestamptz IS NULL THEN 0 ELSE 1 END,
                list_calls = list_calls + $7, get_calls = get_calls + $8, trouble = $9,
                tries = CASE WHEN $3::timestamptz IS NULL THEN tries + 1 ELSE 0 END,
                last_round_at = $10, lease = NULL, lease_until = NULL
            WHERE person_id = $1 AND lease = $2",
            person.0,
            lease.token,
            end.watermark,
            etag,
            etag_since,
            end.due_at,
            end.list_calls,
            end.get_calls,
            trouble.as_deref() as Option<&str>,
            now,
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }
}
