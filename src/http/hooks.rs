//! Where webhooks come in. What a stranger sends costs little until its signature is known to be right, and
//! 2xx is answered only after the delivery is committed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::Serialize;

use super::budget::Held;
use super::problem::Problem;
use super::state::{AppState, Intake};
use crate::chat::teams;
use crate::ids::DeliveryId;
use crate::pipeline::Bridge;
use crate::pipeline::heard::heard;
use crate::pipeline::record::{NotRecorded, Recorder};
use crate::pipeline::sort;
use crate::pipeline::verify::verify;
use crate::sources::{Refusal, Reply};
use crate::store::deliveries::Recorded;

/// The routes of this file.
pub fn routes() -> Router<AppState> {
    Router::new().route("/hooks/{source}", post(receive))
}

/// What the sender is told.
#[derive(Debug, Serialize)]
struct Accepted {
    /// Its id here.
    delivery: String,
    /// `recorded`, or `duplicate` when it came before.
    status: &'static str,
}

async fn receive(
    State(bridge): State<Bridge>,
    State(recorder): State<Recorder>,
    State(intake): State<Arc<Intake>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let live = bridge.live();
    let now = bridge.ground.now();
    let Some(configured) = live.sources.get(&name) else {
        intake.refused.count(now, "", Refusal::UnknownSource.as_str());
        return Err(turned_away(Refusal::UnknownSource));
    };
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|value| value != "identity") {
        intake.refused.count(now, &name, "compressed");
        let detail = "Send the body as it is: no sender needs compression here.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "compressed", "Compressed body", detail));
    }
    let refuse = |refusal: Refusal| {
        intake.refused.count(now, &name, refusal.as_str());
        tracing::debug!(source = name, reason = refusal.as_str(), "a webhook was turned away");
        turned_away(refusal)
    };
    // Before any of the body is taken in: whoever cannot even make it look signed costs no more than a head.
    configured.source.looks_signed(&headers).map_err(refuse)?;
    let (body, _held) = match read(&intake, &headers, body).await {
        Ok(read) => read,
        Err(refused) => {
            let (problem, reason) = *refused;
            intake.refused.count(now, &name, reason);
            return Err(problem);
        }
    };
    // The body may have taken its time to arrive.
    let verified = verify(&live, &name, &headers, body, bridge.ground.now()).map_err(refuse)?;
    let reply = configured.source.reply(verified.envelope(), verified.body());
    if let Reply::AtOnce { content_type, body } = reply {
        return Ok(([(header::CONTENT_TYPE, content_type)], body).into_response());
    }
    let is_ping = verified.envelope().event_name == "ping";
    let end = sort::at_once(&bridge, &live, &verified);
    let waits = end.is_none();
    let patience = configured.source.patience();
    let recorded = recorder.record(verified, end, patience).await.map_err(|error| match error {
        NotRecorded::Unavailable => Problem::unavailable("The delivery could not be recorded. Send it again.", 5),
        NotRecorded::Overloaded => Problem::unavailable("Too many deliveries wait to be recorded. Send it again.", 2),
        NotRecorded::Fault => Problem::internal(),
    })?;
    let accepted = |id, status| Accepted { delivery: format!("{id}"), status };
    match recorded {
        Recorded::New(id) => {
            if waits {
                bridge.wake.deliveries.notify_one();
            }
            let status = if is_ping { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok(match said(&bridge, id, reply).await {
                Some(said) => said,
                None => (status, Json(accepted(id, "recorded"))).into_response(),
            })
        }
        Recorded::Seen(id) => {
            bridge.wake.deliveries.notify_one();
            Ok(match said(&bridge, id, reply).await {
                Some(said) => said,
                None => (StatusCode::ACCEPTED, Json(accepted(id, "duplicate"))).into_response(),
            })
        }
        Recorded::Conflict(id) => {
            intake.refused.count(now, &name, "id_reused");
            tracing::warn!(source = name, first = %id, "a delivery id came again with another body; the first is kept");
            let detail = "This delivery id came before with another body. The first is kept.";
            Err(Problem::new(StatusCode::CONFLICT, "id-reused", "Delivery id reused", detail))
        }
    }
}

/// What a chat is answered once the delivery is recorded; none if it is no chat.
async fn said(bridge: &Bridge, delivery: DeliveryId, reply: Reply) -> Option<Response> {
    let (content_type, body) = match reply {
        Reply::Accepted => return None,
        Reply::Quiet => return Some(StatusCode::OK.into_response()),
        Reply::AtOnce { content_type, body } | Reply::Recorded { content_type, body } => (content_type, body),
        Reply::Heard => ("application/json", teams::answer(&heard(bridge, delivery).await)),
    };
    Some(([(header::CONTENT_TYPE, content_type)], body).into_response())
}

/// Why a request is turned away, without the detail that would help to forge one.
fn turned_away(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::UnknownSource => Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-source",
            "Unknown source",
            "No source of this name is configured.",
        ),
        Refusal::HeaderUnusable => Problem::new(
            StatusCode::BAD_REQUEST,
            "header-unusable",
            "Header unusable",
            "The headers that name the delivery and the event must be there once, and short.",
        ),
        Refusal::SignatureMissing
        | Refusal::SignatureDoubled
        | Refusal::SignatureMalformed
        | Refusal::StampUnusable
        | Refusal::StampStale
        | Refusal::SignatureWrong => {
            Problem::new(StatusCode::UNAUTHORIZED, "not-signed", "Not signed", "The signature is not right.")
        }
    }
}

/// Boxed, because it is rare and large.
type Refused = Box<(Problem, &'static str)>;

/// Reads a body up to the limit, within the deadline and within what all bodies together may hold. The room
/// is held for as long as the body is.
async fn read<'a>(intake: &'a Intake, headers: &HeaderMap, body: Body) -> Result<(Bytes, Held<'a>), Refused> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > intake.max_body_bytes) {
        return Err(too_large(intake));
    }
    let mut held = intake.budget.body(said.unwrap_or(0));
    let all = async {
        let mut body = body;
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| broken())?;
            let Some(data) = frame.data_ref() else { continue };
            let length = bytes.len() + data.len();
            if length > intake.max_body_bytes {
                return Err(too_large(intake));
            }
            if !held.grow(length) {
                return Err(over_budget());
            }
            bytes.extend_from_slice(data);
        }
        Ok(bytes.freeze())
    };
    match tokio::time::timeout(intake.body_timeout, all).await {
        Ok(Ok(bytes)) => Ok((bytes, held)),
        Ok(Err(refused)) => Err(refused),
        Err(_) => {
            let detail = "The body did not arrive in time.";
            Err(Box::new((Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "Too slow", detail), "too_slow")))
        }
    }
}

fn over_budget() -> Refused {
    Box::new((Problem::unavailable("Too many large bodies are arriving. Send it again.", 2), "over_budget"))
}

fn too_large(intake: &Intake) -> Refused {
    let detail = format!("A body has at most {} bytes here.", intake.max_body_bytes);
    Box::new((Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail), "too_large"))
}

fn broken() -> Refused {
    Box::new((
        Problem::new(StatusCode::BAD_REQUEST, "cut", "Body cut", "The body ended before it was complete."),
        "cut",
    ))
}
