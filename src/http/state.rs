//! What the handlers ask for, as small parts.

use std::collections::{BTreeMap, HashMap};
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

/// Counts of requests turned away, kept in memory until a worker writes them down, and a line in the log about them
/// at most once a second.
#[derive(Debug, Default)]
pub struct Refused {
    counts: Mutex<HashMap<(Moment, String, &'static str), i64>>,
    unsaid: Mutex<Unsaid>,
}

/// What no line has told of yet, and when the last one was.
#[derive(Debug, Default)]
struct Unsaid {
    counts: BTreeMap<(String, &'static str), u64>,
    said_at: Option<Moment>,
}

impl Unsaid {
    /// The next line, if there is something to say and the last one is a second old. A clock that was put back
    /// keeps nothing unsaid.
    fn due(&mut self, now: Moment) -> Option<String> {
        let fresh = |at: Moment| now >= at && now - at < TimeDelta::seconds(1);
        if self.counts.is_empty() || self.said_at.is_some_and(fresh) {
            return None;
        }
        self.said_at = Some(now);
        let counts = std::mem::take(&mut self.counts);
        let told = counts.iter().map(|((source, reason), count)| {
            let source = if source.is_empty() { "(unknown source)" } else { source };
            format!("{source} {reason} {count}")
        });
        Some(told.collect::<Vec<_>>().join(", "))
    }
}

impl Refused {
    /// Counts one. `source` must be the name of a configured source, or empty: strangers choose no keys.
    pub fn count(&self, now: Moment, source: &str, reason: &'static str) {
        let hour = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((hour, source.to_owned(), reason)).or_default() += 1;
        drop(counts);
        let mut unsaid = self.unsaid.lock().unwrap_or_else(PoisonError::into_inner);
        *unsaid.counts.entry((source.to_owned(), reason)).or_default() += 1;
        drop(unsaid);
        self.say(now);
    }

    /// One line, if it is time for one.
    fn say(&self, now: Moment) {
        let due = self.unsaid.lock().unwrap_or_else(PoisonError::into_inner).due(now);
        if let Some(refused) = due {
            tracing::warn!(refused, "webhooks were turned away");
        }
    }

    /// Writes the counts down. What could not be written is kept.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn flush(&self, bridge: &Bridge) -> Result<(), StoreError> {
        self.say(bridge.ground.now());
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
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
            let mut kept = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, count) in counts {
                *kept.entry(key).or_default() += count;
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_refusals_in_a_second_are_two_lines_that_add_up() {
        let mut unsaid = Unsaid::default();
        let at = |ms: i64| Moment::UNIX_EPOCH + TimeDelta::milliseconds(ms);
        let mut lines = Vec::new();
        for nth in 0..1000 {
            let key =
                if nth % 4 == 0 { (String::new(), "unknown_source") } else { ("github".to_owned(), "signature_wrong") };
            *unsaid.counts.entry(key).or_default() += 1;
            lines.extend(unsaid.due(at(nth)));
        }
        lines.extend(unsaid.due(at(1500)));
        assert_eq!(
            lines,
            ["(unknown source) unknown_source 1", "(unknown source) unknown_source 249, github signature_wrong 750"]
        );
        assert_eq!(unsaid.due(at(9000)), None, "nothing is left to say");
        unsaid.counts.insert(("github".to_owned(), "cut"), 1);
        assert_eq!(unsaid.due(at(-5000)).as_deref(), Some("github cut 1"), "the clock was put back");
    }
}
