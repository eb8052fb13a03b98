//! A fault of our own: a step that panics. It takes the thing that it was about, and nothing else, and the worker lives. No step
//! can be made to panic from outside, so the randomness that it is given does it here, at any of its draws.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use sqlx::{Connection as _, PgConnection};
use taskbridge::clock::{Chance, Ground, SystemChance};
use taskbridge::http::{AppState, router};
use taskbridge::pipeline::record::recorder;
use taskbridge::pipeline::{Bridge, match_rules};
use taskbridge::store::deliveries::DeliveryState;
use tokio::task::JoinSet;

use crate::support::canary::leak;
use crate::support::door::leases_end;
use crate::support::payloads::MONA;
use crate::support::world::{LABEL_RULE, World, labelled};

/// Bytes that nothing but the marker of a new task is made of, which the match step draws.
const MARKER: usize = 16;

/// Randomness at which whoever draws it panics, a few times.
#[derive(Default)]
struct Trap {
    /// How many bytes must be drawn; 0 for any number.
    bytes: usize,
    /// Draws that go well before.
    well: AtomicUsize,
    /// Panics that are left.
    panics: AtomicUsize,
}

fn one_less(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Chance for Trap {
    fn fill(&self, bytes: &mut [u8]) {
        let counts = self.bytes == 0 || self.bytes == bytes.len();
        if counts && !one_less(&self.well) && one_less(&self.panics) {
            panic!("drawn from a trap");
        }
        SystemChance.fill(bytes);
    }
}

/// A replica that draws from the trap.
async fn trapped(world: &World, trap: &Arc<Trap>) -> Bridge {
    let ground = Ground { chance: Arc::clone(trap) as Arc<dyn Chance>, ..world.bridge.ground.clone() };
    world.replica_at(ground, |_| {}, |_| {}).await
}

async fn label(world: &World, delivery: &str) {
    world.advance(1);
    let wish = labelled("copilot-fix", MONA, world.bridge.ground.now());
    assert_eq!(world.hook("issues", delivery, &wish).await.status, StatusCode::ACCEPTED);
}

/// Three panics over it are three crashes.
///
/// Case 35.
#[tokio::test]
async fn a_delivery_whose_step_panics_is_counted_and_parked_and_others_go_on() {
    let world = World::new(LABEL_RULE).await;
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let trap = Arc::new(Trap { bytes: MARKER, ..Trap::default() });
    let replica = trapped(&world, &trap).await;
    label(&world, "d-bad").await;
    for crash in 1..=3 {
        trap.panics.store(1, Ordering::SeqCst);
        assert_eq!(match_rules::match_batch(&replica, 64).await.unwrap(), 1);
        let bad = world.delivery("d-bad").await;
        assert_eq!((bad.state, bad.tries), (DeliveryState::Received, crash));
        let other = format!("d-{crash}");
        label(&world, &other).await;
        assert_eq!(match_rules::match_batch(&replica, 64).await.unwrap(), 1);
        assert_eq!(world.delivery(&other).await.state, DeliveryState::Processed, "others go on");
        leases_end(&mut connection).await;
    }
    assert_eq!(match_rules::match_batch(&replica, 64).await.unwrap(), 1);
    let parked = world.delivery("d-bad").await;
    assert_eq!(parked.state, DeliveryState::Failed);
    assert!(parked.reason.unwrap().contains("parked until an operator replays it"));
    assert_eq!(world.tasks().await.len(), 3);
    assert_eq!(leak(), None);
}

/// One panic, at each draw of the match step in turn, while it and the transaction that ends many are at four wishes: at most
/// one of them waits for its lease to end, and each becomes one task.
///
/// Case 35.
#[tokio::test]
async fn wherever_the_match_step_panics_at_most_one_delivery_waits_and_none_is_lost() {
    let whole = panics_at_each_draw(1).await;
    assert!(whole >= 2, "a panic of the transaction for many is nobody's");
}

/// The same with two panics in a row: the second meets the first of those that are ended alone because the first spoiled the
/// transaction for all.
///
/// Case 35.
#[tokio::test]
async fn a_panic_while_each_is_ended_alone_holds_up_none_of_the_others() {
    panics_at_each_draw(2).await;
}

/// Answers how often nobody had to wait.
async fn panics_at_each_draw(panics: usize) -> usize {
    let world = World::new(LABEL_RULE).await;
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let (mut well, mut whole) = (0, 0);
    loop {
        // So many are started in an hour, and no more.
        world.advance(3600);
        let trap = Arc::new(Trap { well: well.into(), panics: panics.into(), ..Trap::default() });
        let replica = trapped(&world, &trap).await;
        let all: Vec<String> = (0..4).map(|nth| format!("d-{well}-{nth}")).collect();
        for delivery in &all {
            label(&world, delivery).await;
        }
        // In a task of its own, as the worker's loop does it.
        let mut step = JoinSet::new();
        let (ours, before) = (replica.clone(), world.tasks().await.len());
        step.spawn(async move { match_rules::match_batch(&ours, 64).await.unwrap() });
        let ended = step.join_next().await.unwrap();
        let mut waiting = 0;
        for delivery in &all {
            waiting += usize::from(world.delivery(delivery).await.state == DeliveryState::Received);
        }
        // The first draw is for the lease: nobody is in hand yet.
        let excused = well == 0 && ended.is_err();
        assert!(excused || ended.is_ok() && waiting <= panics, "at draw {well}, {waiting} wait");
        whole += usize::from(waiting == 0);
        leases_end(&mut connection).await;
        while match_rules::match_batch(&world.bridge, 64).await.unwrap() > 0 {}
        for delivery in &all {
            assert_eq!(world.delivery(delivery).await.state, DeliveryState::Processed, "{delivery}");
        }
        assert_eq!(world.tasks().await.len(), before + all.len(), "at draw {well}");
        if trap.panics.load(Ordering::SeqCst) == panics {
            break;
        }
        well += 1;
    }
    assert!(well >= 12, "a lease, and two draws and more a wish: {well}");
    assert_eq!(leak(), None);
    whole
}

/// Whoever called is told that it was not their fault, and no more; the next call is answered.
///
/// Case 35.
#[tokio::test]
async fn a_door_behind_which_somebody_panics_says_so_and_stays_open() {
    let mut world = World::new(LABEL_RULE).await;
    let trap = Arc::new(Trap { panics: 1.into(), ..Trap::default() });
    let replica = trapped(&world, &trap).await;
    let (recorder, writer) = recorder(replica.store.clone(), replica.ground.clone());
    let mut writing = JoinSet::new();
    writing.spawn(writer.run());
    world.router = router(AppState { bridge: replica, recorder, intake: Arc::clone(&world.intake) });
    let wish = labelled("copilot-fix", MONA, world.bridge.ground.now());
    let answer = world.hook("issues", "d-1", &wish).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.text);
    assert!(answer.text.contains("title") && !answer.text.contains("trap"), "{}", answer.text);
    assert_eq!(world.delivery_count().await, 0);
    assert_eq!(world.hook("issues", "d-1", &wish).await.status, StatusCode::ACCEPTED);
    assert_eq!(leak(), None);
}
