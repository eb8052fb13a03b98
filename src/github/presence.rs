//! The gate that every call passes before it leaves: while GitHub does not answer at all, nothing is sent but a small
//! question now and then. What waits is held back, and nobody's limits or tokens are touched.
//!
//! GitHub can also answer everything but the writes. Then only those are held back, and one of them is let through now and
//! then, since nothing else would show that they are taken again: each start that fails so must be settled by looking.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Method, Url};

use super::answer::Answer;
use super::error::CallError;
use crate::clock::Ground;
use crate::domain::circuit::{Admit, Circuit, Outage};

/// How long the question may take: shorter than the shortest wait between two, jitter included.
pub(super) const PATIENCE: Duration = Duration::from_secs(7);

/// The calls that change something. The two kinds can fail apart: one is a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Starting a task.
    Start,
    /// Comments, labels and reactions.
    Telling,
}

impl Write {
    /// What a request is, if it changes something that people see.
    pub(super) fn of(method: &Method, url: &Url) -> Option<Self> {
        match method {
            // The App fetches its tokens so.
            _ if *method == Method::GET || url.path().ends_with("/access_tokens") => None,
            _ if url.path().contains("/agents/") => Some(Self::Start),
            _ => Some(Self::Telling),
        }
    }
}

#[derive(Debug, Default)]
struct Known {
    all: Circuit,
    starts: Circuit,
    tellings: Circuit,
}

impl Known {
    fn of(&mut self, write: Write) -> &mut Circuit {
        match write {
            Write::Start => &mut self.starts,
            Write::Telling => &mut self.tellings,
        }
    }
}

/// What is known of GitHub's being there; of this process alone.
#[derive(Debug, Default)]
pub(super) struct Presence(Mutex<Known>);

impl Presence {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outage that goes on, if one does.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.lock().all.outage()
    }

    /// When the last outage ended.
    pub(super) fn back_since(&self) -> Option<DateTime<Utc>> {
        self.lock().all.back_since()
    }

    /// Since when such writes are held back although GitHub answers, if they are.
    pub(super) fn held(&self, write: Write) -> Option<Outage> {
        self.lock().of(write).outage()
    }

    /// How many of `wanted` writes may be taken up now: all, one to see whether it is taken, or none.
    pub(super) fn room(&self, write: Write, wanted: i64, now: DateTime<Utc>) -> i64 {
        match self.lock().of(write).would_admit(now) {
            Admit::Pass => wanted,
            Admit::Probe => wanted.min(1),
            Admit::Wait(_) => 0,
        }
    }

    /// Learns from how a call ended. Refusals are answers too; what came and was not understood says nothing.
    pub(super) fn learn(&self, outcome: &Result<Answer, CallError>, write: Option<Write>, now: DateTime<Utc>) {
        match outcome {
            Err(error @ (CallError::NotSent { .. } | CallError::Unknown { status: None | Some(500..), .. })) => {
                let mut known = self.lock();
                known.all.failed(now);
                let begins = write.is_some_and(|write| known.of(write).failed_as_question(now));
                if begins && known.all.outage().is_none() {
                    tracing::warn!(%error, ?write, "GitHub fails at writes; they are held back, and one is tried now and then");
                }
            }
            Err(CallError::Unknown { .. }) => {}
            Ok(_) | Err(_) => {
                self.answered(now);
                let held = write.and_then(|write| self.lock().of(write).answered(now));
                if let Some(held) = held {
                    tracing::info!(
                        seconds = held.num_seconds(),
                        ?write,
                        "GitHub takes writes again; what waited goes on"
                    );
                }
            }
        }
    }

    /// Lets a write pass, or says until when to wait. When the wait is over, it passes as the question.
    pub(super) fn pass_write(&self, write: Write, ground: &Ground) -> Result<(), CallError> {
        match self.lock().of(write).admit(ground.now(), |wait| ground.jitter(wait)) {
            Admit::Pass | Admit::Probe => Ok(()),
            Admit::Wait(until) => Err(CallError::Away { until }),
        }
    }

    /// Lets a call pass, or says until when to wait. When the wait is over, the question is put first: `ask` answers why
    /// there was no answer.
    pub(super) async fn pass(
        &self,
        ground: &Ground,
        ask: impl AsyncFnOnce() -> Result<(), String>,
    ) -> Result<(), CallError> {
        let admit = self.lock().all.admit(ground.now(), |wait| ground.jitter(wait));
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
            let mut known = self.lock();
            (known.all.probe_failed(), known.all.outage())
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
        let outage = {
            let mut known = self.lock();
            let outage = known.all.answered(now);
            if outage.is_some() {
                // They failed as everything did.
                (known.starts, known.tellings) = Default::default();
            }
            outage
        };
        if let Some(outage) = outage {
            tracing::info!(seconds = outage.num_seconds(), "GitHub answers again; what waited for it goes on");
        }
    }
}
