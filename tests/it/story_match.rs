//! What was acknowledged is matched: slow look-ups, a database that goes away, a stop and large bodies cost time, and
//! only what kills its worker again and again is parked.

use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use taskbridge::ids::{DeliveryId, uuid_v7};
use taskbridge::pipeline::{match_rules, steer};
use taskbridge::sandbox::{Fault, FaultKind};
use taskbridge::store::Lease;
use taskbridge::store::deliveries::{DeliveryState, NewDelivery};
use taskbridge::workers::Workers;

use crate::support::cut::{Cut, Line};
use crate::support::payloads::MONA;
use crate::support::world::{LABEL_RULE, Setup, World, labelled};

const PERMISSION: &str = "/repos/acme/widgets/collaborators";
const MINUTE: Duration = Duration::from_secs(60);

async fn label(world: &World, delivery: &str) {
    world.advance(1);
    world.hook("issues", delivery, &labelled("copilot-fix", MONA, world.bridge.ground.now())).await;
}

fn slow(world: &World, ms: u64, times: u32) {
    world.control().inject(Fault::new(FaultKind::Delay { ms }).on("GET", PERMISSION).times(times));
}

async fn with_app(at_once: usize) -> World {
    let adjust = Box::new(move |settings: &mut taskbridge::pipeline::Settings| settings.at_once = at_once);
    World::of(Setup { app: true, adjust, ..Setup::new(LABEL_RULE) }).await
}

/// Case 35.
#[tokio::test]
async fn what_kills_its_worker_three_times_is_parked_and_can_be_replayed() {
    let world = World::new(LABEL_RULE).await;
    label(&world, "d-1").await;
    let ground = &world.bridge.ground;
    for _ in 0..3 {
        // A worker that takes it up and is never heard of again.
        let gone = Lease::new(ground, Duration::ZERO);
        assert_eq!(world.bridge.store.claim_deliveries(gone, ground.now(), 64, true).await.unwrap().len(), 1);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    world.settle().await;
    let parked = world.delivery("d-1").await;
    assert_eq!(parked.state, DeliveryState::Failed);
    assert!(parked.reason.unwrap().contains("parked until an operator replays it"));
    steer::replay(&world.bridge, parked.id).await.unwrap();
    world.settle().await;
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Processed);
    world.task().await;
}

/// Case 35.
#[tokio::test]
async fn after_a_crash_each_is_worked_on_alone_so_that_a_poisonous_one_takes_nobody_with_it() {
    let world = World::new(LABEL_RULE).await;
    for delivery in ["d-1", "d-2", "d-3"] {
        label(&world, delivery).await;
    }
    let ground = &world.bridge.ground;
    world.bridge.store.claim_deliveries(Lease::new(ground, Duration::ZERO), ground.now(), 64, true).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(match_rules::match_batch(&world.bridge, 64).await.unwrap(), 1);
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Processed);
    for other in ["d-2", "d-3"] {
        let other = world.delivery(other).await;
        assert_eq!((other.state, other.tries), (DeliveryState::Received, 1), "not touched, the crash counted once");
    }
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 3);
}

/// A process that dies over a poisonous delivery would else count a crash for every other that it had taken up with
/// it or beside it, until healthy ones were parked too.
///
/// Case 35.
#[tokio::test]
async fn while_one_that_came_back_from_a_crash_is_worked_on_no_other_such_is_in_hand() {
    let world = with_app(8).await;
    for delivery in ["d-1", "d-2"] {
        label(&world, delivery).await;
    }
    let (store, ground) = (&world.bridge.store, &world.bridge.ground);
    store.claim_deliveries(Lease::new(ground, Duration::ZERO), ground.now(), 64, true).await.unwrap();
    label(&world, "d-3").await;
    slow(&world, 6000, 1);
    let look = async {
        let begun = Instant::now();
        while world.delivery("d-3").await.state != DeliveryState::Processed {
            assert!(begun.elapsed() < MINUTE, "new ones go on meanwhile");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = look => {}
        _ = match_rules::match_batch(&world.bridge, 64) => panic!("the look-up for d-1 takes longer"),
    }
    let both = (world.delivery("d-1").await, world.delivery("d-2").await);
    // Uncounted after a second in hand.
    assert!(both.0.state == DeliveryState::Received && matches!(both.0.tries, 1 | 2), "in hand: {:?}", both.0);
    assert_eq!((both.1.state, both.1.tries), (DeliveryState::Received, 1), "with the one crash that it was in");
}

/// What waits for GitHub has killed nobody: else whatever is in hand at three ends of a process would be parked.
///
/// Case 35.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_of_the_process_while_one_that_came_back_waits_for_github_is_not_counted() {
    let world = with_app(1).await;
    label(&world, "d-1").await;
    let (store, ground) = (&world.bridge.store, &world.bridge.ground);
    for _ in 0..2 {
        store.claim_deliveries(Lease::new(ground, Duration::ZERO), ground.now(), 64, true).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(world.delivery("d-1").await.tries, 2);
    slow(&world, 6000, 1);
    tokio::select! {
        _ = match_rules::match_batch(&world.bridge, 64) => panic!("the look-up takes longer"),
        () = async {
            until_tries(&world, 3).await;
            until_tries(&world, 2).await;
        } => {}
    }
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Received);
}

async fn until_tries(world: &World, tries: i16) {
    let begun = Instant::now();
    while world.delivery("d-1").await.tries != tries {
        assert!(begun.elapsed() < Duration::from_secs(4), "{tries} tries");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Slow is not crashed: three slow tries would else park a healthy delivery.
///
/// Case 35.
#[tokio::test]
async fn a_try_that_outlasted_its_lease_is_not_counted_as_a_crash() {
    let adjust = Box::new(|settings: &mut taskbridge::pipeline::Settings| {
        (settings.lease, settings.at_once) = (Duration::from_millis(500), 1);
    });
    let world = World::of(Setup { app: true, adjust, ..Setup::new(LABEL_RULE) }).await;
    label(&world, "d-1").await;
    slow(&world, 2000, 1);
    let (store, ground) = (&world.bridge.store, &world.bridge.ground);
    let other = async {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        store.claim_deliveries(Lease::new(ground, MINUTE), ground.now(), 64, true).await.unwrap()
    };
    let (outcome, taken) = tokio::join!(match_rules::match_batch(&world.bridge, 64), other);
    outcome.unwrap();
    assert_eq!(taken.iter().map(|delivery| delivery.tries).collect::<Vec<_>>(), [2]);
    assert_eq!(match_rules::match_batch(&world.bridge, 64).await.unwrap(), 0, "it is the other's");
    let delivery = world.delivery("d-1").await;
    assert_eq!((delivery.state, delivery.tries), (DeliveryState::Received, 1), "the other's try alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_in_the_middle_costs_no_try() {
    let line = Cut::new();
    let world = World::of(Setup { app: true, cut: Some(line.clone()), ..Setup::new(LABEL_RULE) }).await;
    label(&world, "d-1").await;
    slow(&world, 500, 1);
    let goes = async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        line.set(Line::Refusing);
    };
    let (outcome, ()) = tokio::join!(match_rules::match_batch(&world.bridge, 64), goes);
    outcome.unwrap_err();
    line.set(Line::Open);
    let begun = Instant::now();
    while match_rules::match_batch(&world.bridge, 64).await.is_err() {
        assert!(begun.elapsed() < MINUTE / 2, "long before the lease has run out");
    }
    let delivery = world.delivery("d-1").await;
    assert_eq!((delivery.state, delivery.tries), (DeliveryState::Processed, 1));
    world.task().await;
}

#[tokio::test]
async fn a_process_that_stops_gives_back_what_it_holds() {
    let world = with_app(8).await;
    label(&world, "d-1").await;
    slow(&world, 4000, 1);
    let workers = Workers::start(&world.bridge);
    let begun = Instant::now();
    while world.delivery("d-1").await.tries == 0 {
        assert!(begun.elapsed() < MINUTE, "it is taken up");
    }
    assert!(!workers.stop(Duration::from_millis(100)).await, "it was in the middle of something");
    let delivery = world.delivery("d-1").await;
    assert_eq!((delivery.state, delivery.tries), (DeliveryState::Received, 0));
    // The next process need not wait for the lease.
    assert_eq!(match_rules::match_batch(&world.bridge, 64).await.unwrap(), 1);
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Processed);
}

/// A restart of everything at once: else the try would count as a crash.
///
/// Case 42.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stops_while_the_database_is_away_gives_back_when_it_is_there_again() {
    let line = Cut::new();
    let world = World::of(Setup { app: true, cut: Some(line.clone()), ..Setup::new(LABEL_RULE) }).await;
    label(&world, "d-1").await;
    slow(&world, 20_000, 1);
    let workers = Workers::start(&world.bridge);
    let begun = Instant::now();
    while world.delivery("d-1").await.tries == 0 {
        assert!(begun.elapsed() < MINUTE, "it is taken up");
    }
    line.set(Line::Refusing);
    let back = async {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        line.set(Line::Open);
    };
    tokio::join!(workers.stop(Duration::from_millis(100)), back);
    let delivery = world.delivery("d-1").await;
    assert_eq!((delivery.state, delivery.tries), (DeliveryState::Received, 0));
}

#[tokio::test]
async fn a_slow_look_up_holds_up_nobody_else() {
    let world = with_app(2).await;
    label(&world, "d-1").await;
    slow(&world, 4000, 1);
    let later = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        label(&world, "d-2").await;
        let begun = Instant::now();
        while world.delivery("d-2").await.state == DeliveryState::Received {
            assert!(begun.elapsed() < Duration::from_secs(3), "it waits for the slow one");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(world.delivery("d-1").await.state, DeliveryState::Received, "the slow one still runs");
    };
    let (outcome, ()) = tokio::join!(match_rules::match_batch(&world.bridge, 64), later);
    outcome.unwrap();
    assert_eq!(world.tasks().await.len(), 2);
}

#[tokio::test]
async fn who_waits_for_a_turn_waits_unleased_and_uncounted() {
    let world = with_app(1).await;
    for delivery in ["d-1", "d-2", "d-3"] {
        label(&world, delivery).await;
    }
    slow(&world, 2500, 1);
    let other = Lease::new(&world.bridge.ground, MINUTE);
    let look = async {
        tokio::time::sleep(Duration::from_millis(1600)).await;
        // While the only place is taken, they are there for others.
        let free = world.bridge.store.claim_deliveries(other, world.bridge.ground.now(), 64, true).await.unwrap();
        assert_eq!(free.iter().map(|delivery| delivery.tries).collect::<Vec<_>>(), [1, 1], "no try was counted");
        free
    };
    let (outcome, free) = tokio::join!(match_rules::match_batch(&world.bridge, 64), look);
    outcome.unwrap();
    let ids: Vec<DeliveryId> = free.iter().map(|delivery| delivery.id).collect();
    world.bridge.store.give_back_deliveries(&ids, other, None).await.unwrap();
    world.settle().await;
    for delivery in ["d-1", "d-2", "d-3"] {
        let delivery = world.delivery(delivery).await;
        assert_eq!((delivery.state, delivery.tries), (DeliveryState::Processed, 1));
    }
}

#[tokio::test]
async fn one_claim_loads_no_more_bodies_than_fit_well_but_always_one() {
    let world = World::new(LABEL_RULE).await;
    let (ground, store) = (&world.bridge.ground, &world.bridge.store);
    let mut ids = Vec::new();
    for (nth, mebibytes) in [9, 6, 9, 20, 1].into_iter().enumerate() {
        world.advance(1);
        let id = DeliveryId::new(ground);
        ids.push(id);
        let body = bytes::Bytes::from(vec![b'x'; mebibytes << 20]);
        let delivery = NewDelivery {
            id,
            source: "github".into(),
            hook_id: "77".into(),
            sender_id: format!("d-{nth}"),
            event_name: "push".into(),
            content_type: "application/json".into(),
            body_hash: Sha256::digest(&body).into(),
            body,
            received_at: ground.now(),
            end: None,
        };
        store.record_deliveries(&[delivery]).await.unwrap();
    }
    let mut claims = Vec::new();
    loop {
        let lease = Lease { token: uuid_v7(ground), millis: 60_000 };
        let mut claimed: Vec<_> =
            store.claim_deliveries(lease, ground.now(), 64, true).await.unwrap().into_iter().map(|d| d.id).collect();
        if claimed.is_empty() {
            break;
        }
        claimed.sort();
        claims.push(claimed);
    }
    assert_eq!(claims, [vec![ids[0], ids[1]], vec![ids[2]], vec![ids[3]], vec![ids[4]]]);
}
