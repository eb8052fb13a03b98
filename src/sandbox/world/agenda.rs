//! How tasks move: each task has an agenda of dated steps, and looking at the world first does all
//! steps that are due. So a task is always as far as the clock says, and nothing runs in between.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Step, Task, World};

/// How a task ends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Queued, in progress, a pull request half way, completed.
    #[default]
    Completed,
    /// In progress, then failed with this message.
    Failed {
        /// The session's error.
        message: String,
    },
    /// In progress, then timed out.
    TimedOut,
    /// In progress, then cancelled by someone on the web.
    Cancelled,
    /// In progress, then idle, for good.
    Idle,
    /// Waits for its user half way, then goes on and completes.
    WaitingForUser,
    /// Waits for its user half way, for good.
    WaitsForever,
    /// A state that no description names, half way; completes later.
    UnknownState {
        /// The state's name.
        state: String,
    },
    /// In progress, queued again, in progress, completed.
    GoesBack,
    /// Completed, then a new session reopens it; completes again.
    Reopened,
    /// Completed, then archived.
    Archived,
    /// Gone half way: 404 from then on, and in no list.
    Vanished,
    /// In progress, for good.
    Stuck,
}

impl Outcome {
    /// The outcome a prompt asks for: a line (or a part of one) `sandbox-outcome: NAME`, where NAME is
    /// as in JSON; any other name is a state that no description names.
    pub(in crate::sandbox) fn asked_for(prompt: &str) -> Option<Self> {
        const WORD: &str = "sandbox-outcome:";
        let lower = prompt.to_ascii_lowercase();
        let rest = lower[lower.find(WORD)? + WORD.len()..].trim_start();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let name = &rest[..end];
        if name == "failed" {
            return Some(Self::Failed { message: "The agent could not finish this task.".to_owned() });
        }
        let known = serde_json::from_value(serde_json::json!({ "outcome": name })).ok();
        known.or_else(|| (!name.is_empty()).then(|| Self::UnknownState { state: name.to_owned() }))
    }

    /// The steps after the agent takes up the work; times are quarters of the working time.
    fn steps(&self) -> Vec<(i32, Step)> {
        let state = |name: &str| Step::State(name.to_owned());
        let mut steps = vec![(0, state("in_progress")), (1, Step::Branch), (2, Step::Pull)];
        steps.extend(match self {
            Self::Completed => vec![(4, state("completed"))],
            Self::Failed { message } => vec![(4, Step::Fail(message.clone()))],
            Self::TimedOut => vec![(4, state("timed_out"))],
            Self::Cancelled => vec![(4, state("cancelled"))],
            Self::Idle => vec![(4, state("idle"))],
            Self::WaitingForUser => {
                vec![(2, state("waiting_for_user")), (4, state("in_progress")), (6, state("completed"))]
            }
            Self::WaitsForever => vec![(2, state("waiting_for_user"))],
            Self::UnknownState { state: name } => vec![(2, state(name)), (6, state("completed"))],
            Self::GoesBack => vec![(2, state("queued")), (3, state("in_progress")), (4, state("completed"))],
            Self::Reopened => {
                vec![(4, state("completed")), (8, Step::Session), (9, state("in_progress")), (12, state("completed"))]
            }
            Self::Archived => vec![(4, state("completed")), (6, Step::Archive)],
            Self::Vanished => vec![(2, Step::Vanish)],
            Self::Stuck => vec![],
        });
        steps
    }
}

/// One task that was created, whether or not the caller learned of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Creation {
    /// Its id.
    pub task_id: String,
    /// Where.
    pub repository_id: i64,
    /// By whom.
    pub creator_id: i64,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The last line of its prompt.
    pub last_line: String,
}

/// All tasks and what is still to happen to them.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Agenda {
    /// In order of creation.
    pub list: Vec<Task>,
    by_id: HashMap<String, usize>,
    due: BTreeMap<(DateTime<Utc>, u64), (usize, Step)>,
    serial: u64,
    /// For the next tasks, one each.
    pub next: std::collections::VecDeque<Outcome>,
    /// For all tasks whose prompt asks for nothing.
    pub usual: Outcome,
    /// Every task ever created, vanished ones too.
    pub creations: Vec<Creation>,
}

impl Agenda {
    /// A task by its id, unless it has vanished.
    pub(in crate::sandbox) fn by_id(&self, id: &str) -> Option<&Task> {
        self.by_id.get(id).and_then(|at| self.list.get(*at)).filter(|task| !task.vanished)
    }

    /// Where a task is in the list.
    pub(in crate::sandbox) fn index(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    fn push(&mut self, at: DateTime<Utc>, index: usize, step: Step) {
        self.serial += 1;
        self.due.insert((at, self.serial), (index, step));
    }
}

impl World {
    /// Adds a task and plans its way.
    pub(in crate::sandbox) fn begin(&mut self, task: Task) -> usize {
        let asked = Outcome::asked_for(&task.prompt);
        let outcome = self.tasks.next.pop_front().or(asked).unwrap_or_else(|| self.tasks.usual.clone());
        let index = self.tasks.list.len();
        let start = task.created_at + millis(self.pace.queued_ms);
        self.tasks.creations.push(Creation {
            task_id: task.id.clone(),
            repository_id: task.repo,
            creator_id: task.creator,
            created_at: task.created_at,
            last_line: task.prompt.trim_end().lines().next_back().unwrap_or_default().to_owned(),
        });
        self.tasks.by_id.insert(task.id.clone(), index);
        self.tasks.list.push(task);
        self.plan(index, start, &outcome);
        index
    }

    /// Throws away what was to happen to a task and plans another way, from now.
    pub(in crate::sandbox) fn replan(&mut self, index: usize, outcome: &Outcome) {
        self.tasks.due.retain(|_, (other, _)| *other != index);
        let now = self.ground.now();
        self.plan(index, now, outcome);
    }

    fn plan(&mut self, index: usize, start: DateTime<Utc>, outcome: &Outcome) {
        let quarter = millis(self.pace.working_ms) / 4;
        for (quarters, step) in outcome.steps() {
            self.tasks.push(start + quarter * quarters, index, step);
        }
    }

    /// Does a step at once, whatever was planned; the rest of the plan stays.
    pub(in crate::sandbox) fn step_now(&mut self, index: usize, step: Step) {
        let now = self.ground.now();
        self.take(index, step, now);
    }

    /// Forgets what was to happen to a task.
    pub(in crate::sandbox) fn hold(&mut self, index: usize) {
        self.tasks.due.retain(|_, (other, _)| *other != index);
    }

    /// Does all steps that are due.
    pub(in crate::sandbox) fn settle(&mut self) {
        let now = self.ground.now();
        while let Some(entry) = self.tasks.due.first_entry()
            && entry.key().0 <= now
        {
            let ((at, _), (index, step)) = entry.remove_entry();
            self.take(index, step, at);
        }
    }
}

fn millis(count: u64) -> TimeDelta {
    TimeDelta::try_milliseconds(i64::try_from(count).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::days(36_500))
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn a_prompt_may_ask_for_its_outcome() {
        let asked = |text: &str| Outcome::asked_for(text);
        assert_eq!(asked("Fix it.\nSandbox-Outcome: timed_out."), Some(Outcome::TimedOut));
        assert!(matches!(asked("sandbox-outcome: failed"), Some(Outcome::Failed { .. })));
        let odd = Outcome::UnknownState { state: "paused_for_review".to_owned() };
        assert_eq!(asked("x sandbox-outcome:paused_for_review y"), Some(odd));
        assert_eq!(asked("nothing asked"), None);
        assert_eq!(asked("sandbox-outcome: "), None);
    }
}
