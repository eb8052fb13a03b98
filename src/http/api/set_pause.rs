//! `PUT /api/v1/pause`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::caller::{Caller, Operate};
use super::faults::{BadBody, Usual};
use super::given::Body;
use super::list_pauses::{Pauses, pauses};
use super::query::{NOT_A_REPO, Nothing, Query, bad, check_text, is_repo};
use crate::http::problem::Problem;
use crate::pipeline::{Bridge, Live};
use crate::store::pauses::{Pause, PauseScope};

/// Longest name and longest reason, in characters.
const LONGEST: usize = 255;

/// A pause to be set or lifted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetPause {
    /// What it covers.
    scope: PauseScope,
    /// Which source, rule or repository (`owner/name`); none for `all`.
    #[schema(max_length = 255)]
    name: Option<String>,
    /// Whether it is to be paused.
    paused: bool,
    /// Why, in words.
    #[schema(max_length = 255)]
    reason: Option<String>,
}

/// Pause everything, a source, a rule or a repository, or lift that again.
///
/// What is paused starts no tasks; deliveries are taken and decided, and kept tasks start when it is lifted.
/// Setting what is set replaces the reason, lifting what is not set changes nothing.
#[utoipa::path(
    put, path = "/api/v1/pause", tag = "pause", request_body = SetPause, security(("key" = ["operate"])),
    responses((status = 200, description = "All pauses after the change.", body = Pauses), Usual, BadBody)
)]
pub(super) async fn set_pause(
    caller: Caller<Operate>,
    State(bridge): State<Bridge>,
    Query(Nothing {}): Query<Nothing>,
    Body(said): Body<SetPause>,
) -> Result<Json<Pauses>, Problem> {
    let reason = said.reason.unwrap_or_default();
    check_text(&reason, LONGEST).map_err(|why| bad("reason", why))?;
    let scope = said.scope;
    let name = named(scope, said.name)?;
    if said.paused {
        known(&bridge.live(), scope, &name)?;
        let paused_at = bridge.ground.now();
        bridge.store.pause(&Pause { scope, name, reason, paused_by: caller.name, paused_at }).await?;
    } else if bridge.store.resume(scope, &name).await? {
        bridge.wake.tasks.notify_one();
    } else {
        // A pause outlives the rule that it names, so only what is neither set nor known is a mistake.
        known(&bridge.live(), scope, &name)?;
    }
    pauses(&bridge).await
}

/// The name as it is stored.
fn named(scope: PauseScope, name: Option<String>) -> Result<String, Problem> {
    let name = name.unwrap_or_default();
    check_text(&name, LONGEST).map_err(|why| bad("name", why))?;
    match scope {
        PauseScope::All if name.is_empty() => Ok(name),
        PauseScope::All => Err(bad("name", "the scope `all` takes none")),
        PauseScope::Source | PauseScope::Rule if name.is_empty() => Err(bad("name", "this scope needs one")),
        PauseScope::Source | PauseScope::Rule => Ok(name),
        PauseScope::Repo if is_repo(&name) => Ok(name.to_lowercase()),
        PauseScope::Repo => Err(bad("name", NOT_A_REPO)),
    }
}

fn known(live: &Live, scope: PauseScope, name: &str) -> Result<(), Problem> {
    let names: Vec<&str> = match scope {
        PauseScope::All | PauseScope::Repo => return Ok(()),
        PauseScope::Source => live.sources.keys().map(String::as_str).collect(),
        PauseScope::Rule => live.rules.rules.iter().map(|rule| rule.name.as_str()).collect(),
    };
    if names.contains(&name) {
        return Ok(());
    }
    let what = if scope == PauseScope::Rule { "rule" } else { "source" };
    let listed: Vec<String> = names.iter().take(50).map(|name| format!("`{name}`")).collect();
    Err(bad("name", &format!("there is no {what} of this name; those in force are {}", listed.join(", "))))
}
