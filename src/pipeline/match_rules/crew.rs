//! Deliveries that are being weighed, a few at once, and those that were: what has been settled while one transaction is under
//! way is ended together by the next. What wants tasks and what does not are two lines, so that nobody waits for what they do
//! not need.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::concern::Concern;
use super::ending::{Ready, end_together, let_go, patience};
use super::weigh;
use super::weighed::{Weighed, tell_kept};
use crate::pipeline::guard::Later;
use crate::pipeline::in_hand::Held;
use crate::pipeline::{Bridge, Live, StepError, decide};
use crate::store::Lease;
use crate::store::deliveries::{ClaimedDelivery, PutOff};

/// Most deliveries that are ended in one transaction. While as many wait for it, no more are weighed.
const TOGETHER: usize = 64;

/// What kills its worker does so before this: reading, conditions and prompts take far less. What comes back from a crash
/// and is in hand for longer waits for somebody else, and if the process ends then, it was not its doing.
const ALIVE: Duration = Duration::from_secs(1);

/// For how long after it came that is believed of a delivery: whatever kills its worker later than that is parked in the end.
const BELIEVED: TimeDelta = TimeDelta::minutes(10);

/// Shortest and longest wait between two tries to ask GitHub; between them it is as long as it has waited so far.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));

/// How long somebody who asked in a chat may wait without being told that they do: a token that is renewed takes no longer.
const UNTOLD: TimeDelta = TimeDelta::seconds(10);

/// Those that were weighed and wait for the transaction under way.
#[derive(Default)]
struct Line {
    ready: Vec<Ready>,
    /// The transaction.
    ending: Option<Id>,
}

/// Those that are weighed and ended.
pub(super) struct Crew<'b> {
    bridge: &'b Bridge,
    running: JoinSet<Result<Vec<Ready>, StepError>>,
    /// Those that become tasks. What they count may be held by others for a while.
    counted: Line,
    /// Those that do not, and wait for nobody.
    plain: Line,
    /// The first error.
    pub outcome: Result<(), StepError>,
}

impl<'b> Crew<'b> {
    pub(super) fn new(bridge: &'b Bridge) -> Self {
        let (counted, plain) = (Line::default(), Line::default());
        Self { bridge, running: JoinSet::new(), counted, plain, outcome: Ok(()) }
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
        let lines = [&self.counted, &self.plain];
        let weighed = self.running.len() - lines.iter().filter(|line| line.ending.is_some()).count();
        weighed < self.bridge.settings.at_once.max(1) && lines.iter().all(|line| line.ready.len() < TOGETHER)
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.counted.ready.is_empty() && self.plain.ready.is_empty()
    }

    /// Waits until one of them is weighed, or some are ended. Answers false when there is nothing left. Given up while it
    /// waits, it has lost nothing.
    pub(super) async fn next(&mut self) -> bool {
        for line in [&mut self.counted, &mut self.plain] {
            if line.ending.is_none() && !line.ready.is_empty() {
                // Who came first is counted first.
                line.ready.sort_by_key(|ready| ready.held.id);
                let group = line.ready.drain(..line.ready.len().min(TOGETHER)).collect();
                line.ending = Some(self.running.spawn(end_together(self.bridge.clone(), group)).id());
            }
        }
        let Some(came) = self.running.join_next_with_id().await else { return false };
        let id = came.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        for line in [&mut self.counted, &mut self.plain] {
            line.ending.take_if(|ending| *ending == id);
        }
        match came {
            Ok((_, Ok(ready))) => ready.into_iter().for_each(|ready| self.line_up(ready)),
            Ok((_, Err(error))) => {
                tracing::error!(%error, "a delivery could not be matched; it is taken up again");
                self.failed(error);
            }
            Err(panic) => tracing::error!(%panic, "matching a delivery panicked; it is taken up again a few times"),
        }
        true
    }

    /// What has been tried for long is left to be given back.
    fn line_up(&mut self, ready: Ready) {
        let line = if ready.settled.plans.is_empty() { &mut self.plain } else { &mut self.counted };
        if ready.since.elapsed() < patience(self.bridge) {
            line.ready.push(ready);
        } else {
            tracing::warn!(delivery = %ready.held.id, "a delivery is taken up again later: another transaction holds what it counts");
        }
    }

    /// The first error counts.
    pub(super) fn failed(&mut self, error: StepError) {
        if self.outcome.is_ok() {
            self.outcome = Err(error);
        }
    }
}

/// Weighs one delivery, and answers what is still to be ended.
async fn weigh_one(bridge: Bridge, live: Arc<Live>, held: Held, concern: Concern) -> Result<Vec<Ready>, StepError> {
    let settled = async {
        match weigh::weigh(&bridge, &live, &concern).await? {
            Weighed::Settled(settled) => Ok(Some(settled)),
            Weighed::Later(later) => postpone(&bridge, held.lease, &concern, &later).await.map(|()| None),
        }
    };
    if !held.suspect {
        return match settled.await {
            Ok(Some(settled)) => Ok(vec![Ready { held, settled, since: Instant::now() }]),
            Ok(None) => let_go(held, Ok(true)).map(|()| Vec::new()),
            Err(error) => let_go(held, Err(error)).map(|()| Vec::new()),
        };
    }
    // What comes back from a crash is ended by itself: if it is what kills its worker, nothing else is in its transaction.
    let ended = async {
        match settled.await? {
            Some(settled) => decide::commit_one(&bridge, &settled).await,
            None => Ok(true),
        }
    };
    let outcome = tokio::select! {
        outcome = ended => outcome,
        never = uncount(&bridge, &held, &concern.delivery) => match never {},
    };
    let_go(held, outcome).map(|()| Vec::new())
}

async fn postpone(bridge: &Bridge, lease: Lease, concern: &Concern, later: &Later) -> Result<(), StepError> {
    let delivery = &concern.delivery;
    let (why, now) = (&later.why, bridge.ground.now());
    let since = delivery.trying_since.unwrap_or(now);
    let waited = now.signed_duration_since(since).to_std().unwrap_or_default();
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
    if due_at - since > UNTOLD {
        tell_kept(bridge, concern).await?;
    }
    let put_off = PutOff { until: due_at, why, since };
    bridge.store.give_back_deliveries(&[delivery.id], lease, Some(put_off)).await?;
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
