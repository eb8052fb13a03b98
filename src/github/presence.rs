//! The gate that every call passes before it leaves: while GitHub does not answer at all, nothing is sent but a small
//! question now and then. What waits is held back, and nobody's limits or tokens are touched.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::answer::Answer;
use super::error::CallError;
use crate::clock::Ground;
use crate::domain::circuit::{Admit, Circuit, Outage};

/// How long the question may take: shorter than the shortest wait between two, jitter included.
pub(super) const PATIENCE: Duration = Duration::from_secs(7);

/// What is known of GitHub's being there; of this process alone.
#[derive(Debug, Default)]
pub(super) struct Presence(Mutex<Circuit>);

impl Presence {
    fn lock(&self) -> MutexGuard<'_, Circuit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outage that goes on, if one does.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.lock().outage()
    }

    /// When the last outage ended.
    pub(super) fn back_since(&self) -> Option<DateTime<Utc>> {
        self.lock().back_since()
    }

    /// Learns from how a call ended. Refusals are answers too; what came and was not understood says nothing.
    pub(super) fn learn(&self, outcome: &Result<Answer, CallError>, now: DateTime<Utc>) {
        match outcome {
            Err(CallError::NotSent { .. } | CallError::Unknown { status: None | Some(500..), .. }) => {
                self.lock().failed(now);
            }
            Err(CallError::Unknown { .. }) => {}
            Ok(_) | Err(_) => self.answered(now),
        }
    }

    /// Lets a call pass, or says until when to wait. When the wait is over, the question is put first: `ask` answers why
    /// there was no answer.
    pub(super) async fn pass(
        &self,
        ground: &Ground,
        ask: impl AsyncFnOnce() -> Result<(), String>,
    ) -> Result<(), CallError> {
        let admit = self.lock().admit(ground.now(), |wait| ground.jitter(wait));
        match admit {
            Admit::Pass => Ok(()),
            Admit::Wait(until) => Err(CallError::Away { until }),
            Admit::Probe => match ask().await {
                Ok(()) => {
                    self.answered(ground.now());
                    Ok(())
                }
                Err(why) => Err(self.still_away(&why, ground.now())),
            },
        }
    }

    fn still_away(&self, why: &str, now: DateTime<Utc>) -> CallError {
        let (begins, outage) = {
            let mut circuit = self.lock();
            (circuit.probe_failed(), circuit.outage())
        };
        // Another call may have been answered meanwhile.
        let until = outage.map_or(now, |outage| outage.next_probe_at);
        if begins {
            tracing::warn!(why, "GitHub does not answer; calls are held back, and it is asked now and then");
        } else {
            tracing::info!(why, %until, "GitHub still does not answer; it is asked again");
        }
        CallError::Away { until }
    }

    fn answered(&self, now: DateTime<Utc>) {
        let outage = self.lock().answered(now);
        if let Some(outage) = outage {
            tracing::info!(seconds = outage.num_seconds(), "GitHub answers again; what waited for it goes on");
        }
    }
}
