//! What stands in the path and in the body of a request, with problem documents for all that can be wrong.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::query::{bad, shown};
use crate::http::problem::Problem;
use crate::http::state::Intake;

/// Longest body, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// The `{id}` of the path.
#[derive(Debug)]
pub struct Id(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = text.and_then(|Path(text)| Uuid::try_parse(&text).ok());
        id.map(Self).ok_or_else(|| bad("id", "it must be an id like `0199d1c8-8f6e-7cc1-9bb2-3f4a5b6c7d8e`"))
    }
}

/// The `{id}` of the path where it is an account's number.
#[derive(Debug)]
pub struct Account(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Account {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = text.and_then(|Path(text)| text.parse().ok()).filter(|id| *id > 0);
        id.map(Self).ok_or_else(|| bad("id", "it must be the number of an account on GitHub"))
    }
}

/// The body, as JSON.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// The body, as JSON, if there is one.
#[derive(Debug)]
pub struct MaybeBody<T>(pub Option<T>);

impl<S, T> FromRequest<S> for MaybeBody<T>
where
    S: Send + Sync,
    Arc<Intake>: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let patience = Arc::<Intake>::from_ref(state).body_timeout;
        let is_json = is_json(request.headers());
        // The router's layer holds the body to `BODY_MAX`.
        let bytes = match tokio::time::timeout(patience, Bytes::from_request(request, state)).await {
            Ok(read) => read.map_err(|rejection| unreadable(&rejection))?,
            Err(_) => {
                let detail = "The body did not arrive in time.";
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "Too slow", detail));
            }
        };
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !is_json {
            let detail = "Send the body as `Content-Type: application/json`.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "Not JSON", detail));
        }
        if bytes.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        parse(&bytes).map(|said| Self(Some(said)))
    }
}

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    Arc<Intake>: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let MaybeBody(said) = MaybeBody::from_request(request, state).await?;
        said.map(Self).ok_or_else(|| bad_body("There is no body; send a JSON object."))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take an array for a struct, field by field.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad_body("The body must be a JSON object."));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let said = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let place = error.path().to_string();
        let place = if place == "." { String::new() } else { format!(" at `{place}`") };
        bad_body(&format!("The body cannot be used{place}: {}.", shown(error.inner())))
    })?;
    json.end().map_err(|_| bad_body("There is more in the body after the JSON object."))?;
    Ok(said)
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = format!("A body has at most {BODY_MAX} bytes here.");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail)
        }
        _ => bad_body("The body ended before it was complete."),
    }
}

/// A 400 about the body.
#[must_use]
pub fn bad_body(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-body", "Body unusable", detail)
}
