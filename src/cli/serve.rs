//! `taskbridge serve`: the service. It stops in two beats: on the first signal it takes no new work and lets
//! what runs end; on the second, or after the grace, it drops the rest, whose leases then run out.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::log::{self, LogForm};
use super::open::{Opened, Owning, load, open};
use super::stop::{Hangup, Stop};
use super::{CliError, live_of};
use crate::clock::Ground;
use crate::config::{Config, Loaded, Reader, needs_restart};
use crate::http::state::Intake;
use crate::http::{AppState, Server, ServerSettings, router};
use crate::pipeline::chat::socket::Patience;
use crate::pipeline::match_rules::not_ready;
use crate::pipeline::record::recorder;
use crate::pipeline::{Bridge, Live};
use crate::store::embedded::EmbeddedPostgres;
use crate::workers::{Workers, sockets};

/// How often the configuration's files are looked at for a change.
const RELOAD_POLL: Duration = Duration::from_secs(2);
/// How often the private PostgreSQL is looked after.
const TEND: Duration = Duration::from_secs(2);
/// How often counts of refused requests are written down.
const FLUSH: Duration = Duration::from_secs(5);

/// Run the service.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The form of log lines on standard error.
    #[arg(long, value_enum, default_value = "text")]
    log: LogForm,
    /// Listen here instead of where the configuration says.
    #[arg(long)]
    listen: Option<std::net::SocketAddr>,
}

impl Serve {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        // PostgreSQL's own remarks ("exists, skipping") are no news to an operator.
        log::start(self.log, "info,sqlx::postgres::notice=warn");
        let stop = Stop::listen(Hangup::IsNotForUs)?;
        // From the first moment on, as without a listener it would end the process.
        let hangup = signal(SignalKind::hangup())
            .map_err(|error| CliError::Said(format!("signals cannot be received: {error}")))?;
        let loaded = load(config)?;
        let listen = match self.listen {
            Some(listen) => listen,
            None => *loaded.config.server.listen,
        };
        // Before the database: a second instance must say so at once, without touching anything.
        let server = match bind(&loaded, listen).await {
            Ok(server) => server,
            // Whoever has the address is most often ourselves, on the same folder: that says more.
            Err(error) => return Err(super::open::occupied(&loaded.config).unwrap_or(error)),
        };
        let mut opened =
            open(&loaded, Ground::system(), Owning::Service, &stop, |text| tracing::info!("{text}")).await?;
        let running = Running::start(&loaded, &opened, server);
        tracing::info!(
            address = %running.address,
            rules = loaded.rules.rules.len(),
            version = loaded.rules.version,
            "taskbridge serves; webhooks go to /hooks/<source>"
        );
        tell_not_ready(&opened.bridge).await;
        let outcome = tokio::select! {
            outcome = until_told_to_stop(&opened.bridge, config, &loaded.config, &stop, hangup) => outcome,
            never = tend(opened.embedded.as_mut()) => match never {},
        };
        tracing::info!("stopping: no new work is taken, what runs is let end");
        let grace = Duration::from(loaded.config.github.timeout) + Duration::from_secs(5);
        tokio::select! {
            () = running.stop(grace) => {}
            () = stop.told_again() => tracing::warn!("stopped at once; what was dropped is taken up again when its lease runs out"),
        }
        opened.close().await?;
        tracing::info!("stopped");
        outcome
    }
}

/// How long a client may take none of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may be used, however busy it is.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(600);

/// Listens at an address, with the bounds of the configuration.
pub(super) async fn bind(loaded: &Loaded, listen: std::net::SocketAddr) -> Result<Server, CliError> {
    let config = &loaded.config.server;
    Ok(Server::bind(ServerSettings {
        listen,
        header_timeout: config.header_timeout.into(),
        write_timeout: WRITE_TIMEOUT,
        lifetime: CONNECTION_LIFETIME,
        max_connections: usize::try_from(config.max_connections).unwrap_or(usize::MAX),
    })
    .await?)
}

/// The server, the writer, the workers and small chores of a process.
pub(super) struct Running {
    pub address: std::net::SocketAddr,
    stop: CancellationToken,
    doors: tokio::task::JoinSet<()>,
    workers: Workers,
}

impl Running {
    pub(super) fn start(loaded: &Loaded, opened: &Opened, server: Server) -> Self {
        let bridge = opened.bridge.clone();
        let config = &loaded.config.server;
        let bytes = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let intake = Arc::new(Intake::new(
            bytes(config.max_body_bytes),
            config.body_timeout.into(),
            bytes(config.bodies_in_flight_bytes),
        ));
        let (recorder, writer) = recorder(bridge.store.clone(), bridge.ground.clone());
        let stop = CancellationToken::new();
        let address = server.address();
        let mut doors = tokio::task::JoinSet::new();
        doors.spawn(writer.run());
        doors.spawn(sockets::run(bridge.clone(), recorder.clone(), Patience::default(), stop.clone()));
        let state = AppState { bridge: bridge.clone(), recorder, intake: Arc::clone(&intake) };
        // The router holds the recorder: when the last connection is gone, the writer ends.
        doors.spawn(server.run(router(state), stop.clone()));
        doors.spawn(flush(bridge.clone(), intake, stop.clone()));
        Self { address, stop, doors, workers: Workers::start(&bridge) }
    }

    pub(super) async fn stop(mut self, grace: Duration) {
        self.stop.cancel();
        let doors = async { while self.doors.join_next().await.is_some() {} };
        let (doors, workers) = tokio::join!(tokio::time::timeout(grace, doors), self.workers.stop(grace));
        if doors.is_err() || !workers {
            tracing::warn!("not everything ended in time; what was dropped is taken up again when its lease runs out");
        }
    }
}

async fn flush(bridge: Bridge, intake: Arc<Intake>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(FLUSH) => {}
        }
        if let Err(error) = intake.refused.flush(&bridge).await {
            tracing::warn!(%error, "counts of refused requests are kept in memory for now");
        }
    }
    let _ = intake.refused.flush(&bridge).await;
}

/// Starts the private PostgreSQL again whenever it has ended by itself.
async fn tend(embedded: Option<&mut EmbeddedPostgres>) -> Infallible {
    let Some(embedded) = embedded else { return std::future::pending().await };
    loop {
        tokio::time::sleep(TEND).await;
        match embedded.revive().await {
            Ok(false) => {}
            Ok(true) => tracing::warn!("the private PostgreSQL had ended by itself, and was started again"),
            Err(error) => {
                tracing::error!(%error, "the private PostgreSQL has ended and does not start; it is tried again");
            }
        }
    }
}

/// Waits for a signal to stop; meanwhile reloads on SIGHUP and when a file of the configuration changes.
async fn until_told_to_stop(
    bridge: &Bridge,
    config: &Path,
    started: &Config,
    stop: &Stop,
    mut hangup: tokio::signal::unix::Signal,
) -> Result<(), CliError> {
    let mut seen = fingerprint(config.to_owned()).await;
    loop {
        let asked = tokio::select! {
            () = stop.told() => return Ok(()),
            _ = hangup.recv() => true,
            () = tokio::time::sleep(RELOAD_POLL) => false,
        };
        let now = fingerprint(config.to_owned()).await;
        if asked || now != seen {
            seen = now;
            reload(bridge, config, started).await;
        }
    }
}

/// Says which rules cannot run as the person they name, before an event finds out.
async fn tell_not_ready(bridge: &Bridge) {
    match not_ready(&bridge.store, &bridge.live().rules.rules, bridge.ground.now()).await {
        Ok(told) => told.iter().for_each(|told| tracing::warn!("{told}")),
        Err(error) => tracing::warn!(%error, "whether those agreed as whom rules run could not be looked up"),
    }
}

async fn fingerprint(config: PathBuf) -> Option<String> {
    tokio::task::spawn_blocking(move || crate::config::fingerprint(&config, &Reader::system())).await.ok()
}

/// Validated whole, then swapped; a bad file keeps the old rules running and says so. What of a good one is not swapped is
/// named.
async fn reload(bridge: &Bridge, config: &Path, started: &Config) {
    let loaded = match crate::config::load(config, &Reader::system()) {
        Ok(loaded) => loaded,
        Err(faults) => {
            tracing::error!(
                kept = bridge.live().rules.version,
                "the configuration was not reloaded, the old rules stay in force:\n{faults}"
            );
            return;
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let needs_restart = needs_restart(started, &loaded.config);
    let live = Live { needs_restart: needs_restart.clone(), ..live_of(&loaded, bridge.github.host()) };
    let version = live.rules.version.clone();
    let kept = bridge.store.keep_rule_version(&version, &live.rules.source_json, bridge.ground.now()).await;
    if let Err(error) = kept {
        tracing::error!(%error, "the configuration was not reloaded: its version could not be stored");
        return;
    }
    bridge.swap(live);
    tell_not_ready(bridge).await;
    tracing::info!(version, "rules and sources were reloaded, and receivers with them");
    if !needs_restart.is_empty() {
        let sections = needs_restart.join(", ");
        tracing::warn!(sections, "these sections have changed since the start and take effect with the next one only");
    }
}
