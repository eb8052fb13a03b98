//! `GET /api/v1/deliveries/{id}`

use axum::Json;
use axum::extract::State;

use super::caller::{Caller, Read};
use super::faults::{NotFound, Usual};
use super::given::Id;
use super::query::{Nothing, Query};
use super::views::delivery::{DecisionView, DeliveryDetail};
use super::views::task::TaskSummary;
use crate::http::problem::Problem;
use crate::ids::DeliveryId;
use crate::pipeline::{Bridge, explain};

/// One delivery with what the rules said to it.
#[utoipa::path(
    get, path = "/api/v1/deliveries/{id}", tag = "deliveries",
    params(("id" = uuid::Uuid, Path, description = "The delivery.")), security(("key" = ["read"])),
    responses((status = 200, description = "The delivery.", body = DeliveryDetail), Usual, NotFound)
)]
pub(super) async fn show_delivery(
    _caller: Caller<Read>,
    State(bridge): State<Bridge>,
    Id(id): Id,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<DeliveryDetail>, Problem> {
    let id = DeliveryId(id);
    let none = || Problem::not_found("There is no delivery with this id (any more).");
    let delivery = bridge.store.delivery(id).await?.ok_or_else(none)?;
    let explanation = explain::of_delivery(&bridge, id).await?.ok_or_else(none)?;
    Ok(Json(DeliveryDetail {
        explanation: explanation.text(),
        summary: delivery.into(),
        decisions: bridge.store.decisions(id).await?.into_iter().map(DecisionView::from).collect(),
        tasks: bridge.store.tasks_of_delivery(id).await?.into_iter().map(TaskSummary::from).collect(),
    }))
}
