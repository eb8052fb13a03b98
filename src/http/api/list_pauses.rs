//! `GET /api/v1/pause`

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Caller, Read};
use super::faults::Usual;
use super::query::{Nothing, Query};
use crate::http::problem::Problem;
use crate::pipeline::Bridge;
use crate::store::pauses::PauseScope;

/// All that is paused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pauses {
    /// Each pause; empty when nothing is paused.
    pauses: Vec<PauseView>,
}

/// What starts nothing for now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PauseView {
    /// What it covers.
    scope: PauseScope,
    /// Which source, rule or repository.
    name: Option<String>,
    /// Why.
    reason: String,
    /// The name of the key that paused it.
    paused_by: String,
    /// When.
    paused_at: DateTime<Utc>,
}

/// What is paused.
#[utoipa::path(
    get, path = "/api/v1/pause", tag = "pause", security(("key" = ["read"])),
    responses((status = 200, description = "All pauses.", body = Pauses), Usual)
)]
pub(super) async fn list_pauses(
    _caller: Caller<Read>,
    State(bridge): State<Bridge>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<Pauses>, Problem> {
    pauses(&bridge).await
}

/// The list, which every change answers too.
pub(super) async fn pauses(bridge: &Bridge) -> Result<Json<Pauses>, Problem> {
    let pauses = bridge.store.pauses().await?.into_iter().map(|pause| PauseView {
        scope: pause.scope,
        name: Some(pause.name).filter(|name| !name.is_empty()),
        reason: pause.reason,
        paused_by: pause.paused_by,
        paused_at: pause.paused_at,
    });
    Ok(Json(Pauses { pauses: pauses.collect() }))
}
