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
use crate::pipeline::{api_keys, people};
use crate::sandbox::{Pace, Sandbox, SandboxConfig};
use crate::secret::Secret;
use crate::store::api_keys::Scope;

/// The name of the demo's key, so that the next demo can revoke it.
const KEY_NAME: &str = "demo";

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
    config.pace = Pace::new(Duration::from_secs(1), Duration::from_secs(3));
    let sandbox = Sandbox::start(config).await.map_err(CliError::said)?;
    sandbox.control().seed_demo().map_err(CliError::said)?;
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
    let loaded = configuration(data_dir, sandbox.url(), &hook_secret)?;
    let server = bind(&loaded, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
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
    people::add(bridge, "mona", Secret::new("sandbox-mona-token")).await.map_err(CliError::said)?;
    for key in bridge.store.api_keys().await?.iter().filter(|key| key.name == KEY_NAME && key.revoked_at.is_none()) {
        bridge.store.revoke_api_key(key.id, bridge.ground.now()).await?;
    }
    let (_, api_key) =
        api_keys::create(&bridge.store, &bridge.ground, KEY_NAME, Scope::Admin).await.map_err(CliError::said)?;
    Ok((Running::start(loaded, opened, server), api_key))
}

/// The configuration of the demo, as it could stand in a file.
fn configuration(data_dir: &Path, github: &str, hook_secret: &Secret) -> Result<Loaded, CliError> {
    let text = include_str!("demo.yaml").replace("GITHUB", github);
    let path = data_dir.join("taskbridge.yaml");
    let name = path.to_string_lossy();
    let reader = Reader::fixed(&[("DEMO_HOOK_SECRET", hook_secret.expose())], &[(&name, &text)]);
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
