//! `GET /api/v1/tasks`

use axum::Json;
use axum::extract::State as Part;
use chrono::{DateTime, Utc};
use utoipa::IntoParams;

use super::caller::{Caller, Read};
use super::faults::Usual;
use super::paging::{Filters, Listing, Page};
use super::query::{Asked, FromQuery, Query};
use super::views::task::TaskSummary;
use crate::domain::task::State;
use crate::http::problem::Problem;
use crate::pipeline::Bridge;
use crate::store::tasks::list::TaskFilter;

/// What narrows the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TasksAsked {
    /// Only in this state.
    state: Option<State>,
    /// Only working in this repository, `owner/name` in any case.
    #[param(pattern = "^[^/\\u0000]+/[^/\\u0000]+$", max_length = 255)]
    repo: Option<String>,
    /// Only made by this rule.
    #[param(pattern = "^[^\\u0000]+$", max_length = 255)]
    rule: Option<String>,
    /// Only running as the person of this login, in any case.
    #[param(pattern = "^[^\\u0000]+$", max_length = 255)]
    person: Option<String>,
    /// Only made at or after this moment (RFC 3339).
    since: Option<DateTime<Utc>>,
}

impl Filters for TasksAsked {
    const LIST: &'static str = "tasks";
}

impl FromQuery for TasksAsked {
    fn read(asked: &Asked) -> Result<Self, Problem> {
        Ok(Self {
            state: asked.word("state")?,
            repo: asked.repo("repo")?,
            rule: asked.text("rule")?.map(str::to_owned),
            person: asked.text("person")?.map(str::to_owned),
            since: asked.moment("since")?,
        })
    }
}

/// Tasks, newest first.
#[utoipa::path(
    get, path = "/api/v1/tasks", tag = "tasks", params(Listing<TasksAsked>), security(("key" = ["read"])),
    responses((status = 200, description = "A page of tasks, newest first.", body = Page<TaskSummary>), Usual)
)]
pub(super) async fn list_tasks(
    _caller: Caller<Read>,
    Part(bridge): Part<Bridge>,
    Query(Listing { filters, paging }): Query<Listing<TasksAsked>>,
) -> Result<Json<Page<TaskSummary>>, Problem> {
    let TasksAsked { state, repo, rule, person, since } = filters;
    let tasks = bridge.store.tasks(&TaskFilter { state, repo, rule, person, since }, paging.newest_first()).await?;
    Ok(Json(paging.page(tasks, |task| task.id.0.as_u128(), TaskSummary::from)))
}
