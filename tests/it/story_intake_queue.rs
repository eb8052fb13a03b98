//! The queue in front of the writer has an end: while the database is slow, those for whom there is no place are told at
//! once to come again, and all others are recorded.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::support::world::{LABEL_RULE, World, signed};

/// The queue's length, two batches that are being written and one that waits for its turn.
const ROOM: usize = 4096 + 3 * 128;
const SENDERS: usize = 5000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_place_in_the_queue_is_told_at_once_to_come_again() {
    let world = World::new(LABEL_RULE).await;
    let mut blocker = PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE deliveries").execute(&mut blocker).await.unwrap();
    let request = |nth: usize| signed("push", &format!("d-{nth}"), b"{}");
    let mut senders = JoinSet::new();
    for nth in 0..SENDERS {
        let (router, request) = (world.router.clone(), request(nth));
        senders.spawn(async move {
            let begun = Instant::now();
            let answer = router.oneshot(request).await.unwrap();
            (answer.status(), answer.headers().get("retry-after").cloned(), begun.elapsed())
        });
    }
    let mut refused = 0;
    while refused < SENDERS - ROOM {
        let (status, retry_after, took) = senders.join_next().await.unwrap().unwrap();
        assert_eq!((status, retry_after.unwrap().to_str().unwrap()), (StatusCode::SERVICE_UNAVAILABLE, "2"));
        assert!(took < Duration::from_secs(3), "{took:?}");
        refused += 1;
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    let mut recorded = 0;
    for (status, ..) in senders.join_all().await {
        match status {
            StatusCode::ACCEPTED => recorded += 1,
            StatusCode::SERVICE_UNAVAILABLE => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(recorded >= 4096 && recorded + refused == SENDERS, "{recorded} recorded, {refused} refused");
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries").fetch_one(&mut blocker).await.unwrap();
    assert_eq!(usize::try_from(rows).unwrap(), recorded);
}
