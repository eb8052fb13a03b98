//! Making a task, once for a wish: all in one transaction, with what its guards count.

use std::collections::BTreeSet;

use sqlx::types::Json;

use super::{Hold, Task};
use crate::domain::chat::Place;
use crate::domain::rule::{Allow, Reporting};
use crate::domain::task::State;
use crate::domain::trust::MarkerText;
use crate::ids::{DeliveryId, PersonId, TaskId};
use crate::store::many::column;
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
        self.make_tasks(&[new], now).await?.pop().ok_or(StoreError::Raced)
    }

    /// Inserts tasks, in their order: what comes first stands in front in its line.
    ///
    /// # Errors
    /// [`StoreError`]: none is made.
    pub async fn make_tasks(&mut self, new: &[&NewTask], now: Moment) -> Result<Vec<Task>, StoreError> {
        Ok(sqlx::query_as!(
            Task,
            "/* make_tasks */
            INSERT INTO tasks (
                id, state, reason, hold, rule, rule_version, delivery_id, retry_of, source, host, event,
                repo_id, repo_owner, repo_name, origin_repo_id, origin_owner, origin_name,
                subject_kind, subject_number, subject_url, comment_id, comment_on_diff, label_name,
                actor_id, actor_login, person_id, person_login, allow_pending, allow_rule, report,
                once_key, once_idle_s, prompt, marker, model, custom_agent, base_ref, head_ref,
                create_pull_request, unapproved, event_at, chat, created_at, changed_at, due_at)
            SELECT new.*, $43, $43, $43 FROM UNNEST(
                $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::uuid[],
                $9::text[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::text[], $15::bigint[],
                $16::text[], $17::text[], $18::text[], $19::bigint[], $20::text[], $21::bigint[], $22::bool[],
                $23::text[], $24::bigint[], $25::text[], $26::bigint[], $27::text[], $28::bool[], $29::jsonb[],
                $30::jsonb[], $31::text[], $32::bigint[], $33::text[], $34::text[], $35::text[], $36::text[],
                $37::text[], $38::text[], $39::bool[], $40::bool[], $41::timestamptz[], $42::jsonb[]) AS new
            RETURNING *",
            &column(new, |task| task.id.0),
            &column(new, |task| task.state) as &[State],
            &column(new, |task| task.reason.as_str()) as &[&str],
            &column(new, |task| task.hold) as &[Option<Hold>],
            &column(new, |task| task.rule.as_str()) as &[&str],
            &column(new, |task| task.rule_version.as_str()) as &[&str],
            &column(new, |task| task.delivery_id.0),
            &column(new, |task| task.retry_of.map(|id| id.0)) as &[Option<uuid::Uuid>],
            &column(new, |task| task.source.as_str()) as &[&str],
            &column(new, |task| task.host.as_str()) as &[&str],
            &column(new, |task| task.event.as_str()) as &[&str],
            &column(new, |task| task.repo_id),
            &column(new, |task| task.repo_owner.as_str()) as &[&str],
            &column(new, |task| task.repo_name.as_str()) as &[&str],
            &column(new, |task| task.origin_repo_id),
            &column(new, |task| task.origin_owner.as_str()) as &[&str],
            &column(new, |task| task.origin_name.as_str()) as &[&str],
            &column(new, |task| task.subject_kind.as_str()) as &[&str],
            &column(new, |task| task.subject_number) as &[Option<i64>],
            &column(new, |task| task.subject_url.as_str()) as &[&str],
            &column(new, |task| task.comment_id) as &[Option<i64>],
            &column(new, |task| task.comment_on_diff),
            &column(new, |task| task.label_name.as_deref()) as &[Option<&str>],
            &column(new, |task| task.actor_id) as &[Option<i64>],
            &column(new, |task| task.actor_login.as_str()) as &[&str],
            &column(new, |task| task.person_id.0),
            &column(new, |task| task.person_login.as_str()) as &[&str],
            &column(new, |task| task.allow_pending),
            &column(new, |task| Json(&task.allow_rule)) as &[Json<&Allow>],
            &column(new, |task| Json(&task.report)) as &[Json<&Reporting>],
            &column(new, |task| task.once_key.as_deref()) as &[Option<&str>],
            &column(new, |task| task.once_idle_s) as &[Option<i64>],
            &column(new, |task| task.prompt.as_str()) as &[&str],
            &column(new, |task| task.marker.expose()) as &[&str],
            &column(new, |task| task.model.as_deref()) as &[Option<&str>],
            &column(new, |task| task.custom_agent.as_deref()) as &[Option<&str>],
            &column(new, |task| task.base_ref.as_deref()) as &[Option<&str>],
            &column(new, |task| task.head_ref.as_deref()) as &[Option<&str>],
            &column(new, |task| task.create_pull_request),
            &column(new, |task| task.unapproved),
            &column(new, |task| task.event_at) as &[Option<Moment>],
            &column(new, |task| task.chat.as_ref().map(Json)) as &[Option<Json<&Place>>],
            now,
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// The tasks that wishes already became, each with the wish, in the order in which they were claimed.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_of_intents(&mut self, keys: &[[u8; 32]]) -> Result<Vec<([u8; 32], TaskId)>, StoreError> {
        let keys: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
        let found = sqlx::query!(
            r#"/* tasks_of_intents */
            SELECT key, task_id AS "task: TaskId" FROM intents WHERE key = ANY($1) ORDER BY made_at"#,
            &keys as &[&[u8]]
        )
        .fetch_all(self.connection())
        .await?;
        found
            .into_iter()
            .map(|row| {
                let key = row.key.try_into().map_err(|_| StoreError::Unreadable("a key of intents".to_owned()))?;
                Ok((key, row.task))
            })
            .collect()
    }

    /// Claims wishes for tasks. Answers whether all of them were free; the caller rolls back if not.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is claimed.
    pub async fn claim_intents(&mut self, claims: &[(TaskId, &[[u8; 32]])], now: Moment) -> Result<bool, StoreError> {
        let claims: BTreeSet<(&[u8], uuid::Uuid)> =
            claims.iter().flat_map(|(task, keys)| keys.iter().map(|key| (key.as_slice(), task.0))).collect();
        let (keys, tasks): (Vec<&[u8]>, Vec<uuid::Uuid>) = claims.into_iter().unzip();
        let claimed = sqlx::query!(
            "/* claim_intents: waits for a transaction that is just claiming the same wish */
            INSERT INTO intents (key, task_id, made_at)
            SELECT key, task, $3 FROM UNNEST($1::bytea[], $2::uuid[]) AS k (key, task)
            ON CONFLICT (key) DO NOTHING",
            &keys as &[&[u8]],
            &tasks,
            now
        )
        .execute(self.connection())
        .await?
        .rows_affected();
        Ok(usize::try_from(claimed).unwrap_or(0) == keys.len())
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
