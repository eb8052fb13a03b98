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
/// What `Retry-After` says when there was no place; who waited in vain is told another time.
const FULL: &str = "2";
/// Who finds no place is told before anybody's patience is at its end.
const AT_ONCE: Duration = Duration::from_secs(6);

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
    // On a busy machine some who wait may be given up on meanwhile, and leave their places to others: they are no matter here.
    let (mut full, mut given_up) = (0, 0);
    while full + given_up < SENDERS - ROOM {
        let (status, retry_after, took) = senders.join_next().await.unwrap().unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        if retry_after.unwrap() != FULL {
            given_up += 1;
            continue;
        }
        assert!(took < AT_ONCE, "{took:?}");
        full += 1;
    }
    assert!(full > 0, "somebody found no place");
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    let mut recorded = 0;
    for (status, retry_after, _) in senders.join_all().await {
        match (status, retry_after) {
            (StatusCode::ACCEPTED, _) => recorded += 1,
            (StatusCode::SERVICE_UNAVAILABLE, Some(again)) if again == FULL => full += 1,
            (StatusCode::SERVICE_UNAVAILABLE, Some(_)) => given_up += 1,
            other => panic!("{other:?}"),
        }
    }
    let told = format!("{recorded} recorded, {full} without a place, {given_up} given up");
    assert!(recorded + given_up >= 4096 && recorded + full + given_up == SENDERS, "{told}");
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries").fetch_one(&mut blocker).await.unwrap();
    // Who was given up on may be recorded all the same.
    assert!((recorded..=recorded + given_up).contains(&usize::try_from(rows).unwrap()), "{rows} rows: {told}");
}
