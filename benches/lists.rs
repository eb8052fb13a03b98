//! How fast the lists of the admin API answer when much is kept: a million deliveries and 200,000 tasks, every
//! filter, first pages and deep ones, through the real server; and whether each statement goes by an index. See
//! `docs/performance.md`.
//!
//! `cargo bench --bench lists [-- --json] [--seconds N] [--quick]`

#[path = "support/args.rs"]
mod args;
#[path = "lists/ask.rs"]
mod ask;
#[path = "support/bridge.rs"]
mod bridge;
#[path = "lists/client.rs"]
mod client;
#[path = "support/configuration.rs"]
mod configuration;
#[path = "support/database.rs"]
mod database;
#[path = "lists/fill.rs"]
mod fill;
#[path = "support/hook_secret.rs"]
mod hook_secret;
#[path = "support/machine.rs"]
mod machine;
#[path = "lists/plans.rs"]
mod plans;
#[path = "support/report.rs"]
mod report;
#[path = "support/service.rs"]
mod service;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskbridge::clock::Ground;
use taskbridge::pipeline::api_keys;
use taskbridge::pipeline::record::recorder;
use taskbridge::store::api_keys::Scope;
use tokio::runtime::Runtime;

use args::Args;
use ask::Ask;
use bridge::bridge;
use client::Client;
use database::Database;
use fill::Amounts;
use report::Report;
use service::Service;

/// What every list is to stay under.
const TARGET_MS: f64 = 50.0;
/// However slow a list is, its p99 is to be one of several answers.
const LEAST: usize = 8;

fn main() {
    let Some(args) = Args::read() else { return };
    let mut report = Report::new("lists", &args);
    let server = Runtime::new().expect("a runtime");
    let ground = Ground::system();
    let database = server.block_on(Database::start());
    let amounts = if args.has("--quick") { Amounts::QUICK } else { Amounts::FULL };
    let bridge = server.block_on(bridge(&database.url, "http://127.0.0.1:9", ground.clone(), "rules: []", |_| {}));
    let (filling, now) = (Instant::now(), ground.now());
    server.block_on(fill::fill(&database.url, amounts, now));
    let filled = filling.elapsed().as_secs_f64();
    report.say(&format!("{} deliveries and {} tasks made in {filled:.0} s", amounts.deliveries, amounts.tasks));
    report.put("deliveries", amounts.deliveries);
    report.put("tasks", amounts.tasks);
    report.put("fill_s", filled);

    let key = server.block_on(api_keys::create(&bridge.store, &ground, "bench", Scope::Read));
    let (_, key) = key.expect("the name is fit");
    let service = server.block_on(Service::of(&bridge, recorder(bridge.store.clone(), ground.clone())));
    let mut client = Client::connect(service.address, key.expose());
    let places = fill::Places { amounts, now };
    let asks = ask::all(&places);
    let scans = server.block_on(plans::scans(&database.url));
    let lasting = Duration::from_secs_f64(args.seconds(0.5, 0.05));
    let mut rows = Vec::new();
    let (lists, others): (Vec<Ask>, Vec<Ask>) = asks.into_iter().partition(|ask| ask.is_list);
    for ask in &lists {
        rows.push(measure(&mut client, ask, lasting));
        say(&report, rows.last().expect("it was just put there"));
    }
    // The server's counts are told when a connection has been idle for a while.
    std::thread::sleep(Duration::from_secs(2));
    let scanned = server.block_on(plans::scanned_since(&database.url, &scans));
    for ask in &others {
        rows.push(measure(&mut client, ask, lasting));
        say(&report, rows.last().expect("it was just put there"));
    }
    for list in ["deliveries", "tasks"] {
        let ask = ask::one_of(list, &client.get(&format!("/api/v1/{list}?limit=20&since={}", places.moment(0.5))));
        rows.push(measure(&mut client, &ask, lasting));
        say(&report, rows.last().expect("it was just put there"));
    }
    drop(client);
    tell(&mut report, &rows, &scanned);
    let planned = server.block_on(plans::planned(&database.url, &lists));
    for plan in &planned {
        report.say(&format!("plan: {plan}"));
    }
    report.put("plans", planned.clone());
    let bad: Vec<&String> = planned.iter().filter(|plan| plan.contains("SEQ SCAN")).collect();
    report.target(
        8,
        "no plan of a list scans what grows",
        &format!("{} of {}", bad.len(), planned.len()),
        bad.is_empty(),
    );
    server.block_on(async {
        service.stop().await;
        bridge.store.close().await;
        database.stop().await;
    });
    report.finish();
}

/// How long one question takes, asked again and again with each of its pages in turn.
struct Measured {
    name: String,
    page: &'static str,
    is_list: bool,
    rows: usize,
    asked: usize,
    p50_ms: f64,
    p99_ms: f64,
}

fn measure(client: &mut Client, ask: &Ask, lasting: Duration) -> Measured {
    // What a first answer costs (a plan, a cold page) is not what is measured, except that it comes again below.
    client.get(&ask.paths[0]);
    let (mut times, mut rows) = (Vec::new(), 0);
    let begun = Instant::now();
    while begun.elapsed() < lasting || times.len() < LEAST.max(ask.paths.len()) {
        let asked = Instant::now();
        let answer = client.get(&ask.paths[times.len() % ask.paths.len()]);
        times.push(asked.elapsed().as_secs_f64() * 1000.0);
        rows = answer["items"].as_array().map_or(1, Vec::len).max(rows);
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let (name, page, is_list, asked) = (ask.name.clone(), ask.page, ask.is_list, times.len());
    Measured { name, page, is_list, rows, asked, p50_ms: at(0.5), p99_ms: at(0.99) }
}

fn say(report: &Report, row: &Measured) {
    let Measured { name, page, rows, asked, p50_ms, p99_ms, .. } = row;
    let over = if *p99_ms < TARGET_MS { "" } else { "  <-- over" };
    report.say(&format!(
        "{name:<56} {page:<5} p50 {p50_ms:>7.2} ms  p99 {p99_ms:>7.2} ms  {rows:>3} rows, {asked} x{over}"
    ));
}

fn tell(report: &mut Report, rows: &[Measured], scanned: &[String]) {
    let as_json = |row: &Measured| {
        json!({ "name": row.name, "page": row.page, "rows": row.rows, "asked": row.asked,
        "p50_ms": (row.p50_ms * 100.0).round() / 100.0, "p99_ms": (row.p99_ms * 100.0).round() / 100.0 })
    };
    report.put("lists", rows.iter().map(as_json).collect::<Vec<Value>>());
    for (what, is_list) in [("every list", true), ("every look at one thing and every sum", false)] {
        let worst = rows.iter().filter(|row| row.is_list == is_list).max_by(|a, b| a.p99_ms.total_cmp(&b.p99_ms));
        let Some(worst) = worst else { continue };
        let text = format!("{:.1} ms for {} ({} page)", worst.p99_ms, worst.name, worst.page);
        report.put(if is_list { "worst_list_p99_ms" } else { "worst_other_p99_ms" }, worst.p99_ms);
        report.target(8, &format!("p99 of {what} under {TARGET_MS} ms"), &text, worst.p99_ms < TARGET_MS);
    }
    let text = if scanned.is_empty() { "none".to_owned() } else { scanned.join(", ") };
    report.target(8, "no list scanned what grows", &text, scanned.is_empty());
}
