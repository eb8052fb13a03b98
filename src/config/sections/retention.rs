//! `retention`: how long records are kept. What people wrote goes first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::node::Document;
use super::super::place::Path;

/// How long records are kept.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// The raw bodies of webhooks. While a body is kept, a replay of it under a new id is recognised;
    /// older signed events are refused.
    pub bodies: Duration,
    /// Deliveries and the decisions made on them.
    pub deliveries: Duration,
    /// Ended tasks with their prompts, attempts, timeline and reports.
    pub tasks: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { bodies: Duration::days(7), deliveries: Duration::days(30), tasks: Duration::days(180) }
    }
}

impl RetentionConfig {
    pub(super) fn check(&self, document: &Document, found: &mut Findings) {
        let times = [("bodies", self.bodies), ("deliveries", self.deliveries), ("tasks", self.tasks)];
        super::refuse_zero(document, "retention", &times, found);
        if self.deliveries < self.bodies {
            let message = format!("shorter than `retention.bodies` ({}): a body goes with its delivery", self.bodies);
            found.fault(document, &Path::of(&["retention", "deliveries"]), message);
        }
    }
}
