//! Making a task, once for a wish: all in one transaction, with what its guards count.

use sqlx::types::Json;

use super::{Hold, Task};
use crate::domain::chat::Place;
use crate::domain::rule::{Allow, Reporting};
use crate::domain::task::State;
use crate::domain::trust::MarkerText;
use crate::ids::{DeliveryId, PersonId, TaskId};
use crate::store::{Moment, StoreError, Tx};

/// A task to be made. The fields are those of [`Task`], which cannot hold this: a checked statement fills flat rows.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct NewTask {
    pub id: TaskId,
    pub state: State,
    pub reason: String,
    pub hold: Option<Hold>,
    pub rule: String,
    pub rule_version: String,
    pub delivery_id: DeliveryId,
    pub retry_of: Option<TaskId>,
    pub source: String,
    pub host: String,
    pub event: String,
    pub repo_id: i64,
    pub repo_owner: String,
    pub repo_name: String,
    pub origin_repo_id: i64,
    pub origin_owner: String,
    pub origin_name: String,
    pub subject_kind: String,
    pub subject_number: Option<i64>,
    pub subject_url: String,
    pub comment_id: Option<i64>,
    pub comment_on_diff: bool,
    pub label_name: Option<String>,
    pub actor_id: Option<i64>,
    pub actor_login: String,
    pub person_id: PersonId,
    pub person_login: String,
    pub allow_pending: bool,
    pub allow_rule: Allow,
    pub report: Reporting,
    pub once_key: Option<String>,
    pub once_idle_s: Option<i64>,
    pub prompt: String,
    pub marker: MarkerText,
    pub model: Option<String>,
    pub custom_agent: Option<String>,
    pub base_ref: Option<String>,
    pub head_ref: Option<String>,
    pub create_pull_request: bool,
    pub unapproved: bool,
    pub event_at: Option<Moment>,
    pub chat: Option<Place>,
}

impl NewTask {
    /// The same work once more, as a task and an intent of its own.
    #[must_use]
    pub fn again(task: &Task, id: TaskId, marker: MarkerText) -> Self {
        let task = task.clone();
        Self {
            id,
            state: if task.unapproved { State::Held } else { State::Pending },
            reason: if task.unapproved { "it still waits for approval".to_owned() } else { String::new() },
            hold: task.unapproved.then_some(Hold::Approval),
            rule: task.rule,
            rule_version: task.rule_version,
            delivery_id: task.delivery_id,
            retry_of: Some(task.id),
            source: task.source,
            host: task.host,
            event: task.event,
            repo_id: task.repo_id,
            repo_owner: task.repo_owner,
            repo_name: task.repo_name,
            origin_repo_id: task.origin_repo_id,
            origin_owner: task.origin_owner,
            origin_name: task.origin_name,
            subject_kind: task.subject_kind,
            subject_number: task.subject_number,
            subject_url: task.subject_url,
            comment_id: task.comment_id,
            comment_on_diff: task.comment_on_diff,
            label_name: task.label_name,
            actor_id: task.actor_id,
            actor_login: task.actor_login,
            person_id: task.person_id,
            person_login: task.person_login,
            allow_pending: task.allow_pending,
            allow_rule: task.allow_rule.0,
            report: task.report.0,
            once_key: task.once_key,
            once_idle_s: task.once_idle_s,
            prompt: task.prompt,
            marker,
            model: task.model,
            custom_agent: task.custom_agent,
            base_ref: task.base_ref,
            head_ref: task.head_ref,
            create_pull_request: task.create_pull_request,
            unapproved: task.unapproved,
            event_at: task.event_at,
            chat: task.chat.map(|chat| chat.0),
        }
    }
}

impl Tx {
    /// Inserts a task.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is made.
    pub async fn make_task(&mut self, new: &NewTask, now: Moment) -> Result<Task, StoreError> {
        Ok(sqlx::query_as!(
            Task,
            "/* make_task */
            INSERT INTO tasks (
                id, state, reason, hold, rule, rule_version, delivery_id, retry_of, source, host, event,
                repo_id, repo_owner, repo_name, origin_repo_id, origin_owner, origin_name,
                subject_kind, subject_number, subject_url, comment_id, comment_on_diff, label_name,
                actor_id, actor_login, person_id, person_login, allow_pending, allow_rule, report,
                once_key, once_idle_s, prompt, marker, model, custom_agent, base_ref, head_ref,
                create_pull_request, unapproved, created_at, changed_at, due_at, event_at, chat)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                    $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39,
                    $40, $41, $41, $41, $42, $43)
            RETURNING *",
            new.id.0,
            new.state as State,
            new.reason,
            new.hold as Option<Hold>,
            new.rule,
            new.rule_version,
            new.delivery_id.0,
            new.retry_of.map(|id| id.0),
            new.source,
            new.host,
            new.event,
            new.repo_id,
            new.repo_owner,
            new.repo_name,
            new.origin_repo_id,
            new.origin_owner,
            new.origin_name,
            new.subject_kind,
            new.subject_number,
            new.subject_url,
            new.comment_id,
            new.comment_on_diff,
            new.label_name,
            new.actor_id,
            new.actor_login,
            new.person_id.0,
            new.person_login,
            new.allow_pending,
            Json(&new.allow_rule) as _,
            Json(&new.report) as _,
            new.once_key,
            new.once_idle_s,
            new.prompt,
            new.marker.expose(),
            new.model,
            new.custom_agent,
            new.base_ref,
            new.head_ref,
            new.create_pull_request,
            new.unapproved,
            now,
            new.event_at,
            new.chat.as_ref().map(Json) as _,
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// The task that one of these wishes already became, if any.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn task_of_intent(&mut self, keys: &[[u8; 32]]) -> Result<Option<TaskId>, StoreError> {
        let keys: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
        Ok(sqlx::query_scalar!(
            r#"/* task_of_intent */ SELECT task_id AS "id: TaskId" FROM intents WHERE key = ANY($1) ORDER BY made_at LIMIT 1"#,
            &keys as &[&[u8]]
        )
        .fetch_optional(self.connection())
        .await?)
    }

    /// Claims wishes for a task. Answers whether all of them were free; the caller rolls back if not.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is claimed.
    pub async fn claim_intents(&mut self, task: TaskId, keys: &[[u8; 32]], now: Moment) -> Result<bool, StoreError> {
        let distinct: std::collections::BTreeSet<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
        let distinct: Vec<&[u8]> = distinct.into_iter().collect();
        let claimed = sqlx::query!(
            "/* claim_intents: waits for a transaction that is just claiming the same wish */
            INSERT INTO intents (key, task_id, made_at) SELECT key, $2, $3 FROM UNNEST($1::bytea[]) AS k (key)
            ON CONFLICT (key) DO NOTHING",
            &distinct as &[&[u8]],
            task.0,
            now
        )
        .execute(self.connection())
        .await?
        .rows_affected();
        Ok(usize::try_from(claimed).unwrap_or(0) == distinct.len())
    }

    /// The live task that repeats an ended one, if there is one.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn live_retry_of(&mut self, ended: TaskId) -> Result<Option<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* live_retry_of: the ended task's row is locked, so two retries meet here */
            SELECT id AS "id: TaskId" FROM tasks WHERE retry_of = $1 AND ended_at IS NULL LIMIT 1"#,
            ended.0
        )
        .fetch_optional(self.connection())
        .await?)
    }

    /// The newest task with the key of a rule that was made since a moment, or that still holds the key. Alone with the rule,
    /// nobody adds one meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn newest_with_key(
        &mut self,
        rule: &str,
        key: &str,
        since: Moment,
        now: Moment,
    ) -> Result<Option<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* newest_with_key */
            SELECT id AS "id: TaskId" FROM tasks
            WHERE rule = $1 AND once_key = $2
              AND (created_at > $3
                   OR ended_at IS NULL AND NOT (state = 'idle' AND once_idle_s IS NOT NULL
                                                AND changed_at + once_idle_s * interval '1 second' <= $4))
            ORDER BY created_at DESC, line DESC LIMIT 1"#,
            rule,
            key,
            since,
            now
        )
        .fetch_optional(self.connection())
        .await?)
    }

    /// How many notes stand in the story of a task, up to `most`.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn notes_of(&mut self, task: TaskId, most: i64) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* notes_of */
            SELECT count(*) AS "count!" FROM
                (SELECT FROM timeline WHERE task_id = $1 AND kind = 'note' LIMIT $2) notes"#,
            task.0,
            most
        )
        .fetch_one(self.connection())
        .await?)
    }

    /// Live tasks that hold the key of a rule, in their line; a task idle for its time has let go. Alone with
    /// the rule, nobody adds one meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_with_key(&mut self, rule: &str, key: &str, now: Moment) -> Result<Vec<Task>, StoreError> {
        Ok(sqlx::query_as!(
            Task,
            "/* tasks_with_key */
            SELECT * FROM tasks
            WHERE rule = $1 AND once_key = $2 AND ended_at IS NULL
              AND NOT (state = 'idle' AND once_idle_s IS NOT NULL
                       AND changed_at + once_idle_s * interval '1 second' <= $3)
            ORDER BY line LIMIT 100",
            rule,
            key,
            now
        )
        .fetch_all(self.connection())
        .await?)
    }
}
