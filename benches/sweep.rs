//! Following live tasks at a simulated GitHub: how many remote calls a round costs, and how long a round takes for
//! 200 people with 10,000 tasks. See `docs/performance.md`.
//!
//! `cargo bench --bench sweep [-- --json] [--seconds N] [--quick]`

#[path = "support/args.rs"]
mod args;
#[path = "support/bridge.rs"]
mod bridge;
#[path = "support/configuration.rs"]
mod configuration;
#[path = "support/database.rs"]
mod database;
#[path = "support/hook_secret.rs"]
mod hook_secret;
#[path = "support/machine.rs"]
mod machine;
#[path = "support/report.rs"]
mod report;
#[path = "sweep/tasks.rs"]
mod tasks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use taskbridge::clock::{Ground, ManualClock, SystemChance};
use taskbridge::ids::PersonId;
use taskbridge::pipeline::{Bridge, people, sweep_tasks};
use taskbridge::sandbox::{Pace, RepoSpec, Role, Sandbox, SandboxConfig, UserSpec};
use taskbridge::secret::Secret;
use tokio::runtime::Runtime;

use args::Args;
use bridge::bridge;
use database::Database;
use report::Report;
use tasks::make_tasks;

/// Between two rounds for the same person.
const INTERVAL: Duration = Duration::from_secs(15);
/// One task in so many changes between two rounds: each moves on about every quarter of an hour.
const CHANGES_ONE_OF: usize = 66;

/// How many people, and how many live tasks of each.
#[derive(Debug, Clone, Copy)]
struct Size {
    people: usize,
    each: usize,
}

fn main() {
    let Some(args) = Args::read() else { return };
    let mut report = Report::new("sweep", &args);
    let quick = args.has("--quick");
    let size = if quick { Size { people: 20, each: 10 } } else { Size { people: 200, each: 50 } };
    let lasting = Duration::from_secs_f64(args.seconds(15.0, 0.5));
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(measure(size, lasting, &mut report));
    report.finish();
}

async fn measure(size: Size, lasting: Duration, report: &mut Report) {
    let database = Database::start().await;
    let world = World::new(&database.url, size).await;

    let idle = world.round(&[]).await;
    report.target(6, "no remote call with no live task", &format!("{} calls", idle.calls()), idle.calls() == 0);

    let begun = Instant::now();
    let remote = make_tasks(&world.bridge, &world.people, size.each).await;
    report.say(&format!("{} live tasks of {} people made in {:.1?}", remote.len(), size.people, begun.elapsed()));
    // So long ago that rounds do not read back to it, and known already.
    world.clock.advance(Duration::from_secs(330));
    report.say(&format!("first: {}", world.round(&[]).await));

    let changing = (remote.len() / CHANGES_ONE_OF).max(1);
    let begun = Instant::now();
    let mut rounds = Vec::new();
    let mut left = remote.as_slice();
    while rounds.len() < 2 || begun.elapsed() < lasting && rounds.len() < 20 {
        world.clock.advance(INTERVAL);
        let (now, later) = left.split_at(changing.min(left.len()));
        left = later;
        let round = world.round(now).await;
        report.say(&format!("round: {round}"));
        rounds.push(round);
    }
    tell(report, size, &rounds);

    world.clock.advance(INTERVAL);
    let storm = world.round(left).await;
    report.say(&format!("if all that is left changes at once: {storm}"));
    report.put("storm_changes", storm.changes);
    report.put("storm_s", storm.took.as_secs_f64());
    world.bridge.store.close().await;
    world.sandbox.stop().await;
    database.stop().await;
}

fn tell(report: &mut Report, size: Size, rounds: &[Round]) {
    let mean = |pick: fn(&Round) -> usize| rounds.iter().map(pick).sum::<usize>() as f64 / rounds.len() as f64;
    let slowest = rounds.iter().map(|round| round.took.as_secs_f64()).fold(0.0, f64::max);
    let lists = mean(|round| round.lists) / size.people as f64;
    let changes = mean(|round| round.changes);
    let gets = mean(|round| round.gets) / changes;
    report.target(6, "at most 1.1 list calls a person a round", &format!("{lists:.2}"), lists <= 1.1);
    let text = format!("{gets:.2} ({changes:.0} changes a round)");
    report.target(6, "at most 1 get-one a change", &text, gets <= 1.0);
    let what = format!("{} live tasks of {} people swept within 15 s", size.people * size.each, size.people);
    report.target(6, &what, &format!("{slowest:.2} s (the slowest round)"), slowest <= INTERVAL.as_secs_f64());
    report.put("people", size.people);
    report.put("live_tasks", size.people * size.each);
    report.put("list_calls_a_person_a_round", lists);
    report.put("get_ones_a_change", gets);
    report.put("changes_a_round", changes);
    report.put("slowest_round_s", slowest);
}

/// A simulated GitHub and a bridge, on one clock.
struct World {
    sandbox: Sandbox,
    bridge: Bridge,
    clock: Arc<ManualClock>,
    people: Vec<PersonId>,
}

/// What a round over all people cost.
struct Round {
    took: Duration,
    lists: usize,
    gets: usize,
    /// None are expected.
    others: usize,
    /// Tasks that had changed at GitHub.
    changes: usize,
}

impl Round {
    fn calls(&self) -> usize {
        self.lists + self.gets + self.others
    }
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { took, lists, gets, others, changes } = self;
        write!(f, "{changes} changes, {lists} lists, {gets} get-ones, {others} other calls, {took:.2?}")
    }
}

impl World {
    async fn new(database_url: &str, size: Size) -> Self {
        let clock = ManualClock::at(Ground::system().now());
        let ground = Ground { clock: clock.clone(), chance: Arc::new(SystemChance) };
        let mut config = SandboxConfig::new(ground.clone());
        // Nothing moves by itself: what changes is counted.
        config.pace = Pace::new(Duration::from_secs(86_400), Duration::from_secs(86_400));
        let sandbox = Sandbox::start(config).await.expect("a free loopback port");
        let control = sandbox.control();
        control.add_repo(RepoSpec::private(5001, "acme", "widgets")).expect("an empty world");
        let bridge = bridge(database_url, sandbox.url(), ground, "rules: []", |_| {}).await;
        let mut people = Vec::new();
        for id in (1001..).take(size.people) {
            let (login, token) = (format!("person-{id}"), format!("token-of-person-{id}"));
            control.add_user(UserSpec::person(id, &login, &token)).expect("nobody is there");
            control.grant("acme/widgets", &login, Role::Write).expect("both are there");
            let added = people::add(&bridge, &login, Secret::new(token)).await;
            people.push(added.expect("the simulated GitHub knows the token").0);
        }
        Self { sandbox, bridge, clock, people }
    }

    /// A round for everybody, as if it were due for all of them now, after these tasks have changed at GitHub.
    async fn round(&self, changed: &[String]) -> Round {
        let (store, control) = (&self.bridge.store, self.sandbox.control());
        for id in changed {
            control.set_state(id, "in_progress", None).expect("it is there");
        }
        for person in &self.people {
            store.hint_sweep(*person, self.bridge.ground.now()).await.expect("the private server answers");
        }
        control.clear_calls();
        let begun = Instant::now();
        while sweep_tasks::sweep_batch(&self.bridge).await.expect("the private server answers") > 0 {}
        let took = begun.elapsed();
        let all = control.calls();
        let lists = all.iter().filter(|call| call.path == "/agents/tasks").count();
        let gets = all.iter().filter(|call| call.path.starts_with("/agents/tasks/")).count();
        Round { took, lists, gets, others: all.len() - lists - gets, changes: changed.len() }
    }
}
