//! What an explanation says, as operators read it.

use serde::Serialize;

use crate::domain::task::State;
use crate::ids::{DeliveryId, TaskId};
use crate::store::Moment;
use crate::store::deliveries::DeliveryState;

/// What came, what became of it, and what each rule said.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The delivery; absent for a dry run.
    pub delivery: Option<DeliveryId>,
    /// The configured source.
    pub source: String,
    /// The sender's name of what happened, such as `issues.labeled`.
    pub event: String,
    /// Who did it.
    pub actor: Option<String>,
    /// `owner/name`.
    pub repo: Option<String>,
    /// The page of the issue or pull request.
    pub subject_url: Option<String>,
    /// The label that was put on; unknown once the body is forgotten.
    pub label: Option<String>,
    /// What was written after the command prefix, its first word; empty for free text.
    pub command: Option<String>,
    /// The state of the alert that it tells of.
    pub alert: Option<String>,
    /// What it is for rules, if it was said in a chat; unknown once the body is forgotten.
    #[serde(skip)]
    pub(super) chat: Option<InChat>,
    /// When it came; absent for a dry run.
    pub received_at: Option<Moment>,
    /// Where it stands; absent for a dry run.
    pub state: Option<DeliveryState>,
    /// What became of it, in one sentence.
    pub outcome: String,
    /// The version of the rules that looked at it.
    pub rule_version: Option<String>,
    /// Each rule in order.
    pub rules: Vec<RuleTold>,
    /// What this explanation could not look at.
    pub notes: Vec<String>,
}

/// What one rule said.
#[derive(Debug, Clone, Serialize)]
pub struct RuleTold {
    /// Its name.
    pub rule: String,
    /// What it said.
    pub answer: Answer,
    /// Why, in words.
    pub why: String,
    /// The values it saw; empty when there is nothing to see.
    pub saw: String,
    /// The task it became.
    pub task: Option<TaskTold>,
    /// For a dry run: the prompt it would send.
    pub prompt: Option<String>,
}

/// The answers that a rule can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It became a task.
    Matched,
    /// Its condition is false.
    NotMatched,
    /// A guard said no.
    Refused,
    /// The rule itself failed.
    Failed,
    /// It listens to something else.
    NotListening,
    /// It was not asked: a rule above had the delivery, or nothing was decided.
    NotReached,
    /// In a dry run: it is selected, as far as can be said without asking GitHub.
    Selected,
}

/// The task that a rule made.
#[derive(Debug, Clone, Serialize)]
pub struct TaskTold {
    /// The task.
    pub id: TaskId,
    /// Where it stands now; absent when it was forgotten.
    pub state: Option<State>,
    /// Why it stands there.
    pub reason: String,
    /// Whose token it runs with.
    pub person: String,
    /// Its page at GitHub.
    pub url: Option<String>,
}

/// What something said in a chat is for rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InChat {
    /// Help, one of our own words, a button, or what could not be understood: it reaches no rule.
    ForUs,
    /// Work: the command that it is, whether names of rules can stand behind that one, and the only rule that its channel leads to.
    Wanted { command: String, usual: bool, only: Option<String> },
}
