//! Tasks as lists show them: the prompt, which is most of a row, is left where it lies.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Hold, Task};
use crate::domain::task::{ALL, State};
use crate::domain::trust::MarkerText;
use crate::ids::{DeliveryId, PersonId, TaskId};
use crate::store::{Moment, Page, Store, StoreError, first_id_since};

/// Filters of the list.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only in this repository, `owner/name` in any case.
    pub repo: Option<String>,
    /// Only of this rule.
    pub rule: Option<String>,
    /// Only running as this login, in any case.
    pub person: Option<String>,
    /// Only made at or after this time.
    pub since: Option<Moment>,
}

/// What a list shows of a task, and the marker, which must be taken out of the reason.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct ListedTask {
    pub id: TaskId,
    pub state: State,
    pub reason: String,
    pub hold: Option<Hold>,
    pub needs_person: bool,
    pub rule: String,
    pub source: String,
    pub event: String,
    pub repo_id: i64,
    pub repo_owner: String,
    pub repo_name: String,
    pub subject_kind: String,
    pub subject_number: Option<i64>,
    pub subject_url: String,
    pub actor_id: Option<i64>,
    pub actor_login: String,
    pub person_id: PersonId,
    pub person_login: String,
    pub delivery_id: DeliveryId,
    pub retry_of: Option<TaskId>,
    pub marker: MarkerText,
    pub remote_url: Option<String>,
    pub pull_url: Option<String>,
    pub created_at: Moment,
    pub started_at: Option<Moment>,
    pub changed_at: Moment,
    pub ended_at: Option<Moment>,
}

impl From<Task> for ListedTask {
    fn from(task: Task) -> Self {
        Self {
            id: task.id,
            state: task.state,
            reason: task.reason,
            hold: task.hold,
            needs_person: task.needs_person,
            rule: task.rule,
            source: task.source,
            event: task.event,
            repo_id: task.repo_id,
            repo_owner: task.repo_owner,
            repo_name: task.repo_name,
            subject_kind: task.subject_kind,
            subject_number: task.subject_number,
            subject_url: task.subject_url,
            actor_id: task.actor_id,
            actor_login: task.actor_login,
            person_id: task.person_id,
            person_login: task.person_login,
            delivery_id: task.delivery_id,
            retry_of: task.retry_of,
            marker: task.marker,
            remote_url: task.remote_url,
            pull_url: task.pull_url,
            created_at: task.created_at,
            started_at: task.started_at,
            changed_at: task.changed_at,
            ended_at: task.ended_at,
        }
    }
}

impl Store {
    /// A page of tasks, newest first.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks(&self, filter: &TaskFilter, page: Page) -> Result<Vec<ListedTask>, StoreError> {
        let is_narrowed = filter.state.is_some() || filter.repo.is_some() || filter.rule.is_some();
        if is_narrowed || filter.person.is_some() {
            return self.tasks_of(filter, page).await;
        }
        let mut tx = self.begin_looking().await?;
        let tasks = sqlx::query_as!(
            ListedTask,
            "/* tasks: a part of the primary key */
            SELECT id, state, reason, hold, needs_person, rule, source, event, repo_id, repo_owner, repo_name, subject_kind,
                   subject_number, subject_url, actor_id, actor_login, person_id, person_login, delivery_id, retry_of,
                   marker, remote_url, pull_url, created_at, started_at, changed_at, ended_at
            FROM tasks
            WHERE ($1::uuid IS NULL OR id < $1)
              AND ($2::timestamptz IS NULL OR created_at >= $2)
              AND ($3::uuid IS NULL OR id >= $3)
            ORDER BY id DESC LIMIT $4",
            page.before,
            filter.since,
            filter.since.map(first_id_since),
            page.limit,
        )
        .fetch_all(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(tasks)
    }

    /// The same, narrowed: the newest of each state that is wanted, by the index of what narrows it most. A statement
    /// of its own for the reason of [`Store::deliveries`].
    async fn tasks_of(&self, filter: &TaskFilter, page: Page) -> Result<Vec<ListedTask>, StoreError> {
        let states = filter.state.map_or(ALL.to_vec(), |state| vec![state]);
        let mut tx = self.begin_looking().await?;
        let tasks = sqlx::query_as!(
            ListedTask,
            "/* tasks_of: state and id are bounded and ordered together, so that no walk of the primary key is planned,
                which would read everything for a state that is rare */
            WITH newest AS (
                SELECT t.id FROM UNNEST($2::text[]) AS wanted (state) CROSS JOIN LATERAL (
                    SELECT id FROM tasks
                    WHERE (state, id) < (wanted.state, coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
                      AND (state, id) >= (wanted.state, coalesce($7, '00000000-0000-0000-0000-000000000000'::uuid))
                      AND ($3::text IS NULL OR lower(repo_owner || '/' || repo_name) = lower($3))
                      AND ($4::text IS NULL OR rule = $4)
                      AND ($5::text IS NULL OR lower(person_login) = lower($5))
                      AND ($6::timestamptz IS NULL OR created_at >= $6)
                    ORDER BY state DESC, id DESC LIMIT $8) t
                ORDER BY t.id DESC LIMIT $8
            )
            SELECT id, state, reason, hold, needs_person, rule, source, event, repo_id, repo_owner, repo_name, subject_kind,
                   subject_number, subject_url, actor_id, actor_login, person_id, person_login, delivery_id, retry_of,
                   marker, remote_url, pull_url, created_at, started_at, changed_at, ended_at
            FROM tasks JOIN newest USING (id) ORDER BY id DESC",
            page.before,
            &states as &[State],
            filter.repo,
            filter.rule,
            filter.person,
            filter.since,
            filter.since.map(first_id_since),
            page.limit,
        )
        .fetch_all(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(tasks)
    }

    /// The newest tasks that run as a person, whatever their login was then: all, or those that have not ended; everywhere, or in
    /// one repository.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_of_person(
        &self,
        person: PersonId,
        repo_id: Option<i64>,
        live: bool,
        limit: i64,
    ) -> Result<Vec<ListedTask>, StoreError> {
        let mut tx = self.begin_looking().await?;
        let tasks = sqlx::query_as!(
            ListedTask,
            "/* tasks_of_person: what is live by an index of its own, and all by the time when it was made */
            SELECT id, state, reason, hold, needs_person, rule, source, event, repo_id, repo_owner, repo_name, subject_kind,
                   subject_number, subject_url, actor_id, actor_login, person_id, person_login, delivery_id, retry_of,
                   marker, remote_url, pull_url, created_at, started_at, changed_at, ended_at
            FROM tasks
            WHERE person_id = $1 AND ($2::bigint IS NULL OR repo_id = $2) AND (NOT $3::boolean OR ended_at IS NULL)
            ORDER BY created_at DESC, id DESC LIMIT $4",
            person.0,
            repo_id,
            live,
            limit,
        )
        .fetch_all(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(tasks)
    }

    /// How the prompts of these tasks begin, in so many characters.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn prompts_begin(&self, tasks: &[TaskId], longest: i32) -> Result<HashMap<TaskId, String>, StoreError> {
        let ids: Vec<Uuid> = tasks.iter().map(|id| id.0).collect();
        let begun = sqlx::query!(
            r#"/* prompts_begin */
            SELECT id AS "id: TaskId", left(prompt, $2) AS "text!" FROM tasks WHERE id = ANY($1)"#,
            &ids,
            longest
        )
        .fetch_all(&self.work)
        .await?;
        Ok(begun.into_iter().map(|row| (row.id, row.text)).collect())
    }

    /// The tasks that a delivery became.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_of_delivery(&self, delivery: DeliveryId) -> Result<Vec<ListedTask>, StoreError> {
        Ok(sqlx::query_as!(
            ListedTask,
            "/* tasks_of_delivery */
            SELECT id, state, reason, hold, needs_person, rule, source, event, repo_id, repo_owner, repo_name, subject_kind,
                   subject_number, subject_url, actor_id, actor_login, person_id, person_login, delivery_id, retry_of,
                   marker, remote_url, pull_url, created_at, started_at, changed_at, ended_at
            FROM tasks WHERE delivery_id = $1 ORDER BY id LIMIT 100",
            delivery.0
        )
        .fetch_all(&self.work)
        .await?)
    }
}
