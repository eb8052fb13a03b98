//! The door of the page: it looks who asks, and under which name. All else is decided by the one run that it belongs to, one
//! request after the other, so that a code cannot be used by two at once, and a browser that goes away interrupts nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::sync::{mpsc, oneshot};

use super::pages;
use crate::http::page;

/// Where GitHub sends the browser back to.
pub(super) const BACK: &str = "/made";
/// Longest text of a request that is looked at, in bytes.
const LONGEST: usize = 512;

/// What a browser asks for.
pub(super) enum Asked {
    /// The first page, under an address that only its owner knows.
    Begin {
        /// What the address ends with.
        key: String,
        /// Where the answer goes.
        tell: oneshot::Sender<Response>,
    },
    /// GitHub has sent it back.
    Back {
        /// What it was sent with.
        state: String,
        /// What GitHub gave it.
        code: String,
        /// Where the answer goes.
        tell: oneshot::Sender<Response>,
    },
}

#[derive(Clone)]
struct Desk {
    asks: mpsc::Sender<Asked>,
    /// The only name under which the page is to be asked for: another one leads here too when its owner says so to a browser.
    host: Arc<str>,
    policy: HeaderValue,
}

/// The page's routes.
pub(super) fn router(asks: mpsc::Sender<Asked>, address: SocketAddr, web_url: &str) -> Router {
    let desk = Desk { asks, host: address.to_string().into(), policy: page::policy(web_url) };
    Router::new()
        .route(BACK, get(back))
        .route("/{key}", get(begin))
        .fallback(async || pages::nothing())
        .layer(from_fn_with_state(desk.clone(), guarded))
        .with_state(desk)
}

async fn begin(State(desk): State<Desk>, Path(key): Path<String>) -> Response {
    let (tell, told) = oneshot::channel();
    answered(&desk, Asked::Begin { key: bounded(key), tell }, told).await
}

async fn back(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let field = |name: &str| {
        let mut all = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
        let value = all.next().map(|(_, value)| value.into_owned()).unwrap_or_default();
        // Two of one name are none.
        if all.next().is_some() { String::new() } else { bounded(value) }
    };
    let (tell, told) = oneshot::channel();
    answered(&desk, Asked::Back { state: field("state"), code: field("code"), tell }, told).await
}

fn bounded(text: String) -> String {
    if text.len() > LONGEST { String::new() } else { text }
}

async fn answered(desk: &Desk, asked: Asked, told: oneshot::Receiver<Response>) -> Response {
    let sent = desk.asks.send(asked).await.is_ok();
    match told.await {
        Ok(page) if sent => page,
        _ => pages::over().into_response(),
    }
}

async fn guarded(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let mut response = match (is_own_name(request.headers(), &desk.host), request.method()) {
        (false, _) => pages::elsewhere(&desk.host).into_response(),
        // Also no HEAD: it would be answered as the same by the routes, and use up what it looks at.
        (true, &Method::GET) => next.run(request).await,
        (true, _) => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    };
    page::guard(response.headers_mut(), desk.policy);
    // The form goes to GitHub, which may want to know from where; the rest of the address is for its owner alone.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    response
}

fn is_own_name(headers: &HeaderMap, host: &str) -> bool {
    let mut names = headers.get_all(header::HOST).iter();
    names.next().is_some_and(|name| name.as_bytes() == host.as_bytes()) && names.next().is_none()
}
