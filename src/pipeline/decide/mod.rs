//! From selected rules to tasks, many deliveries a transaction: limits and keys are counted, wishes claimed, tasks made,
//! reports put into the outbox, decisions written and the deliveries ended; all of it or nothing.

mod making;
mod once;
mod refusal;

use super::{Bridge, StepError};
use crate::domain::identity::Identity;
use crate::domain::rule::{Limits, OnceThen};
use crate::fail_point::{Point, reach};
use crate::store::StoreError;
use crate::store::decisions::Finished;
use crate::store::reports::NewReport;
use crate::store::tasks::make::NewTask;

use making::Making;
pub use refusal::{notice_key, refusal_text};

/// How a note begins that tells of a further wish of the same key, from wherever it came.
pub(super) const AGAIN: &str = "again: ";

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

/// Commits what was settled for deliveries, in their order, in one transaction. Answers false when the lease of one of them
/// was lost, and nothing is done: another worker does that one.
///
/// # Errors
/// [`StepError::Store`]: nothing is done; the leases run out and it is done again.
pub async fn commit(bridge: &Bridge, group: &[&Settled]) -> Result<bool, StepError> {
    let mut tries = 0;
    loop {
        match try_commit(bridge, group).await {
            // Lost a race for the same wish or lock: the second look finds the winner's task.
            Err(StepError::Store(StoreError::Contended(_) | StoreError::Raced)) if tries < 3 => tries += 1,
            other => return other,
        }
    }
}

async fn try_commit(bridge: &Bridge, group: &[&Settled]) -> Result<bool, StepError> {
    let mut making = Making::begin(bridge, group).await?;
    for settled in group {
        making.settle(settled).await?;
    }
    let Some(tx) = making.write_all().await? else { return Ok(false) };
    reach(Point::MatchBeforeCommit);
    tx.commit().await?;
    reach(Point::MatchCommitted);
    bridge.wake.tasks.notify_one();
    bridge.wake.tell();
    Ok(true)
}
