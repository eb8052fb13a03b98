//! Tasks: one row a piece of work. A task is changed by locking its row, changing the struct and
//! saving it, so that what may change is in one statement; what the change means is decided above.

/// What limits are compared with.
pub mod count;
/// Pages of tasks, without their prompts.
pub mod list;
/// Making a task and what its guards count.
pub mod make;
/// The story of a task, and what tasks used.
pub mod story;
/// Taking tasks up: to start, to settle, to look at.
pub mod work;

use serde::Serialize;

use super::{Lease, Moment, Store, StoreError, Tx};
use crate::domain::rule::{Allow, Reporting};
use crate::domain::task::State;
use crate::domain::trust::MarkerText;
use crate::ids::{DeliveryId, PersonId, TaskId};

/// What a held task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Hold {
    /// A usable token of the person it runs as.
    Token,
    /// Someone's approval.
    Approval,
    /// The end of the live task with the same key.
    Turn,
    /// Room under a limit.
    Limit,
    /// The App, to be installed where the agent works.
    Installation,
}

/// Stands for the number of a repository that could not be looked up yet; GitHub's begin with 1. To limits all of them are one
/// repository, until they are known.
pub const REPO_UNKNOWN: i64 = 0;

/// A task as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Task {
    pub id: TaskId,
    pub state: State,
    pub reason: String,
    pub hold: Option<Hold>,
    pub needs_person: bool,
    pub unapproved: bool,
    pub line: i64,
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
    pub allow_rule: sqlx::types::Json<Allow>,
    pub report: sqlx::types::Json<Reporting>,
    pub once_key: Option<String>,
    pub once_idle_s: Option<i64>,
    pub prompt: String,
    pub marker: MarkerText,
    pub model: Option<String>,
    pub custom_agent: Option<String>,
    pub base_ref: Option<String>,
    pub head_ref: Option<String>,
    pub create_pull_request: bool,
    pub attempt_count: i32,
    pub restarts: i16,
    pub empty_listings: i16,
    pub uncertain_since: Option<Moment>,
    pub absent_since: Option<Moment>,
    pub remote_id: Option<String>,
    pub remote_state: Option<String>,
    pub remote_url: Option<String>,
    pub remote_updated_at: Option<Moment>,
    pub branch: Option<String>,
    pub pull_number: Option<i64>,
    pub pull_url: Option<String>,
    pub remote_error: Option<String>,
    pub missing_since: Option<Moment>,
    pub looked_at: Option<Moment>,
    pub look_at: Option<Moment>,
    pub quiet_looks: i16,
    pub event_at: Option<Moment>,
    pub created_at: Moment,
    pub started_at: Option<Moment>,
    pub changed_at: Moment,
    pub ended_at: Option<Moment>,
    pub due_at: Moment,
    pub lease: Option<uuid::Uuid>,
    pub lease_until: Option<Moment>,
    pub chat: Option<sqlx::types::Json<crate::domain::chat::Place>>,
}

impl Task {
    /// `owner/name` of the repository where the agent works.
    #[must_use]
    pub fn repo_full_name(&self) -> String {
        format!("{}/{}", self.repo_owner, self.repo_name)
    }

    /// Gives the lease back.
    pub fn release(&mut self) {
        self.lease = None;
        self.lease_until = None;
    }
}

impl Store {
    /// One task.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(sqlx::query_as!(Task, "/* task */ SELECT * FROM tasks WHERE id = $1", id.0)
            .fetch_optional(&self.work)
            .await?)
    }
}

impl Tx {
    /// One task.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn task(&mut self, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(sqlx::query_as!(Task, "/* task */ SELECT * FROM tasks WHERE id = $1", id.0)
            .fetch_optional(self.connection())
            .await?)
    }

    /// One task, locked until the end of the transaction.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn lock_task(&mut self, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(sqlx::query_as!(Task, "/* lock_task */ SELECT * FROM tasks WHERE id = $1 FOR NO KEY UPDATE", id.0)
            .fetch_optional(self.connection())
            .await?)
    }

    /// One task, locked, if `lease` still holds it: otherwise another worker has taken it over, and
    /// what this one knows is stale.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn lock_leased_task(&mut self, id: TaskId, lease: Lease) -> Result<Option<Task>, StoreError> {
        Ok(self.lock_task(id).await?.filter(|task| task.lease == Some(lease.token)))
    }

    /// Saves what may change of a locked task.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is saved.
    pub async fn save_task(&mut self, task: &Task) -> Result<(), StoreError> {
        sqlx::query!(
            "/* save_task: the row is locked by lock_task */
            UPDATE tasks SET
                state = $2, reason = $3, hold = $4, needs_person = $5, repo_owner = $6, repo_name = $7,
                allow_pending = $8, attempt_count = $9, restarts = $10, empty_listings = $11, uncertain_since = $12,
                remote_id = $13, remote_state = $14, remote_url = $15, remote_updated_at = $16, branch = $17,
                pull_number = $18, pull_url = $19, remote_error = $20, missing_since = $21, looked_at = $22,
                look_at = $23, quiet_looks = $24, started_at = $25, changed_at = $26, ended_at = $27, due_at = $28,
                lease = $29, lease_until = $30, person_login = $31, base_ref = $32, head_ref = $33, unapproved = $34, absent_since = $35,
                repo_id = $36
            WHERE id = $1",
            task.id.0,
            task.state as State,
            task.reason,
            task.hold as Option<Hold>,
            task.needs_person,
            task.repo_owner,
            task.repo_name,
            task.allow_pending,
            task.attempt_count,
            task.restarts,
            task.empty_listings,
            task.uncertain_since,
            task.remote_id,
            task.remote_state,
            task.remote_url,
            task.remote_updated_at,
            task.branch,
            task.pull_number,
            task.pull_url,
            task.remote_error,
            task.missing_since,
            task.looked_at,
            task.look_at,
            task.quiet_looks,
            task.started_at,
            task.changed_at,
            task.ended_at,
            task.due_at,
            task.lease,
            task.lease_until,
            task.person_login,
            task.base_ref,
            task.head_ref,
            task.unapproved,
            task.absent_since,
            task.repo_id,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
