//! Admin REST v1, a verb a file: what operators may see and steer. Every handler calls the same functions of the
//! pipeline as the command line does, and the OpenAPI document is made from the handlers themselves.

/// Who calls.
pub mod caller;
/// Failures, for the description.
pub mod faults;
/// Path and body.
pub mod given;
/// Pages of a list.
pub mod paging;
/// Query parameters.
pub mod query;
/// How records look from outside.
pub mod views;

mod approve_task;
mod cancel_task;
mod list_deliveries;
mod list_pauses;
mod list_people;
mod list_tasks;
mod remove_person;
mod replay_delivery;
mod retry_task;
mod set_pause;
mod show_delivery;
mod show_status;
mod show_task;
mod sum_usage;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use tokio::runtime::Handle;
use tracing::Instrument as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::deadline;
use super::problem::Problem;
use super::state::AppState;

/// The description without the operations, which the handlers bring.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "taskbridge admin API", description = "See and steer what taskbridge does."),
    components(schemas(Problem)),
    modifiers(&Key)
)]
struct Description;

/// How a caller shows who they are.
struct Key;

impl Modify for Key {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let text = "A key of the admin API, `tb_…`. Its scope is `read`, `operate` (and read) or `admin` (everything); \
                    the scope that an operation needs stands with it.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build();
        openapi.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// A caller that hangs up, or whose time is over, ends nothing half way: what it asked for is done, told of and only then lets
/// its connection and its place go, which the database's own limit bounds.
async fn to_its_end(request: Request, next: Next) -> Response {
    let work = next.run(request).in_current_span();
    match Handle::current().spawn(work).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Problem::internal().into_response(),
        },
    }
}

/// All routes of the admin API.
pub fn routes() -> Router<AppState> {
    let (router, document) = described().split_for_parts();
    // Made once: it is the same for every caller.
    let document = Bytes::from(document.to_json().unwrap_or_default());
    let serve = move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], document));
    router
        .route("/openapi.json", get(serve))
        .layer(from_fn(to_its_end))
        .layer(DefaultBodyLimit::max(given::BODY_MAX))
        .layer(from_fn_with_state(deadline::REQUEST, deadline::bounded))
        .layer(map_response(guarded))
}

/// The OpenAPI 3.1 document of the admin API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

fn described() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(list_tasks::list_tasks))
        .routes(routes!(show_task::show_task))
        .routes(routes!(cancel_task::cancel_task))
        .routes(routes!(retry_task::retry_task))
        .routes(routes!(approve_task::approve_task))
        .routes(routes!(list_deliveries::list_deliveries))
        .routes(routes!(show_delivery::show_delivery))
        .routes(routes!(replay_delivery::replay_delivery))
        .routes(routes!(list_people::list_people))
        .routes(routes!(remove_person::remove_person))
        .routes(routes!(sum_usage::sum_usage))
        .routes(routes!(list_pauses::list_pauses, set_pause::set_pause))
        .routes(routes!(show_status::show_status))
}

/// Answers are for the caller alone and are what they say they are.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
