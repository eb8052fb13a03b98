//! The whole walk: deliveries of which one in a hundred matches a rule are recorded, matched and decided, and the
//! tasks are started at a simulated GitHub, with all workers running. What counts is the rate that can be kept up:
//! the queue of recorded deliveries must not grow. See `docs/performance.md`.
//!
//! `cargo bench --bench walk [-- --json] [--seconds N] [--quick]`

#[path = "support/args.rs"]
mod args;
#[path = "support/bridge.rs"]
mod bridge;
#[path = "ingest/ceiling.rs"]
mod ceiling;
#[path = "support/clear.rs"]
mod clear;
#[path = "support/configuration.rs"]
mod configuration;
#[path = "support/database.rs"]
mod database;
#[path = "support/hook_secret.rs"]
mod hook_secret;
#[path = "support/load.rs"]
mod load;
#[path = "support/machine.rs"]
mod machine;
#[path = "support/payload.rs"]
mod payload;
#[path = "support/report.rs"]
mod report;
#[path = "support/requests.rs"]
mod requests;
#[path = "support/service.rs"]
mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use taskbridge::clock::Ground;
use taskbridge::domain::hourly::Hourly;
use taskbridge::domain::rule::Limits;
use taskbridge::pipeline::record::recorder;
use taskbridge::pipeline::{Bridge, people};
use taskbridge::sandbox::{Pace, RepoSpec, Role, Sandbox, SandboxConfig, UserSpec};
use taskbridge::secret::Secret;
use taskbridge::store::Store;
use taskbridge::workers::Workers;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use args::Args;
use bridge::bridge;
use ceiling::{Row, Rows};
use clear::clear;
use database::Database;
use hook_secret::HOOK_SECRET;
use load::{Load, Outcome};
use payload::Payload;
use report::Report;
use requests::Requests;
use service::Service;

/// One delivery in so many has the label that the rule listens to.
const WANTED_OF: u64 = 100;
/// People who put labels on; each starts one task at a time.
const PEOPLE: i64 = 40;
/// While more than this wait, the load is held back: so the pace that is found is one that can be kept up.
const HOLD_ABOVE: i64 = 1_000;
/// How often the queue is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// No comment and no reaction: what is measured ends with the task at GitHub.
const RULES: &str = "
rules:
  - name: fix-labelled-issues
    on: { label: copilot-fix }
    when: issue.state == 'open' && !actor.login.endsWith('[bot]')
    prompt: \"Fix issue #{{ issue.number }}: {{ issue.title }}\\n\\n{{ issue.body }}\"
    report: { comment: false, reaction: false }
";

fn main() {
    let Some(args) = Args::read() else { return };
    let mut report = Report::new("walk", &args);
    let server = Runtime::new().expect("a runtime");
    let database = server.block_on(Database::start());
    let lasting = Duration::from_secs_f64(args.seconds(15.0, 1.5));
    let (sandbox, bridge) = server.block_on(world(&database.url));
    let load = load_of(&bridge, lasting);
    let rows = Arc::new(Rows::new(&load.requests));
    let ceiling = || {
        server.block_on(async {
            clear(&database.url).await;
            let lasting = (lasting / 5).max(Duration::from_millis(500));
            let per_s = ceiling::rows_per_s(&database.url, &rows, lasting, Row::Waits).await;
            clear(&database.url).await;
            per_s
        })
    };
    let before = ceiling();

    let service = server.block_on(Service::of(&bridge, recorder(bridge.store.clone(), bridge.ground.clone())));
    let workers = server.block_on(async { Workers::start(&bridge) });
    let load = Load { address: service.address, ..load };
    let finding = (lasting / 3).max(Duration::from_secs(1));
    let found = walk(&server, &bridge, &Load { lasting: finding, ..load.clone() }, true);
    // What still waits at the end was taken in, but not kept up with.
    let left = found.waiting.last().copied().unwrap_or(0) as f64;
    let mut rate = 0.95 * (found.outcome.per_s - left / finding.as_secs_f64());
    report.say(&format!("with the load held back while more than {HOLD_ABOVE} wait: {:.0}/s", found.outcome.per_s));
    let mut last = None;
    for _ in 0..4 {
        drain(&server, &bridge.store);
        let tasks_before = sandbox.control().creations().len();
        let walked = walk(&server, &bridge, &Load { rate: Some(rate), lasting, ..load.clone() }, false);
        let made = sandbox.control().creations().len() - tasks_before;
        report.say(&format!(
            "at {rate:.0}/s offered: {:.0}/s acknowledged, p50 {:.2} ms, p99 {:.2} ms, {made} tasks started, waiting: {:?}",
            walked.outcome.per_s,
            walked.outcome.ms(0.5),
            walked.outcome.ms(0.99),
            walked.waiting
        ));
        let grows = walked.grows();
        last = Some((walked, made));
        if !grows {
            break;
        }
        rate *= 0.85;
    }
    drain(&server, &bridge.store);
    server.block_on(async {
        service.stop().await;
        workers.stop(Duration::from_secs(10)).await;
    });
    let ceiling = f64::midpoint(before, ceiling());
    if let Some((walked, made)) = last {
        tell(&mut report, ceiling, &walked, made, lasting);
    }
    server.block_on(async {
        bridge.store.close().await;
        sandbox.stop().await;
        database.stop().await;
    });
    report.finish();
}

fn tell(report: &mut Report, ceiling: f64, walked: &Walked, made: usize, lasting: Duration) {
    let ratio = walked.outcome.per_s / ceiling;
    let grows = if walked.grows() { "the queue GROWS" } else { "the queue does not grow" };
    let text = format!("{:.0}/s of {ceiling:.0} rows/s = {ratio:.2}, {grows}", walked.outcome.per_s);
    report.target(4, "the whole walk at least 0.25 of the ceiling", &text, ratio >= 0.25 && !walked.grows());
    report.put("ceiling_rows_per_s", ceiling.round());
    report.put("walk_per_s", walked.outcome.per_s);
    report.put("ratio", ratio);
    report.put("p50_ms", walked.outcome.ms(0.5));
    report.put("p99_ms", walked.outcome.ms(0.99));
    report.put("refused", walked.outcome.refused);
    report.put("tasks_started_per_s", made as f64 / lasting.as_secs_f64());
    report.put("queue_every_250_ms", walked.waiting.clone());
}

/// A simulated GitHub with people who may write, and a bridge that holds their tokens.
async fn world(database_url: &str) -> (Sandbox, Bridge) {
    let ground = Ground::system();
    let mut config = SandboxConfig::new(ground.clone());
    // Nothing moves by itself here: following tasks is another bench.
    config.pace = Pace::new(Duration::from_secs(3600), Duration::from_secs(3600));
    let sandbox = Sandbox::start(config).await.expect("a free loopback port");
    let control = sandbox.control();
    control.add_repo(RepoSpec::private(5001, "acme", "widgets")).expect("an empty world");
    for (id, login) in people_here() {
        control.add_user(UserSpec::person(id, &login, &format!("token-of-{login}"))).expect("nobody is there");
        control.grant("acme/widgets", &login, Role::Write).expect("both are there");
    }
    let unbounded = |settings: &mut taskbridge::pipeline::Settings| {
        settings.write_spacing = Duration::ZERO;
        settings.hourly_writes = Hourly::of(u32::MAX);
        // All of it happens in one repository, which usually may start thirty tasks an hour.
        settings.limits = Limits::default();
    };
    let bridge = bridge(database_url, sandbox.url(), ground, RULES, unbounded).await;
    for (_, login) in people_here() {
        let token = Secret::new(format!("token-of-{login}"));
        people::add(&bridge, &login, token).await.expect("the simulated GitHub knows the token");
    }
    (sandbox, bridge)
}

fn people_here() -> impl Iterator<Item = (i64, String)> {
    (1001..1001 + PEOPLE).map(|id| (id, format!("person-{id}")))
}

fn load_of(bridge: &Bridge, lasting: Duration) -> Load {
    let at = bridge.ground.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let payload = Payload::new(&at, &people_here().collect::<Vec<_>>());
    Load {
        requests: Arc::new(Requests::new(payload, HOOK_SECRET, WANTED_OF, u64::from(std::process::id()))),
        address: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        connections: 64,
        lasting,
        rate: None,
        hold: Arc::new(AtomicBool::new(false)),
    }
}

/// A walk, and how many deliveries waited for the match step meanwhile.
struct Walked {
    outcome: Outcome,
    waiting: Vec<i64>,
}

impl Walked {
    /// Whether more wait in the last third than in the first, by more than a second's worth in 50.
    fn grows(&self) -> bool {
        let third = (self.waiting.len() / 3).max(1);
        let mean = |part: &[i64]| part.iter().sum::<i64>() as f64 / part.len().max(1) as f64;
        let first = mean(&self.waiting[..third.min(self.waiting.len())]);
        let last = mean(&self.waiting[self.waiting.len().saturating_sub(third)..]);
        last > first + self.outcome.per_s / 50.0 + 64.0
    }
}

fn walk(server: &Runtime, bridge: &Bridge, load: &Load, held: bool) -> Walked {
    let (store, hold) = (bridge.store.clone(), Arc::clone(&load.hold));
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    let mut looker = JoinSet::new();
    looker.spawn_on(
        async move {
            let mut waiting = Vec::new();
            while !seen.load(Ordering::Relaxed) {
                let count = store.waiting_deliveries().await.expect("the private server answers");
                hold.store(held && count > HOLD_ABOVE, Ordering::Relaxed);
                waiting.push(count);
                tokio::time::sleep(if held { LOOK / 10 } else { LOOK }).await;
            }
            waiting
        },
        server.handle(),
    );
    let outcome = load.run();
    ended.store(true, Ordering::Relaxed);
    let waiting = server.block_on(looker.join_next()).expect("there is one").expect("it does not panic");
    load.hold.store(false, Ordering::Relaxed);
    Walked { outcome, waiting }
}

/// Waits until nothing waits.
fn drain(server: &Runtime, store: &Store) {
    server.block_on(async {
        while store.waiting_deliveries().await.expect("the private server answers") > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}
