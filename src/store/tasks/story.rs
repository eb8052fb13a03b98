//! The story of one task, and what tasks used.

use std::borrow::Cow;

use super::Task;
use crate::ids::{PersonId, TaskId};
use crate::store::text::bounded;
use crate::store::{Moment, Store, StoreError, Tx};

/// One entry of a task's story.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct TimelineEntry {
    pub at: Moment,
    pub kind: String,
    pub from_state: Option<String>,
    pub to_state: Option<String>,
    pub text: String,
}

/// A remote session.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct SessionRow {
    pub task_id: TaskId,
    pub remote_id: String,
    pub state: String,
    pub created_at: Option<Moment>,
    pub completed_at: Option<Moment>,
    pub usage_kind: Option<String>,
    pub usage_nano: Option<i64>,
    pub error: Option<String>,
}

/// What was used, summed over sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSum {
    /// `ai_credits` or `premium_requests`.
    pub kind: String,
    /// Billionths of the kind's unit.
    pub nano: i64,
}

/// Whose usage is summed.
#[derive(Debug, Clone, Copy)]
pub enum UsageOf<'a> {
    /// One task's.
    Task(TaskId),
    /// A rule's.
    Rule(&'a str),
    /// A repository's.
    Repo(i64),
    /// A person's.
    Person(PersonId),
}

impl Store {
    /// The story of a task, oldest first; of a long one the newest thousand entries.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn timeline(&self, task: TaskId) -> Result<Vec<TimelineEntry>, StoreError> {
        Ok(sqlx::query_as!(
            TimelineEntry,
            "/* timeline */
            SELECT at, kind, from_state, to_state, text FROM (
                SELECT * FROM timeline WHERE task_id = $1 ORDER BY seq DESC LIMIT 1000) newest
            ORDER BY seq",
            task.0
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// The sessions of a task, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn sessions(&self, task: TaskId) -> Result<Vec<SessionRow>, StoreError> {
        Ok(sqlx::query_as!(
            SessionRow,
            "/* sessions */ SELECT * FROM sessions WHERE task_id = $1 ORDER BY created_at, remote_id LIMIT 1000",
            task.0
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// What was used, by kind.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn usage(&self, of: UsageOf<'_>) -> Result<Vec<UsageSum>, StoreError> {
        let (rule, repo, person) = match of {
            UsageOf::Task(task) => return self.usage_of_task(task).await,
            UsageOf::Rule(rule) => (Some(rule), None, None),
            UsageOf::Repo(repo) => (None, Some(repo), None),
            UsageOf::Person(person) => (None, None, Some(person.0)),
        };
        let mut tx = self.begin_looking().await?;
        let sums = sqlx::query_as!(
            UsageSum,
            r#"/* usage: planned anew for the key given */
            SELECT s.usage_kind AS "kind!", sum(s.usage_nano)::bigint AS "nano!"
            FROM sessions s JOIN tasks t ON t.id = s.task_id
            WHERE s.usage_kind IS NOT NULL AND s.usage_nano IS NOT NULL AND ($1::text IS NULL OR t.rule = $1)
              AND ($2::bigint IS NULL OR t.repo_id = $2) AND ($3::bigint IS NULL OR t.person_id = $3)
            GROUP BY s.usage_kind ORDER BY s.usage_kind"#,
            rule,
            repo,
            person
        )
        .fetch_all(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(sums)
    }

    async fn usage_of_task(&self, task: TaskId) -> Result<Vec<UsageSum>, StoreError> {
        Ok(sqlx::query_as!(
            UsageSum,
            r#"/* usage_of_task */
            SELECT usage_kind AS "kind!", sum(usage_nano)::bigint AS "nano!" FROM sessions
            WHERE task_id = $1 AND usage_kind IS NOT NULL AND usage_nano IS NOT NULL
            GROUP BY usage_kind ORDER BY usage_kind"#,
            task.0
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// How many pending tasks of the same person are ahead of this one.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_ahead(&self, task: &Task) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* tasks_ahead */
            SELECT count(*) AS "count!" FROM tasks
            WHERE person_id = $1 AND state IN ('pending', 'starting') AND (due_at, id) < ($2, $3)"#,
            task.person_id.0,
            task.due_at,
            task.id.0
        )
        .fetch_one(&self.work)
        .await?)
    }
}

impl Tx {
    /// Adds an entry to the story of a task.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is added.
    pub async fn add_to_timeline(
        &mut self,
        id: uuid::Uuid,
        task: TaskId,
        entry: &TimelineEntry,
    ) -> Result<(), StoreError> {
        self.add_all_to_timeline(&[(id, task, entry)]).await
    }

    /// What was written last into the story of a task.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn newest_entry(&mut self, task: TaskId) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "/* newest_entry */ SELECT text FROM timeline WHERE task_id = $1 ORDER BY seq DESC LIMIT 1",
            task.0
        )
        .fetch_optional(self.connection())
        .await?)
    }

    /// Adds entries to the stories of tasks, in their order.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is added.
    pub async fn add_all_to_timeline(
        &mut self,
        new: &[(uuid::Uuid, TaskId, &TimelineEntry)],
    ) -> Result<(), StoreError> {
        let ids: Vec<uuid::Uuid> = new.iter().map(|(id, ..)| *id).collect();
        let tasks: Vec<uuid::Uuid> = new.iter().map(|(_, task, _)| task.0).collect();
        let moments: Vec<Moment> = new.iter().map(|(.., entry)| entry.at).collect();
        let kinds: Vec<&str> = new.iter().map(|(.., entry)| entry.kind.as_str()).collect();
        let from: Vec<Option<&str>> = new.iter().map(|(.., entry)| entry.from_state.as_deref()).collect();
        let to: Vec<Option<&str>> = new.iter().map(|(.., entry)| entry.to_state.as_deref()).collect();
        let texts: Vec<Cow<'_, str>> = new.iter().map(|(.., entry)| bounded(&entry.text)).collect();
        sqlx::query!(
            "/* add_all_to_timeline */
            INSERT INTO timeline (id, task_id, at, kind, from_state, to_state, text)
            SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[])",
            &ids,
            &tasks,
            &moments,
            &kinds as &[&str],
            &from as &[Option<&str>],
            &to as &[Option<&str>],
            &texts as &[Cow<'_, str>],
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Inserts or updates the sessions of a task. Answers whether any was new or changed.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn save_sessions(&mut self, sessions: &[SessionRow]) -> Result<bool, StoreError> {
        let mut changed = false;
        for session in sessions {
            let error = session.error.as_deref().map(bounded);
            changed |= sqlx::query!(
                "/* save_sessions */
                INSERT INTO sessions (task_id, remote_id, state, created_at, completed_at, usage_kind, usage_nano, error)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT (task_id, remote_id) DO UPDATE SET
                    state = excluded.state, created_at = excluded.created_at, completed_at = excluded.completed_at,
                    usage_kind = coalesce(excluded.usage_kind, sessions.usage_kind),
                    usage_nano = coalesce(excluded.usage_nano, sessions.usage_nano), error = excluded.error
                WHERE (sessions.state, sessions.completed_at, sessions.usage_nano, sessions.error)
                      IS DISTINCT FROM (excluded.state, excluded.completed_at,
                                        coalesce(excluded.usage_nano, sessions.usage_nano), excluded.error)",
                session.task_id.0,
                session.remote_id,
                &bounded(&session.state),
                session.created_at,
                session.completed_at,
                session.usage_kind,
                session.usage_nano,
                error.as_deref() as Option<&str>,
            )
            .execute(self.connection())
            .await?
            .rows_affected()
                == 1;
        }
        Ok(changed)
    }
}
