//! Tries to start a task: the row is committed before the request leaves.

use super::{Moment, Store, StoreError, Tx};
use crate::ids::{AttemptId, PersonId, TaskId};

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Outcome {
    /// GitHub made the task.
    Created,
    /// It surely made nothing; later again.
    Deferred,
    /// It refused.
    Refused,
    /// It does not accept the token any more.
    Unauthorized,
    /// Nobody knows.
    Unknown,
    /// Unknown at first, then found.
    Adopted,
    /// Unknown at first, then shown not to exist.
    Absent,
}

/// An attempt as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Attempt {
    pub id: AttemptId,
    pub task_id: TaskId,
    pub number: i32,
    pub person_id: PersonId,
    pub began_at: Moment,
    pub ended_at: Option<Moment>,
    pub outcome: Option<String>,
    pub http_status: Option<i32>,
    pub message: Option<String>,
}

impl Tx {
    /// Writes down that a request is about to leave.
    ///
    /// # Errors
    /// [`StoreError`]: the request must not leave.
    pub async fn begin_attempt(
        &mut self,
        id: AttemptId,
        task: TaskId,
        number: i32,
        person: PersonId,
        now: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* begin_attempt */
            INSERT INTO attempts (id, task_id, number, person_id, began_at) VALUES ($1, $2, $3, $4, $5)",
            id.0,
            task.0,
            number,
            person.0,
            now
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes down what came of the newest attempt of a task.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn end_attempt(
        &mut self,
        task: TaskId,
        outcome: Outcome,
        http_status: Option<u16>,
        message: &str,
        now: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* end_attempt */
            UPDATE attempts SET outcome = $2, http_status = coalesce($3, http_status), message = nullif($4, ''), ended_at = $5
            WHERE task_id = $1 AND number = (SELECT max(number) FROM attempts WHERE task_id = $1)",
            task.0,
            outcome as Outcome,
            http_status.map(i32::from),
            &super::text::bounded(message),
            now
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Store {
    /// The attempts of a task, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn attempts(&self, task: TaskId) -> Result<Vec<Attempt>, StoreError> {
        Ok(sqlx::query_as!(
            Attempt,
            "/* attempts */ SELECT * FROM attempts WHERE task_id = $1 ORDER BY number LIMIT 100",
            task.0
        )
        .fetch_all(&self.work)
        .await?)
    }
}
