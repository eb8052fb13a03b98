//! Failures as problem documents (RFC 9457). The text is for the caller; what happened inside goes to the log.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::pipeline::StepError;
use crate::pipeline::steer::SteerError;
use crate::store::StoreError;
use crate::store::api_keys::Scope;

/// A failure as the caller sees it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// What kind of failure, as a stable word: `urn:taskbridge:problem:<word>`.
    #[serde(rename = "type", serialize_with = "as_urn")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16)]
    pub status: StatusCode,
    /// What is wrong with this request and what to do.
    pub detail: String,
    /// A page where it can be done, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub link: Option<Box<str>>,
    /// The parameter that is wrong, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parameter: Option<Box<str>>,
    /// The tasks in the way, if there are any.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub tasks: Box<[String]>,
    /// After how many seconds to try again.
    #[serde(skip)]
    pub retry_after_s: Option<u32>,
    /// How to prove who asks, for `WWW-Authenticate`.
    #[serde(skip)]
    pub challenge: Option<Challenge>,
}

/// How a caller can prove that they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// With a key.
    Key,
    /// With a key of this scope (RFC 6750, section 3.1).
    Scope(Scope),
}

impl Challenge {
    fn header(self) -> &'static str {
        match self {
            Self::Key | Self::Scope(Scope::Read) => "Bearer",
            Self::Scope(Scope::Operate) => r#"Bearer error="insufficient_scope", scope="operate""#,
            Self::Scope(Scope::Admin) => r#"Bearer error="insufficient_scope", scope="admin""#,
        }
    }
}

fn as_urn<S: serde::Serializer>(word: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("urn:taskbridge:problem:{word}"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem of kind `word`.
    #[must_use]
    pub fn new(status: StatusCode, word: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: word,
            title,
            status,
            detail: detail.into(),
            link: None,
            parameter: None,
            tasks: Box::default(),
            retry_after_s: None,
            challenge: None,
        }
    }

    /// 503 with a time to try again.
    #[must_use]
    pub fn unavailable(detail: &str, retry_after_s: u32) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available now", detail);
        Self { retry_after_s: Some(retry_after_s), ..problem }
    }

    /// 404 for a thing, not for an address.
    #[must_use]
    pub fn not_found(detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// 500; the log has the rest.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "Something went wrong inside taskbridge. The log says what.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_passing() {
            tracing::warn!(%error, "a request could not be answered: the database is away");
            return Self::unavailable("The database does not answer. Try again.", 2);
        }
        tracing::error!(%error, "a request failed in the database");
        Self::internal()
    }
}

impl From<StepError> for Problem {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Store(error) => error.into(),
            StepError::Illegal(error) => {
                tracing::error!(%error, "a request asked for a step that its task does not allow");
                Self::internal()
            }
        }
    }
}

impl From<SteerError> for Problem {
    fn from(error: SteerError) -> Self {
        match error {
            SteerError::NotFound => Self::not_found("There is none with this id here (any more)."),
            SteerError::Conflict { message, link, tasks } => {
                let problem = Self::new(StatusCode::CONFLICT, "conflict", "Not possible now", sentence(&message));
                Self {
                    link: link.map(String::into_boxed_str),
                    tasks: tasks.iter().map(ToString::to_string).collect(),
                    ..problem
                }
            }
            SteerError::Store(error) => error.into(),
        }
    }
}

/// The pipeline's words as a sentence.
fn sentence(words: &str) -> String {
    let mut rest = words.chars();
    let first: String = rest.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry) = (self.status, self.retry_after_s);
        let challenge = self.challenge;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge.header()));
        }
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// No such route.
pub async fn no_route(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(StatusCode::NOT_FOUND, "no-route", "No such address", format!("There is nothing at {path}."))
}

/// The route has no such method.
pub async fn no_method(method: Method) -> Problem {
    let detail = format!("This address does not take {method}.");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no-method", "Method not allowed", detail)
}

/// A handler panicked.
#[must_use]
pub fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("no text"), "a handler panicked");
    Problem::internal().into_response()
}
