//! A simulated GitHub, so that the demo, a trial and the tests have a world that behaves like the
//! real one (and misbehaves on demand) without a network, a seat or a bill.
//!
//! All of it lives in memory behind one mutex. A call is answered under that lock by plain functions
//! (`api`); everything that takes time (reading, waiting, dropping a connection) happens outside.
//! Tasks move by the clock of [`crate::clock::Ground`] and are brought up to date when looked at, so that a manual
//! clock drives them.

/// What the calls answer.
mod api;
/// Where a person lets an app in.
mod authorize;
/// One request, one answer, and GitHub's error shapes.
mod call;
/// A simulated Discord and a simulated Mattermost server.
pub mod chats;
/// How the world is set up, disturbed and looked at.
mod control;
/// Misbehaviour on demand.
mod fault;
/// What every call passes, in GitHub's order.
mod gate;
/// What GitHub looks at in an App's manifest.
mod manifest;
/// From a manifest to an App.
mod new_app;
/// Plain pages for a person.
mod pages;
/// Sockets.
mod serve;
/// A simulated Slack.
pub mod slack;
/// An answer on its way out.
mod wire;
/// What exists, and how it moves.
mod world;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Ground;

pub use chats::{ChatFault, ChatMessage, ChatRequest, DiscordControl, MattermostControl};
pub use control::{
    AppSpec, Comment, CommentSpec, Control, ControlError, DeliverySpec, InstallationSpec, IssueSpec, PullSpec,
    RepoSpec, TaskView, UserSpec,
};
pub use fault::{Fault, FaultKind};
pub use slack::{APP_TOKEN, SlackControl, SlackFault, SlackMessage, SlackRequest, SlackWay};
pub use world::{CallRecord, Creation, Outcome, Role, TokenKind};

use world::World;

/// How fast the simulated agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// How long a task stays `queued`, in milliseconds.
    pub queued_ms: u64,
    /// How long it then works; the pull request opens half way. In milliseconds.
    pub working_ms: u64,
}

impl Pace {
    /// `queued` and `working`, to the millisecond.
    #[must_use]
    pub fn new(queued: Duration, working: Duration) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { queued_ms: millis(queued), working_ms: millis(working) }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { queued_ms: 3_000, working_ms: 12_000 }
    }
}

/// What one session costs, as the answers name it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "amount", rename_all = "snake_case")]
pub enum Usage {
    /// Whole nano-units (divide by 1e9 for a person).
    AiCredits(u64),
    /// Requests, possibly a fraction.
    PremiumRequests(f64),
}

/// How to start a [`Sandbox`].
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// How fast the simulated agent works.
    pub pace: Pace,
    /// What a session costs.
    pub usage: Usage,
    /// Time and chance.
    pub ground: Ground,
    /// What `html_url`s begin with; by default the address of the sandbox, which serves those pages.
    pub web_url: Option<String>,
}

impl SandboxConfig {
    /// Any free loopback port, the demo's pace, 1.5 credits a session.
    #[must_use]
    pub fn new(ground: Ground) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            pace: Pace::default(),
            usage: Usage::AiCredits(1_500_000_000),
            ground,
            web_url: None,
        }
    }
}

/// Why a sandbox did not start. A person must act: choose another address.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {source}; is the port taken? choose another with --listen")]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The world and what a connection needs of it.
pub(in crate::sandbox) struct Shared {
    world: Mutex<World>,
    slack: Mutex<slack::SlackWorld>,
    discord: Mutex<chats::DiscordWorld>,
    mattermost: Mutex<chats::MattermostWorld>,
    /// Those that are served outside of a connection.
    sockets: Mutex<JoinSet<()>>,
}

impl Shared {
    /// The world, for as long as it takes to answer; never across an await.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running simulated GitHub. Dropping it ends its connections at once; [`Sandbox::stop`] waits for them.
pub struct Sandbox {
    address: SocketAddr,
    url: String,
    control: Control,
    slack: SlackControl,
    discord: DiscordControl,
    mattermost: MattermostControl,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Listens, with an empty world.
    ///
    /// # Errors
    /// [`SandboxError::Listen`] when the address is taken or not ours.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::Listen { listen: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let url = format!("http://{address}");
        let web = config.web_url.map_or_else(|| url.clone(), |web| web.trim_end_matches('/').to_owned());
        let world = World::new(config.ground, config.pace, config.usage, url.clone(), web);
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            slack: Mutex::default(),
            discord: Mutex::default(),
            mattermost: Mutex::default(),
            sockets: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::accept(listener, Arc::clone(&shared), stop.clone()));
        let slack = SlackControl::new(Arc::clone(&shared), &url);
        let discord = DiscordControl::new(Arc::clone(&shared), &url);
        let mattermost = MattermostControl::new(Arc::clone(&shared), &url);
        Ok(Self { address, url, control: Control::new(shared), slack, discord, mattermost, stop, tasks })
    }

    /// The API's base, as `https://api.github.com` would be; no slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The hand on the world. Cheap to clone, outlives nothing but the data.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The hand on the simulated Slack, which listens at the same address.
    #[must_use]
    pub fn slack(&self) -> &SlackControl {
        &self.slack
    }

    /// The hand on the simulated Discord, which listens at the same address.
    #[must_use]
    pub fn discord(&self) -> &DiscordControl {
        &self.discord
    }

    /// The hand on the simulated Mattermost server, which listens at the same address.
    #[must_use]
    pub fn mattermost(&self) -> &MattermostControl {
        &self.mattermost
    }

    /// Ends all connections and waits until nothing of it runs.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// What the command line does: starts a sandbox, tells `ready` about it (to seed and to print the
/// address) and serves until `until` is over.
///
/// # Errors
/// As [`Sandbox::start`].
pub async fn run(
    config: SandboxConfig,
    ready: impl FnOnce(&Sandbox),
    until: impl Future<Output = ()>,
) -> Result<(), SandboxError> {
    let sandbox = Sandbox::start(config).await?;
    ready(&sandbox);
    until.await;
    sandbox.stop().await;
    Ok(())
}
