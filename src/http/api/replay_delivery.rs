//! `POST /api/v1/deliveries/{id}/replay`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::caller::{Caller, Operate};
use super::faults::{Conflict, NotFound, Usual};
use super::given::Id;
use super::query::{Nothing, Query};
use super::views::delivery::DeliverySummary;
use crate::http::problem::Problem;
use crate::ids::DeliveryId;
use crate::pipeline::{Bridge, steer};

/// Let the rules of now look at a delivery again.
///
/// Refused with 409 when the delivery has tasks, which are listed: tasks are retried, deliveries are not.
#[utoipa::path(
    post, path = "/api/v1/deliveries/{id}/replay", tag = "deliveries",
    params(("id" = uuid::Uuid, Path, description = "The delivery.")), security(("key" = ["operate"])),
    responses((status = 202, description = "It waits for the rules.", body = DeliverySummary), Usual, NotFound, Conflict)
)]
pub(super) async fn replay_delivery(
    caller: Caller<Operate>,
    State(bridge): State<Bridge>,
    Id(id): Id,
    Query(Nothing {}): Query<Nothing>,
) -> Result<(StatusCode, Json<DeliverySummary>), Problem> {
    let id = DeliveryId(id);
    steer::replay(&bridge, id).await?;
    tracing::info!(delivery = %id, key = caller.name, "a delivery is replayed");
    let none = || Problem::not_found("There is no delivery with this id (any more).");
    let delivery = bridge.store.delivery(id).await?.ok_or_else(none)?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}
