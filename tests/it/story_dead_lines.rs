//! What dies without a word, fills up or is busy: nobody waits for ever, webhooks are taken all the same or the sender is
//! told to come again, and it goes on by itself afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use sqlx::Connection as _;
use taskbridge::domain::task::State;
use taskbridge::http::AppState;
use taskbridge::pipeline::record::recorder;
use taskbridge::pipeline::{StepError, match_rules, start_task};
use taskbridge::store::StoreError;
use taskbridge::store::api_keys::Scope;
use taskbridge::workers::Workers;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::api_kit::Caller;
use crate::support::cut::{Cut, Line};
use crate::support::payloads::MONA;
use crate::support::world::{LABEL_RULE, Setup, World, labelled, signed};

/// The longest that a statement takes in these stories.
const STATEMENT: Duration = Duration::from_secs(1);
/// With the answer that a connection is asked for before it is used again, and a busy machine.
const SOON: Duration = Duration::from_secs(8);

async fn world() -> (World, Cut) {
    let line = Cut::new();
    let setup = Setup { cut: Some(line.clone()), statement: Some(STATEMENT), ..Setup::new(LABEL_RULE) };
    (World::of(setup).await, line)
}

async fn send(world: &World, delivery: &str) -> StatusCode {
    let now = world.bridge.ground.now();
    world.hook("issues", delivery, &labelled("copilot-fix", MONA, now)).await.status
}

async fn ready(world: &World) -> StatusCode {
    world.send(Request::get("/readyz").body(Body::empty()).unwrap()).await.status
}

/// Until `holds`.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn assert_unavailable<T: std::fmt::Debug>(outcome: Result<T, StoreError>, what: &str) {
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{what}: {outcome:?}");
}

/// A line that dies in the middle of a statement, of a transaction and of a commit: each ends in time with an error that
/// says to come again, though no deadline of a worker, a request or a command is near. The pool mends itself.
///
/// Case 28.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_waits_longer_for_a_dead_line_than_its_own_time() {
    for way in [Line::Mute, Line::Swallowing] {
        let (world, line) = world().await;
        let store = &world.bridge.store;
        assert_eq!(send(&world, "d-1").await, StatusCode::ACCEPTED);
        let (idle, busy) = (store.begin().await.unwrap(), store.begin().await.unwrap());
        line.set(way);
        let begun = Instant::now();
        let mut busy = busy;
        let (statement, commit, inside, step) = tokio::join!(
            store.waiting_deliveries(),
            idle.commit(),
            busy.alone_with("a name"),
            match_rules::match_batch(&world.bridge, 64),
        );
        assert_unavailable(statement, "a statement");
        assert_unavailable(commit, "a commit");
        assert_unavailable(inside, "a statement of a transaction");
        assert!(matches!(step, Err(StepError::Store(StoreError::Unavailable(_)))), "a worker's step: {step:?}");
        assert!(begun.elapsed() < SOON, "{way:?}: {:?}", begun.elapsed());
        drop(busy);
        line.set(Line::Open);
        until("it recovers", async || {
            match_rules::match_batch(&world.bridge, 64).await.is_ok() && world.tasks().await.len() == 1
        })
        .await;
        world.settle().await;
        assert_eq!(world.task().await.state, State::Queued);
        world.assert_nothing_twice().await;
    }
}

/// The answer to a BEGIN comes after its time: nobody works unawares in the transaction that it began, where nothing would
/// be committed.
///
/// Case 28.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_begins_too_late_is_nobodys() {
    let (world, line) = world().await;
    line.once("BEGIN", Line::Slow(STATEMENT + STATEMENT / 2));
    assert_unavailable(world.bridge.store.begin().await.map(drop), "a begin");
    assert_eq!(line.met(), 1);
    // The answer comes, and so does the one to the pool's question.
    tokio::time::sleep(STATEMENT * 4).await;
    let mut watcher = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    let open = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let open: i64 = sqlx::query_scalar(open).fetch_one(&mut watcher).await.unwrap();
    assert_eq!(open, 0);
    assert_eq!(send(&world, "d-1").await, StatusCode::ACCEPTED);
    world.settle().await;
    assert_eq!(world.task().await.state, State::Queued);
}

/// The statements of the server have an end of their own, so that what nobody waits for any more does not go on there.
///
/// Case 28.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_asked_to_end_statements_by_itself() {
    for asked in ["statement_timeout=15000", "lock_timeout=5000", "idle_in_transaction_session_timeout=30000"] {
        let line = Cut::new();
        line.once(asked, Line::Open);
        let _world = World::of(Setup { cut: Some(line.clone()), ..Setup::new(LABEL_RULE) }).await;
        assert_eq!(line.met(), 1, "{asked} is said when a connection begins");
    }
}

/// Nobody writes down what came. A bounded number of requests waits for that; the others are told at once to come again.
///
/// Case 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_a_bounded_number_of_webhooks_waits_to_be_recorded() {
    const SENT: usize = 5_500;
    let world = World::new(LABEL_RULE).await;
    // This writer never runs.
    let (recorder, _writer) = recorder(world.bridge.store.clone(), world.bridge.ground.clone());
    let state = AppState { bridge: world.bridge.clone(), recorder, intake: Arc::clone(&world.intake) };
    let router = taskbridge::http::router(state);
    let body = labelled("copilot-fix", MONA, world.bridge.ground.now()).to_string();
    let mut senders = JoinSet::new();
    for nth in 0..SENT {
        let (router, request) = (router.clone(), signed("issues", &format!("d-{nth}"), body.as_bytes()));
        senders.spawn(async move {
            let answer = router.oneshot(request).await.unwrap();
            let (status, told_when) = (answer.status(), answer.headers().contains_key("retry-after"));
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            (status, told_when, String::from_utf8_lossy(&body).contains("Too many deliveries wait"))
        });
    }
    let mut turned_away = 0;
    while turned_away < SENT - 5_000 {
        let (status, told_when, too_many) = senders.join_next().await.expect("some are turned away").unwrap();
        assert_eq!((status, told_when), (StatusCode::SERVICE_UNAVAILABLE, true));
        // On a busy machine some that wait have run out of patience.
        turned_away += usize::from(too_many);
    }
    senders.shutdown().await;
}

/// Lets every insert into `table` meet what PostgreSQL says of a full disk, `when` it happens: for a row, or as the
/// transaction commits, where the log would be written.
async fn fill_up(admin: &mut sqlx::PgConnection, table: &str, when: FullAt) {
    let timing = match when {
        FullAt::Insert => format!("CREATE TRIGGER no_room BEFORE INSERT ON {table}"),
        FullAt::Commit => {
            format!("CREATE CONSTRAINT TRIGGER no_room AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED")
        }
    };
    let statements = format!(
        "CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
         {timing} FOR EACH ROW EXECUTE FUNCTION no_room();"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(admin).await.unwrap();
}

#[derive(Debug, Clone, Copy)]
enum FullAt {
    Insert,
    Commit,
}

/// The database has no room left, for the row or at the commit. Senders are told to come again, the load balancer is told to
/// look elsewhere, and as soon as there is room it goes on.
///
/// Case 30.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_turns_senders_away_and_readiness_red_until_there_is_room() {
    let (world, _line) = world().await;
    let mut admin = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    for (nth, when) in [FullAt::Insert, FullAt::Commit].into_iter().enumerate() {
        let delivery = format!("d-{nth}");
        assert_eq!(ready(&world).await, StatusCode::OK);
        fill_up(&mut admin, "deliveries", when).await;
        let now = world.bridge.ground.now();
        let answer = world.hook("issues", &delivery, &labelled("copilot-fix", MONA, now)).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{when:?}: {}", answer.body);
        assert!(answer.headers.contains_key("retry-after"));
        assert_eq!(ready(&world).await, StatusCode::SERVICE_UNAVAILABLE, "{when:?}");
        assert_eq!(world.delivery_count().await, nth);
        sqlx::raw_sql("DROP TRIGGER no_room ON deliveries").execute(&mut admin).await.unwrap();
        assert_eq!(send(&world, &delivery).await, StatusCode::ACCEPTED);
        assert_eq!(ready(&world).await, StatusCode::OK, "what was just written proves that there is room");
        world.settle().await;
        assert_eq!((world.tasks().await.len(), world.control().creations().len()), (nth + 1, nth + 1));
        // Another happening, and not the same once more.
        world.advance(60);
    }
}

/// A worker meets the full disk: its step fails, nothing is half done, and it is done afterwards.
///
/// Case 30.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_finds_no_room_says_so_and_does_it_later() {
    for when in [FullAt::Insert, FullAt::Commit] {
        let (world, _line) = world().await;
        let mut admin = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
        assert_eq!(send(&world, "d-1").await, StatusCode::ACCEPTED);
        fill_up(&mut admin, "attempts", when).await;
        match_rules::match_batch(&world.bridge, 64).await.unwrap();
        let failed = start_task::start_batch(&world.bridge).await.unwrap_err();
        assert!(matches!(failed, StepError::Store(StoreError::Unavailable(_))), "{when:?}: {failed:?}");
        assert_eq!(ready(&world).await, StatusCode::SERVICE_UNAVAILABLE, "{when:?}");
        assert_eq!(world.control().creations().len(), 0, "{when:?}: nothing was sent that is not written down");
        assert_eq!(world.task().await.state, State::Pending, "{when:?}");
        sqlx::raw_sql("DROP TRIGGER no_room ON attempts; UPDATE tasks SET lease = NULL, lease_until = NULL")
            .execute(&mut admin)
            .await
            .unwrap();
        world.settle().await;
        assert_eq!(world.task().await.state, State::Queued);
        assert_eq!(world.control().creations().len(), 1);
    }
}

/// One replica takes the webhook, and only another has workers: nothing wakes those, and their poll finds it.
///
/// Case 31.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_replica_records_another_takes_up_within_its_poll() {
    let world = World::new(LABEL_RULE).await;
    let other = world.replica(|_| {}, |_| {}).await;
    let workers = Workers::start(&other);
    // They have looked, and wait.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    assert_eq!(send(&world, "d-1").await, StatusCode::ACCEPTED);
    until("the other replica takes it up", async || world.tasks().await.len() == 1).await;
    let matched = begun.elapsed();
    // Its reaction may have had the person's turn to write first: the start comes behind it.
    let started = async || {
        world.advance(1);
        !world.control().creations().is_empty()
    };
    until("the other replica starts it", started).await;
    assert!(matched < Duration::from_secs(4), "its poll is a second: {matched:?}");
    assert!(workers.stop(Duration::from_secs(5)).await);
    world.assert_nothing_twice().await;
}

/// Asks for the list of tasks.
fn lists_tasks(world: &World, reader: &Caller) -> impl Future<Output = StatusCode> + Send + 'static {
    let request = Request::get("/api/v1/tasks").header("authorization", format!("Bearer {}", reader.key.expose()));
    let (router, request) = (world.router.clone(), request.body(Body::empty()).unwrap());
    async move { router.oneshot(request).await.unwrap().status() }
}

/// How many statements wait for a lock.
async fn held_up(watcher: &mut sqlx::PgConnection) -> i64 {
    let statement =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    sqlx::query_scalar(statement).fetch_one(watcher).await.unwrap()
}

/// Whoever hangs up and asks again has no more connections than whoever waits for the answer: the workers' stay free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_and_asks_again_takes_no_second_connection() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let mut blocker = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    let mut watcher = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE tasks").execute(&mut blocker).await.unwrap();
    let mut most = 0;
    for _ in 0..10 {
        let mut asked = JoinSet::new();
        for _ in 0..2 {
            asked.spawn(lists_tasks(&world, &reader));
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
        asked.abort_all();
        let held = held_up(&mut watcher).await;
        most = most.max(held);
    }
    assert!((1..=2).contains(&most), "{most}");
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    until("they are asked as before", async || reader.get("/api/v1/tasks").await.status == StatusCode::OK).await;
}

/// Every connection that operators may take is held up, half of those that they share with the workers. Webhooks have their own.
///
/// Case 33.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_questions_of_operators_keep_no_webhook_waiting() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let mut blocker = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    let mut watcher = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE tasks").execute(&mut blocker).await.unwrap();
    let mut slow = JoinSet::new();
    for _ in 0..12 {
        slow.spawn(lists_tasks(&world, &reader));
    }
    let begun = Instant::now();
    loop {
        let held = held_up(&mut watcher).await;
        if held == 2 {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "all connections that those may take who only look are held up: {held}"
        );
    }
    // Whoever steers has a place of their own.
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    let paused = serde_json::json!({ "scope": "all", "paused": true, "reason": "too much" });
    let answer = operator.call(axum::http::Method::PUT, "/api/v1/pause", Some(&paused)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    for nth in 0..20 {
        let body = labelled("copilot-fix", MONA, world.bridge.ground.now()).to_string();
        let begun = Instant::now();
        let answer = world.send(signed("issues", &format!("d-{nth}"), body.as_bytes())).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    while let Some(status) = slow.join_next().await {
        let status = status.unwrap();
        assert!([StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&status), "{status}");
    }
    assert_eq!(reader.get("/api/v1/tasks").await.status, StatusCode::OK);
}
