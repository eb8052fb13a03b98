//! What the agent will do, what will go wrong, and the world of the demo.

use super::{Control, ControlError, InstallationSpec, IssueSpec, RepoSpec, Role, UserSpec, unknown};
use crate::sandbox::fault::Fault;
use crate::sandbox::world::{Outcome, Step};
use crate::sandbox::{Pace, Usage};

impl Control {
    /// Arranges a fault and names it.
    pub fn inject(&self, fault: Fault) -> u64 {
        self.0.world().faults.add(fault)
    }

    /// Takes a fault away; whether it was there.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.0.world().faults.remove(Some(id))
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.0.world().faults.remove(None);
    }

    /// The next task that is created goes this way (one after the other when said more than once).
    pub fn script_next(&self, outcome: Outcome) {
        self.0.world().tasks.next.push_back(outcome);
    }

    /// All tasks whose prompt asks for nothing go this way.
    pub fn script_usual(&self, outcome: Outcome) {
        self.0.world().tasks.usual = outcome;
    }

    /// A task that exists goes this way, from now.
    ///
    /// # Errors
    /// When it is not there.
    pub fn script(&self, task_id: &str, outcome: &Outcome) -> Result<(), ControlError> {
        let mut world = self.0.world();
        world.settle();
        let index = world.tasks.index(task_id).ok_or_else(|| unknown("task", task_id))?;
        world.replan(index, outcome);
        Ok(())
    }

    /// Puts a task into a state at once and leaves it there; `error` makes it the session's error.
    ///
    /// # Errors
    /// When it is not there.
    pub fn set_state(&self, task_id: &str, state: &str, error: Option<&str>) -> Result<(), ControlError> {
        let step = match error {
            Some(message) => Step::Fail(message.to_owned()),
            None => Step::State(state.to_owned()),
        };
        self.step(task_id, step)
    }

    /// Adds a session to a task, queued.
    ///
    /// # Errors
    /// When it is not there.
    pub fn reopen(&self, task_id: &str) -> Result<(), ControlError> {
        self.step(task_id, Step::Session)
    }

    /// Archives a task.
    ///
    /// # Errors
    /// When it is not there.
    pub fn archive(&self, task_id: &str) -> Result<(), ControlError> {
        self.step(task_id, Step::Archive)
    }

    /// Makes a task answer 404.
    ///
    /// # Errors
    /// When it is not there.
    pub fn vanish(&self, task_id: &str) -> Result<(), ControlError> {
        self.step(task_id, Step::Vanish)
    }

    fn step(&self, task_id: &str, step: Step) -> Result<(), ControlError> {
        let mut world = self.0.world();
        world.settle();
        let index = world.tasks.index(task_id).ok_or_else(|| unknown("task", task_id))?;
        world.hold(index);
        world.step_now(index, step);
        Ok(())
    }

    /// How fast the agent works on tasks created from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.0.world().pace = pace;
    }

    /// What a session costs from now on.
    pub fn set_usage(&self, usage: Usage) {
        self.0.world().usage = usage;
    }

    /// Empties the world: people, repositories, tasks, faults, calls.
    pub fn clear(&self) {
        self.0.world().clear();
    }

    /// The world of the demo: `mona` (1001) with the token `sandbox-mona-token`, who may write to the
    /// private repository `acme/widgets` (5001) with its issue 42, and the App installed there (8001).
    ///
    /// # Errors
    /// When a part of it is there already.
    pub fn seed_demo(&self) -> Result<(), ControlError> {
        self.add_user(UserSpec::person(1001, "mona", "sandbox-mona-token"))?;
        self.add_repo(RepoSpec::private(5001, "acme", "widgets"))?;
        self.grant("acme/widgets", "mona", Role::Write)?;
        self.add_org_member("acme", "mona", "member")?;
        self.add_team_member("acme", "makers", "mona", "active")?;
        self.add_installation(InstallationSpec {
            id: 8001,
            account: "acme".to_owned(),
            repos: None,
            suspended: false,
        })?;
        self.add_issue(IssueSpec {
            repo: "acme/widgets".to_owned(),
            number: Some(42),
            author: "mona".to_owned(),
            title: "The total is wrong when a line has a discount".to_owned(),
            body: Some("Two widgets at 10 with 20 % off come to 20, not 16.".to_owned()),
            labels: Vec::new(),
        })?;
        Ok(())
    }
}
