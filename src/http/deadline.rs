//! The longest that a request of the admin API may take. A database that is gone without a word answers nothing, not
//! even an error; the caller is told to come again, and what the request held is let go.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;

/// Longer than the database lets any statement run.
pub const REQUEST: Duration = Duration::from_secs(20);

/// Answers a problem in the place of what takes longer than this.
pub async fn bounded(State(longest): State<Duration>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match tokio::time::timeout(longest, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(path, "a request was given up: the database does not answer");
            Problem::unavailable("The database does not answer in time. Look whether it was done, and try again.", 5)
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn what_does_not_end_is_answered_with_a_problem() {
        let router = axum::Router::new()
            .route("/now", get(async || "now"))
            .route("/never", get(std::future::pending::<()>))
            .layer(from_fn_with_state(Duration::from_millis(20), bounded));
        let ask = |path: &str| router.clone().oneshot(Request::get(path).body(Body::empty()).expect("a request"));
        assert_eq!(ask("/now").await.expect("an answer").status(), 200);
        let late = ask("/never").await.expect("an answer");
        assert_eq!(late.status(), 503);
        assert_eq!(late.headers()["content-type"], "application/problem+json");
        assert!(late.headers().contains_key("retry-after"));
    }
}
