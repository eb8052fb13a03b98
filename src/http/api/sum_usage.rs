//! `GET /api/v1/usage`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Read};
use super::faults::{NotFound, Usual};
use super::query::{Asked, FromQuery, Query};
use super::views::task::UsageView;
use crate::http::problem::Problem;
use crate::pipeline::Bridge;
use crate::store::tasks::story::UsageOf;

/// Whose usage is asked for: exactly one of them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageAsked {
    /// Of the tasks that this rule made.
    #[param(pattern = "^[^\\u0000]+$", max_length = 255)]
    rule: Option<String>,
    /// Of the tasks that worked in the repository of this number.
    #[param(minimum = 1)]
    repo: Option<i64>,
    /// Of the tasks that ran as the person of this login.
    #[param(pattern = "^[^\\u0000]+$", max_length = 255)]
    person: Option<String>,
}

impl FromQuery for UsageAsked {
    fn read(asked: &Asked) -> Result<Self, Problem> {
        let text = |name| asked.text(name).map(|text| text.map(str::to_owned));
        let read = Self { rule: text("rule")?, repo: asked.number("repo")?, person: text("person")? };
        let given = [read.rule.is_some(), read.repo.is_some(), read.person.is_some()];
        if given.into_iter().filter(|given| *given).count() == 1 {
            return Ok(read);
        }
        let detail = "Give exactly one of the parameters `rule`, `repo` and `person`.";
        Err(Problem::new(StatusCode::BAD_REQUEST, "bad-parameter", "Parameter unusable", detail))
    }
}

/// What was used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    /// A sum for each kind; empty when nothing was used.
    usage: Vec<UsageView>,
}

/// What the kept tasks of a rule, a repository or a person used.
#[utoipa::path(
    get, path = "/api/v1/usage", tag = "usage", params(UsageAsked), security(("key" = ["read"])),
    responses((status = 200, description = "Sums by kind.", body = Usage), Usual, NotFound)
)]
pub(super) async fn sum_usage(
    _caller: Caller<Read>,
    State(bridge): State<Bridge>,
    Query(asked): Query<UsageAsked>,
) -> Result<Json<Usage>, Problem> {
    let store = &bridge.store;
    let sums = match (asked.rule, asked.repo, asked.person) {
        (Some(rule), _, _) => store.usage(UsageOf::Rule(&rule)).await?,
        (_, Some(repo), _) => store.usage(UsageOf::Repo(repo)).await?,
        (_, _, login) => {
            // Logins change owners; the account that was checked last has it now.
            let people = store.people_by_login(&login.unwrap_or_default()).await?;
            let none = || Problem::not_found("taskbridge knows no person of this login.");
            store.usage(UsageOf::Person(people.first().ok_or_else(none)?.id)).await?
        }
    };
    Ok(Json(Usage { usage: sums.into_iter().map(UsageView::from).collect() }))
}
