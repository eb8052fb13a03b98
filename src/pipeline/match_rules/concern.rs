//! What is weighed, and how long it may wait for GitHub.

use chrono::TimeDelta;

use crate::domain::command::Command;
use crate::domain::event::Event;
use crate::pipeline::Bridge;
use crate::pipeline::sort::{Heard, Said};
use crate::sources::Envelope;
use crate::store::Lease;
use crate::store::deliveries::ClaimedDelivery;

/// How long a delivery may wait for GitHub to be asked.
const WAIT_FOR_GITHUB: TimeDelta = TimeDelta::hours(24);

/// A delivery that must be weighed.
pub(super) struct Concern {
    pub delivery: ClaimedDelivery,
    pub lease: Lease,
    pub envelope: Envelope,
    pub heard: Heard,
}

impl Concern {
    /// The same delivery, with what is known by now of what was said in a chat.
    pub(super) fn as_heard(&self, event: Event, command: Command) -> Self {
        let heard = Heard { event, candidates: self.heard.candidates.clone(), said: Said::Command(command) };
        Self { delivery: self.delivery.clone(), lease: self.lease, envelope: self.envelope.clone(), heard }
    }
}

/// Whether GitHub was asked in vain for a delivery as long as may be. How long it waited for other things, or was kept before it
/// was replayed, is no matter.
pub(super) fn waited_enough(bridge: &Bridge, delivery: &ClaimedDelivery) -> bool {
    delivery.trying_since.is_some_and(|since| bridge.ground.now().signed_duration_since(since) >= WAIT_FOR_GITHUB)
}
