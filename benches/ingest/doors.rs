//! What the product is compared with, behind the product's own server and with the product's own verify step:
//! a door that stores nothing, and one that writes one row a request, as a team would do it at first.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use taskbridge::ids::DeliveryId;
use taskbridge::pipeline::Bridge;
use taskbridge::pipeline::sort;
use taskbridge::pipeline::verify::{Verified, verify};
use taskbridge::secret::Secret;
use taskbridge::store::deliveries::NewDelivery;
use taskbridge::store::{Store, StoreSettings};

/// Connections of the door that writes a row a request: enough that they are not what limits it.
const CONNECTIONS: u32 = 32;

pub(crate) fn verify_only(bridge: &Bridge) -> Router {
    Router::new().route("/hooks/{source}", post(only_verify)).with_state(bridge.clone())
}

async fn only_verify(
    State(bridge): State<Bridge>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    status_of(verify(&bridge.live(), &name, &headers, body, bridge.ground.now()).is_ok())
}

pub(crate) async fn insert_each(bridge: &Bridge, url: &str) -> Router {
    let settings = StoreSettings {
        url: Secret::new(url),
        intake_connections: CONNECTIONS,
        work_connections: 1,
        connect_wait: std::time::Duration::from_secs(10),
    };
    let store = Store::connect(&settings, |_| {}).await.expect("the private server answers");
    Router::new().route("/hooks/{source}", post(verify_and_insert)).with_state((bridge.clone(), store))
}

async fn verify_and_insert(
    State((bridge, store)): State<(Bridge, Store)>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let live = bridge.live();
    let Ok(verified) = verify(&live, &name, &headers, body, bridge.ground.now()) else { return status_of(false) };
    let row = NewDelivery { end: sort::at_once(&bridge, &live, &verified), ..row(&bridge, &verified) };
    status_of(store.record_deliveries(&[row]).await.is_ok())
}

fn row(bridge: &Bridge, verified: &Verified) -> NewDelivery {
    let envelope = verified.envelope();
    NewDelivery {
        id: DeliveryId::new(&bridge.ground),
        source: verified.source().to_owned(),
        hook_id: envelope.hook_id.clone(),
        sender_id: envelope.sender_id.clone(),
        event_name: envelope.event_name.clone(),
        content_type: envelope.content_type.clone(),
        body: verified.body().clone(),
        body_hash: verified.body_hash(),
        received_at: bridge.ground.now(),
        end: None,
    }
}

fn status_of(fine: bool) -> StatusCode {
    if fine { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED }
}
