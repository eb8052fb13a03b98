//! `/connect`: where people sign in for themselves, see what is kept of them, and leave. Plain pages without scripts. A
//! GET changes nothing but the one that GitHub sends the browser back with, and that one only in the browser that began.

mod account;
mod cookies;
mod frame;
mod pages;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use self::cookies::{Kept, Site};
use super::deadline::REQUEST;
use super::page;
use super::state::AppState;
use crate::domain::identity::Identity;
use crate::pipeline::Bridge;
use crate::pipeline::links;
use crate::pipeline::sign_in::{self, Account, NotSignedIn};
use crate::secret::Secret;
use crate::store::StoreError;

/// Most bytes of a form.
const FORM: usize = 4096;
/// How many of their tasks a person is shown.
const TASKS: i64 = 20;

/// The routes of this folder.
pub fn routes(bridge: &Bridge) -> Router<AppState> {
    Router::new()
        .route("/", get(root))
        .route("/connect", get(look))
        .route("/connect/", get(home))
        .route("/connect/start", get(home).post(start))
        .route("/connect/callback", get(callback))
        .route("/connect/disconnect", get(home).post(disconnect))
        .route("/connect/leave", get(home).post(leave))
        .route("/connect/account", get(home).post(connect_account))
        .route("/connect/{link}", get(look_at_link).post(start_with_link))
        .layer(DefaultBodyLimit::max(FORM))
        .layer(from_fn(bounded))
        .layer(from_fn_with_state(page::policy(bridge.github.web_url()), guarded))
}

/// A page, or the one for what went wrong.
type Shown = Result<Response, Sorry>;

/// A page for what went wrong; boxed, because a response is large.
struct Sorry(Box<Response>);

impl Sorry {
    fn with(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl axum::response::IntoResponse for Sorry {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The site, or the page that says that there is none.
fn site(bridge: &Bridge) -> Result<Site, Sorry> {
    let configured = bridge.settings.connect_url.as_deref().filter(|_| bridge.github.oauth().is_some());
    configured.and_then(Site::of).ok_or_else(|| Sorry::with(failed(None, &NotSignedIn::NotConfigured)))
}

/// The bare address, typed by a person; where nobody can sign in there is nothing at it.
async fn root(State(bridge): State<Bridge>, uri: Uri) -> Response {
    match site(&bridge) {
        Ok(site) => see_other(site.url()),
        Err(_) => super::problem::no_route(uri).await.into_response(),
    }
}

/// An address that only a form leads to, looked at again: from the history, or typed.
async fn home(State(bridge): State<Bridge>) -> Shown {
    Ok(see_other(site(&bridge)?.url()))
}

async fn look(State(bridge): State<Bridge>, headers: HeaderMap) -> Shown {
    let site = site(&bridge)?;
    match signed_in(&bridge, &site, &headers).await? {
        None => Ok(pages::welcome(&site).into_response()),
        Some((account, _)) => {
            let tasks = bridge.store.tasks_of_person(account.person.id, None, false, TASKS).await.map_err(away)?;
            // Where nothing can be shown to one account alone, its owner enters it here.
            let live = bridge.live();
            let mut chats = live.sources.values().filter_map(|source| source.chat.as_ref());
            let enters = chats.any(|side| side.platform.answers_at_the_door());
            Ok(account::account(&site, &account, &tasks, enters, bridge.ground.now()).into_response())
        }
    }
}

async fn signed_in(bridge: &Bridge, site: &Site, headers: &HeaderMap) -> Result<Option<(Account, String)>, Sorry> {
    let Some(session) = site.read(headers, Kept::Session) else { return Ok(None) };
    let account = sign_in::account(bridge, &session).await.map_err(away)?;
    Ok(account.map(|account| (account, session)))
}

async fn start(State(bridge): State<Bridge>, headers: HeaderMap) -> Shown {
    begin(&bridge, &headers, None).await
}

async fn start_with_link(State(bridge): State<Bridge>, Path(link): Path<String>, headers: HeaderMap) -> Shown {
    begin(&bridge, &headers, Some(&link)).await
}

async fn begin(bridge: &Bridge, headers: &HeaderMap, link: Option<&str>) -> Shown {
    let site = site(bridge)?;
    own_page(&site, headers)?;
    let begun = sign_in::begin(bridge, link).await.map_err(|error| Sorry::with(failed(Some(&site), &error)))?;
    let mut response = see_other(&begun.url);
    site.set(&mut response, Kept::SignIn, begun.browser.expose(), sign_in::SIGN_IN_LASTS);
    Ok(response)
}

async fn look_at_link(State(bridge): State<Bridge>, Path(link): Path<String>) -> Shown {
    let site = site(&bridge)?;
    match sign_in::of_link(&bridge, &link).await.map_err(away)? {
        Some(identity) => Ok(pages::of_link(&site, &link, &identity).into_response()),
        None => Err(Sorry::with(failed(Some(&site), &NotSignedIn::LinkGone))),
    }
}

async fn callback(State(bridge): State<Bridge>, RawQuery(query): RawQuery, headers: HeaderMap) -> Shown {
    let site = site(&bridge)?;
    let query = query.unwrap_or_default();
    let field = |name| field(query.as_bytes(), name);
    let (state, code) = (field("state").unwrap_or_default(), field("code"));
    let browser = site.read(&headers, Kept::SignIn).unwrap_or_default();
    let Some(code) = code else {
        sign_in::cancel(&bridge, &browser, &state).await.map_err(away)?;
        return Ok((StatusCode::BAD_REQUEST, pages::cancelled(&site)).into_response());
    };
    let finished = match sign_in::finish(&bridge, &browser, &state, &code).await {
        Ok(finished) => finished,
        Err(error) => {
            // What was finished already may have been finished here: the page was looked at again.
            let before = signed_in(&bridge, &site, &headers).await?.is_some();
            return Err(Sorry::with(failed_beside(Some(&site), &error, before)));
        }
    };
    let mut response = match &finished.code {
        None => see_other(site.url()),
        Some((identity, code)) => {
            let typed = code.as_ref().map(|code| typed(&bridge, identity, code));
            pages::code(&site, &finished.who.login, identity, typed.as_deref()).into_response()
        }
    };
    site.set(&mut response, Kept::Session, finished.session.expose(), sign_in::SESSION_LASTS);
    site.clear(&mut response, Kept::SignIn);
    Ok(response)
}

async fn disconnect(State(bridge): State<Bridge>, headers: HeaderMap, body: Bytes) -> Shown {
    let site = site(&bridge)?;
    let session = own_form(&bridge, &site, &headers, &body)?;
    let at_github = sign_in::disconnect(&bridge, &session).await.map_err(away)?;
    let mut response = match at_github {
        Some(at_github) => pages::disconnected(&site, &at_github).into_response(),
        None => (StatusCode::FORBIDDEN, pages::too_late(&site)).into_response(),
    };
    site.clear(&mut response, Kept::Session);
    Ok(response)
}

async fn connect_account(State(bridge): State<Bridge>, headers: HeaderMap, body: Bytes) -> Shown {
    let site = site(&bridge)?;
    own_form(&bridge, &site, &headers, &body)?;
    let Some((account, _)) = signed_in(&bridge, &site, &headers).await? else {
        return Err(Sorry::with((StatusCode::FORBIDDEN, pages::too_late(&site)).into_response()));
    };
    let name = field(&body, "account").unwrap_or_default();
    match links::code_for_name(&bridge, &name, account.person.id).await.map_err(away)? {
        Some((identity, code)) => {
            let typed = typed(&bridge, &identity, &code);
            Ok(pages::code(&site, &account.person.login, &identity, Some(&typed)).into_response())
        }
        None => Err(Sorry::with((StatusCode::NOT_FOUND, pages::nobody_waits(&site)).into_response())),
    }
}

/// What connects a chat account when it types it.
fn typed(bridge: &Bridge, identity: &Identity, code: &Secret) -> String {
    links::typed(&bridge.live(), identity, &format!("link {}", code.expose()))
}

async fn leave(State(bridge): State<Bridge>, headers: HeaderMap, body: Bytes) -> Shown {
    let site = site(&bridge)?;
    let session = own_form(&bridge, &site, &headers, &body)?;
    sign_in::leave(&bridge, &session).await.map_err(away)?;
    let mut response = see_other(site.url());
    site.clear(&mut response, Kept::Session);
    Ok(response)
}

/// The session of a form that only our page, in the browser of that session, can have sent.
fn own_form(bridge: &Bridge, site: &Site, headers: &HeaderMap, body: &[u8]) -> Result<String, Sorry> {
    own_page(site, headers)?;
    let session = site.read(headers, Kept::Session);
    let form = field(body, "form").unwrap_or_default();
    session
        .filter(|session| sign_in::is_own_form(bridge, session, &form))
        .ok_or_else(|| Sorry::with((StatusCode::FORBIDDEN, pages::too_late(site)).into_response()))
}

/// Browsers say where a form comes from.
fn own_page(site: &Site, headers: &HeaderMap) -> Result<(), Sorry> {
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let own = match (said("sec-fetch-site"), said("origin")) {
        (Some(from), _) if from != "same-origin" => false,
        (_, Some(origin)) => origin == site.origin(),
        (from, None) => from.is_some(),
    };
    if own { Ok(()) } else { Err(Sorry::with((StatusCode::FORBIDDEN, pages::foreign(site)).into_response())) }
}

fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn see_other(url: &str) -> Response {
    let location = HeaderValue::from_str(url).unwrap_or(HeaderValue::from_static("/connect"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// The page for a sign-in that came to nothing. What happened inside goes to the log.
fn failed(site: Option<&Site>, error: &NotSignedIn) -> Response {
    failed_beside(site, error, false)
}

fn failed_beside(site: Option<&Site>, error: &NotSignedIn, signed_in: bool) -> Response {
    let status = match error {
        NotSignedIn::NotConfigured => StatusCode::NOT_FOUND,
        NotSignedIn::LinkGone => StatusCode::GONE,
        NotSignedIn::Stranger => StatusCode::BAD_REQUEST,
        NotSignedIn::OAuth(_) | NotSignedIn::Call(_) | NotSignedIn::EndedMeanwhile => StatusCode::BAD_GATEWAY,
        NotSignedIn::Store(_) | NotSignedIn::Sealed(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    if !matches!(error, NotSignedIn::NotConfigured | NotSignedIn::LinkGone | NotSignedIn::Stranger) {
        tracing::warn!(%error, "a sign-in came to nothing");
    }
    (status, pages::failed(site, error, signed_in)).into_response()
}

fn away(error: StoreError) -> Sorry {
    Sorry::with(failed(None, &NotSignedIn::Store(error)))
}

/// As [`super::deadline::bounded`], for people; the path is not logged, it may hold a link.
async fn bounded(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST * 2, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!("a page of /connect was given up: the database or GitHub does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, pages::slow()).into_response()
        }
    }
}

async fn guarded(State(policy): State<HeaderValue>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    page::guard(response.headers_mut(), policy);
    response
}
