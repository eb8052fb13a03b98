//! From recorded deliveries to decisions and tasks. A batch is taken under one lease: what concerns no rule
//! is ended with one transaction for all; what may concern one is weighed by itself, since it asks GitHub.

mod plan;
pub(super) mod sort;
pub(super) mod weigh;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use super::{Bridge, StepError, decide};
use crate::domain::backoff::Backoff;
use crate::ids::DeliveryId;
use crate::store::Lease;
use crate::store::decisions::Finished;
use crate::store::deliveries::{ClaimedDelivery, DeliveryState};
use sort::Sorted;
use weigh::Weighed;

/// Tries before a delivery is parked: each was counted before its work began, so one that kills its worker
/// is not taken up for ever.
const TRIES: i16 = 8;

/// Waits between tries while GitHub cannot be asked: about half an hour in all.
const LATER: Backoff =
    Backoff { first: Duration::from_secs(5), factor: 3, cap: Duration::from_secs(600), tries: TRIES as u32 };

/// Takes up to `limit` waiting deliveries through the match step. Answers how many were taken.
///
/// # Errors
/// [`StepError`]: what was not ended is taken up again when its lease has run out.
pub async fn match_batch(bridge: &Bridge, limit: i64) -> Result<usize, StepError> {
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    let mut claimed = bridge.store.claim_deliveries(lease, bridge.ground.now(), limit).await?;
    let taken = claimed.len();
    if taken == 0 {
        return Ok(0);
    }
    // After a crash the order is turned round, so that one poisonous delivery cannot keep parking those behind it.
    if claimed.iter().any(|delivery| delivery.tries > 1) {
        claimed.sort_by_key(|delivery| delivery.id);
        if claimed.iter().any(|delivery| delivery.tries % 2 == 0) {
            claimed.reverse();
        }
    }
    let ids: Vec<DeliveryId> = claimed.iter().map(|delivery| delivery.id).collect();
    let replays: HashMap<_, _> = bridge.store.replays_among(&ids).await?.into_iter().collect();
    let live = bridge.live();
    let mut ended = Vec::new();
    let mut waiting = Vec::new();
    for delivery in claimed {
        let id = delivery.id;
        let replay_of = replays.get(&id).copied();
        match guarded(&delivery, || sort::sort(bridge, &live, &delivery, replay_of)) {
            Sorted::Ended(finished) => ended.push(*finished),
            Sorted::Concerns(concern) => waiting.push(*concern),
        }
    }
    if !ended.is_empty() {
        let mut tx = bridge.store.begin().await?;
        tx.finish_deliveries(&bridge.ground, lease, &ended).await?;
        tx.commit().await?;
    }
    super::each_at_once(waiting, bridge.settings.at_once, |concern| {
        let (bridge, live) = (bridge.clone(), Arc::clone(&live));
        async move {
            match weigh::weigh(&bridge, &live, &concern).await? {
                Weighed::Settled(settled) => decide::commit(&bridge, lease, &settled).await.map(|_| ()),
                Weighed::Later(why) => postpone(&bridge, lease, &concern.delivery, &why).await,
            }
        }
    })
    .await?;
    Ok(taken)
}

/// Runs the pure part of the step; a panic in it ends this delivery alone.
fn guarded(delivery: &ClaimedDelivery, step: impl FnOnce() -> Sorted) -> Sorted {
    if delivery.tries > TRIES {
        return Sorted::Ended(Box::new(ended(
            delivery,
            DeliveryState::Failed,
            "processing it did not come to an end several times; it is parked until an operator replays it",
        )));
    }
    std::panic::catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| {
        Sorted::Ended(Box::new(ended(
            delivery,
            DeliveryState::Failed,
            "reading it failed inside taskbridge; see the log",
        )))
    })
}

async fn postpone(bridge: &Bridge, lease: Lease, delivery: &ClaimedDelivery, why: &str) -> Result<(), StepError> {
    let tries = u32::try_from(delivery.tries).unwrap_or(u32::MAX);
    let wait = LATER.after(tries).unwrap_or(LATER.cap);
    let due_at = bridge.ground.now() + bridge.ground.jitter(wait);
    tracing::warn!(delivery = %delivery.id, why, wait_s = wait.as_secs(), "a delivery waits: GitHub could not be asked");
    bridge.store.postpone_delivery(delivery.id, lease, due_at, why).await?;
    Ok(())
}

/// Whether this is the last time that a delivery may wait for GitHub.
fn is_last_try(delivery: &ClaimedDelivery) -> bool {
    LATER.after(u32::try_from(delivery.tries).unwrap_or(u32::MAX)).is_none()
}

/// The end of a delivery about which nothing is known.
fn ended(delivery: &ClaimedDelivery, state: DeliveryState, reason: &str) -> Finished {
    Finished {
        id: delivery.id,
        state,
        reason: reason.to_owned(),
        action: String::new(),
        actor_login: String::new(),
        repo_name: String::new(),
        subject_url: String::new(),
        rule_version: String::new(),
        duplicate_of: None,
        decisions: Vec::new(),
    }
}
