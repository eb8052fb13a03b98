//! Two replicas on one database: what comes to both at once is recorded once, and a clock that is an hour wrong takes
//! nobody's lease away and gives none back.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use chrono::TimeDelta;
use http_body_util::BodyExt as _;
use taskbridge::clock::{Clock as _, Ground, ManualClock};
use taskbridge::domain::task::State;
use taskbridge::http::state::Intake;
use taskbridge::http::{AppState, router};
use taskbridge::pipeline::Bridge;
use taskbridge::pipeline::record::recorder;
use taskbridge::sandbox::FaultKind;
use taskbridge::store::Lease;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::support::payloads::MONA;
use crate::support::world::{LABEL_RULE, World, labelled, signed};

/// The doors of a replica. Its writer runs for as long as `writers` is kept.
fn doors(bridge: &Bridge, writers: &mut JoinSet<()>) -> Router {
    let (recorder, writer) = recorder(bridge.store.clone(), bridge.ground.clone());
    writers.spawn(writer.run());
    let intake = Arc::new(Intake::new(1 << 20, Duration::from_secs(5), 1 << 24));
    router(AppState { bridge: bridge.clone(), recorder, intake })
}

/// Case 3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_comes_to_two_replicas_at_once_is_recorded_once() {
    let world = World::new(LABEL_RULE).await;
    let other = world.replica(|_| {}, |_| {}).await;
    let mut writers = JoinSet::new();
    let both = [world.router.clone(), doors(&other, &mut writers)];
    let now = world.bridge.ground.now();
    for round in 0..20 {
        let body = labelled("copilot-fix", MONA, now + TimeDelta::seconds(round)).to_string();
        let mut senders = JoinSet::new();
        for router in both.iter().cycle().take(8) {
            let (router, request) = (router.clone(), signed("issues", &format!("d-{round}"), body.as_bytes()));
            senders.spawn(async move {
                let response = router.oneshot(request).await.unwrap();
                let (parts, body) = response.into_parts();
                let body: serde_json::Value =
                    serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
                (parts.status, body["status"].as_str().unwrap_or_default().to_owned())
            });
        }
        let answers = senders.join_all().await;
        assert!(answers.iter().all(|(status, _)| *status == StatusCode::ACCEPTED), "{answers:?}");
        assert_eq!(answers.iter().filter(|(_, word)| word == "recorded").count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|(_, word)| word == "duplicate").count(), 7, "{answers:?}");
    }
    assert_eq!(world.delivery_count().await, 20);
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 20);
    world.assert_nothing_twice().await;
}

/// What is leased is taken up by a replica whose clock is an hour ahead or behind only when the lease has run out on
/// the database's clock, and then at once.
///
/// Case 34.
#[tokio::test]
async fn a_clock_that_is_an_hour_wrong_neither_takes_a_lease_nor_prolongs_it() {
    const PAST: Duration = Duration::from_millis(1100);
    for skew in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
        let world = World::new(LABEL_RULE).await;
        let (due, hourly) = (world.clock.now(), world.bridge.settings.hourly_writes);
        world.wish(MONA, 1).await;
        world.hook("issues", "d-1", &labelled("copilot-fix", MONA, due)).await;
        let (mine, long) = (&world.bridge.store, || Lease::new(&world.bridge.ground, Duration::from_secs(60)));
        let short = || Lease::new(&world.bridge.ground, Duration::from_millis(1000));
        let none = Lease::new(&world.bridge.ground, Duration::ZERO);
        assert!(mine.take_turn("person:1001", none, hourly, Some(due)).await.unwrap());
        // From now on all of it is due for both, whatever their clocks say.
        world.advance(2 * 3600);
        let now = world.clock.now();
        let ground = Ground { clock: ManualClock::at(now + skew), ..world.bridge.ground.clone() };
        let other = world.replica_at(ground, |_| {}, |_| {}).await;
        let (theirs, their_now) = (&other.store, other.ground.now());

        assert_eq!(mine.claim_deliveries(short(), now, 9, true).await.unwrap().len(), 1);
        assert_eq!(theirs.claim_deliveries(long(), their_now, 9, true).await.unwrap().len(), 0, "{skew}");
        tokio::time::sleep(PAST).await;
        assert_eq!(
            theirs.claim_deliveries(long(), their_now, 9, true).await.unwrap().len(),
            1,
            "{skew}: it has run out"
        );
        assert_eq!(mine.claim_deliveries(long(), now, 9, true).await.unwrap().len(), 0, "{skew}");

        assert_eq!(mine.claim_startable(short(), now, Some(now), 9).await.unwrap().len(), 1);
        assert!(mine.take_turn("person:1001", short(), hourly, Some(now)).await.unwrap());
        assert_eq!(theirs.claim_startable(long(), their_now, Some(now), 9).await.unwrap().len(), 0, "{skew}");
        assert!(!theirs.take_turn("person:1001", long(), hourly, Some(now)).await.unwrap(), "{skew}");
        tokio::time::sleep(PAST).await;
        assert_eq!(theirs.claim_startable(long(), their_now, Some(now), 9).await.unwrap().len(), 1, "{skew}");
        assert!(theirs.take_turn("person:1001", long(), hourly, Some(now)).await.unwrap(), "{skew}");
        assert_eq!(mine.claim_startable(long(), now, Some(now), 9).await.unwrap().len(), 0, "{skew}");
        assert!(!mine.take_turn("person:1001", long(), hourly, Some(now)).await.unwrap(), "{skew}");
    }
}

/// Takes all that there is to take.
async fn all(claim: impl AsyncFn() -> usize) -> usize {
    let mut taken = 0;
    for _ in 0..20 {
        match claim().await {
            0 => return taken,
            some => taken += some,
        }
    }
    panic!("the same is taken again and again");
}

/// What is to be told, looked for and swept, too.
///
/// Case 34.
#[tokio::test]
async fn a_wrong_clock_takes_no_report_no_look_and_no_sweep_that_another_replica_holds() {
    const HELD: Duration = Duration::from_millis(1000);
    for skew in [TimeDelta::minutes(5), TimeDelta::hours(1), TimeDelta::hours(-1)] {
        let world = World::new(LABEL_RULE).await;
        world.wish(MONA, 1).await;
        world.start().await;
        world.spoil_start(FaultKind::DropAfter, 1);
        let lost = world.wish(MONA, 1).await;
        world.advance(60);
        world.start().await;
        assert_eq!(world.state(lost.id).await, State::Uncertain);
        world.advance(2 * 3600);
        let now = world.clock.now();
        let ground = Ground { clock: ManualClock::at(now + skew), ..world.bridge.ground.clone() };
        let other = world.replica_at(ground, |_| {}, |_| {}).await;
        let reports = async |of: &Bridge, held| {
            let lease = Lease::new(&of.ground, held);
            of.store.claim_reports(lease, of.ground.now(), 9).await.unwrap().len()
        };
        let looks = async |of: &Bridge, held| {
            let lease = Lease::new(&of.ground, held);
            of.store.claim_uncertain(lease, of.ground.now(), 9).await.unwrap().len()
        };
        let sweeps = async |of: &Bridge, held| {
            let (lease, now) = (Lease::new(&of.ground, held), of.ground.now());
            of.store.claim_sweeps(lease, now, now - TimeDelta::hours(9), 9).await.unwrap().len()
        };
        let long = Duration::from_secs(60);
        let (mine, theirs) = (&world.bridge, &other);
        let told = all(async || reports(mine, HELD).await).await;
        assert!(told > 1 && looks(mine, HELD).await == 1 && sweeps(mine, HELD).await == 1, "{told}");
        let of_others = [reports(theirs, long).await, looks(theirs, long).await, sweeps(theirs, long).await];
        assert_eq!(of_others, [0, 0, 0], "{skew}");
        tokio::time::sleep(HELD + Duration::from_millis(100)).await;
        let run_out = [all(async || reports(theirs, long).await).await, looks(theirs, long).await];
        assert_eq!((run_out, sweeps(theirs, long).await), ([told, 1], 1), "{skew}: they have run out");
        assert_eq!([reports(mine, long).await, looks(mine, long).await, sweeps(mine, long).await], [0, 0, 0], "{skew}");
    }
}

/// The other statements: those about tokens, chats and receivers.
///
/// Case 34.
#[test]
fn every_statement_that_asks_whether_a_lease_lasts_asks_the_databases_clock() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let mut asked = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let query = json["query"].as_str().unwrap();
        for sign in ["lease_until <", "lease_until >"] {
            for after in query.split(sign).skip(1) {
                let compared = after.trim_start_matches('=').trim_start();
                assert!(compared.starts_with("clock_timestamp()"), "{query}");
                asked += 1;
            }
        }
        assert!(!query.contains("now()") && !query.contains("CURRENT_TIMESTAMP"), "the time of a transaction: {query}");
    }
    assert!(asked >= 6, "{asked}");
}
