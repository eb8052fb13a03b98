//! `GET /api/v1/deliveries`

use axum::Json;
use axum::extract::State as Part;
use chrono::{DateTime, Utc};
use utoipa::IntoParams;

use super::caller::{Caller, Read};
use super::faults::Usual;
use super::paging::{Page, Paging};
use super::query::{Asked, FromQuery, Query};
use super::views::delivery::DeliverySummary;
use crate::http::problem::Problem;
use crate::pipeline::Bridge;
use crate::store;
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
    #[expect(dead_code, reason = "read through `paging`; the field is the description")]
    /// Rows in a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    #[expect(dead_code, reason = "read through `paging`; the field is the description")]
    /// `next_cursor` of the page before, with the same filters.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    #[param(ignore)]
    paging: Paging,
}

impl FromQuery for DeliveriesAsked {
    fn read(asked: &Asked) -> Result<Self, Problem> {
        Ok(Self {
            source: asked.text("source")?.map(str::to_owned),
            state: asked.word("state")?,
            event: asked.text("event")?.map(str::to_owned),
            since: asked.moment("since")?,
            limit: None,
            cursor: None,
            paging: asked.paging("deliveries")?,
        })
    }
}

/// Deliveries, newest first.
#[utoipa::path(
    get, path = "/api/v1/deliveries", tag = "deliveries", params(DeliveriesAsked), security(("key" = ["read"])),
    responses((status = 200, description = "A page of deliveries, newest first.", body = Page<DeliverySummary>), Usual)
)]
pub(super) async fn list_deliveries(
    _caller: Caller<Read>,
    Part(bridge): Part<Bridge>,
    Query(asked): Query<DeliveriesAsked>,
) -> Result<Json<Page<DeliverySummary>>, Problem> {
    let DeliveriesAsked { source, state, event, since, paging, .. } = asked;
    let page = store::Page { before: paging.after.map(uuid::Uuid::from_u128), limit: paging.fetch() };
    let deliveries = bridge.store.deliveries(&DeliveryFilter { source, state, event, since }, page).await?;
    Ok(Json(paging.page(deliveries, |delivery| delivery.id.0.as_u128(), DeliverySummary::from)))
}
