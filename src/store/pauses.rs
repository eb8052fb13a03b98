//! The switch that stops starting, for everything or a part; kept work goes on when it is lifted.

use serde::Serialize;

use super::{Moment, Store, StoreError};

/// What a pause covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PauseScope {
    /// Everything.
    All,
    /// One source.
    Source,
    /// One rule.
    Rule,
    /// One repository.
    Repo,
}

/// A pause as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Pause {
    pub scope: PauseScope,
    pub name: String,
    pub reason: String,
    pub paused_by: String,
    pub paused_at: Moment,
}

impl Store {
    /// Pauses. Pausing what is paused replaces the reason.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn pause(&self, pause: &Pause) -> Result<(), StoreError> {
        sqlx::query!(
            "/* pause */
            INSERT INTO pauses (scope, name, reason, paused_by, paused_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (scope, name) DO UPDATE SET reason = $3, paused_by = $4, paused_at = $5",
            pause.scope as PauseScope,
            stored_name(pause.scope, &pause.name),
            &super::text::bounded(&pause.reason),
            pause.paused_by,
            pause.paused_at
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Lifts a pause. Answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn resume(&self, scope: PauseScope, name: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* resume */ DELETE FROM pauses WHERE scope = $1 AND name = $2",
            scope as PauseScope,
            stored_name(scope, name)
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// All pauses.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        Ok(sqlx::query_as!(Pause, "/* pauses */ SELECT * FROM pauses ORDER BY scope, name LIMIT 10000")
            .fetch_all(&self.work)
            .await?)
    }
}

/// GitHub compares the names of repositories without case, and so does the query that takes up tasks.
fn stored_name(scope: PauseScope, name: &str) -> String {
    if scope == PauseScope::Repo { name.to_lowercase() } else { name.to_owned() }
}
