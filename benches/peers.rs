//! Other webhook servers beside taskbridge's own binary: the same machine, the same signed requests, the same load
//! generator, one right after the other in each round. `benches/peers/run` installs them and starts this; see
//! `docs/performance.md`.
//!
//! `benches/peers/run [--json] [--seconds N] [--quick]`

#[path = "support/args.rs"]
mod args;
#[path = "peers/contender.rs"]
mod contender;
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
#[path = "support/serving.rs"]
mod serving;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use taskbridge::clock::Ground;
use tokio::runtime::Runtime;

use args::Args;
use contender::{Contender, Kind};
use database::Database;
use hook_secret::HOOK_SECRET;
use load::Load;
use machine::Watch;
use payload::Payload;
use report::Report;
use requests::Requests;
use serving::{Folder, Serving, resident_mb};

/// The machine rests when less than this share of it was busy for so long; it is waited for that so often.
const IDLE: f64 = 0.1;
const REST: Duration = Duration::from_millis(500);
const REST_TRIES: u32 = 120;
const CONNECTIONS: usize = 64;

/// Somebody who is measured.
struct Entrant {
    name: &'static str,
    key: &'static str,
    address: SocketAddr,
    process: u32,
    idle_mb: f64,
    rounds: Vec<Round>,
}

/// What one round showed.
struct Round {
    per_s: f64,
    refused: usize,
    p50_ms: f64,
    p99_ms: f64,
    most_mb: f64,
    foreign: f64,
}

fn main() {
    let Some(args) = Args::read() else { return };
    let mut report = Report::new("peers", &args);
    let runtime = Runtime::new().expect("a runtime");
    let database = runtime.block_on(Database::start());
    let folder = Folder::new();
    let (serving, _) = Serving::start(&folder, Some(&database.url));
    let contenders: Vec<Contender> = Kind::ALL
        .into_iter()
        .filter_map(|kind| match Contender::start(kind, &database.url) {
            Ok(contender) => Some(contender),
            Err(why) => {
                report.say(&format!("without {}: {why}", kind.name()));
                None
            }
        })
        .collect();
    std::thread::sleep(Duration::from_secs(1));
    let own = ("taskbridge", "taskbridge", serving.address, serving.child.id());
    let others = contenders.iter().map(|c| (c.kind.name(), c.kind.key(), c.address, c.process()));
    let mut entrants: Vec<Entrant> = std::iter::once(own)
        .chain(others)
        .map(|(name, key, address, process)| Entrant {
            name,
            key,
            address,
            process,
            idle_mb: resident_mb(process),
            rounds: Vec::new(),
        })
        .collect();

    let load = load(Duration::from_secs_f64(args.seconds(4.0, 0.7)));
    for round in 0..if args.has("--quick") { 1 } else { 5 } {
        for entrant in &mut entrants {
            // Nobody works on what an earlier one has taken in.
            runtime.block_on(clear(&database.url));
            come_to_rest();
            let round_of = measure(&Load { address: entrant.address, ..load.clone() }, entrant.process);
            report.say(&format!("round {}: {:<30} {:>7.0}/s", round + 1, entrant.name, round_of.per_s));
            entrant.rounds.push(round_of);
        }
    }
    tell(&mut report, &entrants);
    drop((contenders, serving, folder));
    runtime.block_on(database.stop());
    report.finish();
}

fn load(lasting: Duration) -> Load {
    let at = Ground::system().now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let payload = Payload::new(&at, &[(1001, "mona".to_owned())]);
    Load {
        requests: Arc::new(Requests::new(payload, HOOK_SECRET, u64::MAX, u64::from(std::process::id()))),
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        connections: CONNECTIONS,
        lasting,
        rate: None,
        hold: Arc::new(AtomicBool::new(false)),
    }
}

async fn clear(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("the private server answers");
    let there = "SELECT to_regclass('peer_deliveries') IS NOT NULL";
    let has_express: bool = sqlx::query_scalar(there).fetch_one(&mut connection).await.expect("a question");
    let express = has_express.then_some("TRUNCATE peer_deliveries");
    for statement in ["TRUNCATE deliveries CASCADE"].into_iter().chain(express).chain(["CHECKPOINT"]) {
        sqlx::query(statement).execute(&mut connection).await.expect("the owner may do so");
    }
    connection.close().await.expect("the connection ends");
}

/// One that starts a program for each request goes on long after its last answer, at the cost of whoever comes next.
fn come_to_rest() {
    for _ in 0..REST_TRIES {
        let watch = Watch::start();
        std::thread::sleep(REST);
        let share = watch.share();
        if share.own + share.foreign < IDLE {
            return;
        }
    }
}

fn measure(load: &Load, process: u32) -> Round {
    let (watch, load) = (Watch::start(), load.clone());
    let loader = std::thread::spawn(move || load.run());
    let mut most_mb: f64 = 0.0;
    while !loader.is_finished() {
        std::thread::sleep(Duration::from_millis(50));
        most_mb = most_mb.max(resident_mb(process));
    }
    let outcome = loader.join().expect("the load does not panic");
    let (p50_ms, p99_ms) = (outcome.ms(0.5), outcome.ms(0.99));
    let foreign = watch.share().foreign;
    Round { per_s: outcome.per_s, refused: outcome.refused, p50_ms, p99_ms, most_mb, foreign }
}

fn tell(report: &mut Report, entrants: &[Entrant]) {
    let own = &entrants[0];
    let mut all = Vec::new();
    for entrant in entrants {
        let of = |pick: fn(&Round) -> f64| median(entrant.rounds.iter().map(pick).collect());
        let pairs = own.rounds.iter().zip(&entrant.rounds);
        let times = median(pairs.map(|(own, other)| own.per_s / other.per_s).collect());
        let refused: usize = entrant.rounds.iter().map(|round| round.refused).sum();
        let (per_s, p50, p99, mb, foreign) =
            (of(|r| r.per_s), of(|r| r.p50_ms), of(|r| r.p99_ms), of(|r| r.most_mb), of(|r| r.foreign));
        let refusals = if refused > 0 { format!(", {refused} REFUSED") } else { String::new() };
        report.say(&format!(
            "{:<30} {per_s:>7.0}/s  p50 {p50:>6.2} ms  p99 {p99:>7.2} ms  {:>5.1} MB idle {mb:>6.1} MB loaded  \
             taskbridge {times:>5.2} x  ({:.0} % foreign){refusals}",
            entrant.name,
            entrant.idle_mb,
            foreign * 100.0
        ));
        all.push(json!({ "name": entrant.key, "per_s": per_s.round(), "p50_ms": short(p50), "p99_ms": short(p99),
            "rss_idle_mb": short(entrant.idle_mb), "rss_load_mb": short(mb), "taskbridge_times": short(times),
            "refused": refused, "foreign_cpu_share": short(foreign) }));
        let least = [("probot", 2.5), ("express_pg", 4.0)].into_iter().find(|(key, _)| *key == entrant.key);
        if let Some((_, least)) = least {
            report.target(2, &format!("at least {least} x {}", entrant.name), &format!("{times:.2} x"), times >= least);
        }
    }
    report.put("peers", Value::Array(all));
}

fn short(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
