//! `sweep`: how often GitHub is asked about running tasks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::node::Document;
use super::super::place::Path;

/// How often running tasks are looked at.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SweepConfig {
    /// The shortest time between two looks at one person's tasks: right after a start.
    pub interval_min: Duration,
    /// Sets the pace after that: a third of it while a person has live tasks, eight times it while only ended ones
    /// are watched.
    pub interval_max: Duration,
    /// How far each look goes back behind the last one, against late writes on the other side.
    pub overlap: Duration,
    /// How long GitHub must say that it does not know a task before it counts as lost.
    pub lost_after: Duration,
}

impl Default for SweepConfig {
    fn default() -> Self {
        Self {
            interval_min: Duration::secs(5),
            interval_max: Duration::secs(120),
            overlap: Duration::secs(300),
            lost_after: Duration::secs(3_600),
        }
    }
}

impl SweepConfig {
    pub(super) fn check(&self, document: &Document, found: &mut Findings) {
        let times = [("interval_min", self.interval_min), ("lost_after", self.lost_after)];
        super::refuse_zero(document, "sweep", &times, found);
        if self.interval_max < self.interval_min {
            let message = format!("shorter than `sweep.interval_min` ({})", self.interval_min);
            found.fault(document, &Path::of(&["sweep", "interval_max"]), message);
        }
    }
}
