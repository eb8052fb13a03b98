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
use tokio::sync::OwnedSemaphorePermit;

use super::problem::Problem;
use super::state::{AppState, Intake};
use crate::pipeline::Bridge;
use crate::pipeline::record::{NotRecorded, Recorder};
use crate::pipeline::verify::verify;
use crate::sources::Refusal;
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
    if !live.sources.contains_key(&name) {
        intake.refused.count(now, "", Refusal::UnknownSource.as_str());
        return Err(turned_away(Refusal::UnknownSource));
    }
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|value| value != "identity") {
        intake.refused.count(now, &name, "compressed");
        let detail = "Send the body as it is: no sender needs compression here.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "compressed", "Compressed body", detail));
    }
    let (body, _held) = match read(&intake, &headers, body).await {
        Ok(read) => read,
        Err(refused) => {
            let (problem, reason) = *refused;
            intake.refused.count(now, &name, reason);
            return Err(problem);
        }
    };
    let verified = verify(&live, &name, &headers, body).map_err(|refusal| {
        intake.refused.count(now, &name, refusal.as_str());
        tracing::debug!(source = name, reason = refusal.as_str(), "a webhook was turned away");
        turned_away(refusal)
    })?;
    let is_ping = verified.envelope().event_name == "ping";
    let recorded = recorder.record(verified).await.map_err(|error| match error {
        NotRecorded::Unavailable => Problem::unavailable("The delivery could not be recorded. Send it again.", 5),
        NotRecorded::Overloaded => Problem::unavailable("Too many deliveries wait to be recorded. Send it again.", 2),
        NotRecorded::Fault => Problem::internal(),
    })?;
    let accepted = |id, status| Accepted { delivery: format!("{id}"), status };
    match recorded {
        Recorded::New(id) => {
            bridge.wake.deliveries.notify_one();
            let status = if is_ping { StatusCode::OK } else { StatusCode::ACCEPTED };
            Ok((status, Json(accepted(id, "recorded"))).into_response())
        }
        Recorded::Seen(id) => {
            bridge.wake.deliveries.notify_one();
            Ok((StatusCode::ACCEPTED, Json(accepted(id, "duplicate"))).into_response())
        }
        Recorded::Conflict(id) => {
            intake.refused.count(now, &name, "id_reused");
            tracing::warn!(source = name, first = %id, "a delivery id came again with another body; the first is kept");
            let detail = "This delivery id came before with another body. The first is kept.";
            Err(Problem::new(StatusCode::CONFLICT, "id-reused", "Delivery id reused", detail))
        }
    }
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
        | Refusal::SignatureWrong => {
            Problem::new(StatusCode::UNAUTHORIZED, "not-signed", "Not signed", "The signature is not right.")
        }
    }
}

/// Boxed, because it is rare and large.
type Refused = Box<(Problem, &'static str)>;

/// Reads a body up to the limit, within the deadline and within what all bodies together may hold. The permit
/// is held for as long as the body is.
async fn read(intake: &Intake, headers: &HeaderMap, body: Body) -> Result<(Bytes, OwnedSemaphorePermit), Refused> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > intake.max_body_bytes) {
        return Err(too_large(intake));
    }
    let mut held = hold(intake, said.unwrap_or(0))?;
    let all = async {
        let mut body = body;
        let mut bytes = BytesMut::with_capacity(said.unwrap_or(0));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| broken())?;
            let Some(data) = frame.data_ref() else { continue };
            if bytes.len() + data.len() > intake.max_body_bytes {
                return Err(too_large(intake));
            }
            if bytes.len() + data.len() > held.num_permits() * 1024 {
                held.merge(hold(intake, data.len())?);
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

fn hold(intake: &Intake, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
    let kib = u32::try_from(bytes.div_ceil(1024).max(1)).unwrap_or(u32::MAX);
    Arc::clone(&intake.budget_kib).try_acquire_many_owned(kib).map_err(|_| {
        Box::new((Problem::unavailable("Too many large bodies are arriving. Send it again.", 2), "over_budget"))
    })
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
