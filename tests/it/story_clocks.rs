//! Replicas whose clocks are an hour wrong: nothing is made twice, and what was made is found.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use taskbridge::clock::{Clock as _, Ground, ManualClock};
use taskbridge::domain::task::State;
use taskbridge::pipeline::{Bridge, settle_uncertain, start_task};
use taskbridge::sandbox::{Fault, FaultKind};

use crate::support::stories::MONA;
use crate::support::world::{LABEL_RULE, World};

/// The list that is looked through.
const LIST: &str = "/agents/repos/*/*/tasks$";

/// A replica whose clock is so far from the true one, which GitHub has.
async fn replica(world: &World, skew: TimeDelta) -> (Bridge, Arc<ManualClock>) {
    let clock = ManualClock::at(world.clock.now() + skew);
    let ground = Ground { clock: clock.clone(), ..world.bridge.ground.clone() };
    (world.replica_at(ground, |_| {}, |_| {}).await, clock)
}

/// Case 34.
#[tokio::test]
async fn a_wrong_clock_does_not_end_the_grace() {
    for skew in [TimeDelta::minutes(15), TimeDelta::hours(1), TimeDelta::hours(-1)] {
        let world = World::new(LABEL_RULE).await;
        let (other, clock) = replica(&world, skew).await;
        let lag = world.control().inject(Fault::new(FaultKind::Stale { seconds: 0, tasks: 9 }).on("GET", LIST));
        world.spoil_start(FaultKind::DropAfter, 1);
        let task = world.wish(MONA, 1).await;
        world.start().await;
        assert_eq!(world.state(task.id).await, State::Uncertain);
        for _ in 0..29 {
            for clock in [&world.clock, &clock] {
                clock.advance(Duration::from_secs(20));
            }
            settle_uncertain::settle_batch(&other).await.unwrap();
            start_task::start_batch(&other).await.unwrap();
            world.look().await;
        }
        assert_eq!(world.made(&task), 1, "{skew}: {}", world.story(task.id).await);
        assert_eq!(world.attempts(task.id).await.len(), 1, "{skew}: {}", world.story(task.id).await);
        world.control().remove_fault(lag);
        // The one behind may have to wait until its clock shows what another wrote down.
        world.live_in_steps(70, 60).await;
        assert_eq!((world.outcomes(task.id).await, world.made(&task)), (vec!["adopted".to_owned()], 1), "{skew}");
    }
}

/// Case 34.
#[tokio::test]
async fn what_a_replica_an_hour_ahead_began_is_not_taken_for_older_than_its_attempt() {
    let world = World::new(LABEL_RULE).await;
    let (ahead, clock) = replica(&world, TimeDelta::hours(1)).await;
    world.spoil_start(FaultKind::DropAfter, 1);
    let task = world.wish(MONA, 1).await;
    start_task::start_batch(&ahead).await.unwrap();
    assert_eq!(world.state(task.id).await, State::Uncertain);
    for _ in 0..15 {
        for clock in [&world.clock, &clock] {
            clock.advance(Duration::from_secs(60));
        }
        settle_uncertain::settle_batch(&ahead).await.unwrap();
        start_task::start_batch(&ahead).await.unwrap();
    }
    assert_eq!((world.outcomes(task.id).await, world.made(&task)), (vec!["adopted".to_owned()], 1));
}
