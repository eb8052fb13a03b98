//! The part of the outbox that goes to receivers of webhooks: a row a change and receiver, each with its text, told once.

use super::{Lease, Moment, Store, StoreError, Tx};
use crate::ids::{ReportId, TaskId};
use crate::store::tasks::Task;

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct NewOutgoing<'a> {
    /// Its id, the same on every try.
    pub id: ReportId,
    /// Who hears it.
    pub receiver: &'a str,
    /// Which change of its task it tells of.
    pub seq: i64,
    /// Its text.
    pub content: &'a str,
}

/// A message that somebody sends now.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Outgoing {
    pub id: ReportId,
    pub task_id: Option<TaskId>,
    pub content: String,
    pub tries: i32,
}

impl Tx {
    /// How many changes a task has had, with that of this transaction; its row is locked or new.
    ///
    /// # Errors
    /// [`StoreError`]: repeat the transaction.
    pub async fn changes_of(&mut self, task: TaskId) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* changes_of */
            SELECT count(*) AS "count!" FROM timeline WHERE task_id = $1
              AND (kind = 'made' OR kind = 'state' AND from_state IS DISTINCT FROM to_state)"#,
            task.0
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// Puts a message into the outbox.
    ///
    /// # Errors
    /// [`StoreError`]: repeat the transaction.
    pub async fn send_out(&mut self, task: &Task, new: &NewOutgoing<'_>, now: Moment) -> Result<(), StoreError> {
        let dedupe = format!("outgoing:{}:{}:{}", new.receiver, task.id, new.seq);
        sqlx::query!(
            "/* send_out: never in the way of the change itself */
            INSERT INTO reports (id, task_id, delivery_id, kind, dedupe, repo_id, repo_owner, repo_name,
                                 subject_number, receiver, seq, content, made_at, due_at)
            VALUES ($1, $2, $3, 'outgoing', $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
            ON CONFLICT ON CONSTRAINT reports_dedupe DO NOTHING",
            new.id.0,
            task.id.0,
            task.delivery_id.0,
            dedupe,
            task.repo_id,
            task.repo_owner,
            task.repo_name,
            task.subject_number.unwrap_or(0),
            new.receiver,
            new.seq,
            new.content,
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Store {
    /// Takes messages of one receiver that are due, of each task the earliest that waits.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn claim_outgoing(
        &self,
        receiver: &str,
        lease: Lease,
        now: Moment,
        limit: i64,
    ) -> Result<Vec<Outgoing>, StoreError> {
        Ok(sqlx::query_as!(
            Outgoing,
            "/* claim_outgoing: counts the try before the work */
            WITH due AS MATERIALIZED (
                SELECT r.id FROM reports r
                WHERE r.kind = 'outgoing' AND r.state = 'pending' AND r.receiver = $1 AND r.due_at <= $2
                  AND (r.lease_until IS NULL OR r.lease_until < clock_timestamp())
                  AND NOT EXISTS (SELECT FROM reports e
                                  WHERE e.task_id = r.task_id AND e.kind = 'outgoing' AND e.state = 'pending'
                                    AND e.receiver = r.receiver AND e.seq < r.seq)
                ORDER BY r.due_at, r.id LIMIT $3 FOR NO KEY UPDATE OF r SKIP LOCKED
            )
            UPDATE reports r
            SET lease = $4, lease_until = clock_timestamp() + $5 * interval '1 millisecond', tries = tries + 1
            FROM due WHERE r.id = due.id
            RETURNING r.id, r.task_id, r.content, r.tries",
            receiver,
            now,
            limit,
            lease.token,
            lease.millis as f64,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Records that a message was taken. What waited behind it is due at once.
    ///
    /// # Errors
    /// [`StoreError`]: it is sent again, under the same id.
    pub async fn outgoing_sent(&self, id: ReportId, lease: Lease, now: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* outgoing_sent: fenced by the lease */
            WITH sent AS (
                UPDATE reports SET state = 'sent', sent_revision = revision, sent_at = $3, trouble = NULL,
                                   lease = NULL, lease_until = NULL
                WHERE id = $1 AND lease = $2
                RETURNING task_id, receiver, seq
            )
            UPDATE reports r SET due_at = least(r.due_at, $3) FROM sent
            WHERE r.task_id = sent.task_id AND r.kind = 'outgoing' AND r.state = 'pending'
              AND r.receiver = sent.receiver AND r.seq > sent.seq",
            id.0,
            lease.token,
            now,
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Gives a message back to be sent at `due_at`; with none it has failed for good. What waits behind it need not be
    /// looked at earlier.
    ///
    /// # Errors
    /// [`StoreError`]: the lease will run out by itself.
    pub async fn postpone_outgoing(
        &self,
        id: ReportId,
        lease: Lease,
        due_at: Option<Moment>,
        now: Moment,
        trouble: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* postpone_outgoing: fenced by the lease */
            WITH back AS (
                UPDATE reports SET state = CASE WHEN $3::timestamptz IS NULL THEN 'failed' ELSE 'pending' END,
                                   due_at = coalesce($3, due_at), trouble = $4, lease = NULL, lease_until = NULL
                WHERE id = $1 AND lease = $2
                RETURNING task_id, receiver, seq
            )
            UPDATE reports r SET due_at = coalesce($3, least(r.due_at, $5)) FROM back
            WHERE r.task_id = back.task_id AND r.kind = 'outgoing' AND r.state = 'pending'
              AND r.receiver = back.receiver AND r.seq > back.seq",
            id.0,
            lease.token,
            due_at,
            &super::text::bounded(trouble),
            now,
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Gives up what waits since before `before` for receivers that are none of `known`. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn give_up_unheard(&self, known: &[String], before: Moment, limit: i64) -> Result<u64, StoreError> {
        Ok(sqlx::query!(
            "/* give_up_unheard */
            UPDATE reports SET state = 'failed', trouble = 'no receiver of this name is configured any more',
                               lease = NULL, lease_until = NULL
            WHERE id = ANY (ARRAY(
                SELECT id FROM reports
                WHERE kind = 'outgoing' AND state = 'pending' AND receiver <> ALL ($1) AND made_at < $2
                LIMIT $3 FOR UPDATE SKIP LOCKED))",
            known,
            before,
            limit
        )
        .execute(&self.work)
        .await?
        .rows_affected())
    }
}
