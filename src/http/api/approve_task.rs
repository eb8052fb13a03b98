//! `POST /api/v1/tasks/{id}/approve`

use axum::Json;
use axum::extract::State;

use super::caller::{Caller, Operate};
use super::faults::{Conflict, NotFound, Usual};
use super::given::Id;
use super::query::{Nothing, Query};
use super::views::task::TaskSummary;
use crate::http::problem::Problem;
use crate::ids::TaskId;
use crate::pipeline::{Bridge, steer};

/// Let a task go on that waits for approval.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/approve", tag = "tasks",
    params(("id" = uuid::Uuid, Path, description = "The task.")), security(("key" = ["operate"])),
    responses((status = 200, description = "It goes on.", body = TaskSummary), Usual, NotFound, Conflict)
)]
pub(super) async fn approve_task(
    caller: Caller<Operate>,
    State(bridge): State<Bridge>,
    Id(id): Id,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<TaskSummary>, Problem> {
    Ok(Json(steer::approve(&bridge, TaskId(id), &caller.name).await?.into()))
}
