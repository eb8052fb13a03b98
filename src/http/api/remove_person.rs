//! `DELETE /api/v1/people/{id}`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Admin, Caller};
use super::faults::{NotFound, Usual};
use super::given::Account;
use super::query::{Nothing, Query};
use crate::http::problem::Problem;
use crate::ids::PersonId;
use crate::pipeline::revoke::AtGithub;
use crate::pipeline::{Bridge, people};

/// What became of what somebody had given the app at GitHub.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum GrantState {
    /// It was ended there.
    Ended,
    /// There was none: the token was added by hand, and whoever made it ends it at GitHub.
    NotOurs,
    /// It could not be ended; the person does it on `page`.
    Alive,
}

/// Somebody who was removed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Removed {
    /// The GitHub account number.
    id: i64,
    /// What became of what they had given the app at GitHub.
    at_github: GrantState,
    /// Where the person ends it, if that could not be done.
    page: Option<String>,
    /// Whether it is tried again from here, for a day.
    tried_again: bool,
}

/// Remove a person, with the token, all consents and chat accounts.
///
/// What waits to be started for them is held, and what they gave the app is ended at GitHub. It is what
/// `taskbridge people remove` does.
#[utoipa::path(
    delete, path = "/api/v1/people/{id}", tag = "people",
    params(("id" = i64, Path, description = "The GitHub account number.", minimum = 1)), security(("key" = ["admin"])),
    responses((status = 200, description = "The person is removed.", body = Removed), Usual, NotFound)
)]
pub(super) async fn remove_person(
    caller: Caller<Admin>,
    State(bridge): State<Bridge>,
    Account(id): Account,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<Removed>, Problem> {
    let removed = people::remove(&bridge, PersonId(id), people::REMOVED).await?;
    let at_github = removed.ok_or_else(|| Problem::not_found("There is nobody with this account number here."))?;
    tracing::info!(person = id, by = caller.name, "a person was removed");
    let (at_github, page, tried_again) = match at_github {
        AtGithub::Ended => (GrantState::Ended, None, false),
        AtGithub::NotOurs => (GrantState::NotOurs, None, false),
        AtGithub::Alive { page, again } => (GrantState::Alive, Some(page), again),
    };
    Ok(Json(Removed { id, at_github, page, tried_again }))
}
