//! Taking tasks up: to start them, to settle uncertain ones, to look at quiet ones.

use super::Task;
use crate::ids::{PersonId, TaskId};
use crate::store::text::bounded;
use crate::store::unlabels::Labelling;
use crate::store::{Lease, Moment, Store, StoreError, Tx};

/// A task, as whom it runs and where.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct InRepo {
    pub id: TaskId,
    pub person_id: PersonId,
    pub repo_owner: String,
    pub repo_name: String,
    pub changed_at: Moment,
}

impl Store {
    /// Takes pending tasks that are due, at most one a person (a person writes one thing at a time),
    /// leaving out what is paused and people whose turn to write it is not; `shown` as in [`Store::take_turn`].
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn claim_startable(
        &self,
        lease: Lease,
        now: Moment,
        shown: Option<Moment>,
        limit: i64,
    ) -> Result<Vec<Task>, StoreError> {
        Ok(sqlx::query_as!(
            Task,
            "/* claim_startable: picks first, then locks, skipping what another worker is taking */
            WITH next AS MATERIALIZED (
                SELECT DISTINCT ON (person_id) id, due_at FROM tasks t
                WHERE state = 'pending' AND due_at <= $1
                  AND (lease_until IS NULL OR lease_until < clock_timestamp())
                  AND NOT EXISTS (
                      SELECT FROM pauses p
                      WHERE p.scope = 'all' OR (p.scope = 'source' AND p.name = t.source)
                         OR (p.scope = 'rule' AND p.name = t.rule)
                         OR (p.scope = 'repo' AND p.name = lower(t.repo_owner || '/' || t.repo_name)))
                  AND NOT EXISTS (
                      SELECT FROM writers w
                      WHERE w.owner = 'person:' || t.person_id
                        AND (w.free_at > coalesce($5, clock_timestamp()) OR w.lease_until > clock_timestamp()))
                ORDER BY person_id, due_at, id
            ), due AS MATERIALIZED (
                SELECT t.id FROM tasks t JOIN next USING (id)
                WHERE t.state = 'pending' AND (t.lease_until IS NULL OR t.lease_until < clock_timestamp())
                ORDER BY next.due_at LIMIT $2
                FOR NO KEY UPDATE OF t SKIP LOCKED
            )
            UPDATE tasks t SET lease = $3, lease_until = clock_timestamp() + $4 * interval '1 millisecond'
            FROM due WHERE t.id = due.id AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL
            RETURNING t.*",
            now,
            limit,
            lease.token,
            lease.millis as f64,
            shown,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Takes tasks in `starting` whose worker is gone: nobody knows whether their request left.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn claim_abandoned_starts(&self, lease: Lease, limit: i64) -> Result<Vec<Task>, StoreError> {
        Ok(sqlx::query_as!(
            Task,
            "/* claim_abandoned_starts */
            WITH due AS MATERIALIZED (
                SELECT id FROM tasks
                WHERE state = 'starting' AND (lease_until IS NULL OR lease_until < clock_timestamp())
                LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
            )
            UPDATE tasks t SET lease = $2, lease_until = clock_timestamp() + $3 * interval '1 millisecond'
            FROM due WHERE t.id = due.id AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL
            RETURNING t.*",
            limit,
            lease.token,
            lease.millis as f64,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Takes uncertain tasks whose next look is due.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn claim_uncertain(&self, lease: Lease, now: Moment, limit: i64) -> Result<Vec<Task>, StoreError> {
        Ok(sqlx::query_as!(
            Task,
            "/* claim_uncertain */
            WITH due AS MATERIALIZED (
                SELECT id FROM tasks
                WHERE state = 'uncertain' AND due_at <= $1
                  AND (lease_until IS NULL OR lease_until < clock_timestamp())
                ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
            )
            UPDATE tasks t SET lease = $3, lease_until = clock_timestamp() + $4 * interval '1 millisecond'
            FROM due WHERE t.id = due.id AND (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL
            RETURNING t.*",
            now,
            limit,
            lease.token,
            lease.millis as f64,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Takes tasks with a remote task that no list has shown for a while. Their next look is put off
    /// to `next` at once, so that one that cannot be looked at does not hold the queue.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn claim_looks(&self, now: Moment, next: Moment, limit: i64) -> Result<Vec<Task>, StoreError> {
        Ok(sqlx::query_as!(
            Task,
            "/* claim_looks: needs no lease, an observation is idempotent */
            UPDATE tasks t SET look_at = $2 WHERE id = ANY (ARRAY(
                SELECT id FROM tasks WHERE look_at <= $1 AND remote_id IS NOT NULL
                ORDER BY look_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED))
            RETURNING t.*",
            now,
            next,
            limit,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Our tasks among these ids of GitHub's.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_by_remote(&self, host: &str, remote_ids: &[String]) -> Result<Vec<Task>, StoreError> {
        Ok(sqlx::query_as!(
            Task,
            "/* tasks_by_remote */ SELECT * FROM tasks WHERE host = $1 AND remote_id = ANY($2)",
            host,
            remote_ids
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Makes tasks due at once that were to wait: held ones of a person who has a token again.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_held_for_token(&self, person: PersonId) -> Result<Vec<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* tasks_held_for_token */
            SELECT id AS "id: TaskId" FROM tasks WHERE person_id = $1 AND state = 'held' AND hold = 'token'
            ORDER BY id LIMIT 1000"#,
            person.0
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// People with a usable token for whom tasks are still held: whoever gave the token was cut short.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn people_with_held_tasks(&self, now: Moment) -> Result<Vec<PersonId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* people_with_held_tasks */
            SELECT DISTINCT t.person_id AS "id: PersonId" FROM tasks t JOIN people p ON p.id = t.person_id
            WHERE t.state = 'held' AND t.hold = 'token' AND p.token IS NOT NULL AND p.token_state = 'ok'
              AND (p.token_expires_at IS NULL OR p.token_expires_at > $1
                   OR p.refresh_token IS NOT NULL AND coalesce(p.refresh_expires_at, 'infinity') > $1)
            LIMIT 100"#,
            now
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Tasks that wait for a limit and are to be looked at again, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_held_for_a_limit(&self, now: Moment) -> Result<Vec<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* tasks_held_for_a_limit */
            SELECT id AS "id: TaskId" FROM tasks WHERE state = 'held' AND hold = 'limit' AND due_at <= $1
            ORDER BY id LIMIT 100"#,
            now
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Lets tasks that wait for the App be looked at now, also while a look is under way: those in repositories of this
    /// account, or of any if it is not known, or those of a person.
    ///
    /// # Errors
    /// [`StoreError`]: they are looked at a little later.
    pub async fn look_for_the_app_now(
        &self,
        account: Option<&str>,
        person: Option<PersonId>,
        now: Moment,
    ) -> Result<u64, StoreError> {
        Ok(sqlx::query!(
            "/* look_for_the_app_now */
            UPDATE tasks SET due_at = $3 WHERE state = 'held' AND hold = 'installation'
              AND ($1::text IS NULL OR lower(repo_owner) = lower($1)) AND ($2::bigint IS NULL OR person_id = $2)",
            account,
            person.map(|person| person.0),
            now
        )
        .execute(&self.work)
        .await?
        .rows_affected())
    }

    /// Puts the next look for the App off, for one task that waits for it; not if since `looked_at` somebody wants one at once.
    ///
    /// # Errors
    /// [`StoreError`]: it is looked at again at once.
    pub async fn look_for_the_app_at(&self, task: TaskId, looked_at: Moment, at: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* look_for_the_app_at */
            UPDATE tasks SET due_at = $3 WHERE id = $1 AND due_at <= $2 AND state = 'held' AND hold = 'installation'",
            task.0,
            looked_at,
            at
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Tasks that wait for the App and are to be looked at again.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_held_for_the_app(&self, now: Moment) -> Result<Vec<InRepo>, StoreError> {
        Ok(sqlx::query_as!(
            InRepo,
            "/* tasks_held_for_the_app */
            SELECT id, person_id, repo_owner, repo_name, changed_at FROM tasks
            WHERE state = 'held' AND hold = 'installation' AND due_at <= $1 ORDER BY due_at, id LIMIT 100",
            now
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Tasks that wait to be started in repositories of this account, or of any if it is not known.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn waiting_tasks_in(&self, account: Option<&str>) -> Result<Vec<InRepo>, StoreError> {
        Ok(sqlx::query_as!(
            InRepo,
            "/* waiting_tasks_in */
            SELECT id, person_id, repo_owner, repo_name, changed_at FROM tasks
            WHERE state = 'pending' AND ($1::text IS NULL OR lower(repo_owner) = lower($1)) ORDER BY id LIMIT 1000",
            account
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Tasks of this person that wait to be started.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn waiting_tasks_of(&self, person: PersonId) -> Result<Vec<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* waiting_tasks_of */
            SELECT id AS "id: TaskId" FROM tasks WHERE person_id = $1 AND state = 'pending' ORDER BY id LIMIT 100"#,
            person.0
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Held tasks whose turn has come: no live task with their key is older, or it has let go.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_whose_turn_it_is(&self, now: Moment) -> Result<Vec<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* tasks_whose_turn_it_is */
            SELECT id AS "id: TaskId" FROM tasks t
            WHERE state = 'held' AND hold = 'turn' AND NOT EXISTS (
                SELECT FROM tasks o
                WHERE o.rule = t.rule AND o.once_key = t.once_key AND o.ended_at IS NULL AND o.line < t.line
                  AND NOT (o.state = 'idle' AND o.once_idle_s IS NOT NULL
                           AND o.changed_at + o.once_idle_s * interval '1 second' <= $1))
            ORDER BY line LIMIT 100"#,
            now
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Tasks that a label started before it was taken off, and that can still be cancelled without asking GitHub.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn unstarted_by_label(&self, off: Labelling<'_>) -> Result<Vec<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* unstarted_by_label */
            SELECT id AS "id: TaskId" FROM tasks
            WHERE origin_repo_id = $1 AND subject_number = $2 AND lower(label_name) = lower($3)
              AND state IN ('held', 'pending') AND (coalesce(event_at, created_at), delivery_id) < ($4, $5)"#,
            off.repo,
            off.subject,
            &bounded(off.label),
            off.at,
            off.delivery.0,
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Tasks asked for on an issue or pull request that wait for approval, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_held_for_approval(&self, repo: i64, subject: i64) -> Result<Vec<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* tasks_held_for_approval */
            SELECT id AS "id: TaskId" FROM tasks
            WHERE origin_repo_id = $1 AND subject_number = $2 AND state = 'held' AND hold = 'approval'
            ORDER BY id LIMIT 20"#,
            repo,
            subject
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// The person of the live or watched task that works on this branch, if one does.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn task_on_branch(&self, repo: i64, branch: &str) -> Result<Option<(TaskId, PersonId)>, StoreError> {
        let row = sqlx::query!(
            "/* task_on_branch */
            SELECT id, person_id FROM tasks WHERE repo_id = $1 AND branch = $2 ORDER BY id DESC LIMIT 1",
            repo,
            branch
        )
        .fetch_optional(&self.work)
        .await?;
        Ok(row.map(|row| (row.id, row.person_id)))
    }

    /// Asks for a look at one task as soon as possible.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn look_soon(&self, task: TaskId, now: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* look_soon */ UPDATE tasks SET look_at = $2 WHERE id = $1 AND remote_id IS NOT NULL",
            task.0,
            now
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }
}

impl Tx {
    /// Takes a task into `starting`, renewing the lease so that the whole of it lies ahead.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn renew_lease(&mut self, task: &mut Task, lease: Lease) -> Result<(), StoreError> {
        let until = sqlx::query_scalar!(
            r#"/* renew_lease */ SELECT clock_timestamp() + $1 * interval '1 millisecond' AS "until!""#,
            lease.millis as f64
        )
        .fetch_one(self.connection())
        .await?;
        task.lease = Some(lease.token);
        task.lease_until = Some(until);
        Ok(())
    }
}
