//! What the handlers ask for, as small parts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRef;
use chrono::{DurationRound, TimeDelta};

use super::budget::Budget;
use crate::pipeline::Bridge;
use crate::pipeline::record::Recorder;
use crate::store::refusals::RefusalCount;
use crate::store::{Moment, StoreError};

/// All parts. Handlers take those that they need.
#[derive(Clone, FromRef)]
pub struct AppState {
    /// The pipeline's parts.
    pub bridge: Bridge,
    /// The way into the writer.
    pub recorder: Recorder,
    /// What webhooks may cost.
    pub intake: Arc<Intake>,
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppState")
    }
}

/// What webhooks may cost before they are known to be signed.
#[derive(Debug)]
pub struct Intake {
    /// Longest body in bytes; GitHub sends none over 25 MB.
    pub max_body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// What all bodies in flight may hold together.
    pub budget: Budget,
    /// Requests turned away.
    pub refused: Refused,
}

impl Intake {
    /// With a budget of `in_flight_bytes` for all bodies together (at least one body's worth).
    #[must_use]
    pub fn new(max_body_bytes: usize, body_timeout: Duration, in_flight_bytes: usize) -> Self {
        let budget = Budget::new(in_flight_bytes, max_body_bytes);
        Self { max_body_bytes, body_timeout, budget, refused: Refused::default() }
    }
}

/// Counts of requests turned away, kept in memory until a worker writes them down.
#[derive(Debug, Default)]
pub struct Refused(Mutex<HashMap<(Moment, String, &'static str), i64>>);

impl Refused {
    /// Counts one. `source` must be the name of a configured source, or empty: strangers choose no keys.
    pub fn count(&self, now: Moment, source: &str, reason: &'static str) {
        let hour = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((hour, source.to_owned(), reason)).or_default() += 1;
    }

    /// Writes the counts down. What could not be written is kept.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn flush(&self, bridge: &Bridge) -> Result<(), StoreError> {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if counts.is_empty() {
            return Ok(());
        }
        let rows: Vec<RefusalCount> = counts
            .iter()
            .map(|((hour, source, reason), count)| RefusalCount {
                hour: *hour,
                source: source.clone(),
                reason: (*reason).to_owned(),
                count: *count,
            })
            .collect();
        let outcome = bridge.store.add_refusals(&rows).await;
        if outcome.is_err() {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, count) in counts {
                *kept.entry(key).or_default() += count;
            }
        }
        outcome
    }
}
