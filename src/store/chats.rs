//! Chats: wishes of accounts that are linked to nobody yet, and the few uses of an address for answers.

use super::deliveries::DeliveryState;
use super::{Moment, Store, StoreError, Tx};
use crate::domain::identity::Identity;
use crate::ids::{DeliveryId, TaskId};

/// What a delivery has led to so far.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct LedTo {
    pub state: DeliveryState,
    /// What the one who asked is to be told alone.
    pub whisper: Option<String>,
    /// The newest task.
    pub task: Option<TaskId>,
}

/// Most wishes that one account may have waiting; older ones are dropped for newer.
const WAITING: i64 = 5;

/// An app that its chat no longer lets in.
#[derive(Debug, Clone)]
pub struct EndedApp {
    /// What the chat said.
    pub reason: String,
    /// When.
    pub ended_at: Moment,
}

impl Tx {
    /// Keeps a wish until the account is linked, beside at most a few others of it.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn keep_chat_wish(
        &mut self,
        delivery: DeliveryId,
        who: &Identity,
        now: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* keep_chat_wish */
            INSERT INTO chat_wishes (delivery_id, platform, team, account, made_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (delivery_id) DO NOTHING",
            delivery.0,
            who.platform(),
            who.team(),
            who.account(),
            now
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "/* keep_chat_wish: the newest few */
            DELETE FROM chat_wishes WHERE delivery_id IN (
                SELECT delivery_id FROM chat_wishes WHERE platform = $1 AND team = $2 AND account = $3
                ORDER BY made_at DESC, delivery_id DESC OFFSET $4)",
            who.platform(),
            who.team(),
            who.account(),
            WAITING
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Store {
    /// Takes the wishes of accounts that are linked by now to somebody with a usable token: they are no longer waiting, and
    /// are to be matched again.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn chat_wishes_to_match(&self, now: Moment) -> Result<Vec<DeliveryId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* chat_wishes_to_match */
            SELECT w.delivery_id AS "id: DeliveryId" FROM chat_wishes w
            JOIN identities i ON i.platform = w.platform AND i.team = w.team AND i.account = w.account
            JOIN people p ON p.id = i.person_id
            WHERE p.token IS NOT NULL AND p.token_state = 'ok' AND (p.token_expires_at IS NULL OR p.token_expires_at > $1)
            ORDER BY w.made_at LIMIT 20"#,
            now
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// How many wishes of an account wait until it is linked.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn chat_wishes_of(&self, who: &Identity) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* chat_wishes_of */
            SELECT count(*) AS "count!" FROM chat_wishes WHERE platform = $1 AND team = $2 AND account = $3"#,
            who.platform(),
            who.team(),
            who.account()
        )
        .fetch_one(&self.work)
        .await?)
    }

    /// A wish no longer waits.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn drop_chat_wish(&self, delivery: DeliveryId) -> Result<(), StoreError> {
        sqlx::query!("/* drop_chat_wish */ DELETE FROM chat_wishes WHERE delivery_id = $1", delivery.0)
            .execute(&self.work)
            .await?;
        Ok(())
    }

    /// Counts one use of the address for answers that a delivery carries. Answers whether there was one left: at most `uses`,
    /// and only of a delivery that came after `since`.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn take_answer(&self, delivery: DeliveryId, uses: i16, since: Moment) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* take_answer */
            UPDATE deliveries SET answers = answers + 1 WHERE id = $1 AND answers < $2 AND received_at > $3",
            delivery.0,
            uses,
            since
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// What a delivery has led to so far.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn delivery_led_to(&self, id: DeliveryId) -> Result<Option<LedTo>, StoreError> {
        Ok(sqlx::query_as!(
            LedTo,
            r#"/* delivery_led_to: the first thing told, as a later one is of another time */
            SELECT d.state AS "state: DeliveryState",
                   (SELECT r.content FROM reports r WHERE r.delivery_id = d.id AND r.kind = 'whisper'
                    ORDER BY r.id LIMIT 1) AS whisper,
                   (SELECT t.id FROM tasks t WHERE t.delivery_id = d.id ORDER BY t.id DESC LIMIT 1) AS "task: TaskId"
            FROM deliveries d WHERE d.id = $1"#,
            id.0
        )
        .fetch_optional(&self.work)
        .await?)
    }

    /// The newest tasks that an issue or pull request led to.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn newest_tasks_of_subject(&self, repo: i64, number: i64, limit: i64) -> Result<Vec<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* newest_tasks_of_subject */
            SELECT id AS "id: TaskId" FROM tasks WHERE origin_repo_id = $1 AND subject_number = $2
            ORDER BY id DESC LIMIT $3"#,
            repo,
            number,
            limit
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// The app of a source is no longer let in.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn end_chat_app(&self, source: &str, reason: &str, now: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* end_chat_app: since the first time that it was said */
            INSERT INTO chat_apps (source, reason, ended_at) VALUES ($1, $2, $3)
            ON CONFLICT (source) DO UPDATE SET reason = $2",
            source,
            reason,
            now
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Since when the app of a source is no longer let in, if it is not.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn ended_chat_app(&self, source: &str) -> Result<Option<EndedApp>, StoreError> {
        Ok(sqlx::query_as!(
            EndedApp,
            "/* ended_chat_app */ SELECT reason, ended_at FROM chat_apps WHERE source = $1",
            source
        )
        .fetch_optional(&self.work)
        .await?)
    }

    /// The app of a source is let in again.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn revive_chat_app(&self, source: &str) -> Result<(), StoreError> {
        sqlx::query!("/* revive_chat_app */ DELETE FROM chat_apps WHERE source = $1", source)
            .execute(&self.work)
            .await?;
        Ok(())
    }

    /// The newest tasks that were asked for in this thread, or whose living message it hangs on.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_of_thread(
        &self,
        source: &str,
        channel: &str,
        thread: &str,
        limit: i64,
    ) -> Result<Vec<TaskId>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* tasks_of_thread */
            SELECT id AS "id!: TaskId" FROM (
                SELECT id FROM tasks
                WHERE chat ->> 'thread' = $3 AND chat ->> 'source' = $1 AND chat ->> 'channel' = $2
                UNION
                SELECT task_id FROM reports
                WHERE kind = 'chat' AND external_ref = $3 AND chat ->> 'source' = $1 AND chat ->> 'channel' = $2
            ) found WHERE id IS NOT NULL ORDER BY id DESC LIMIT $4"#,
            source,
            channel,
            thread,
            limit
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Whether the living message of a task was not told yet and still will be.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn chat_message_is_coming(&self, task: TaskId) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* chat_message_is_coming */
            SELECT EXISTS (SELECT FROM reports
                           WHERE task_id = $1 AND kind = 'chat' AND state = 'pending' AND external_ref IS NULL) AS "coming!""#,
            task.0
        )
        .fetch_one(&self.work)
        .await?)
    }

    /// The chat's own name of the living message of a task, once it was told.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn chat_message_of(&self, task: TaskId) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "/* chat_message_of */ SELECT external_ref FROM reports WHERE task_id = $1 AND kind = 'chat'",
            task.0
        )
        .fetch_optional(&self.work)
        .await?
        .flatten())
    }
}
