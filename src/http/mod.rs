//! Doors: they take requests, ask the pipeline, and answer. They never call each other.

/// Admin REST, a verb a file.
pub mod api;
/// What all bodies in flight may hold.
pub mod budget;
/// Where people sign in for themselves.
pub mod connect;
/// How long a request may take.
pub mod deadline;
/// Whether it lives and whether it is ready.
pub mod health;
/// Where webhooks come in.
pub mod hooks;
/// What pages for people have in common.
pub mod page;
/// Connections that do not wait for ever to be read.
mod patient;
/// Failures as RFC 9457 problem documents.
pub mod problem;
/// Connections: deadlines, caps, stopping.
pub mod server;
/// What the handlers ask for.
pub mod state;

pub use server::{Server, ServerSettings};
pub use state::AppState;

use axum::Router;

/// All routes.
pub fn router(state: AppState) -> Router {
    Router::new()
        .merge(hooks::routes())
        .merge(connect::routes(&state.bridge))
        .merge(health::routes())
        .merge(api::routes())
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(problem::panicked))
        .with_state(state)
}
