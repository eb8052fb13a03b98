//! Deleting what was kept long enough, in small batches, by one replica at a time.

use std::time::Duration;

use chrono::TimeDelta;

use super::bridge::LiveSource;
use super::{Bridge, StepError};
use crate::store::{Moment, StoreError};

/// Rows a statement.
const BATCH: i64 = 500;
/// Statements a kind and run; the rest comes with the next run, at once.
const BATCHES: usize = 10;
/// Counts of refusals are kept this long.
const KEEP_REFUSALS: TimeDelta = TimeDelta::days(30);
/// Labels taken off are remembered this long: longer than a wish may wait to be matched.
const KEEP_UNLABELS: TimeDelta = TimeDelta::days(2);
/// A message waits this long for a receiver that is not configured: it may be missing from one replica only, or for a while.
const KEEP_UNHEARD: TimeDelta = TimeDelta::days(2);

/// The tokens of an app wait as long for a source that is not configured, for the same reason.
const KEEP_UNSPOKEN: TimeDelta = TimeDelta::days(2);

/// How many rows of each kind were forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Bodies taken off deliveries.
    pub bodies: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Tasks.
    pub tasks: u64,
    /// Reports without a task, counts and rule sets; and messages to nobody, which are given up.
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
/// [`StepError`], the first: what was deleted is deleted, the rest waits.
pub async fn forget(bridge: &Bridge) -> Result<Option<Forgotten>, StepError> {
    let Some(chore) = bridge.store.chore("forget").await? else { return Ok(None) };
    let outcome = forget_each(bridge).await;
    chore.end().await;
    let forgotten = outcome?;
    if forgotten != Forgotten::default() {
        tracing::info!(?forgotten, "what was kept long enough was forgotten");
    }
    Ok(Some(forgotten))
}

/// Every kind has its turn, whatever became of the others: one that cannot be deleted must not keep the rest.
async fn forget_each(bridge: &Bridge) -> Result<Forgotten, StepError> {
    let now = bridge.ground.now();
    let before = |keep: Duration| -> Moment {
        now.checked_sub_signed(TimeDelta::from_std(keep).unwrap_or(TimeDelta::MAX)).unwrap_or(Moment::UNIX_EPOCH)
    };
    let settings = &bridge.settings;
    let store = &bridge.store;
    let (bodies, deliveries, tasks) =
        (before(settings.keep_bodies), before(settings.keep_deliveries), before(settings.keep_tasks));
    let receivers: Vec<String> = bridge.live().outgoing.iter().map(|receiver| receiver.name.clone()).collect();
    let mut first_error = None;
    let mut count = |kind: &'static str, outcome: Result<u64, StoreError>| {
        outcome.unwrap_or_else(|error| {
            tracing::warn!(kind, %error, "some of what was kept long enough could not be forgotten");
            first_error.get_or_insert(error);
            0
        })
    };
    let forgotten = Forgotten {
        bodies: count("bodies", in_batches(|| store.forget_bodies(bodies, BATCH)).await),
        deliveries: count("deliveries", in_batches(|| store.forget_deliveries(deliveries, BATCH)).await),
        tasks: count("tasks", in_batches(|| store.forget_tasks(tasks, BATCH)).await),
        others: count("reports", in_batches(|| store.forget_reports(deliveries, BATCH)).await)
            + count("refusals", store.forget_refusals(now - KEEP_REFUSALS).await)
            + count("sign-ins", store.forget_sign_ins(now).await)
            + count("messages without a receiver", store.give_up_unheard(&receivers, now - KEEP_UNHEARD, BATCH).await)
            + count("tokens without a source", forget_unspoken(bridge, now - KEEP_UNSPOKEN).await)
            + count("unlabels", store.forget_unlabels(now - KEEP_UNLABELS).await)
            + count("rule sets", store.forget_rule_versions(deliveries, BATCH).await),
    };
    match first_error {
        None => Ok(forgotten),
        Some(error) => Err(error.into()),
    }
}

/// The tokens of apps whose source is gone from the configuration, here and on all replicas.
async fn forget_unspoken(bridge: &Bridge, before: Moment) -> Result<u64, StoreError> {
    let live = bridge.live();
    let rotating = |side: &LiveSource| side.chat.as_ref().is_some_and(|side| side.rotation.is_some());
    let sources = live.sources.iter().filter(|(_, side)| rotating(side)).map(|(name, _)| name.clone());
    let forgotten = bridge.store.forget_chat_tokens(&sources.collect::<Vec<_>>(), before).await?;
    for source in &forgotten {
        tracing::info!(source, "the tokens of an app whose source is gone from the configuration were wiped");
    }
    Ok(forgotten.len() as u64)
}

async fn in_batches<F>(delete: impl Fn() -> F) -> Result<u64, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
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
