//! From recorded deliveries to decisions and tasks. A batch is taken under one lease: what concerns no rule
//! is ended with one transaction for all; what may concern one is weighed by itself, since it asks GitHub, and ended
//! together with whatever else has been settled by then. A slow look-up holds up nobody else: while it runs, the next
//! batches are taken.

mod concern;
mod crew;
mod ending;
mod gate;
mod plan;
mod runs_as;
mod thread;
pub(super) mod weigh;
mod weighed;

pub use runs_as::not_ready;

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use tokio::time::Instant;

use super::in_hand::Held;
use super::sort::{self, Heard, Sorted, Unsorted};
use super::{Bridge, Live, StepError};
use crate::fail_point::{Point, reach, reach_with};
use crate::ids::DeliveryId;
use crate::sources::Envelope;
use crate::store::decisions::Finished;
use crate::store::deliveries::{ClaimedDelivery, DeliveryState, End};
use crate::store::{Lease, StoreError};
use concern::Concern;
use crew::Crew;

/// Crashes before a delivery is parked: each try was counted before its work began and is uncounted when it is
/// given back, so one that kills its worker is not taken up for ever.
const CRASHES: i16 = 3;

/// How long what was taken up may wait for its turn; what has not begun by then is given back.
const TURN: Duration = Duration::from_secs(1);
/// How long further batches are taken while slow look-ups run. Then they are let end, so that the step does too.
const REFILL: Duration = Duration::from_secs(10);

/// Takes waiting deliveries, up to `limit` at a time, through the match step. Answers how many were taken up.
///
/// # Errors
/// [`StepError`]: what was not ended is given back, or taken up again when its lease has run out.
pub async fn match_batch(bridge: &Bridge, limit: i64) -> Result<usize, StepError> {
    let mut taken = 0;
    let mut crew = Crew::new(bridge);
    // Within the lease, so that what still runs is not taken up a second time by this process.
    let refill_until = Instant::now() + REFILL.min(bridge.settings.lease / 2);
    loop {
        let live = bridge.live();
        let mut waiting = match take_up(bridge, &live, limit, &mut taken).await {
            Ok(waiting) => waiting,
            Err(error) => {
                crew.failed(error);
                break;
            }
        };
        let turn_until = Instant::now() + TURN.min(bridge.settings.lease / 4);
        crew.work(&live, &mut waiting, turn_until).await;
        // Those whose turn has not come are left, for another worker or a later turn.
        drop(waiting);
        if crew.outcome.is_err() || crew.is_idle() || Instant::now() >= refill_until {
            break;
        }
        if let Err(error) = bridge.in_hand.give_back(&bridge.store, false).await {
            crew.failed(error.into());
            break;
        }
        if !crew.has_room() {
            crew.next().await;
        }
    }
    // What is left is given back before the last are waited for; and what they leave, or was not given back then, behind them.
    let _early = bridge.in_hand.give_back(&bridge.store, false).await;
    while crew.next().await {}
    bridge.in_hand.give_back(&bridge.store, false).await?;
    crew.outcome.map(|()| taken)
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
        match looked_at(bridge, live, delivery, lease, replay_of) {
            Ok(concern) => waiting.push_back((held, concern)),
            Err(end) => {
                ended.push(Finished { id: held.id, lease, end: *end, decisions: Vec::new() });
                ended_held.push(held);
            }
        }
    }
    if !ended.is_empty() {
        let outcome = finish(bridge, &ended).await;
        let is_left = outcome.as_ref().is_err_and(StoreError::is_passing);
        ended_held.into_iter().filter(|_| !is_left).for_each(Held::end);
        outcome?;
    }
    Ok(waiting)
}

async fn finish(bridge: &Bridge, ended: &[Finished]) -> Result<(), StoreError> {
    let mut tx = bridge.store.begin().await?;
    tx.finish_deliveries(&bridge.ground, ended).await?;
    reach(Point::MatchBeforeCommit);
    tx.commit().await?;
    reach(Point::MatchCommitted);
    Ok(())
}

/// The pure part of the step: what is to be weighed, or its end.
fn looked_at(
    bridge: &Bridge,
    live: &Live,
    delivery: ClaimedDelivery,
    lease: Lease,
    replay_of: Option<DeliveryId>,
) -> Result<Concern, Box<End>> {
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
    let heard = read(delivery.id, || match sort::sort(bridge.settings.keep_bodies, live, &unsorted) {
        Sorted::Concerns(heard) => {
            let mut heard = *heard;
            if let Some(source) = live.sources.get(&delivery.source)
                && let Err(unreadable) = source.source.identify(&mut heard.event, &envelope, body)
            {
                return failed(&unreadable.to_string());
            }
            Ok(heard)
        }
        Sorted::Ended(end) => Err(end),
    })?;
    Ok(Concern { delivery, lease, envelope, heard })
}

/// What is read out of a delivery. A panic in it ends this delivery alone.
fn read(id: DeliveryId, step: impl FnOnce() -> Result<Heard, Box<End>>) -> Result<Heard, Box<End>> {
    std::panic::catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| {
        tracing::error!(delivery = %id, "reading a delivery panicked");
        failed("reading it failed inside taskbridge; see the log")
    })
}

fn failed<T>(reason: &str) -> Result<T, Box<End>> {
    Err(Box::new(End::new(DeliveryState::Failed, reason)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case 35.
    #[test]
    fn a_delivery_that_makes_its_reader_panic_fails_and_says_why() {
        let id = DeliveryId(uuid::Uuid::nil());
        let end = read(id, || panic!("on its body")).map(|_| ()).unwrap_err();
        assert_eq!(end.state, DeliveryState::Failed);
        assert_eq!(end.reason, "reading it failed inside taskbridge; see the log");
    }
}
