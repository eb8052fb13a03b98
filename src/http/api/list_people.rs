//! `GET /api/v1/people`

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Read};
use super::faults::Usual;
use super::paging::{Filters, Listing, Page};
use super::query::{Asked, FromQuery, Query};
use crate::http::problem::Problem;
use crate::ids::PersonId;
use crate::pipeline::Bridge;

/// Nothing narrows it.
#[derive(Debug, IntoParams)]
pub(super) struct Everybody {}

impl Filters for Everybody {
    const LIST: &'static str = "people";
}

impl FromQuery for Everybody {
    fn read(_: &Asked) -> Result<Self, Problem> {
        Ok(Self {})
    }
}

/// A person whose token is held. The token is never shown.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PersonView {
    /// The GitHub account number.
    id: i64,
    /// The login when last looked up.
    login: String,
    /// `ok`, or `reauth_required` once GitHub has refused the token.
    token_state: String,
    /// Why it was refused.
    token_reason: Option<String>,
    /// When the token ends, if it says so.
    token_expires_at: Option<DateTime<Utc>>,
    /// When the person was first added.
    added_at: DateTime<Utc>,
    /// When GitHub last said that the token is theirs.
    checked_at: DateTime<Utc>,
    /// Rules that may run as this person although someone else triggered them.
    consents: Vec<String>,
}

/// People, by account number.
#[utoipa::path(
    get, path = "/api/v1/people", tag = "people", params(Listing<Everybody>), security(("key" = ["read"])),
    responses((status = 200, description = "A page of people, by account number.", body = Page<PersonView>), Usual)
)]
pub(super) async fn list_people(
    _caller: Caller<Read>,
    State(bridge): State<Bridge>,
    Query(Listing { filters: Everybody {}, paging }): Query<Listing<Everybody>>,
) -> Result<Json<Page<PersonView>>, Problem> {
    let after = paging.after.map(|place| i64::try_from(place).unwrap_or(i64::MAX));
    let people = bridge.store.people(after, paging.fetch()).await?;
    let ids: Vec<PersonId> = people.iter().map(|person| person.id).collect();
    let mut consents: HashMap<PersonId, Vec<String>> = HashMap::new();
    for (person, rule) in bridge.store.consents_of(&ids).await? {
        consents.entry(person).or_default().push(rule);
    }
    let place = |person: &crate::store::people::Person| u128::try_from(person.id.0).unwrap_or(0);
    Ok(Json(paging.page(people, place, |person| PersonView {
        id: person.id.0,
        login: person.login,
        token_state: person.token_state,
        token_reason: person.token_reason,
        token_expires_at: person.token_expires_at,
        added_at: person.added_at,
        checked_at: person.checked_at,
        consents: consents.remove(&person.id).unwrap_or_default(),
    })))
}
