//! What the demo plays on: the real service with a private PostgreSQL, beside a simulated GitHub.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::super::CliError;
use super::super::open::{Opened, Owning, open};
use super::super::serve::{Running, bind};
use super::super::stop::Stop;
use super::screen::Screen;
use crate::clock::Ground;
use crate::config::{Loaded, Reader};
use crate::http::Server;
use crate::ids::PersonId;
use crate::pipeline::{api_keys, people};
use crate::sandbox::slack::{BOT_TOKEN, SIGNING_SECRET};
use crate::sandbox::{Pace, Role, Sandbox, SandboxConfig, UserSpec};
use crate::secret::Secret;
use crate::store::api_keys::Scope;

/// The name of the demo's key, so that the next demo can revoke it.
const KEY_NAME: &str = "demo";

/// The app that otto signs in with.
const CLIENT: &str = "Iv23demo";
/// Somebody who may write and has given no token.
pub(super) const OTTO: PersonId = PersonId(1002);

/// All that runs.
pub(super) struct Stage {
    pub sandbox: Sandbox,
    pub opened: Opened,
    pub running: Running,
    pub hook_secret: Secret,
    pub api_key: Secret,
}

/// Puts everything up. When a part fails, or the wish to stop comes, what is up already is ended again.
pub(super) async fn set(data_dir: &Path, ground: &Ground, stop: &Stop, screen: &Screen) -> Result<Stage, CliError> {
    let sandbox = sandbox(ground).await?;
    match set_beside(&sandbox, data_dir, ground, stop, screen).await {
        Ok((opened, running, hook_secret, api_key)) => Ok(Stage { sandbox, opened, running, hook_secret, api_key }),
        Err(error) => {
            sandbox.stop().await;
            Err(error)
        }
    }
}

async fn sandbox(ground: &Ground) -> Result<Sandbox, CliError> {
    let mut config = SandboxConfig::new(ground.clone());
    config.pace = Pace::new(Duration::from_millis(500), Duration::from_secs(2));
    let sandbox = Sandbox::start(config).await.map_err(CliError::said)?;
    let control = sandbox.control();
    control.seed_demo().map_err(CliError::said)?;
    control.add_user(UserSpec::person(OTTO.0, "otto", "sandbox-otto-token")).map_err(CliError::said)?;
    control.grant("acme/widgets", "otto", Role::Write).map_err(CliError::said)?;
    Ok(sandbox)
}

async fn set_beside(
    sandbox: &Sandbox,
    data_dir: &Path,
    ground: &Ground,
    stop: &Stop,
    screen: &Screen,
) -> Result<(Opened, Running, Secret, Secret), CliError> {
    let hook_secret = Secret::new(hex::encode(ground.bytes::<32>()));
    let client_secret = Secret::new(hex::encode(ground.bytes::<32>()));
    let configured = |site: &str| configuration(data_dir, sandbox, site, &hook_secret, &client_secret);
    // Where people sign in is known when there is a place to listen at.
    let server = bind(&configured("http://127.0.0.1:1")?, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let site = format!("http://{}", server.address());
    let loaded = configured(&site)?;
    sandbox.control().set_sign_in(CLIENT, client_secret.expose(), Some(&format!("{site}/connect/callback")));
    let opened = open(&loaded, ground.clone(), Owning::Demo, stop, |text| prepare(screen, text)).await?;
    match furnish(&loaded, &opened, server).await {
        Ok((running, api_key)) => Ok((opened, running, hook_secret, api_key)),
        Err(error) => {
            opened.close().await?;
            Err(error)
        }
    }
}

/// What goes on while it starts; the advice about the sealing key is for installations that last.
fn prepare(screen: &Screen, text: &str) {
    if !text.starts_with("made a sealing key") {
        screen.going("preparing", text);
    }
}

async fn furnish(loaded: &Loaded, opened: &Opened, server: Server) -> Result<(Running, Secret), CliError> {
    let bridge = &opened.bridge;
    // Otto signs in anew in each demo.
    bridge.store.remove_person(OTTO).await?;
    people::add(bridge, "mona", Secret::new("sandbox-mona-token")).await.map_err(CliError::said)?;
    for key in bridge.store.api_keys().await?.iter().filter(|key| key.name == KEY_NAME && key.revoked_at.is_none()) {
        bridge.store.revoke_api_key(key.id, bridge.ground.now()).await?;
    }
    let (_, api_key) =
        api_keys::create(&bridge.store, &bridge.ground, KEY_NAME, Scope::Admin).await.map_err(CliError::said)?;
    Ok((Running::start(loaded, opened, server), api_key))
}

/// The configuration of the demo, as it could stand in a file.
fn configuration(
    data_dir: &Path,
    sandbox: &Sandbox,
    site: &str,
    hook_secret: &Secret,
    client_secret: &Secret,
) -> Result<Loaded, CliError> {
    let text = include_str!("demo.yaml").replace("GITHUB", sandbox.url()).replace("SERVICE", site);
    let text = text.replace("\"SLACK\"", &format!("\"{}\"", sandbox.slack().api_url()));
    let path = data_dir.join("taskbridge.yaml");
    let name = path.to_string_lossy();
    let secrets = [
        ("DEMO_HOOK_SECRET", hook_secret.expose()),
        ("DEMO_CLIENT_SECRET", client_secret.expose()),
        ("DEMO_SLACK_SECRET", SIGNING_SECRET),
        ("DEMO_SLACK_TOKEN", BOT_TOKEN),
    ];
    let reader = Reader::fixed(&secrets, &[(&name, &text)]);
    let mut loaded = crate::config::load(&path, &reader)?;
    data_dir.clone_into(&mut loaded.config.data_dir);
    Ok(loaded)
}

impl Stage {
    /// Ends everything, the private PostgreSQL last.
    pub(super) async fn strike(self) -> Result<(), CliError> {
        self.running.stop(Duration::from_secs(3)).await;
        let closed = self.opened.close().await;
        self.sandbox.stop().await;
        closed
    }
}
