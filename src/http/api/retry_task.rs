//! `POST /api/v1/tasks/{id}/retry`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::caller::{Caller, Operate};
use super::faults::{BadBody, Conflict, NotFound, Usual};
use super::given::{Id, MaybeBody};
use super::query::{Nothing, Query};
use super::views::task::TaskSummary;
use crate::http::problem::Problem;
use crate::ids::TaskId;
use crate::pipeline::{Bridge, steer};

/// What a person adds to a retry.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retry {
    /// A person has looked and says that GitHub does not have this uncertain task.
    #[serde(default)]
    known_absent: bool,
}

/// Try a task once more.
///
/// One that GitHub refused gets a new attempt, an ended one a new task (the answer is that task, with `retry_of`),
/// an uncertain one a new attempt only with `known_absent`. Pressed twice it makes one attempt: the second press
/// finds the first one's and is answered 409, with or without an `Idempotency-Key`. Limits count a retry like a new task:
/// when one is reached the answer is 409 and says which, and when there is room.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/retry", tag = "tasks", request_body = Option<Retry>,
    params(
        ("id" = uuid::Uuid, Path, description = "The task."),
        ("Idempotency-Key" = Option<String>, Header, description = "Accepted and not needed: the task's state decides.")
    ),
    security(("key" = ["operate"])),
    responses((status = 200, description = "The task that now waits.", body = TaskSummary), Usual, NotFound, Conflict, BadBody)
)]
pub(super) async fn retry_task(
    caller: Caller<Operate>,
    State(bridge): State<Bridge>,
    Id(id): Id,
    Query(Nothing {}): Query<Nothing>,
    MaybeBody(said): MaybeBody<Retry>,
) -> Result<Json<TaskSummary>, Problem> {
    let Retry { known_absent } = said.unwrap_or_default();
    Ok(Json(steer::retry(&bridge, TaskId(id), caller.name.as_str(), known_absent).await?.into()))
}
