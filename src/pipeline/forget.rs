//! Deleting what was kept long enough, in small batches, by one replica at a time.

use std::time::Duration;

use chrono::TimeDelta;

use super::{Bridge, StepError};
use crate::store::Moment;

/// Rows a statement.
const BATCH: i64 = 500;
/// Statements a kind and run; the rest comes with the next run, at once, so that the guard is held only briefly.
const BATCHES: usize = 10;
/// Counts of refusals are kept this long.
const KEEP_REFUSALS: TimeDelta = TimeDelta::days(30);
/// Labels taken off are remembered this long: longer than a wish may wait to be matched.
const KEEP_UNLABELS: TimeDelta = TimeDelta::days(2);

/// How many rows of each kind were forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Bodies taken off deliveries.
    pub bodies: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Tasks.
    pub tasks: u64,
    /// Reports without a task, counts and rule sets.
    pub others: u64,
}

impl Forgotten {
    /// Whether a kind was so many that there may be more.
    #[must_use]
    pub fn more(&self) -> bool {
        let full = BATCH.unsigned_abs() * BATCHES as u64;
        [self.bodies, self.deliveries, self.tasks, self.others].iter().any(|count| *count >= full)
    }
}

/// Forgets what is due. Answers nothing if another replica is at it.
///
/// # Errors
/// [`StepError`]: what was deleted is deleted, the rest waits.
pub async fn forget(bridge: &Bridge) -> Result<Option<Forgotten>, StepError> {
    let Some(guard) = bridge.store.chore("forget").await? else { return Ok(None) };
    let now = bridge.ground.now();
    let before = |keep: Duration| -> Moment {
        now.checked_sub_signed(TimeDelta::from_std(keep).unwrap_or(TimeDelta::MAX)).unwrap_or(Moment::UNIX_EPOCH)
    };
    let settings = &bridge.settings;
    let store = &bridge.store;
    let (bodies, deliveries, tasks) =
        (before(settings.keep_bodies), before(settings.keep_deliveries), before(settings.keep_tasks));
    let forgotten = Forgotten {
        bodies: in_batches(|| store.forget_bodies(bodies, BATCH)).await?,
        deliveries: in_batches(|| store.forget_deliveries(deliveries, BATCH)).await?,
        tasks: in_batches(|| store.forget_tasks(tasks, BATCH)).await?,
        others: in_batches(|| store.forget_reports(deliveries, BATCH)).await?
            + store.forget_refusals(now - KEEP_REFUSALS).await?
            + store.forget_unlabels(now - KEEP_UNLABELS).await?
            + store.forget_rule_versions(deliveries, BATCH).await?,
    };
    guard.commit().await?;
    if forgotten != Forgotten::default() {
        tracing::info!(?forgotten, "what was kept long enough was forgotten");
    }
    Ok(Some(forgotten))
}

async fn in_batches<F>(delete: impl Fn() -> F) -> Result<u64, StepError>
where
    F: Future<Output = Result<u64, crate::store::StoreError>>,
{
    let mut all = 0;
    for _ in 0..BATCHES {
        let deleted = delete().await?;
        all += deleted;
        if deleted < BATCH.unsigned_abs() {
            break;
        }
    }
    Ok(all)
}
