//! `tasks`: how a task is started, and what happens when nobody knows whether it was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::node::Document;
use super::super::place::Path;

/// How tasks are started and watched.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TasksConfig {
    /// How long a start without an answer is looked for before it counts as not made.
    pub uncertain_grace: Duration,
    /// What happens then.
    pub on_uncertain: OnUncertain,
    /// How long one worker may hold a task while it starts it; longer than `github.timeout`.
    pub lease: Duration,
    /// How long an ended task is still watched, because a new session can reopen it.
    pub settled_watch: Duration,
    /// How many starts may be under way at once in this process.
    #[schemars(range(min = 1, max = 1_000))]
    pub starts_at_once: u32,
}

/// What happens to a start without an answer that was not found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUncertain {
    /// Once two complete listings do not show it, it is started again, once.
    #[default]
    Restart,
    /// A person decides.
    Wait,
}

impl Default for TasksConfig {
    fn default() -> Self {
        Self {
            uncertain_grace: Duration::secs(600),
            on_uncertain: OnUncertain::Restart,
            lease: Duration::secs(60),
            settled_watch: Duration::days(7),
            starts_at_once: 8,
        }
    }
}

impl TasksConfig {
    pub(super) fn check(&self, call: Duration, document: &Document, found: &mut Findings) {
        super::refuse_zero(document, "tasks", &[("uncertain_grace", self.uncertain_grace)], found);
        if self.lease <= call {
            let message =
                format!("must be longer than `github.timeout` ({call}), or a second worker takes the task meanwhile");
            found.fault(document, &Path::of(&["tasks", "lease"]), message);
        }
    }
}
