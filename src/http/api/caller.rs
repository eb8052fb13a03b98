//! Who calls. A handler gets at nothing of the API's without naming the scope that it needs in its own
//! arguments, so that none can forget to ask for a key, and none is answered with connections that the workers need.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::http::problem::{Challenge, Problem};
use crate::pipeline::{Bridge, api_keys};
use crate::store::api_keys::Scope;

/// A caller whose key has at least the scope `S`. Put it first among a handler's arguments: they are read in
/// order, and a stranger is told nothing but that a key is needed.
#[derive(Debug)]
pub struct Caller<S> {
    /// The key's name, which is noted with what it does.
    pub name: String,
    scope: PhantomData<S>,
    /// Held until the handler has ended.
    _room: Room,
}

/// A place among the operators; of those that only look, one among these first.
#[derive(Debug)]
struct Room {
    _looker: Option<OwnedSemaphorePermit>,
    _operator: OwnedSemaphorePermit,
}

impl Room {
    async fn take(bridge: &Bridge, needs: Scope) -> Option<Self> {
        let of = |places: &Arc<Semaphore>| Arc::clone(places).acquire_owned();
        let looker = if needs == Scope::Read { Some(of(&bridge.lookers).await.ok()?) } else { None };
        Some(Self { _looker: looker, _operator: of(&bridge.operators).await.ok()? })
    }
}

/// How long a caller waits for others to be answered.
const PATIENCE: Duration = Duration::from_secs(2);

/// A scope as a type.
pub trait Needs {
    /// The scope.
    const SCOPE: Scope;
}

/// May see.
#[derive(Debug)]
pub struct Read;

/// May steer.
#[derive(Debug)]
pub struct Operate;

/// May do everything.
#[derive(Debug)]
pub struct Admin;

impl Needs for Admin {
    const SCOPE: Scope = Scope::Admin;
}

impl Needs for Read {
    const SCOPE: Scope = Scope::Read;
}

impl Needs for Operate {
    const SCOPE: Scope = Scope::Operate;
}

impl<S, N> FromRequestParts<S> for Caller<N>
where
    S: Send + Sync,
    Bridge: FromRef<S>,
    N: Needs,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let bridge = Bridge::from_ref(state);
        let presented = bearer(&parts.headers)
            .ok_or_else(|| no_key("Send a key of this installation: `Authorization: Bearer tb_…`."))?;
        let Ok(Some(room)) = timeout(PATIENCE, Room::take(&bridge, N::SCOPE)).await else {
            return Err(Problem::unavailable("Too much is asked for at once here. Try again.", 2));
        };
        let key = api_keys::find(&bridge.store, &bridge.ground, presented)
            .await?
            .ok_or_else(|| no_key("This key is not known here, or it was revoked."))?;
        if key.scope < N::SCOPE {
            return Err(too_narrow(key.scope, N::SCOPE));
        }
        Ok(Self { name: key.name, scope: PhantomData, _room: room })
    }
}

/// The presented key, if there is exactly one `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, key) = values.next()?.to_str().ok()?.split_once(' ')?;
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| key.trim())
}

fn no_key(detail: &str) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "no-key", "Key needed", detail);
    Problem { challenge: Some(Challenge::Key), ..problem }
}

fn too_narrow(has: Scope, needs: Scope) -> Problem {
    let detail = format!("This needs a key with the scope `{}`; this key has `{}`.", needs.as_str(), has.as_str());
    let problem = Problem::new(StatusCode::FORBIDDEN, "scope", "Not allowed with this key", detail);
    Problem { challenge: Some(Challenge::Scope(needs)), ..problem }
}
