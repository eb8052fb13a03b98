//! A storm: a thousand webhooks within seconds, while GitHub is dead and somebody's slow queries hold the workers'
//! connections. Each is acknowledged fast and none is lost; the workers go on with all that needs no GitHub, and with the
//! rest when it is back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::rule::Limits;
use taskbridge::http::state::Intake;
use taskbridge::http::{AppState, router};
use taskbridge::pipeline::Bridge;
use taskbridge::pipeline::record::recorder;
use taskbridge::store::api_keys::Scope;
use taskbridge::workers::Workers;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::api_kit::{Caller, request};
use crate::support::payloads::{MONA, repository};
use crate::support::world::{LABEL_RULE, World, labelled, signed};

const DELIVERIES: usize = 1000;
/// One of so many matches a rule, whose guard asks GitHub.
const MATCHES: usize = 25;
/// Between two of them: all within eight seconds.
const EVERY: Duration = Duration::from_millis(8);
/// Of the six connections of the workers and the admin API, so many are held by slow queries.
const HELD: usize = 3;

/// The body of the nth webhook.
fn payload(world: &World, nth: usize) -> (&'static str, String) {
    let at = world.bridge.ground.now() - chrono::TimeDelta::seconds(i64::try_from(nth).unwrap());
    if nth.is_multiple_of(MATCHES) {
        return ("issues", labelled("copilot-fix", MONA, at).to_string());
    }
    let pushed = json!({ "ref": "refs/heads/main", "after": format!("{nth:040x}"), "repository": repository() });
    ("push", pushed.to_string())
}

async fn count(connection: &mut PgConnection, condition: &'static str) -> usize {
    let statement = format!("SELECT count(*) FROM deliveries WHERE {condition}");
    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(connection).await.unwrap();
    usize::try_from(count).unwrap()
}

/// The doors and workers of a replica, its clock moved on with the real one.
struct Running {
    router: axum::Router,
    workers: Workers,
    background: JoinSet<()>,
}

fn run(world: &World, bridge: &Bridge) -> Running {
    let mut background = JoinSet::new();
    let (recorder, writer) = recorder(bridge.store.clone(), bridge.ground.clone());
    background.spawn(writer.run());
    let clock = Arc::clone(&world.clock);
    background.spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            clock.advance(Duration::from_millis(50));
        }
    });
    let intake = Arc::new(Intake::new(26_214_400, Duration::from_secs(5), 64 * 1024 * 1024));
    let router = router(AppState { bridge: bridge.clone(), recorder, intake });
    Running { router, workers: Workers::start(bridge), background }
}

/// The storm. Answers how long each took to be acknowledged, shortest first.
async fn storm(world: &World, running: &Running, key: &str) -> Vec<Duration> {
    let mut senders = JoinSet::new();
    let mut ticks = tokio::time::interval(EVERY);
    for nth in 0..DELIVERIES {
        ticks.tick().await;
        let (event, body) = payload(world, nth);
        let (router, hook) = (running.router.clone(), signed(event, &format!("storm-{nth}"), body.as_bytes()));
        senders.spawn(async move {
            let begun = Instant::now();
            assert_eq!(router.oneshot(hook).await.unwrap().status(), StatusCode::ACCEPTED);
            Some(begun.elapsed())
        });
        if nth.is_multiple_of(20) {
            let look = request(Method::GET, "/api/v1/deliveries?limit=100").header("authorization", key);
            let (router, look) = (running.router.clone(), look.body(axum::body::Body::empty()).unwrap());
            senders.spawn(async move {
                let status = router.oneshot(look).await.unwrap().status();
                assert!(matches!(status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE), "the list says {status}");
                None
            });
        }
    }
    let all = senders.join_all().await;
    let mut took: Vec<Duration> = all.into_iter().flatten().collect();
    took.sort();
    took
}

async fn storm_while_github_is_at(dead: String) {
    let adjust = |settings: &mut taskbridge::pipeline::Settings| settings.limits = Limits::default();
    let world = World::with(LABEL_RULE, adjust, |_| {}).await;
    let cut_off = |github: &mut taskbridge::github::Settings| {
        github.api_url = dead;
        (github.timeout, github.connect_timeout) = (Duration::from_secs(2), Duration::from_secs(1));
    };
    let bridge = world.replica(|_| {}, cut_off).await;
    let caller = Caller::new(&world, "on-call", Scope::Read).await;
    let key = format!("Bearer {}", caller.key.expose());
    let mut running = run(&world, &bridge);
    let mut slow = Vec::new();
    for _ in 0..HELD {
        slow.push(bridge.store.begin().await.unwrap());
    }
    let took = storm(&world, &running, &key).await;
    let p99 = took[took.len() * 99 / 100 - 1];
    assert_eq!(took.len(), DELIVERIES);
    assert!(p99 < Duration::from_secs(1), "p99 {p99:?}, longest {:?}", took.last());

    let mut watcher = PgConnection::connect(&world.database.url).await.unwrap();
    assert_eq!(count(&mut watcher, "true").await, DELIVERIES, "none is lost");
    let begun = Instant::now();
    while count(&mut watcher, "state = 'ignored'").await < DELIVERIES - DELIVERIES / MATCHES {
        assert!(begun.elapsed() < Duration::from_secs(5), "the workers do not keep up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(count(&mut watcher, "state = 'received'").await, DELIVERIES / MATCHES, "those that ask GitHub wait");
    let calls = bridge.github.requests_sent();
    assert!((1..60).contains(&calls), "{calls} calls to a dead GitHub");
    drop(slow);
    running.workers.stop(Duration::from_secs(5)).await;
    running.background.shutdown().await;
    // GitHub is back.
    world.live_in_steps(4, 300).await;
    assert_eq!(count(&mut watcher, "state = 'processed'").await, DELIVERIES / MATCHES);
    assert_eq!(world.tasks().await.len(), DELIVERIES / MATCHES);
}

/// Case 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_while_github_refuses_connections_is_acknowledged_fast_and_nothing_of_it_is_lost() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    storm_while_github_is_at(format!("http://{closed}")).await;
}

/// Case 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_while_github_swallows_every_byte_is_acknowledged_fast_and_nothing_of_it_is_lost() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    storm_while_github_is_at(format!("http://{}", silent.local_addr().unwrap())).await;
}
