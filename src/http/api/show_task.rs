//! `GET /api/v1/tasks/{id}`

use axum::Json;
use axum::extract::State;

use super::caller::{Caller, Read};
use super::faults::{NotFound, Usual};
use super::given::Id;
use super::query::{Nothing, Query};
use super::views::task::{Story, TaskDetail};
use crate::http::problem::Problem;
use crate::ids::TaskId;
use crate::pipeline::Bridge;
use crate::store::tasks::story::UsageOf;

/// One task with its story.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", tag = "tasks", params(("id" = uuid::Uuid, Path, description = "The task.")),
    security(("key" = ["read"])), responses((status = 200, description = "The task.", body = TaskDetail), Usual, NotFound)
)]
pub(super) async fn show_task(
    _caller: Caller<Read>,
    State(bridge): State<Bridge>,
    Id(id): Id,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<TaskDetail>, Problem> {
    let id = TaskId(id);
    let store = &bridge.store;
    let task = store.task(id).await?.ok_or_else(|| Problem::not_found("There is no task with this id (any more)."))?;
    let watch_began = bridge.ground.now() - bridge.settings.settled_watch;
    let is_watched = task.ended_at.is_none_or(|ended| ended > watch_began);
    let story = Story {
        attempts: store.attempts(id).await?,
        timeline: store.timeline(id).await?,
        sessions: store.sessions(id).await?,
        usage: store.usage(UsageOf::Task(id)).await?,
        reports: store.reports_of_task(id).await?,
        next_round: if is_watched { store.next_round(task.person_id).await? } else { None },
    };
    Ok(Json(TaskDetail::new(task, story)))
}
