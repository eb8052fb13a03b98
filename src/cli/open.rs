//! From a configuration to the parts put together: database, keys, GitHub, bridge.

use std::path::Path;
use std::time::Duration;

use super::CliError;
use super::live::live_of;
use super::stop::{Hangup, Stop};
use crate::clock::{Ground, SharedClock};
use crate::config::{Config, Loaded, OnUncertain, Reader};
use crate::domain::hourly::Hourly;
use crate::github::{AppSettings, Github, Settings as GithubSettings, SignInSettings};
use crate::pipeline::{Bridge, Settings};
use crate::secret::Secret;
use crate::store::embedded::{EmbeddedError, EmbeddedPostgres};
use crate::store::{Store, StoreSettings};
use crate::vault::{Key, Vault};

/// GitHub's own agent, seen as `Copilot` in payloads (unconfirmed, so only one of several guards).
const AGENT_IDS: [i64; 1] = [198_982_749];

/// How long nothing is said while the tables are brought up to date.
const SILENT: Duration = Duration::from_secs(3);

/// The parts, and the private PostgreSQL if there is one.
pub(super) struct Opened {
    pub bridge: Bridge,
    pub embedded: Option<EmbeddedPostgres>,
}

impl Opened {
    /// Closes the database, and stops the private server last.
    pub(super) async fn close(self) -> Result<(), CliError> {
        self.bridge.store.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
        }
        Ok(())
    }
}

/// Whether the private PostgreSQL is this command's own or may be a running service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owning {
    /// The service: there can be one.
    Service,
    /// A short command, which may run beside the service.
    Beside,
    /// The demo: a private server of its own, whatever the environment says.
    Demo,
}

/// Loads the configuration and shows its warnings.
pub(super) fn load(path: &Path) -> Result<Loaded, CliError> {
    load_with(path, &Reader::system())
}

/// The same for a command that takes in no webhook and asks GitHub nothing, and so needs no secret of either.
pub(super) fn load_with_own_secrets(path: &Path) -> Result<Loaded, CliError> {
    load_with(path, &Reader::system().with_own_secrets())
}

/// The same for one that looks at nothing secret.
pub(super) fn load_without_secrets(path: &Path) -> Result<Loaded, CliError> {
    load_with(path, &Reader::system().without_secrets())
}

fn load_with(path: &Path, reader: &Reader) -> Result<Loaded, CliError> {
    let loaded = crate::config::load(path, reader)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(loaded)
}

/// Whether a short command may make what is not there yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// It puts something into a database, which may be new.
    AnyDatabase,
    /// It is about what is in a database: without one there is nothing to do.
    ADatabaseWithContent,
}

/// Runs a short command, beside a running service or alone, and closes what it opened.
pub(super) async fn beside<T>(
    config: &Path,
    needs: Needs,
    work: impl AsyncFnOnce(&Loaded, &Bridge) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let stop = Stop::listen(Hangup::Stops)?;
    beside_loaded(load_with_own_secrets(config)?, needs, &stop, work).await
}

/// The same for a command that asks GitHub something: without the secrets for it, it would do half its work.
pub(super) async fn beside_and_ask<T>(
    config: &Path,
    needs: Needs,
    work: impl AsyncFnOnce(&Loaded, &Bridge) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let stop = Stop::listen(Hangup::Stops)?;
    beside_loaded(load_with(config, &Reader::system().without_hook_secrets())?, needs, &stop, work).await
}

async fn beside_loaded<T>(
    loaded: Loaded,
    needs: Needs,
    stop: &Stop,
    work: impl AsyncFnOnce(&Loaded, &Bridge) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let folder = &loaded.config.data_dir;
    if needs == Needs::ADatabaseWithContent && is_private(&loaded.config) && !EmbeddedPostgres::exists(folder) {
        return Err(CliError::Said(format!(
            "there is no database yet in {}: `taskbridge serve` makes it. For a database of your own set DATABASE_URL",
            folder.display()
        )));
    }
    let opened = open(&loaded, Ground::system(), Owning::Beside, stop, |text| eprintln!("taskbridge: {text}")).await?;
    let outcome = tokio::select! {
        outcome = work(&loaded, &opened.bridge) => outcome,
        () = stop.told() => Err(CliError::Stopped),
    };
    opened.close().await?;
    outcome
}

/// Puts the parts together.
pub(super) async fn open(
    loaded: &Loaded,
    ground: Ground,
    owning: Owning,
    stop: &Stop,
    mut say: impl FnMut(&str),
) -> Result<Opened, CliError> {
    // Not cut short by a signal: a server half started would be left behind. It has its own deadlines.
    let (url, embedded) = database(&loaded.config, owning, &mut say).await?;
    let private = embedded.is_some() || owning == Owning::Beside && is_private(&loaded.config);
    let put = async {
        if stop.is_told() {
            return Err(CliError::Stopped);
        }
        tokio::select! {
            bridge = put_together(loaded, ground, owning, url, private, &mut say) => bridge,
            () = stop.told() => Err(CliError::Stopped),
        }
    };
    match put.await {
        Ok(bridge) => Ok(Opened { bridge, embedded }),
        Err(error) => {
            if let Some(embedded) = embedded {
                embedded.stop().await?;
            }
            Err(error)
        }
    }
}

async fn put_together(
    loaded: &Loaded,
    ground: Ground,
    owning: Owning,
    url: Secret,
    private: bool,
    say: &mut impl FnMut(&str),
) -> Result<Bridge, CliError> {
    let config = &loaded.config;
    let settings = StoreSettings {
        url,
        intake_connections: config.database.intake_connections,
        work_connections: config.database.worker_connections,
        connect_wait: config.database.connect_wait.into(),
    };
    let store = Store::connect(&settings, |why| say(&format!("waiting for the database: {why}"))).await?;
    bring_up_to_date(&store, say).await?;
    let sealed = store.has_vault_proof().await?;
    let vault = vault(config, owning, private, sealed, &ground, say)?;
    let proof = store.vault_proof(&vault.proof(&ground)).await?;
    vault.verify_proof(&proof).map_err(|error| CliError::Said(error.to_string()))?;
    let github = github(config, &ground)?;
    let live = live_of(loaded, github.host());
    store.keep_rule_version(&live.rules.version, &live.rules.source_json, ground.now()).await?;
    Ok(Bridge::new(store, github, vault, ground, settings_of(config), live))
}

/// The database as it is, for looking: nothing is started, made or brought up to date. None if none runs.
pub(super) async fn look(config: &Config) -> Result<Option<Store>, CliError> {
    let url = match named(config) {
        Some(url) => url,
        None if EmbeddedPostgres::owner(&config.data_dir).is_some() => {
            Secret::new(EmbeddedPostgres::url_beside_owner(&config.data_dir)?)
        }
        None => return Ok(None),
    };
    let connect_wait = Duration::from_secs(2);
    let settings = StoreSettings { url, intake_connections: 1, work_connections: 1, connect_wait };
    Ok(Some(Store::connect(&settings, |_| {}).await?))
}

/// Whoever waits long is told for what.
async fn bring_up_to_date(store: &Store, say: &mut impl FnMut(&str)) -> Result<(), CliError> {
    let work = store.migrate();
    tokio::pin!(work);
    tokio::select! {
        outcome = &mut work => outcome?,
        () = tokio::time::sleep(SILENT) => {
            say("the database's tables are being brought up to date, here or by another process; this waits until it is done");
            work.await?;
        }
    }
    Ok(())
}

/// The address of a database of one's own: configured, or in the environment.
fn named(config: &Config) -> Option<Secret> {
    config.database.url.as_ref().map(|url| url.value().clone()).or_else(|| set("DATABASE_URL").map(Secret::new))
}

/// The address of the database: one's own, or a private server's.
async fn database(
    config: &Config,
    owning: Owning,
    say: &mut impl FnMut(&str),
) -> Result<(Secret, Option<EmbeddedPostgres>), CliError> {
    if let Some(url) = named(config).filter(|_| owning != Owning::Demo) {
        return Ok((url, None));
    }
    match EmbeddedPostgres::start(&config.data_dir, |text| say(text)).await {
        Ok(embedded) => Ok((Secret::new(embedded.url()), Some(embedded))),
        // A running service owns it: a short command goes in beside it.
        Err(EmbeddedError::InUse { .. }) if owning == Owning::Beside => {
            Ok((Secret::new(EmbeddedPostgres::url_beside_owner(&config.data_dir)?), None))
        }
        Err(error) => Err(error.into()),
    }
}

/// That another process runs on the private data folder, if one does.
pub(super) fn occupied(config: &Config) -> Option<CliError> {
    EmbeddedPostgres::owner(&config.data_dir).filter(|_| is_private(config)).map(CliError::from)
}

/// Whether the configuration and the environment name no database.
fn is_private(config: &Config) -> bool {
    named(config).is_none()
}

/// A variable of the environment that says something.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The sealing keys: configured, in the environment, or, for a private installation, generated once.
fn vault(
    config: &Config,
    owning: Owning,
    private: bool,
    sealed: bool,
    ground: &Ground,
    say: &mut impl FnMut(&str),
) -> Result<Vault, CliError> {
    let said = |error: &dyn std::fmt::Display| CliError::Said(error.to_string());
    let mut secrets: Vec<Secret> = config.vault.keys.0.iter().map(|key| key.value().clone()).collect();
    if secrets.is_empty() && owning != Owning::Demo {
        secrets.extend(set("TASKBRIDGE_SEALING_KEY").map(Secret::new));
    }
    let keys = if secrets.is_empty() {
        vec![key_file(config, private, sealed, ground, say)?]
    } else {
        secrets
            .iter()
            .map(Key::parse)
            .collect::<Result<_, _>>()
            .map_err(|error| said(&format!("vault.keys: {error}")))?
    };
    Vault::new(keys).map_err(|error| said(&format!("vault.keys: {error}")))
}

fn key_file(
    config: &Config,
    private: bool,
    sealed: bool,
    ground: &Ground,
    say: &mut impl FnMut(&str),
) -> Result<Key, CliError> {
    let path = config.data_dir.join("sealing.key");
    if path.exists() {
        let (key, warning) = Vault::load_key_file(&path).map_err(|error| CliError::Said(error.to_string()))?;
        if let Some(warning) = warning {
            say(&warning.to_string());
        }
        return Ok(key);
    }
    if !private {
        return Err(CliError::Said(
            "there is no sealing key: with a database of your own, every replica needs the same key. Make one with \
             `openssl rand -hex 32`, keep it in a file that only taskbridge reads, and name it in the configuration: \
             `vault: { keys: [ { file: sealing.key } ] }` (or set TASKBRIDGE_SEALING_KEY)"
                .to_owned(),
        ));
    }
    if sealed {
        // A new key would open nothing, and hide that the right one is missing.
        return Err(CliError::Said(format!(
            "the sealing key {} is missing, and this database was sealed with it: put it back from your backup. If it \
             is lost for good, the stored tokens are too: begin with an empty data folder and add every person again \
             with `taskbridge people add`",
            path.display()
        )));
    }
    let key = Vault::generate_key_file(&path, ground).map_err(|error| CliError::Said(error.to_string()))?;
    say(&format!(
        "made a sealing key in {}: keep a copy of it, stored tokens cannot be read without it",
        path.display()
    ));
    Ok(key)
}

/// The client, as configured; it asks nothing yet.
pub(super) fn github(config: &Config, ground: &Ground) -> Result<Github, CliError> {
    let github = &config.github;
    let extra_ca_pem = match &github.extra_ca_file {
        None => None,
        Some(path) => Some(std::fs::read(path).map_err(|error| {
            CliError::Said(format!("github.extra_ca_file: {} cannot be read: {error}", path.display()))
        })?),
    };
    let timeout: Duration = github.timeout.into();
    let settings = GithubSettings {
        api_url: github.api_url.to_string(),
        web_url: github.web_url.to_string(),
        api_version: github.api_version.clone(),
        proxy: github
            .proxy
            .as_ref()
            .map(|url| url.to_string())
            .or_else(|| proxy_of_environment(&github.api_url.to_string())),
        extra_ca_pem,
        timeout,
        connect_timeout: Duration::from_secs(5).min(timeout / 2),
        // Without its secret, of a command that may do without, there is none.
        app: github.app.as_ref().filter(|app| is_there(app.private_key.value())).map(|app| AppSettings {
            id: i64::try_from(app.id).unwrap_or(i64::MAX),
            private_key_pem: app.private_key.value().clone(),
        }),
        sign_in: github.sign_in.as_ref().filter(|it| is_there(it.client_secret.value())).map(|sign_in| {
            SignInSettings {
                client_id: sign_in.client_id.clone(),
                client_secret: sign_in.client_secret.value().clone(),
                scopes: sign_in.scopes.clone(),
            }
        }),
    };
    Github::new(settings, ground.clone()).map_err(|error| CliError::Said(format!("github: {error}")))
}

fn is_there(secret: &Secret) -> bool {
    !secret.expose().is_empty()
}

/// `HTTPS_PROXY`, unless `NO_PROXY` names the host or one of its parents.
fn proxy_of_environment(api_url: &str) -> Option<String> {
    let variable = |name: &str| {
        std::env::var(name).or_else(|_| std::env::var(name.to_lowercase())).ok().filter(|value| !value.is_empty())
    };
    let host = api_url.strip_prefix("https://")?.split(['/', ':']).next()?;
    let excepted = variable("NO_PROXY").unwrap_or_default();
    let is_excepted = excepted
        .split(',')
        .map(|name| name.trim().trim_start_matches('.'))
        .any(|name| name == "*" || (!name.is_empty() && (host == name || host.ends_with(&format!(".{name}")))));
    variable("HTTPS_PROXY").filter(|_| !is_excepted)
}

/// How long and how many, from the configuration.
#[must_use]
pub fn settings_of(config: &Config) -> Settings {
    Settings {
        lease: config.tasks.lease.into(),
        call_timeout: config.github.timeout.into(),
        write_spacing: config.github.write_spacing.into(),
        hourly_writes: Hourly::of(config.github.writes_per_hour),
        shared_clock: SharedClock::default(),
        uncertain_grace: config.tasks.uncertain_grace.into(),
        restart_uncertain: config.tasks.on_uncertain == OnUncertain::Restart,
        sweep_min: config.sweep.interval_min.into(),
        sweep_max: config.sweep.interval_max.into(),
        sweep_overlap: config.sweep.overlap.into(),
        lost_after: config.sweep.lost_after.into(),
        settled_watch: config.tasks.settled_watch.into(),
        keep_bodies: config.retention.bodies.into(),
        keep_deliveries: config.retention.deliveries.into(),
        keep_tasks: config.retention.tasks.into(),
        at_once: usize::try_from(config.tasks.starts_at_once).unwrap_or(1),
        limits: config.limits.bounds(),
        connect_url: config.connect_url(),
        agent_ids: AGENT_IDS.to_vec(),
    }
}
