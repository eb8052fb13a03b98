//! What the stories from the start of a task to its forgetting share: many wishes at once, one step of the walk at
//! a time, a second replica on the same database, and the question that matters most: was anything made twice?

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use taskbridge::cli::live_of;
use taskbridge::clock::Ground;
use taskbridge::domain::task::State;
use taskbridge::github::{Github, Settings as GithubSettings};
use taskbridge::ids::{PersonId, TaskId};
use taskbridge::pipeline::{Bridge, Settings, match_rules, report, settle_uncertain, start_task, steer, sweep_tasks};
use taskbridge::sandbox::{CallRecord, Fault, FaultKind, Role};
use taskbridge::secret::Secret;
use taskbridge::store::attempts::Attempt;
use taskbridge::store::tasks::Task;
use taskbridge::vault::{Key, Vault};

use super::world::{LABEL_RULE, OTTO_TOKEN, World, configuration, labelled, open_store};

/// The call that starts a task.
pub(crate) const CREATE: &str = "/agents/repos/*/*/tasks$";
/// The list that a round reads.
pub(crate) const MINE: &str = "/agents/tasks$";
pub(crate) const MONA: (i64, &str) = (1001, "mona");
pub(crate) const OTTO: (i64, &str) = (1002, "otto");

static DELIVERIES: AtomicU64 = AtomicU64::new(0);

impl World {
    /// The pull request of the only task, once its agent works on one.
    pub(crate) async fn pull_comes(&self) -> i64 {
        for _ in 0..60 {
            if let Some(pull) = self.task().await.pull_number {
                return pull;
            }
            self.advance(1);
            self.settle().await;
        }
        panic!("no pull request: {:#?}", self.task().await);
    }

    /// `count` different wishes of `actor`, taken as far as tasks; answers the newest task.
    pub(crate) async fn wish(&self, actor: (i64, &str), count: usize) -> Task {
        for _ in 0..count {
            // Ids are ordered by the millisecond.
            self.clock.advance(Duration::from_millis(2));
            let nth = DELIVERIES.fetch_add(1, Ordering::Relaxed);
            let at = self.bridge.ground.now() - TimeDelta::hours(1) + TimeDelta::seconds(i64::try_from(nth).unwrap());
            let payload = labelled("copilot-fix", actor, at);
            assert_eq!(self.hook("issues", &format!("wish-{nth}"), &payload).await.status, StatusCode::ACCEPTED);
            while match_rules::match_batch(&self.bridge, 64).await.unwrap() > 0 {}
        }
        self.tasks().await.pop().unwrap()
    }

    /// Lets otto write, with a token of his own.
    pub(crate) async fn let_otto_in(&self) {
        self.control().grant("acme/widgets", "otto", Role::Write).unwrap();
        self.add_person("otto", OTTO_TOKEN).await;
    }

    /// One round of every worker, whatever fails.
    pub(crate) async fn try_round(&self) {
        let b = &self.bridge;
        let _ = match_rules::match_batch(b, 64).await;
        let _ = start_task::resume_batch(b).await;
        let _ = start_task::start_batch(b).await;
        let _ = settle_uncertain::settle_batch(b).await;
        let _ = sweep_tasks::sweep_batch(b).await;
        let _ = report::report_batch(b).await;
    }

    pub(crate) async fn start(&self) -> usize {
        start_task::resume_batch(&self.bridge).await.unwrap();
        start_task::start_batch(&self.bridge).await.unwrap()
    }

    pub(crate) async fn look(&self) -> usize {
        settle_uncertain::settle_batch(&self.bridge).await.unwrap()
    }

    pub(crate) async fn sweep(&self) -> usize {
        sweep_tasks::sweep_batch(&self.bridge).await.unwrap()
    }

    /// Tells all that is due.
    pub(crate) async fn tell(&self) {
        while report::report_batch(&self.bridge).await.unwrap() > 0 {}
    }

    /// Moves the clock in larger steps than `live_for`.
    pub(crate) async fn live_in_steps(&self, steps: u32, seconds: u64) {
        for _ in 0..steps {
            self.advance(seconds);
            self.settle().await;
        }
    }

    pub(crate) async fn task_now(&self, id: TaskId) -> Task {
        self.bridge.store.task(id).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, id: TaskId) -> State {
        self.task_now(id).await.state
    }

    pub(crate) async fn attempts(&self, id: TaskId) -> Vec<Attempt> {
        self.bridge.store.attempts(id).await.unwrap()
    }

    /// The outcomes of a task's attempts, in order.
    pub(crate) async fn outcomes(&self, id: TaskId) -> Vec<String> {
        self.attempts(id).await.into_iter().map(|attempt| attempt.outcome.unwrap_or_default()).collect()
    }

    /// The timeline as text.
    pub(crate) async fn story(&self, id: TaskId) -> String {
        let entries = self.bridge.store.timeline(id).await.unwrap();
        entries.into_iter().map(|entry| format!("{} {}\n", entry.to_state.unwrap_or(entry.kind), entry.text)).collect()
    }

    pub(crate) async fn token_state(&self, person: i64) -> String {
        self.bridge.store.person(PersonId(person)).await.unwrap().unwrap().token_state
    }

    /// The next calls that start a task go wrong.
    pub(crate) fn spoil_start(&self, kind: FaultKind, times: u32) {
        self.control().inject(Fault::new(kind).on("POST", CREATE).times(times));
    }

    /// How often a task was made for each of our tasks: never more than once.
    pub(crate) async fn assert_nothing_twice(&self) {
        let made = self.control().creations_by_last_line();
        assert!(made.values().all(|count| *count <= 1), "made twice: {made:?}");
    }

    /// How often a task was made for this one.
    pub(crate) fn made(&self, task: &Task) -> usize {
        let line = format!("Taskbridge-Ref: {}", task.marker.expose());
        self.control().creations_by_last_line().get(&line).copied().unwrap_or(0)
    }

    /// Calls that write, since the calls were last cleared.
    pub(crate) fn writes(&self) -> Vec<CallRecord> {
        self.control().calls().into_iter().filter(|call| call.method != "GET").collect()
    }

    /// Another replica: the same database and GitHub, a memory of its own.
    pub(crate) async fn replica(
        &self,
        adjust: impl FnOnce(&mut Settings),
        adjust_github: impl FnOnce(&mut GithubSettings),
    ) -> Bridge {
        self.replica_at(self.bridge.ground.clone(), adjust, adjust_github).await
    }

    /// The same with a clock of its own.
    pub(crate) async fn replica_at(
        &self,
        ground: Ground,
        adjust: impl FnOnce(&mut Settings),
        adjust_github: impl FnOnce(&mut GithubSettings),
    ) -> Bridge {
        let mut settings = self.bridge.settings.clone();
        adjust(&mut settings);
        let mut github = GithubSettings {
            api_url: self.sandbox.url().to_owned(),
            web_url: self.sandbox.url().to_owned(),
            ..GithubSettings::default()
        };
        adjust_github(&mut github);
        let github = Github::new(github, ground.clone()).unwrap();
        let live = live_of(&configuration(LABEL_RULE), github.host());
        let vault = Vault::new(vec![Key::parse(&Secret::new("0f".repeat(32))).unwrap()]).unwrap();
        Bridge::new(open_store(&self.database.url).await, github, vault, ground, settings, live)
    }

    /// Says by hand that GitHub does not have it.
    pub(crate) async fn say_absent(&self, id: TaskId) -> Task {
        steer::retry(&self.bridge, id, "an operator", true).await.unwrap()
    }
}
