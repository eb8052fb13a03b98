//! `POST /api/v1/tasks/{id}/cancel`

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

/// Cancel a task that has not started.
///
/// A cancelled task is answered as it is. Once the request to GitHub may have left, the answer is 409 with the
/// link to the page with the stop button: GitHub has no call to stop a task.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/cancel", tag = "tasks",
    params(("id" = uuid::Uuid, Path, description = "The task.")), security(("key" = ["operate"])),
    responses((status = 200, description = "It is cancelled.", body = TaskSummary), Usual, NotFound, Conflict)
)]
pub(super) async fn cancel_task(
    caller: Caller<Operate>,
    State(bridge): State<Bridge>,
    Id(id): Id,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<TaskSummary>, Problem> {
    Ok(Json(steer::cancel(&bridge, TaskId(id), &caller.name).await?.into()))
}
