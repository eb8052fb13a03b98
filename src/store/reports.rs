//! The outbox: what is to be told, committed with the change that it tells of.

use std::collections::HashSet;

use sqlx::types::Json;

use super::many::column;
use super::{Lease, Moment, Store, StoreError, Tx};
use crate::domain::chat::Place;
use crate::ids::{DeliveryId, PersonId, ReportId, TaskId};

/// What kind of thing is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ReportKind {
    /// The living comment of a task.
    Comment,
    /// A comment written once.
    Notice,
    /// A reaction.
    Reaction,
    /// The labels that show a task's state.
    Labels,
    /// The living message of a task in a chat.
    Chat,
    /// A message in a chat that calls the one who asked.
    Mention,
    /// A message in a chat that one account alone sees.
    Whisper,
    /// A webhook to a receiver (`super::outgoing`).
    Outgoing,
    /// A comment written once by the person, and never by the App: what was said to a running agent.
    FollowUp,
    /// A message in a chat that tells what became of a follow-up.
    Reply,
}

/// A report to be made, or to be told anew. [`Report`] cannot hold this: a checked statement fills flat rows.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct NewReport {
    pub id: ReportId,
    pub task_id: Option<TaskId>,
    pub delivery_id: Option<DeliveryId>,
    pub kind: ReportKind,
    pub dedupe: String,
    pub repo_id: i64,
    pub repo_owner: String,
    pub repo_name: String,
    pub subject_number: i64,
    pub comment_id: Option<i64>,
    pub comment_on_diff: bool,
    pub person_id: Option<PersonId>,
    pub content: String,
    pub chat: Option<Place>,
}

/// A report as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Report {
    pub id: ReportId,
    pub task_id: Option<TaskId>,
    pub delivery_id: Option<DeliveryId>,
    pub kind: ReportKind,
    pub dedupe: String,
    pub repo_id: i64,
    pub repo_owner: String,
    pub repo_name: String,
    pub subject_number: i64,
    pub comment_id: Option<i64>,
    pub comment_on_diff: bool,
    pub person_id: Option<PersonId>,
    pub content: String,
    pub revision: i32,
    pub sent_revision: i32,
    pub state: String,
    pub external_id: Option<i64>,
    pub external_url: Option<String>,
    pub tries: i32,
    pub trouble: Option<String>,
    pub made_at: Moment,
    pub sent_at: Option<Moment>,
    pub due_at: Moment,
    pub lease: Option<uuid::Uuid>,
    pub lease_until: Option<Moment>,
    pub chat: Option<sqlx::types::Json<Place>>,
    pub external_ref: Option<String>,
    pub receiver: Option<String>,
    pub seq: Option<i64>,
}

impl Tx {
    /// Puts a report into the outbox. A living one that is there already is raised to a new
    /// revision; one told once stays as it is, unless it could not be told.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn tell(&mut self, new: &NewReport, due_at: Moment) -> Result<(), StoreError> {
        self.tell_all(std::slice::from_ref(new), due_at).await
    }

    /// The same for many. Of those that are one by their `dedupe` the first is put in.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn tell_all(&mut self, new: &[NewReport], due_at: Moment) -> Result<(), StoreError> {
        let mut seen = HashSet::new();
        let mut new: Vec<&NewReport> = new.iter().filter(|report| seen.insert(report.dedupe.as_str())).collect();
        // Two transactions with the same ones never wait for each other. Their ids say the order in which they are told.
        new.sort_by_key(|report| report.dedupe.as_str());
        if new.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "/* tell_all */
            INSERT INTO reports (id, task_id, delivery_id, kind, dedupe, repo_id, repo_owner, repo_name,
                                 subject_number, comment_id, comment_on_diff, person_id, content, chat, made_at, due_at)
            SELECT new.*, $15, $15 FROM UNNEST(
                $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
                $9::bigint[], $10::bigint[], $11::bool[], $12::bigint[], $13::text[], $14::jsonb[]) AS new
            ON CONFLICT ON CONSTRAINT reports_dedupe DO UPDATE SET
                revision = reports.revision + 1, state = 'pending', tries = 0, trouble = NULL,
                due_at = greatest(reports.due_at, $15)
            WHERE reports.kind IN ('comment', 'labels', 'chat') OR reports.state = 'failed'",
            &column(&new, |report| report.id.0),
            &column(&new, |report| report.task_id.map(|id| id.0)) as &[Option<uuid::Uuid>],
            &column(&new, |report| report.delivery_id.map(|id| id.0)) as &[Option<uuid::Uuid>],
            &column(&new, |report| report.kind) as &[ReportKind],
            &column(&new, |report| report.dedupe.as_str()) as &[&str],
            &column(&new, |report| report.repo_id),
            &column(&new, |report| report.repo_owner.as_str()) as &[&str],
            &column(&new, |report| report.repo_name.as_str()) as &[&str],
            &column(&new, |report| report.subject_number),
            &column(&new, |report| report.comment_id) as &[Option<i64>],
            &column(&new, |report| report.comment_on_diff),
            &column(&new, |report| report.person_id.map(|id| id.0)) as &[Option<i64>],
            &column(&new, |report| report.content.as_str()) as &[&str],
            &column(&new, |report| report.chat.as_ref().map(Json)) as &[Option<Json<&Place>>],
            due_at,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Store {
    /// Whether a report that is one by `dedupe` is there, told or not.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn is_told(&self, dedupe: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* is_told */ SELECT EXISTS (SELECT FROM reports WHERE dedupe = $1) AS "told!""#,
            dedupe
        )
        .fetch_one(&self.work)
        .await?)
    }

    /// Takes reports that are due, at most one for those who would tell it (a person, or the App in an account):
    /// they write one thing at a time.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn claim_reports(&self, lease: Lease, now: Moment, limit: i64) -> Result<Vec<Report>, StoreError> {
        Ok(sqlx::query_as!(
            Report,
            "/* claim_reports: picks first, then locks; counts the try before the work */
            WITH next AS MATERIALIZED (
                SELECT DISTINCT ON (person_id, lower(repo_owner)) id, due_at FROM reports
                WHERE state = 'pending' AND kind <> 'outgoing' AND chat IS NULL AND due_at <= $1
                  AND (lease_until IS NULL OR lease_until < clock_timestamp())
                ORDER BY person_id, lower(repo_owner), due_at, id
            ), due AS MATERIALIZED (
                SELECT r.id FROM reports r JOIN next USING (id)
                WHERE r.state = 'pending' AND (r.lease_until IS NULL OR r.lease_until < clock_timestamp())
                ORDER BY next.due_at, r.id LIMIT $2 FOR NO KEY UPDATE OF r SKIP LOCKED
            )
            UPDATE reports r
            SET lease = $3, lease_until = clock_timestamp() + $4 * interval '1 millisecond', tries = tries + 1
            FROM due WHERE r.id = due.id
            RETURNING r.*",
            now,
            limit,
            lease.token,
            lease.millis as f64,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Takes reports of chats that are due, at most one a channel: what is said there is said in order.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn claim_chat_reports(&self, lease: Lease, now: Moment, limit: i64) -> Result<Vec<Report>, StoreError> {
        Ok(sqlx::query_as!(
            Report,
            "/* claim_chat_reports: as claim_reports */
            WITH next AS MATERIALIZED (
                SELECT DISTINCT ON (chat ->> 'source', chat ->> 'channel') id, due_at FROM reports
                WHERE state = 'pending' AND chat IS NOT NULL AND due_at <= $1
                  AND (lease_until IS NULL OR lease_until < clock_timestamp())
                ORDER BY chat ->> 'source', chat ->> 'channel', due_at, id
            ), due AS MATERIALIZED (
                SELECT r.id FROM reports r JOIN next USING (id)
                WHERE r.state = 'pending' AND (r.lease_until IS NULL OR r.lease_until < clock_timestamp())
                ORDER BY next.due_at, r.id LIMIT $2 FOR NO KEY UPDATE OF r SKIP LOCKED
            )
            UPDATE reports r
            SET lease = $3, lease_until = clock_timestamp() + $4 * interval '1 millisecond', tries = tries + 1
            FROM due WHERE r.id = due.id
            RETURNING r.*",
            now,
            limit,
            lease.token,
            lease.millis as f64,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Records that a revision was told in a chat, under the chat's own name of the message.
    ///
    /// # Errors
    /// [`StoreError`]: it may be told again.
    pub async fn chat_report_sent(
        &self,
        report: &Report,
        lease: Lease,
        external_ref: Option<&str>,
        now: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* chat_report_sent: fenced by the lease */
            UPDATE reports SET
                sent_revision = $3, external_ref = coalesce($4, external_ref), sent_at = $5, trouble = NULL, tries = 0,
                lease = NULL, lease_until = NULL, state = CASE WHEN revision = $3 THEN 'sent' ELSE 'pending' END
            WHERE id = $1 AND lease = $2",
            report.id.0,
            lease.token,
            report.revision,
            external_ref,
            now,
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Records that a revision was told. A newer revision stays pending.
    ///
    /// # Errors
    /// [`StoreError`]: it may be told again; the footer finds the first one.
    pub async fn report_sent(
        &self,
        report: &Report,
        lease: Lease,
        external_id: Option<i64>,
        external_url: Option<&str>,
        content: Option<&str>,
        now: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* report_sent: fenced by the lease */
            UPDATE reports SET
                sent_revision = $3, external_id = coalesce($4, external_id), external_url = coalesce($5, external_url),
                sent_at = $6, content = coalesce($7, content), trouble = NULL, tries = 0, lease = NULL, lease_until = NULL,
                state = CASE WHEN revision = $3 THEN 'sent' ELSE 'pending' END
            WHERE id = $1 AND lease = $2",
            report.id.0,
            lease.token,
            report.revision,
            external_id,
            external_url,
            now,
            content,
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Gives a report back to be told at `due_at`; with none it has failed for good.
    /// `count` says whether this was a try of its own, or only a wait for somebody's turn.
    ///
    /// # Errors
    /// [`StoreError`]: the lease will run out by itself.
    pub async fn postpone_report(
        &self,
        report: ReportId,
        lease: Lease,
        due_at: Option<Moment>,
        count: bool,
        trouble: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* postpone_report: fenced by the lease */
            UPDATE reports SET
                state = CASE WHEN $3::timestamptz IS NULL THEN 'failed' ELSE 'pending' END,
                due_at = coalesce($3, due_at), trouble = nullif($4, ''),
                tries = CASE WHEN $5 THEN tries ELSE tries - 1 END, lease = NULL, lease_until = NULL
            WHERE id = $1 AND lease = $2",
            report.0,
            lease.token,
            due_at,
            &super::text::bounded(trouble),
            count,
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// A repository has another name now: everything still to be told there goes to the new one.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn reports_moved(&self, repo: i64, owner: &str, name: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "/* reports_moved */ UPDATE reports SET repo_owner = $2, repo_name = $3 WHERE repo_id = $1 AND state = 'pending'",
            repo,
            owner,
            name
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// One report.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn report(&self, id: ReportId) -> Result<Option<Report>, StoreError> {
        Ok(sqlx::query_as!(Report, "/* report */ SELECT * FROM reports WHERE id = $1", id.0)
            .fetch_optional(&self.work)
            .await?)
    }

    /// What is told of a task.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn reports_of_task(&self, task: TaskId) -> Result<Vec<Report>, StoreError> {
        Ok(sqlx::query_as!(
            Report,
            "/* reports_of_task */ SELECT * FROM reports WHERE task_id = $1 ORDER BY id LIMIT 100",
            task.0
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Whether a label is one that the outbox puts on this issue or pull request.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn labels_are_ours(&self, repo: i64, subject: i64, label: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* labels_are_ours */
            SELECT EXISTS (
                SELECT FROM reports r JOIN tasks t ON t.id = r.task_id
                WHERE r.repo_id = $1 AND r.subject_number = $2 AND r.kind = 'labels'
                  AND lower($3) IN (lower(t.report -> 'labels' ->> 'running'), lower(t.report -> 'labels' ->> 'done'),
                                    lower(t.report -> 'labels' ->> 'failed'))) AS "ours!""#,
            repo,
            subject,
            label
        )
        .fetch_one(&self.work)
        .await?)
    }
}
