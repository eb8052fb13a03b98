//! `GET /api/v1/status`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Caller, Read};
use super::faults::Usual;
use super::query::{Nothing, Query};
use crate::github::Write;
use crate::http::problem::Problem;
use crate::pipeline::Bridge;
use crate::pipeline::match_rules::not_ready;
use crate::pipeline::sockets::SocketState;

/// How it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    /// The version of taskbridge.
    version: &'static str,
    /// The rules in force.
    rules: Rules,
    /// Sections of the configuration that were changed since this replica started, and take effect when it starts again.
    needs_restart: Vec<&'static str>,
    /// The configured sources.
    sources: Vec<String>,
    /// The chats among them, as this replica sees them.
    chats: Vec<ChatStatus>,
    /// Deliveries that wait for the rules.
    waiting_deliveries: i64,
    /// Webhooks turned away in the last 24 hours (to the hour).
    refused_24h: Vec<Refused>,
    /// Whether anything is paused.
    paused: bool,
    /// Whether GitHub answers.
    github: GithubStatus,
}

/// How a chat stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChatStatus {
    /// The source.
    source: String,
    /// Whether this replica's socket is open; null when requests are posted to an address.
    socket_open: Option<bool>,
    /// What is wrong with the socket, if anything is.
    socket_trouble: Option<String>,
    /// Since when the chat no longer lets the app in; nothing is told there.
    app_gone_since: Option<DateTime<Utc>>,
    /// What the chat said of that.
    app_gone_because: Option<String>,
}

/// Whether GitHub answers this replica.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GithubStatus {
    /// False while calls are held back because GitHub does not answer at all. Webhooks are taken in all the same.
    answers: bool,
    /// False while it answers and yet fails at writes: starts, or comments, labels and reactions. Those are held back.
    takes_writes: bool,
    /// Since when it has not answered.
    away_since: Option<DateTime<Utc>>,
    /// When it is asked again.
    asked_again_at: Option<DateTime<Utc>>,
}

/// The rules in force.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rules {
    /// Hash of what they say.
    version: String,
    /// How many there are.
    count: usize,
    /// What keeps rules from running as the person that they name, a sentence each.
    not_ready: Vec<String>,
}

/// Webhooks turned away.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Refused {
    /// The source; empty when none of the name is configured.
    source: String,
    /// Why, in one word.
    reason: String,
    /// How many.
    count: i64,
}

/// How taskbridge stands.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "status", security(("key" = ["read"])),
    responses((status = 200, description = "How it stands.", body = Status), Usual)
)]
pub(super) async fn show_status(
    _caller: Caller<Read>,
    State(bridge): State<Bridge>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Json<Status>, Problem> {
    let live = bridge.live();
    let mut refused: BTreeMap<(String, String), i64> = BTreeMap::new();
    for hour in bridge.store.refusals(bridge.ground.now() - TimeDelta::hours(24)).await? {
        *refused.entry((hour.source, hour.reason)).or_default() += hour.count;
    }
    let outage = bridge.github.outage();
    let mut chats = Vec::new();
    for (name, _) in live.sources.iter().filter(|(_, source)| source.chat.is_some()) {
        chats.push(chat_status(&bridge, name).await?);
    }
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        rules: Rules {
            version: live.rules.version.clone(),
            count: live.rules.rules.len(),
            not_ready: not_ready(&bridge.store, &live.rules.rules, bridge.ground.now()).await?,
        },
        needs_restart: live.needs_restart.clone(),
        sources: live.sources.keys().cloned().collect(),
        chats,
        waiting_deliveries: bridge.store.waiting_deliveries().await?,
        refused_24h: refused.into_iter().map(|((source, reason), count)| Refused { source, reason, count }).collect(),
        paused: !bridge.store.pauses().await?.is_empty(),
        github: GithubStatus {
            answers: outage.is_none(),
            takes_writes: [Write::Start, Write::Telling].into_iter().all(|write| bridge.github.held(write).is_none()),
            away_since: outage.map(|outage| outage.since),
            asked_again_at: outage.map(|outage| outage.next_probe_at),
        },
    }))
}

async fn chat_status(bridge: &Bridge, source: &str) -> Result<ChatStatus, Problem> {
    let gone = bridge.store.ended_chat_app(source).await?;
    let socket = bridge.sockets.of(source);
    Ok(ChatStatus {
        source: source.to_owned(),
        socket_open: socket.as_ref().map(|state| *state == SocketState::Open),
        socket_trouble: match socket {
            Some(SocketState::Trouble(why)) => Some(why),
            _ => None,
        },
        app_gone_since: gone.as_ref().map(|gone| gone.ended_at),
        app_gone_because: gone.map(|gone| gone.reason),
    })
}
