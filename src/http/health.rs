//! `/healthz`: the process lives. `/readyz`: it can do its work, that is, the database answers and takes what comes.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::problem::Problem;
use super::state::AppState;
use crate::pipeline::Bridge;

/// How long the database may take to answer, so that a probe is not kept waiting.
const PATIENCE: Duration = Duration::from_secs(2);

/// The routes of this file.
pub fn routes() -> Router<AppState> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(bridge): State<Bridge>) -> Result<&'static str, Problem> {
    match tokio::time::timeout(PATIENCE, bridge.store.check()).await {
        Ok(Ok(())) => Ok("ready\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the database does not answer or takes nothing");
            Err(Problem::unavailable("The database does not answer, or has no room left.", 2))
        }
        Err(_) => Err(Problem::unavailable("The database does not answer in time.", 2)),
    }
}
