//! How many signed webhooks a second are acknowledged durably, how fast, and at what cost in memory; each beside
//! its ceiling in the same run, because absolute numbers drift with the machine. See `docs/performance.md`.
//!
//! `cargo bench --bench ingest [-- --json] [--seconds N] [--quick] [--long]`

#[path = "support/args.rs"]
mod args;
#[path = "ingest/binary.rs"]
mod binary;
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
#[path = "ingest/doors.rs"]
mod doors;
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
#[path = "ingest/rounds.rs"]
mod rounds;
#[path = "support/service.rs"]
mod service;
#[path = "support/serving.rs"]
mod serving;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::json;
use taskbridge::clock::Ground;
use tokio::runtime::Runtime;

use args::Args;
use bridge::bridge;
use database::Database;
use hook_secret::HOOK_SECRET;
use load::Load;
use payload::Payload;
use report::Report;
use requests::Requests;
use rounds::{Kind, Rounds};

fn main() {
    let Some(args) = Args::read() else { return };
    let quick = args.has("--quick");
    let mut report = Report::new("ingest", &args);
    let server = Runtime::new().expect("a runtime");
    let ground = Ground::system();
    let database = server.block_on(Database::start());
    let at = ground.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let payload = Payload::new(&at, &[(1001, "mona".to_owned())]);
    let run = u64::from(std::process::id());
    // No rule listens to anything: here only the acknowledgement is measured.
    let requests = Arc::new(Requests::new(payload, HOOK_SECRET, u64::MAX, run));
    let bridge = server.block_on(bridge(&database.url, "http://127.0.0.1:9", ground, "rules: []", |_| {}));
    let load = Load {
        requests: Arc::clone(&requests),
        address: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        connections: 64,
        lasting: Duration::from_secs_f64(args.seconds(1.6, 0.4)),
        rate: None,
        hold: Arc::new(AtomicBool::new(false)),
    };

    let rounds = Rounds::run(&server, &database.url, &bridge, &load, if quick { 1 } else { 3 }, &report);
    lines_1_to_3(&rounds, &mut report);

    let offered = Load { connections: 16, rate: Some(1000.0), lasting: load.lasting * 3, ..load.clone() };
    let offered = rounds::one(&server, &database.url, &bridge, &offered, Kind::Product);
    report.put("offered_1000_per_s", offered.per_s);
    report.put("offered_1000_p50_ms", offered.ms(0.5));
    report.put("offered_1000_p99_ms", offered.ms(0.99));
    let (p50, p99) = (offered.ms(0.5), offered.ms(0.99));
    let text = format!("p50 {p50:.2} ms, p99 {p99:.2} ms = {:.1} x", p99 / p50);
    report.target(3, "p99 at 1,000/s offered at most 2 x p50", &text, p99 <= 2.0 * p50);
    if args.has("--long") {
        let long = Load { lasting: Duration::from_secs(60), ..load.clone() };
        let long = rounds::one(&server, &database.url, &bridge, &long, Kind::Product);
        let (p50, p99) = (long.ms(0.5), long.ms(0.99));
        let text = format!("p50 {p50:.2} ms, p99 {p99:.2} ms = {:.1} x, maximum {:.0} ms", p99 / p50, long.ms(1.0));
        report.target(3, "over 60 s the p99 stays under 5 x p50", &text, p99 < 5.0 * p50);
        report.put("long_per_s", long.per_s);
        report.put("long_p50_ms", p50);
        report.put("long_p99_ms", p99);
        report.put("long_max_ms", long.ms(1.0));
    }
    server.block_on(bridge.store.close());
    line_7(&database.url, &load, quick, &mut report);
    server.block_on(database.stop());
    report.finish();
}

fn lines_1_to_3(rounds: &Rounds, report: &mut Report) {
    let at = |connections| rounds.of(Kind::Product, connections);
    let by_connections = |pick: &dyn Fn(&rounds::Many) -> f64| {
        let all = [32, 64, 256].map(|connections| (connections.to_string(), json!(pick(&at(connections)))));
        serde_json::Value::Object(all.into_iter().collect())
    };
    report.put("ceiling_rows_per_s", rounds.ceiling());
    report.put("ceiling_ended_rows_per_s", rounds.ended());
    report.say(&format!(
        "at 64 connections {:.2} of the rows that have their end already, as the product's have here",
        at(64).per_s() / rounds.ended()
    ));
    report.put("http_ceiling_per_s", rounds.of(Kind::VerifyOnly, 64).per_s().round());
    report.put("durable_per_s", by_connections(&|many| many.per_s().round()));
    report.put("ratio", by_connections(&|many| (rounds.ratio(many) * 1000.0).round() / 1000.0));
    report.put("p50_ms", by_connections(&|many| many.ms(0.5)));
    report.put("p99_ms", by_connections(&|many| many.ms(0.99)));
    report.put("max_ms", by_connections(&|many| many.ms(1.0)));
    for (connections, least) in [(64, 0.45), (32, 0.30), (256, 0.30)] {
        let ratio = rounds.ratio(&at(connections));
        let what = format!("durable acknowledgements at {connections} connections at least {least:.2} of the ceiling");
        report.target(1, &what, &format!("{ratio:.2}"), ratio >= least);
    }
    let singles = [(Kind::BatchOfOne, "batches_of_one"), (Kind::InsertEach, "one_insert_a_request")];
    for (kind, name) in singles {
        let single = rounds.of(kind, 64);
        let times = rounds.times(&at(64), &single);
        report.put(&format!("{name}_per_s"), single.per_s().round());
        report.put(&format!("times_{name}"), times);
        let what = format!("at least 1.8 x {} (64 connections)", name.replace('_', " "));
        report.target(2, &what, &format!("{times:.2} x"), times >= 1.8);
    }
    for (connections, most) in [(64, 3.0), (256, 4.0)] {
        let many = at(connections);
        let (p50, p99) = (many.ms(0.5), many.ms(0.99));
        let text = format!("p50 {p50:.2} ms, p99 {p99:.2} ms = {:.1} x, maximum {:.0} ms", p99 / p50, many.ms(1.0));
        let what = format!("p99 at {connections} connections at most {most} x p50");
        report.target(3, &what, &text, p99 <= most * p50);
    }
}

fn line_7(url: &str, load: &Load, quick: bool, report: &mut Report) {
    let folder = serving::Folder::new();
    let starts: Vec<f64> = (0..if quick { 2 } else { 4 }).map(|_| binary::start_ms(&folder, Some(url))).collect();
    // The first of them may have had tables to make.
    let with_database = starts.iter().skip(1).copied().fold(f64::INFINITY, f64::min);
    let fresh = binary::start_ms(&folder, None);
    let (idle, loaded) = binary::memory(&folder, url, load);
    report.put("start_ms", with_database);
    report.put("start_private_ms", fresh);
    report.put("rss_idle_mb", idle);
    report.put("rss_load_mb", loaded);
    let ms = |ms: f64| format!("{ms:.0} ms");
    report.target(7, "start to readyz under 200 ms with a database", &ms(with_database), with_database < 200.0);
    report.target(7, "start to readyz under 3 s with a fresh private one", &ms(fresh), fresh < 3000.0);
    report.target(7, "at most 25 MB resident when idle", &format!("{idle:.1} MB"), idle <= 25.0);
    report.target(7, "at most 60 MB resident under load", &format!("{loaded:.1} MB"), loaded <= 60.0);
}
