//! `GET /api/v1/deliveries`

use axum::Json;
use axum::extract::State as Part;
use chrono::{DateTime, Utc};
use utoipa::IntoParams;

use super::caller::{Caller, Read};
use super::faults::Usual;
use super::paging::{Filters, Listing, Page};
use super::query::{Asked, FromQuery, Query};
use super::views::delivery::DeliverySummary;
use crate::http::problem::Problem;
use crate::pipeline::Bridge;
use crate::store::deliveries::{DeliveryFilter, DeliveryState};

/// What narrows the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveriesAsked {
    /// Only of this source.
    #[param(pattern = "^[^\\u0000]+$", max_length = 255)]
    source: Option<String>,
    /// Only in this state.
    state: Option<DeliveryState>,
    /// Only of this kind of event, as the sender's header says, for example `issues`.
    #[param(pattern = "^[^\\u0000]+$", max_length = 255)]
    event: Option<String>,
    /// Only received at or after this moment (RFC 3339).
    since: Option<DateTime<Utc>>,
}

impl Filters for DeliveriesAsked {
    const LIST: &'static str = "deliveries";
}

impl FromQuery for DeliveriesAsked {
    fn read(asked: &Asked) -> Result<Self, Problem> {
        Ok(Self {
            source: asked.text("source")?.map(str::to_owned),
            state: asked.word("state")?,
            event: asked.text("event")?.map(str::to_owned),
            since: asked.moment("since")?,
        })
    }
}

/// Deliveries, newest first.
#[utoipa::path(
    get, path = "/api/v1/deliveries", tag = "deliveries", params(Listing<DeliveriesAsked>), security(("key" = ["read"])),
    responses((status = 200, description = "A page of deliveries, newest first.", body = Page<DeliverySummary>), Usual)
)]
pub(super) async fn list_deliveries(
    _caller: Caller<Read>,
    Part(bridge): Part<Bridge>,
    Query(Listing { filters, paging }): Query<Listing<DeliveriesAsked>>,
) -> Result<Json<Page<DeliverySummary>>, Problem> {
    let DeliveriesAsked { source, state, event, since } = filters;
    let deliveries =
        bridge.store.deliveries(&DeliveryFilter { source, state, event, since }, paging.newest_first()).await?;
    Ok(Json(paging.page(deliveries, |delivery| delivery.id.0.as_u128(), DeliverySummary::from)))
}
