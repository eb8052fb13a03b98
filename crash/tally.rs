//! Counts by name: they add up over rounds, and print as one line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use crate::places::Places;

/// Counts by name.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    /// Counts `count` more of `name`.
    pub(crate) fn add(&self, name: &str, count: u64) {
        if count == 0 {
            return;
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default() += count;
    }

    /// How many.
    pub(crate) fn get(&self, name: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or(0)
    }

    fn all(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds another's counts.
    pub(crate) fn take_in(&self, other: &Self) {
        for (name, count) in other.all() {
            self.add(&name, count);
        }
    }

    /// `name=count` of all, in the order of their names.
    pub(crate) fn line(&self) -> String {
        let mut line = String::new();
        for (name, count) in self.all() {
            // Writing to a String cannot fail.
            let _ = write!(line, "{}{name}={count}", if line.is_empty() { "" } else { " " });
        }
        line
    }

    /// The same as a JSON object, with every place.
    pub(crate) fn json(&self, seed: u64, good: bool, places: &Places) -> serde_json::Value {
        let places: BTreeMap<_, _> = places.all().into_iter().collect();
        serde_json::json!({ "first_seed": seed, "holds": good, "totals": self.all(), "places": places })
    }
}
