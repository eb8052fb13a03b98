//! The parts that every step needs, put together once by the roof, and the part of the configuration that
//! can be swapped while it runs.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};

use super::in_hand::InHand;
use super::sockets::Sockets;
use crate::chat::Platform;
use crate::chat::slack::rotation::Rotator;
use crate::chat::slack::socket::Listener;
use crate::clock::{Ground, SharedClock};
use crate::domain::command::Grammar;
use crate::domain::hourly::Hourly;
use crate::domain::rule::{ChannelLimits, Limits};
use crate::domain::rule_set::RuleSet;
use crate::github::Github;
use crate::outgoing::{Poster, Receiver};
use crate::secret::Secret;
use crate::sources::Source;
use crate::store::Store;
use crate::vault::Vault;

/// All parts. Cheap to clone.
#[derive(Clone)]
pub struct Bridge(Arc<Parts>);

/// What [`Bridge`] gives access to.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// GitHub.
    pub github: Github,
    /// The way to receivers of webhooks.
    pub poster: Poster,
    /// Sealing and opening of tokens.
    pub vault: Vault,
    /// Time and chance.
    pub ground: Ground,
    /// How long, how many.
    pub settings: Settings,
    /// Wake-ups between steps of this process.
    pub wake: Wake,
    /// The deliveries that the match step of this process has taken up.
    pub in_hand: Arc<InHand>,
    /// The sockets of this process.
    pub sockets: Sockets,
    /// How many requests of operators are answered at once: of the connections that they share with the workers, these keep half,
    /// however long a sum takes.
    pub operators: Arc<Semaphore>,
    /// How many of these may only look: whoever steers finds a place beside dashboards.
    pub lookers: Arc<Semaphore>,
    live: ArcSwap<Live>,
}

/// How long and how many; from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a worker holds what it works on.
    pub lease: Duration,
    /// The longest that a call to GitHub may take; well below the lease.
    pub call_timeout: Duration,
    /// The pause between two writes with one token.
    pub write_spacing: Duration,
    /// How many writes an hour are made with one token.
    pub hourly_writes: Hourly,
    /// What the pauses between writes are measured with.
    pub shared_clock: SharedClock,
    /// How long an uncertain task is looked for before absence counts.
    pub uncertain_grace: Duration,
    /// Whether an uncertain task that is shown absent is started once more by itself.
    pub restart_uncertain: bool,
    /// Shortest time between two rounds for a person.
    pub sweep_min: Duration,
    /// Longest time between two rounds for a person with live tasks.
    pub sweep_max: Duration,
    /// How far a round reads back behind its watermark.
    pub sweep_overlap: Duration,
    /// How long GitHub may answer 404 before a task counts as lost.
    pub lost_after: Duration,
    /// How long an ended task is watched for being reopened.
    pub settled_watch: Duration,
    /// How long bodies are kept; also how old a signed event may be.
    pub keep_bodies: Duration,
    /// How long deliveries and decisions are kept.
    pub keep_deliveries: Duration,
    /// How long ended tasks are kept.
    pub keep_tasks: Duration,
    /// How many starts, reports and sweeps run at once.
    pub at_once: usize,
    /// Limits over all rules.
    pub limits: Limits,
    /// The page where people sign in for themselves, without a slash at its end, if they can.
    pub connect_url: Option<String>,
    /// Account numbers of the agent itself, whose actions start nothing.
    pub agent_ids: Vec<i64>,
}

/// What a reload swaps, whole.
#[derive(Debug)]
pub struct Live {
    /// The rules.
    pub rules: RuleSet,
    /// The senders by name.
    pub sources: BTreeMap<String, LiveSource>,
    /// Who is told of changes.
    pub outgoing: Vec<Receiver>,
    /// Sections of the configuration that say something else since the start, and are not swapped.
    pub needs_restart: Vec<&'static str>,
}

/// A sender with the grammar of the commands written there.
#[derive(Debug)]
pub struct LiveSource {
    /// How it signs and reads.
    pub source: Source,
    /// What can be written in its comments.
    pub grammar: Grammar,
    /// How it is spoken to, if it is a chat.
    pub chat: Option<ChatSide>,
}

/// A chat: how it is spoken to, and what holds in its channels.
#[derive(Debug)]
pub struct ChatSide {
    /// The chat.
    pub platform: Platform,
    /// How its tokens are renewed, if they end.
    pub rotation: Option<Rotation>,
    /// How it listens, if requests come through a socket that we open.
    pub listener: Option<Arc<Listener>>,
    /// What holds in a channel when nothing else is said.
    pub channels: BTreeMap<String, ChannelUsual>,
}

/// How the tokens of an app are renewed.
#[derive(Debug)]
pub struct Rotation {
    /// The app that asks for them.
    pub rotator: Rotator,
    /// The refresh token that the configuration begins with.
    pub configured: Secret,
}

/// What holds in a channel when nothing else is said.
#[derive(Debug, Clone, Default)]
pub struct ChannelUsual {
    /// The repository, `owner/name`.
    pub repo: Option<String>,
    /// The rule, instead of all that listen to the command.
    pub rule: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The branch that the work starts from; one of the channel's own `repo`, if it has one.
    pub base_ref: Option<String>,
    /// How many tasks may come from it.
    pub limits: ChannelLimits,
}

/// In-process wake-ups: the next step need not wait for its poll. A lost one costs only delay.
#[derive(Debug, Default)]
pub struct Wake {
    /// Deliveries wait for the match step.
    pub deliveries: Notify,
    /// Tasks wait to be started.
    pub tasks: Notify,
    /// Reports wait to be sent.
    pub reports: Notify,
    /// Reports wait to be told in chats.
    pub chats: Notify,
    /// A round is due early.
    pub sweeps: Notify,
}

impl Wake {
    /// Tasks were made: so many of those that start them are woken, as far as they rest.
    pub fn start(&self, tasks: usize) {
        for _ in 0..tasks {
            self.tasks.notify_one();
        }
    }

    /// Something is to be told, on GitHub or in a chat.
    pub fn tell(&self) {
        self.reports.notify_one();
        self.chats.notify_one();
    }
}

impl Bridge {
    /// Puts the parts together.
    #[must_use]
    pub fn new(store: Store, github: Github, vault: Vault, ground: Ground, settings: Settings, live: Live) -> Self {
        let live = ArcSwap::from_pointee(live);
        let places = (store.work_connections() / 2).max(1);
        let operators = Arc::new(Semaphore::new(places));
        let lookers = Arc::new(Semaphore::new((places - 1).max(1)));
        Self(Arc::new(Parts {
            store,
            github,
            poster: Poster::default(),
            vault,
            ground,
            settings,
            wake: Wake::default(),
            in_hand: Arc::default(),
            sockets: Sockets::default(),
            operators,
            lookers,
            live,
        }))
    }

    /// The rules and sources in force now. A step loads them once and keeps what it loaded.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        self.0.live.load_full()
    }

    /// Puts other rules and sources in force. The caller has validated them and stored the version.
    pub fn swap(&self, live: Live) {
        self.0.live.store(Arc::new(live));
    }
}

impl Deref for Bridge {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bridge")
    }
}
