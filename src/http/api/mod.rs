//! Admin REST v1 (being built).

use axum::Router;

use super::state::AppState;

/// All routes of the admin API.
pub fn routes() -> Router<AppState> {
    Router::new()
}
