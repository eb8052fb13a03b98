//! Deliveries that are being weighed, a few at once, and those that were: what has been settled while one transaction is under
//! way is ended together by the next.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::concern::Concern;
use super::weigh;
use super::weighed::Weighed;
use crate::pipeline::decide::Settled;
use crate::pipeline::guard::Later;
use crate::pipeline::in_hand::Held;
use crate::pipeline::{Bridge, Live, StepError, decide};
use crate::store::deliveries::ClaimedDelivery;
use crate::store::{Lease, StoreError};

/// Most deliveries that are ended in one transaction. While as many wait for it, no more are weighed.
const TOGETHER: usize = 64;

/// What kills its worker does so before this: reading, conditions and prompts take far less. What comes back from a crash
/// and is in hand for longer waits for somebody else, and if the process ends then, it was not its doing.
const ALIVE: Duration = Duration::from_secs(1);

/// For how long after it came that is believed of a delivery: whatever kills its worker later than that is parked in the end.
const BELIEVED: TimeDelta = TimeDelta::minutes(10);

/// Shortest and longest wait between two tries to ask GitHub; between them it is as long as it has waited so far.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));

/// A delivery in hand, and what is to become of it.
type Ready = (Held, Box<Settled>);

/// Those that are weighed and ended.
pub(super) struct Crew<'b> {
    bridge: &'b Bridge,
    running: JoinSet<Result<Option<Ready>, StepError>>,
    ready: Vec<Ready>,
    /// The transaction that is under way.
    ending: Option<Id>,
    /// The first error.
    pub outcome: Result<(), StepError>,
}

impl<'b> Crew<'b> {
    pub(super) fn new(bridge: &'b Bridge) -> Self {
        Self { bridge, running: JoinSet::new(), ready: Vec::new(), ending: None, outcome: Ok(()) }
    }

    /// Weighs those who wait, at most `at_once` together, until all have ended or `turn_until` has come.
    pub(super) async fn work(
        &mut self,
        live: &Arc<Live>,
        waiting: &mut VecDeque<(Held, Concern)>,
        turn_until: Instant,
    ) {
        loop {
            while self.has_room()
                && let Some((held, concern)) = waiting.pop_front()
            {
                self.running.spawn(weigh_one(self.bridge.clone(), Arc::clone(live), held, concern));
            }
            tokio::select! {
                some = self.next() => if !some { return },
                () = tokio::time::sleep_until(turn_until) => return,
            }
        }
    }

    /// Whether another one may be weighed now.
    pub(super) fn has_room(&self) -> bool {
        let weighed = self.running.len() - usize::from(self.ending.is_some());
        weighed < self.bridge.settings.at_once.max(1) && self.ready.len() < TOGETHER
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.ready.is_empty()
    }

    /// Waits until one of them is weighed, or some are ended. Answers false when there is nothing left. Given up while it
    /// waits, it has lost nothing.
    pub(super) async fn next(&mut self) -> bool {
        if self.ending.is_none() && !self.ready.is_empty() {
            let mut group: Vec<Ready> = self.ready.drain(..self.ready.len().min(TOGETHER)).collect();
            // Who came first is counted first.
            group.sort_by_key(|(held, _)| held.id);
            self.ending = Some(self.running.spawn(end_together(self.bridge.clone(), group)).id());
        }
        let Some(came) = self.running.join_next_with_id().await else { return false };
        let id = came.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        if self.ending == Some(id) {
            self.ending = None;
        }
        match came {
            Ok((_, Ok(ready))) => self.ready.extend(ready),
            Ok((_, Err(error))) => {
                tracing::error!(%error, "a delivery could not be matched; it is taken up again");
                self.failed(error);
            }
            Err(panic) => tracing::error!(%panic, "matching a delivery panicked; it is taken up again a few times"),
        }
        true
    }

    /// The first error counts.
    pub(super) fn failed(&mut self, error: StepError) {
        if self.outcome.is_ok() {
            self.outcome = Err(error);
        }
    }
}

/// Weighs one delivery, and answers what is still to be ended.
async fn weigh_one(bridge: Bridge, live: Arc<Live>, held: Held, concern: Concern) -> Result<Option<Ready>, StepError> {
    let settled = async {
        match weigh::weigh(&bridge, &live, &concern).await? {
            Weighed::Settled(settled) => Ok(Some(settled)),
            Weighed::Later(later) => postpone(&bridge, held.lease, &concern.delivery, &later).await.map(|()| None),
        }
    };
    if !held.suspect {
        return match settled.await {
            Ok(Some(settled)) => Ok(Some((held, settled))),
            Ok(None) => let_go(held, Ok(true)).map(|()| None),
            Err(error) => let_go(held, Err(error)).map(|()| None),
        };
    }
    // What comes back from a crash is ended by itself: if it is what kills its worker, nothing else is in its transaction.
    let ended = async {
        match settled.await? {
            Some(settled) => decide::commit(&bridge, &[&settled]).await,
            None => Ok(true),
        }
    };
    let outcome = tokio::select! {
        outcome = ended => outcome,
        never = uncount(&bridge, &held, &concern.delivery) => match never {},
    };
    let_go(held, outcome).map(|()| None)
}

/// Ends a group of deliveries. What one of them brings with it, a lease that was lost or something that the database
/// does not take, is not to touch the others: then each is ended by itself.
async fn end_together(bridge: Bridge, group: Vec<Ready>) -> Result<Option<Ready>, StepError> {
    let all: Vec<&Settled> = group.iter().map(|(_, settled)| &**settled).collect();
    match decide::commit(&bridge, &all).await {
        Ok(true) => {
            group.into_iter().for_each(|(held, _)| held.end());
            Ok(None)
        }
        // They are given back.
        Err(away @ StepError::Store(StoreError::Unavailable(_))) => Err(away),
        outcome => {
            let mut first = Ok(());
            let mut known = (group.len() == 1).then_some(outcome);
            for (held, settled) in group {
                let outcome = match known.take() {
                    Some(outcome) => outcome,
                    None => decide::commit(&bridge, &[&settled]).await,
                };
                first = first.and(let_go(held, outcome));
            }
            first.map(|()| None)
        }
    }
}

async fn postpone(bridge: &Bridge, lease: Lease, delivery: &ClaimedDelivery, later: &Later) -> Result<(), StepError> {
    let (why, now) = (&later.why, bridge.ground.now());
    let waited = now.signed_duration_since(delivery.received_at).to_std().unwrap_or_default();
    let wait = bridge.ground.jitter(waited.clamp(ASK_AGAIN.0, ASK_AGAIN.1));
    // When GitHub names a time, or is asked again at one, it is kept; the jitter then comes on top, so that not all go on
    // together. Before that time nobody is asked in vain.
    let until = later.until.or_else(|| bridge.github.outage().map(|outage| outage.next_probe_at));
    let due_at = match until {
        Some(until) => until.max(now) + bridge.ground.jitter(ASK_AGAIN.0),
        None => now + wait,
    };
    if bridge.github.outage().is_some() {
        // Said once for all of them, when it began.
        tracing::debug!(delivery = %delivery.id, why, %due_at, "a delivery waits: GitHub does not answer");
    } else {
        tracing::warn!(delivery = %delivery.id, why, %due_at, "a delivery waits: GitHub could not be asked");
    }
    bridge.store.give_back_deliveries(&[delivery.id], lease, Some(due_at), Some(why)).await?;
    Ok(())
}

/// Takes back the count of a try that has not killed its worker, also from a database that is away for a while.
async fn uncount(bridge: &Bridge, held: &Held, delivery: &ClaimedDelivery) -> Infallible {
    if bridge.ground.now().signed_duration_since(delivery.received_at) < BELIEVED {
        tokio::time::sleep(ALIVE).await;
        while bridge.store.uncount_try(held.id, held.lease, delivery.tries).await.is_err() {
            tokio::time::sleep(ALIVE).await;
        }
    }
    std::future::pending().await
}

/// What failed in passing is left to be given back; what failed for good stays counted. What took longer than its lease is
/// another's now: it is given back as far as it is counted.
pub(super) fn let_go(held: Held, outcome: Result<bool, StepError>) -> Result<(), StepError> {
    let is_left = match &outcome {
        Ok(ended) => !ended,
        Err(StepError::Store(error)) => error.is_passing(),
        Err(StepError::Illegal(_)) => false,
    };
    if !is_left {
        held.end();
    }
    outcome.map(|_| ())
}
