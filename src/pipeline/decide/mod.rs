//! From selected rules to tasks, many deliveries a transaction: limits and keys are counted, wishes claimed, tasks made,
//! reports put into the outbox, decisions written and the deliveries ended; all of it or nothing.

mod making;
mod once;
mod refusal;
mod settled;

use super::{Bridge, StepError};
use crate::fail_point::{Point, reach};
use crate::store::StoreError;

use making::Making;
pub(super) use once::AGAIN;
pub use refusal::{notice_key, refusal_text};
pub use settled::{Notice, Plan, Settled};

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
