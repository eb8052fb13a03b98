//! The database breaks a race (a deadlock, a serialization conflict): what was under way is done again, a bounded number
//! of times, and everything that is done again may be.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use taskbridge::domain::task::State;
use taskbridge::workers::Workers;

use crate::support::payloads::MONA;
use crate::support::world::{LABEL_RULE, Setup, World, labelled};

/// Lets the first `times` statements that do `what` with a table end as losers of a race; answers how to count them.
pub(crate) async fn races(connection: &mut PgConnection, table: &str, what: &str, code: &str, times: u32) {
    let name = format!("race_{table}_{}", what.to_lowercase());
    let text = format!(
        "DROP TRIGGER IF EXISTS {name} ON {table}; DROP SEQUENCE IF EXISTS {name}; CREATE SEQUENCE {name};
         CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF nextval('{name}') <= {times} THEN RAISE EXCEPTION 'lost a race' USING ERRCODE = '{code}'; END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER {name} AFTER {what} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await.unwrap();
}

/// How often the statement was tried. A sequence counts what was rolled back too.
async fn tried(connection: &mut PgConnection, table: &str, what: &str) -> i64 {
    let text = format!("SELECT last_value FROM race_{table}_{}", what.to_lowercase());
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(connection).await.unwrap()
}

/// Case 29.
#[tokio::test]
async fn a_delivery_that_loses_races_is_tried_again_a_few_times_and_then_sent_back() {
    let world = World::new(LABEL_RULE).await;
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    for (code, delivery) in [("40001", "d-1"), ("40P01", "d-2")] {
        races(&mut connection, "deliveries", "INSERT", code, 4).await;
        let answer = world.hook("issues", delivery, &payload).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{code}");
        assert_eq!(tried(&mut connection, "deliveries", "INSERT").await, 5, "{code}");
    }
    races(&mut connection, "deliveries", "INSERT", "40001", 1_000_000).await;
    let begun = Instant::now();
    let answer = world.hook("issues", "d-3", &payload).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key("retry-after"));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(tried(&mut connection, "deliveries", "INSERT").await, 5, "bounded");
    races(&mut connection, "deliveries", "INSERT", "40001", 0).await;
    assert_eq!(world.hook("issues", "d-3", &payload).await.body["status"], "recorded");
    assert_eq!(world.delivery_count().await, 3);
}

/// Every statement of the walk loses two races: the workers go on by themselves, and nothing is made or told twice.
///
/// Case 29.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_lose_races_do_it_again_and_make_nothing_twice() {
    let short = Box::new(|settings: &mut taskbridge::pipeline::Settings| {
        (settings.lease, settings.call_timeout) = (Duration::from_millis(1500), Duration::from_millis(500));
    });
    let world = World::of(Setup { adjust: short, ..Setup::new(LABEL_RULE) }).await;
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let everything = [
        ("decisions", "INSERT", "40001"),
        ("tasks", "INSERT", "40P01"),
        ("attempts", "INSERT", "40001"),
        ("attempts", "UPDATE", "40P01"),
        ("reports", "INSERT", "40001"),
        ("reports", "UPDATE", "40P01"),
    ];
    for (table, what, code) in everything {
        races(&mut connection, table, what, code, 2).await;
    }
    let workers = Workers::start(&world.bridge);
    world.hook("issues", "d-1", &labelled("copilot-fix", MONA, world.bridge.ground.now())).await;
    world.bridge.wake.deliveries.notify_one();
    let begun = Instant::now();
    loop {
        let told = world.comments().len() == 1 && !world.tasks().await.is_empty();
        if told && world.task().await.state == State::Queued {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not get on: {:#?}", world.tasks().await);
        // What is put off is due soon, and leases run on the database's clock.
        world.advance(1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(workers.stop(Duration::from_secs(10)).await);
    for (table, what, _) in everything {
        assert!(tried(&mut connection, table, what).await > 2, "{what} of {table} lost its races");
    }
    let task = world.task().await;
    assert_eq!(world.made(&task), 1, "{}", world.story(task.id).await);
    assert_eq!(world.attempts(task.id).await.len(), 1, "{}", world.story(task.id).await);
    assert_eq!(world.comments().len(), 1);
}
