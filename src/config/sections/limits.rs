//! `limits`, over all rules and in one rule: how many tasks at once and in a while.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::node::Document;
use super::super::place::Path;
use crate::domain::rule::{Bound, ChannelLimits, Limits, Window};

/// Bounds over all rules together.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalLimits {
    /// For each repository: the guard against loops. What is given here replaces the default.
    pub per_repo: BoundSpec,
    /// For each person whose token is used.
    pub per_person: BoundSpec,
}

impl Default for GlobalLimits {
    fn default() -> Self {
        let started = Some(WindowSpec { count: 30, within: Duration::secs(3_600) });
        Self { per_repo: BoundSpec { live: None, started }, per_person: BoundSpec::default() }
    }
}

/// Bounds of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsSpec {
    /// For the rule as a whole.
    pub per_rule: BoundSpec,
    /// For each repository.
    pub per_repo: BoundSpec,
    /// For each person whose token is used.
    pub per_person: BoundSpec,
}

/// Bounds of one channel of a chat: what was asked for there, whichever rule made it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelLimitsSpec {
    /// For the channel as a whole.
    pub per_channel: BoundSpec,
    /// For each person whose token is used.
    pub per_person: BoundSpec,
}

/// How many at once and how many in a while.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BoundSpec {
    /// Tasks that have not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub live: Option<u32>,
    /// Tasks made in a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<WindowSpec>,
}

/// At most `count` tasks within any stretch of `within`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// How many.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: u32,
    /// In how long.
    pub within: Duration,
}

impl GlobalLimits {
    pub(super) fn check(&self, document: &Document, found: &mut Findings) {
        let path = Path::of(&["limits"]);
        if self.per_repo.started.is_none() {
            let message = "without `started` nothing stops rules that start each other in a circle";
            found.warn(document, &path.key("per_repo"), message);
        }
        self.per_repo.check(document, &path.key("per_repo"), found);
        self.per_person.check(document, &path.key("per_person"), found);
    }

    /// The bounds as guards take them.
    #[must_use]
    pub fn bounds(&self) -> Limits {
        Limits { per_rule: Bound::default(), per_repo: self.per_repo.bound(), per_person: self.per_person.bound() }
    }
}

impl LimitsSpec {
    pub(in super::super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        self.per_rule.check(document, &path.key("per_rule"), found);
        self.per_repo.check(document, &path.key("per_repo"), found);
        self.per_person.check(document, &path.key("per_person"), found);
    }

    /// The bounds as guards take them.
    #[must_use]
    pub fn bounds(&self) -> Limits {
        Limits { per_rule: self.per_rule.bound(), per_repo: self.per_repo.bound(), per_person: self.per_person.bound() }
    }
}

impl ChannelLimitsSpec {
    pub(in super::super) fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        self.per_channel.check(document, &path.key("per_channel"), found);
        self.per_person.check(document, &path.key("per_person"), found);
    }

    /// Whether nothing is bounded.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The bounds as guards take them.
    #[must_use]
    pub fn bounds(&self) -> ChannelLimits {
        ChannelLimits { per_channel: self.per_channel.bound(), per_person: self.per_person.bound() }
    }
}

impl BoundSpec {
    fn check(&self, document: &Document, path: &Path, found: &mut Findings) {
        if self.started.as_ref().is_some_and(|window| window.within.std().is_zero()) {
            found.fault(document, &path.key("started").key("within"), "must be longer than zero");
        }
    }

    fn bound(&self) -> Bound {
        let started = self.started.as_ref().map(|window| Window { count: window.count, within: window.within.std() });
        Bound { live: self.live, started }
    }
}
