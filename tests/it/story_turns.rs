//! One token writes one thing at a time, with a pause and never too much in an hour, whichever replica writes and
//! whatever its clock shows.

use std::time::Duration;

use chrono::TimeDelta;
use taskbridge::clock::{Clock as _, Ground, ManualClock, SharedClock};
use taskbridge::domain::hourly::Hourly;
use taskbridge::domain::task::State;
use taskbridge::pipeline::{Bridge, Settings, report, start_task};

use crate::support::stories::{MONA, OTTO};
use crate::support::world::{LABEL_RULE, World};

/// Mona asks for twelve things, which are some forty writes; twenty an hour are allowed here.
///
/// Case 48.
#[tokio::test]
async fn no_hour_holds_more_writes_of_a_token_than_it_may_and_all_is_done_in_the_end() {
    const COUNT: u32 = 20;
    let adjust = |settings: &mut Settings| settings.hourly_writes = Hourly::of(COUNT);
    let world = World::with(LABEL_RULE, adjust, |_| {}).await;
    let other = world.replica(|_| {}, |_| {}).await;
    world.let_otto_in().await;
    world.wish(MONA, 12).await;
    world.wish(OTTO, 1).await;
    world.control().clear_calls();
    let of = |login: &str| {
        let writes = world.writes().into_iter().filter(|call| call.user.as_deref() == Some(login));
        writes.map(|call| call.at).collect::<Vec<_>>()
    };
    world.settle().await;
    assert_eq!(of("mona").len(), 8, "two fifths go at once, and no more");
    assert!(of("otto").len() >= 2, "nobody else waits for it");
    for _ in 0..80 {
        world.advance(150);
        start_task::start_batch(&other).await.unwrap();
        report::report_batch(&other).await.unwrap();
        world.settle().await;
    }
    let at = of("mona");
    assert!(at.len() > 2 * 12, "each is started and told: {}", at.len());
    for writes in at.windows(COUNT as usize + 1) {
        assert!(writes[COUNT as usize] - writes[0] > TimeDelta::hours(1), "{at:#?}");
    }
    for task in world.tasks().await {
        assert_eq!(task.state, State::Completed);
        let reports = world.bridge.store.reports_of_task(task.id).await.unwrap();
        assert!(reports.iter().all(|report| report.state == "sent"), "{reports:?}");
    }
    world.assert_nothing_twice().await;
}

/// A replica whose clock is so wrong.
async fn skewed(world: &World, skew: TimeDelta, adjust: impl FnOnce(&mut Settings)) -> Bridge {
    let ground = Ground { clock: ManualClock::at(world.clock.now() + skew), ..world.bridge.ground.clone() };
    world.replica_at(ground, adjust, |_| {}).await
}

/// Case 34.
#[tokio::test]
async fn a_replica_whose_clock_is_an_hour_wrong_neither_prolongs_a_pause_between_writes_nor_cuts_it_short() {
    let spaced = |settings: &mut Settings| settings.write_spacing = Duration::from_secs(5);
    for skew in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
        let world = World::with(LABEL_RULE, spaced, |_| {}).await;
        world.wish(MONA, 3).await;
        // What is due is so for the one behind too.
        world.advance(if skew < TimeDelta::zero() { 3600 } else { 0 });
        let other = skewed(&world, skew, |_| {}).await;
        assert_eq!(start_task::start_batch(&other).await.unwrap(), 1);
        world.advance(4);
        assert_eq!(world.start().await, 0, "{skew}: not yet");
        world.advance(1);
        assert_eq!(world.start().await, 1, "{skew}: after its pause, not after an hour");
        assert_eq!(start_task::start_batch(&other).await.unwrap(), 0, "{skew}: the pause is its own too");
    }
}

/// The same in the time that installations have, which no story can move.
///
/// Case 34.
#[tokio::test]
async fn pauses_between_writes_are_measured_on_the_databases_clock() {
    let of_database = |spacing: u64| {
        move |settings: &mut Settings| {
            (settings.shared_clock, settings.write_spacing) = (SharedClock::default(), Duration::from_millis(spacing));
        }
    };
    let world = World::with(LABEL_RULE, of_database(3_600_000), |_| {}).await;
    world.wish(MONA, 3).await;
    let ahead = skewed(&world, TimeDelta::hours(1), of_database(200)).await;
    assert_eq!(start_task::start_batch(&ahead).await.unwrap(), 1);
    let waited = async {
        while world.start().await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.expect("a fifth of a second, not an hour");
    world.advance(7200);
    assert_eq!(world.start().await, 0, "an hour on the database's clock, whatever a replica's shows");
    assert_eq!(start_task::start_batch(&ahead).await.unwrap(), 0);
    let wait = world.bridge.store.turn_comes_in("person:1001", None).await.unwrap();
    assert!(wait > Duration::from_secs(3500) && wait <= Duration::from_secs(3600), "{wait:?}");
}

#[test]
fn an_installation_writes_as_much_in_an_hour_as_github_lets_through() {
    let config = crate::support::world::configuration(LABEL_RULE).config;
    let settings = taskbridge::cli::settings_of(&config);
    assert_eq!((settings.hourly_writes, settings.shared_clock.shown()), (Hourly::of(500), None));
}
