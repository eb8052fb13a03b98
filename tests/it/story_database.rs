//! The database goes away and comes back: senders are told to come again, nothing is lost, nobody restarts anything.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use sqlx::Connection as _;
use taskbridge::clock::Ground;
use taskbridge::pipeline::match_rules;
use taskbridge::store::deliveries::{DeliveryFilter, DeliveryState};
use taskbridge::store::{Page, Store};
use taskbridge::workers::driver::{self, Pace};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::support::cut::{Cut, Line};
use crate::support::payloads::MONA;
use crate::support::world::{Answer, LABEL_RULE, Setup, World, labelled, signed};

async fn get(world: &World, path: &str) -> Answer {
    world.send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post(world: &World, delivery: &str) -> (Answer, Duration) {
    let now = world.bridge.ground.now();
    let begun = Instant::now();
    let answer = world.hook("issues", delivery, &labelled("copilot-fix", MONA, now)).await;
    (answer, begun.elapsed())
}

/// Until a delivery is taken again; the pools mend themselves.
async fn recovers(world: &World, delivery: &str) {
    let begun = Instant::now();
    loop {
        let (answer, _) = post(world, delivery).await;
        if answer.status == StatusCode::ACCEPTED {
            break;
        }
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not recover");
    }
    while get(world, "/readyz").await.status != StatusCode::OK {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not get ready again");
    }
    world.settle().await;
    assert_eq!(world.delivery(delivery).await.state, DeliveryState::Processed);
    world.task().await;
}

async fn goes_away_and_comes_back(how: Line) {
    let line = Cut::new();
    let world = World::of(Setup { cut: Some(line.clone()), ..Setup::new(LABEL_RULE) }).await;
    let ready = get(&world, "/readyz").await;
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.body);
    // So that both pools have connections to lose.
    world.hook("ping", "d-0", &serde_json::json!({ "zen": "Half measures are as bad as nothing at all." })).await;
    line.set(how);
    let (answer, took) = post(&world, "d-1").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert_eq!(answer.headers["retry-after"], "5");
    // The better of two, as this machine may be busy.
    let took = took.min(post(&world, "d-1").await.1);
    assert!(took < Duration::from_secs(3), "the sender is not kept waiting: {took:?}");
    let ready = get(&world, "/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.headers.contains_key("retry-after"));
    assert_eq!(get(&world, "/healthz").await.status, StatusCode::OK);
    line.set(Line::Open);
    recovers(&world, "d-1").await;
}

/// Case 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_refuses_senders_are_told_to_come_again_and_afterwards_it_goes_on() {
    goes_away_and_comes_back(Line::Refusing).await;
}

/// Case 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_swallows_every_byte_holds_nobody_and_is_done_without() {
    goes_away_and_comes_back(Line::Swallowing).await;
}

/// Case 28.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_dies_under_a_statement_costs_that_batch_and_no_more() {
    let line = Cut::new();
    let world = World::of(Setup { cut: Some(line.clone()), ..Setup::new(LABEL_RULE) }).await;
    let mut blocker = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE deliveries").execute(&mut blocker).await.unwrap();
    // The statement waits for the lock; meanwhile the line dies, and no answer will ever come.
    let dies = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        line.set(Line::Swallowing);
        sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    };
    let ((answer, took), ()) = tokio::join!(post(&world, "d-1"), dies);
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(took < Duration::from_secs(10), "{took:?}");
    line.set(Line::Open);
    // It may have been committed: the sender's next try is then a duplicate, and there is one task all the same.
    recovers(&world, "d-1").await;
}

/// A line that dies under statements of the workers: their steps are given up, no connection of the pool stays taken
/// by one that is dead, and they go on without a restart.
///
/// Case 28.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_go_on_after_a_line_that_died_under_their_statements() {
    const CONNECTIONS: usize = 6;
    let line = Cut::new();
    let world = World::of(Setup { cut: Some(line.clone()), ..Setup::new(LABEL_RULE) }).await;
    let mut blocker = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE deliveries").execute(&mut blocker).await.unwrap();
    let stop = CancellationToken::new();
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (poll, deadline) = (Duration::from_millis(50), Duration::from_secs(1));
        let (bridge, stop) = (world.bridge.clone(), stop.clone());
        workers.spawn(async move {
            let step = || {
                let bridge = bridge.clone();
                async move { match_rules::match_batch(&bridge, 64).await }
            };
            driver::run(Pace { name: "match", poll, deadline }, Ground::system(), stop, None, step).await;
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    line.set(Line::Swallowing);
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    line.set(Line::Open);
    let begun = Instant::now();
    while post(&world, "d-1").await.0.status != StatusCode::ACCEPTED {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not recover");
    }
    let all = Page { before: None, limit: 10 };
    let processed = async |store: &Store| {
        let deliveries = store.deliveries(&DeliveryFilter::default(), all).await;
        deliveries.is_ok_and(|all| all.iter().any(|delivery| delivery.state == DeliveryState::Processed))
    };
    while !processed(&world.bridge.store).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "no worker goes on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    while workers.join_next().await.is_some() {}
    let mut held = Vec::new();
    while held.len() < CONNECTIONS {
        held.extend(world.bridge.store.begin().await);
        assert!(begun.elapsed() < Duration::from_secs(30), "only {} connections are left", held.len());
    }
}

/// Statements of this database that wait for a lock.
async fn blocked(watcher: &mut sqlx::PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_one(watcher)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_wait_while_two_batches_are_slow_share_a_statement() {
    let world = World::new(LABEL_RULE).await;
    let mut blocker = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    let mut watcher = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE deliveries").execute(&mut blocker).await.unwrap();
    let body = labelled("copilot-fix", MONA, world.bridge.ground.now()).to_string();
    let mut senders = JoinSet::new();
    let mut send = |number: usize| {
        let (router, request) = (world.router.clone(), signed("issues", &format!("d-{number}"), body.as_bytes()));
        senders.spawn(async move { router.oneshot(request).await.unwrap().status() });
    };
    for slow in 0..2 {
        send(slow);
        while blocked(&mut watcher).await <= i64::try_from(slow).unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    (2..52).for_each(&mut send);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(blocked(&mut watcher).await, 2, "no third statement while two are under way");
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    while let Some(status) = senders.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::ACCEPTED);
    }
    // Rows of one statement have one transaction in common.
    let (rows, statements): (i64, i64) = sqlx::query_as("SELECT count(*), count(DISTINCT xmin::text) FROM deliveries")
        .fetch_one(&mut watcher)
        .await
        .unwrap();
    assert_eq!(rows, 52);
    assert!((3..=6).contains(&statements), "{statements} statements for 52 deliveries");
}
