//! Ending deliveries in groups, so that what one of them brings with it never touches the others.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use crate::pipeline::decide::Settled;
use crate::pipeline::in_hand::Held;
use crate::pipeline::{Bridge, StepError, decide};
use crate::store::StoreError;

/// For how long what cannot be ended now is tried again before it is given back: another transaction is alone with what it counts.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long until it is tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// A delivery in hand that was weighed.
pub(super) struct Ready {
    pub held: Held,
    pub settled: Box<Settled>,
    /// When it was weighed.
    pub since: Instant,
}

/// The patience that there is: well within the lease, so that what is given back is still ours, and does not count as a crash.
pub(super) fn patience(bridge: &Bridge) -> Duration {
    PATIENCE.min(bridge.settings.lease / 4)
}

/// Ends a group of deliveries in one transaction. Answers those that are to be tried again. A lease that was lost, something
/// that the database does not take or a panic ends the group, not its members: then each is ended by itself.
pub(super) async fn end_together(bridge: Bridge, group: Vec<Ready>) -> Result<Vec<Ready>, StepError> {
    let all: Vec<&Settled> = group.iter().map(|ready| &*ready.settled).collect();
    match AssertUnwindSafe(decide::commit(&bridge, &all)).catch_unwind().await {
        Ok(Ok(Some(ended))) => {
            if !ended.contains(&true) {
                tokio::time::sleep(bridge.ground.jitter(AGAIN)).await;
            }
            let mut again = Vec::new();
            for (ready, is_ended) in group.into_iter().zip(ended) {
                match is_ended {
                    true => ready.held.end(),
                    false => again.push(ready),
                }
            }
            Ok(again)
        }
        // They are given back.
        Ok(Err(away @ StepError::Store(StoreError::Unavailable(_)))) => Err(away),
        Ok(Ok(None) | Err(_)) | Err(_) => each_alone(&bridge, group).await.map(|()| Vec::new()),
    }
}

/// Ends each by itself. Those whose turn does not come soon are given back.
async fn each_alone(bridge: &Bridge, group: Vec<Ready>) -> Result<(), StepError> {
    let until = Instant::now() + patience(bridge);
    let mut first = Ok(());
    for ready in group {
        if Instant::now() >= until || matches!(first, Err(StepError::Store(StoreError::Unavailable(_)))) {
            continue;
        }
        match AssertUnwindSafe(decide::commit_one(bridge, &ready.settled)).catch_unwind().await {
            Ok(outcome) => first = first.and(let_go(ready.held, outcome)),
            Err(_) => {
                tracing::error!(delivery = %ready.held.id, "deciding about a delivery panicked; it is taken up again a few times");
                ready.held.end();
            }
        }
    }
    first
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
