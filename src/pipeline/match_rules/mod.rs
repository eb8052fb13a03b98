//! From recorded deliveries to decisions and tasks. A batch is taken under one lease: what concerns no rule
//! is ended with one transaction for all; what may concern one is weighed by itself, since it asks GitHub.
//! A slow look-up holds up nobody else: while it runs, the next batches are taken.

mod gate;
mod plan;
mod runs_as;
mod thread;
pub(super) mod weigh;
mod weighed;

pub use runs_as::not_ready;

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::guard::Later;
use super::in_hand::Held;
use super::sort::{self, Heard, Sorted, Unsorted};
use super::{Bridge, Live, StepError, decide};
use crate::fail_point::{Point, reach, reach_with};
use crate::ids::DeliveryId;
use crate::sources::Envelope;
use crate::store::decisions::Finished;
use crate::store::deliveries::{ClaimedDelivery, DeliveryState, End};
use crate::store::{Lease, StoreError};
use weighed::Weighed;

/// Crashes before a delivery is parked: each try was counted before its work began and is uncounted when it is
/// given back, so one that kills its worker is not taken up for ever.
const CRASHES: i16 = 3;

/// What kills its worker does so before this: reading, conditions and prompts take far less. What comes back from a crash
/// and is in hand for longer waits for somebody else, and if the process ends then, it was not its doing.
const ALIVE: Duration = Duration::from_secs(1);

/// For how long after it came that is believed of a delivery: whatever kills its worker later than that is parked in the end.
const BELIEVED: TimeDelta = TimeDelta::minutes(10);

/// How long a delivery may wait for GitHub to be asked.
const WAIT_FOR_GITHUB: TimeDelta = TimeDelta::hours(24);
/// Shortest and longest wait between two tries to ask GitHub; between them it is as long as it has waited so far.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));

/// How long what was taken up may wait for its turn; what has not begun by then is given back.
const TURN: Duration = Duration::from_secs(1);
/// How long further batches are taken while slow look-ups run. Then they are let end, so that the step does too.
const REFILL: Duration = Duration::from_secs(10);

/// A delivery that must be weighed.
struct Concern {
    delivery: ClaimedDelivery,
    envelope: Envelope,
    heard: Heard,
}

/// Takes waiting deliveries, up to `limit` at a time, through the match step. Answers how many were taken up.
///
/// # Errors
/// [`StepError`]: what was not ended is given back, or taken up again when its lease has run out.
pub async fn match_batch(bridge: &Bridge, limit: i64) -> Result<usize, StepError> {
    let mut taken = 0;
    let mut running = JoinSet::new();
    let mut outcome = Ok(());
    // Within the lease, so that what still runs is not taken up a second time by this process.
    let refill_until = Instant::now() + REFILL.min(bridge.settings.lease / 2);
    loop {
        let live = bridge.live();
        let mut waiting = match take_up(bridge, &live, limit, &mut taken).await {
            Ok(waiting) => waiting,
            Err(error) => {
                outcome = outcome.and(Err(error));
                break;
            }
        };
        let turn_until = Instant::now() + TURN.min(bridge.settings.lease / 4);
        work(bridge, &live, &mut waiting, &mut running, turn_until, &mut outcome).await;
        // Those whose turn has not come are left, for another worker or a later turn.
        drop(waiting);
        if outcome.is_err() || running.is_empty() || Instant::now() >= refill_until {
            break;
        }
        if let Err(error) = bridge.in_hand.give_back(&bridge.store, false).await {
            outcome = Err(error.into());
            break;
        }
        if running.len() >= bridge.settings.at_once
            && let Some(ended) = running.join_next().await
        {
            keep_first(&mut outcome, ended);
        }
    }
    // What is left is given back before the last are waited for; if that fails, once more behind them.
    let early = bridge.in_hand.give_back(&bridge.store, false).await;
    while let Some(ended) = running.join_next().await {
        keep_first(&mut outcome, ended);
    }
    if early.is_err() || outcome.is_err() {
        bridge.in_hand.give_back(&bridge.store, false).await?;
    }
    outcome.map(|()| taken)
}

/// Gives back what this process still holds, when it stops: another one need not wait for the lease to run out,
/// and the try does not count as a crash.
///
/// # Errors
/// [`StoreError`]: the leases will run out by themselves.
pub async fn give_back(bridge: &Bridge) -> Result<(), StoreError> {
    bridge.in_hand.give_back(&bridge.store, true).await
}

/// Claims deliveries and ends those that concern no rule; answers the others.
async fn take_up(
    bridge: &Bridge,
    live: &Live,
    limit: i64,
    taken: &mut usize,
) -> Result<VecDeque<(Held, Concern)>, StepError> {
    bridge.in_hand.give_back(&bridge.store, false).await?;
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    let suspects = !bridge.in_hand.holds_suspect();
    let claimed = bridge.store.claim_deliveries(lease, bridge.ground.now(), limit, suspects).await;
    // They may have been taken up although we did not hear of it.
    let mut claimed = claimed.inspect_err(|_| bridge.in_hand.lost_sight(lease))?;
    if claimed.is_empty() {
        return Ok(VecDeque::new());
    }
    *taken += claimed.len();
    reach(Point::MatchClaimed);
    claimed.sort_by_key(|delivery| delivery.id);
    let hold = |delivery: ClaimedDelivery| (bridge.in_hand.hold(delivery.id, lease, delivery.tries > 1), delivery);
    let claimed: Vec<(Held, ClaimedDelivery)> = claimed.into_iter().map(hold).collect();
    let ids: Vec<DeliveryId> = claimed.iter().map(|(_, delivery)| delivery.id).collect();
    let replays: HashMap<_, _> = bridge.store.replays_among(&ids).await?.into_iter().collect();
    let mut ended = Vec::new();
    let mut ended_held = Vec::new();
    let mut waiting = VecDeque::new();
    for (held, delivery) in claimed {
        let replay_of = replays.get(&delivery.id).copied();
        if delivery.tries <= CRASHES {
            reach_with(Point::MatchReading, &delivery.sender_id);
        }
        match looked_at(bridge, live, delivery, replay_of) {
            Ok(concern) => waiting.push_back((held, concern)),
            Err(end) => {
                ended.push(Finished { id: held.id, end: *end, decisions: Vec::new() });
                ended_held.push(held);
            }
        }
    }
    if !ended.is_empty() {
        let outcome = finish(bridge, lease, &ended).await;
        ended_held.into_iter().for_each(|held| let_go(held, &outcome));
        outcome?;
    }
    Ok(waiting)
}

async fn finish(bridge: &Bridge, lease: Lease, ended: &[Finished]) -> Result<(), StepError> {
    let mut tx = bridge.store.begin().await?;
    tx.finish_deliveries(&bridge.ground, lease, ended).await?;
    reach(Point::MatchBeforeCommit);
    tx.commit().await?;
    reach(Point::MatchCommitted);
    Ok(())
}

/// Weighs those who wait, at most `at_once` together, until all have ended or `turn_until` has come.
async fn work(
    bridge: &Bridge,
    live: &Arc<Live>,
    waiting: &mut VecDeque<(Held, Concern)>,
    running: &mut JoinSet<Result<(), StepError>>,
    turn_until: Instant,
    outcome: &mut Result<(), StepError>,
) {
    loop {
        while running.len() < bridge.settings.at_once.max(1)
            && let Some((held, concern)) = waiting.pop_front()
        {
            running.spawn(weigh_one(bridge.clone(), Arc::clone(live), held, concern));
        }
        tokio::select! {
            ended = running.join_next() => match ended {
                Some(ended) => keep_first(outcome, ended),
                None => return,
            },
            () = tokio::time::sleep_until(turn_until) => return,
        }
    }
}

async fn weigh_one(bridge: Bridge, live: Arc<Live>, held: Held, concern: Concern) -> Result<(), StepError> {
    let weighed = async {
        match weigh::weigh(&bridge, &live, &concern).await? {
            Weighed::Settled(settled) => decide::commit(&bridge, held.lease, &settled).await,
            Weighed::Later(later) => postpone(&bridge, held.lease, &concern.delivery, &later).await.map(|()| true),
        }
    };
    let outcome = tokio::select! {
        outcome = weighed => outcome,
        never = uncount(&bridge, &held, &concern.delivery) => match never {},
    };
    // It took longer than the lease, and is another's now: it is given back as far as it is counted.
    if matches!(outcome, Ok(false)) {
        return Ok(());
    }
    let outcome = outcome.map(|_| ());
    let_go(held, &outcome);
    outcome
}

/// Takes back the count of a try that has not killed its worker, also from a database that is away for a while.
async fn uncount(bridge: &Bridge, held: &Held, delivery: &ClaimedDelivery) -> Infallible {
    if held.suspect && bridge.ground.now().signed_duration_since(delivery.received_at) < BELIEVED {
        tokio::time::sleep(ALIVE).await;
        while bridge.store.uncount_try(held.id, held.lease, delivery.tries).await.is_err() {
            tokio::time::sleep(ALIVE).await;
        }
    }
    std::future::pending().await
}

/// What failed in passing is left to be given back; what failed for good stays counted.
fn let_go(held: Held, outcome: &Result<(), StepError>) {
    if !matches!(outcome, Err(StepError::Store(error)) if error.is_passing()) {
        held.end();
    }
}

/// The first error counts; a panic is logged and does not touch the others.
fn keep_first(outcome: &mut Result<(), StepError>, ended: Result<Result<(), StepError>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "a delivery could not be matched; it is taken up again");
            if outcome.is_ok() {
                *outcome = Err(error);
            }
        }
        Err(panic) => tracing::error!(%panic, "matching a delivery panicked; it is taken up again a few times"),
    }
}

/// The pure part of the step: what is to be weighed, or its end. A panic in it ends this delivery alone.
fn looked_at(
    bridge: &Bridge,
    live: &Live,
    delivery: ClaimedDelivery,
    replay_of: Option<DeliveryId>,
) -> Result<Concern, Box<End>> {
    let failed = |reason: &str| Err(Box::new(End::new(DeliveryState::Failed, reason)));
    if delivery.tries > CRASHES {
        return failed("processing it did not come to an end several times; it is parked until an operator replays it");
    }
    if let Some(first) = replay_of {
        let reason = format!("the same body came before, as the delivery {first}: a replay, or told by a second hook");
        let end = End { duplicate_of: Some(first), ..End::new(DeliveryState::Duplicate, &reason) };
        return Err(Box::new(end));
    }
    let Some(body) = &delivery.body else { return failed("its body is no longer kept") };
    let envelope = Envelope {
        sender_id: delivery.sender_id.clone(),
        hook_id: delivery.hook_id.clone(),
        event_name: delivery.event_name.clone(),
        content_type: delivery.content_type.clone(),
    };
    let unsorted = Unsorted { source: &delivery.source, envelope: &envelope, body, received_at: delivery.received_at };
    let step = || sort::sort(bridge.settings.keep_bodies, live, &unsorted);
    match std::panic::catch_unwind(AssertUnwindSafe(step)) {
        Ok(Sorted::Concerns(heard)) => {
            let mut heard = *heard;
            if let Some(source) = live.sources.get(&delivery.source)
                && let Err(unreadable) = source.source.identify(&mut heard.event, &envelope, body)
            {
                return failed(&unreadable.to_string());
            }
            Ok(Concern { delivery, envelope, heard })
        }
        Ok(Sorted::Ended(end)) => Err(end),
        Err(_) => failed("reading it failed inside taskbridge; see the log"),
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

/// Whether a delivery has waited for GitHub as long as it may.
fn waited_enough(bridge: &Bridge, delivery: &ClaimedDelivery) -> bool {
    bridge.ground.now().signed_duration_since(delivery.received_at) >= WAIT_FOR_GITHUB
}
