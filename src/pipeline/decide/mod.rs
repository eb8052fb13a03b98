//! From selected rules to tasks, many deliveries a transaction: limits and keys are counted, wishes claimed, tasks made,
//! reports put into the outbox, decisions written and the deliveries ended; all of it or nothing.

mod making;
mod once;
mod refusal;
mod settled;

use std::time::Duration;

use tokio::time::Instant;

use super::{Bridge, StepError};
use crate::fail_point::{Point, reach};
use crate::store::StoreError;

use making::Making;
pub(super) use once::AGAIN;
pub use refusal::{notice_key, refusal_text};
pub use settled::{Notice, Plan, Settled};

/// For how long a transaction goes on deciding. It is alone with what it counts, and others wait for that.
const LONGEST: Duration = Duration::from_secs(1);

/// Commits what was settled for deliveries, in their order, in one transaction. Answers of each whether it is ended: what is
/// not is to be tried again, because another transaction is alone with what it counts, or the time was over. Answers nothing,
/// and has done nothing, when the lease of one of them was lost: another worker does that one.
///
/// # Errors
/// [`StepError::Store`]: nothing is done; the leases run out and it is done again.
pub async fn commit(bridge: &Bridge, group: &[&Settled]) -> Result<Option<Vec<bool>>, StepError> {
    try_again(bridge, group, false).await
}

/// Commits what was settled for one delivery, and waits for that until nobody else is alone with what it counts. Answers false
/// when the lease was lost.
///
/// # Errors
/// As [`commit`].
pub async fn commit_one(bridge: &Bridge, settled: &Settled) -> Result<bool, StepError> {
    Ok(try_again(bridge, &[settled], true).await?.is_some())
}

async fn try_again(bridge: &Bridge, group: &[&Settled], waits: bool) -> Result<Option<Vec<bool>>, StepError> {
    let mut tries = 0;
    loop {
        match try_commit(bridge, group, waits).await {
            // Lost a race for the same wish or row: the second look finds the winner's task.
            Err(StepError::Store(StoreError::Contended(_) | StoreError::Raced)) if tries < 3 => tries += 1,
            other => return other,
        }
    }
}

async fn try_commit(bridge: &Bridge, group: &[&Settled], waits: bool) -> Result<Option<Vec<bool>>, StepError> {
    let (mut making, free) = Making::begin(bridge, group, waits).await?;
    let until = Instant::now() + LONGEST;
    let mut ended = Vec::with_capacity(group.len());
    for (settled, is_free) in group.iter().zip(free) {
        let now = is_free && (Instant::now() < until || !ended.contains(&true));
        if now {
            making.settle(settled).await?;
        }
        ended.push(now);
    }
    if !ended.contains(&true) {
        return Ok(Some(ended));
    }
    let Some((tx, made)) = making.write_all().await? else { return Ok(None) };
    reach(Point::MatchBeforeCommit);
    tx.commit().await?;
    reach(Point::MatchCommitted);
    bridge.wake.start(made);
    bridge.wake.tell();
    Ok(Some(ended))
}
