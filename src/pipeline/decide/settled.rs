//! What the match step has settled of a delivery before anything is counted.

use crate::domain::identity::Identity;
use crate::domain::rule::{Limits, OnceThen};
use crate::store::decisions::Finished;
use crate::store::reports::NewReport;
use crate::store::tasks::make::NewTask;

/// A task that a rule wants, if the guards that count allow it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Place of the rule in its set.
    pub position: usize,
    /// The task.
    pub task: NewTask,
    /// The wishes that it fulfils; the first is made of signed fields only.
    pub intents: Vec<[u8; 32]>,
    /// What a second wish with its `once_per` key does.
    pub once_then: Option<OnceThen>,
    /// For how long after a task with its key was made it only becomes part of that one's story.
    pub once_window: Option<std::time::Duration>,
    /// What would be written there.
    pub told: String,
    /// The limits of the rule.
    pub limits: Limits,
    /// Why it was allowed, for the decision.
    pub allowed: String,
    /// The values that were seen on the way.
    pub saw: String,
}

/// Something to tell the one who asked although nothing starts.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Where, and as whom if no App tells it.
    pub place: NewReport,
}

/// The end of a delivery's match step, with what follows from it.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The end, with the decisions made before any counting.
    pub finished: Finished,
    /// Tasks wanted, in the order of their rules.
    pub plans: Vec<Plan>,
    /// Things to tell.
    pub notices: Vec<Notice>,
    /// The chat account whose wish this delivery is, and waits until somebody is linked to it.
    pub chat_wish: Option<Identity>,
}
