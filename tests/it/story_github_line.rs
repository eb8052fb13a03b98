//! The line to GitHub fails around the one request that must not be made twice. Where it surely never arrived, it is sent
//! again; in all other cases nobody sends anything before it was looked for.

use std::time::Duration;

use chrono::TimeDelta;
use taskbridge::domain::task::State;

use crate::support::cut::{Cut, Line};
use crate::support::stories::{CREATE, MONA};
use crate::support::world::{LABEL_RULE, Setup, World};

/// How long a call to GitHub may take in these stories.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// What stands in the request that starts a task.
const START: &str = "POST /agents/";

async fn world() -> (World, Cut) {
    let line = Cut::new();
    let setup = Setup {
        wire: Some(line.clone()),
        adjust_github: Box::new(|github| (github.timeout, github.connect_timeout) = (TIMEOUT, TIMEOUT / 2)),
        ..Setup::new(LABEL_RULE)
    };
    (World::of(setup).await, line)
}

/// Requests to start a task that arrived.
fn posts(world: &World) -> usize {
    world.control().count_calls("POST", CREATE.trim_end_matches("*/*/tasks$"))
}

/// Case 46.
#[tokio::test]
async fn while_connections_are_refused_a_start_waits_longer_each_time_and_is_then_sent_once() {
    let (world, line) = world().await;
    let task = world.wish(MONA, 1).await;
    line.set(Line::Refusing);
    let before = line.accepted();
    for least in [4, 8, 16] {
        assert_eq!(world.start().await, 1);
        let now = world.task_now(task.id).await;
        assert_eq!(now.state, State::Pending, "surely not sent: {}", world.story(task.id).await);
        assert!(now.due_at - world.bridge.ground.now() >= TimeDelta::seconds(least));
        assert_eq!(world.start().await, 0, "not before its time");
        world.advance(30);
    }
    assert_eq!(line.accepted(), before);
    line.set(Line::Open);
    world.settle().await;
    assert_eq!(world.outcomes(task.id).await, ["deferred", "deferred", "deferred", "created"]);
    assert_eq!((world.state(task.id).await, world.made(&task), posts(&world)), (State::Queued, 1, 1));
}

/// The connection is accepted and ends once the request is on its way: nobody can know how far it came.
///
/// Case 46.
#[tokio::test]
async fn a_connection_that_ends_under_the_request_is_looked_into_before_another_is_sent() {
    let (world, line) = world().await;
    let task = world.wish(MONA, 1).await;
    line.once(START, Line::Refusing);
    world.start().await;
    assert_eq!((line.met(), world.state(task.id).await), (1, State::Uncertain));
    world.live_in_steps(50, 10).await;
    assert_eq!(posts(&world), 0, "nothing is sent while the grace lasts");
    world.live_in_steps(40, 10).await;
    assert_eq!(world.outcomes(task.id).await, ["absent", "created"]);
    assert_eq!((world.state(task.id).await, world.made(&task), posts(&world)), (State::Completed, 1, 1));
}

/// Connections that are kept for the next call and die meanwhile, told or untold.
///
/// Case 47.
#[tokio::test]
async fn a_kept_connection_that_died_meanwhile_makes_no_second_task() {
    let (world, line) = world().await;
    for (way, state) in [(Line::Refusing, State::Queued), (Line::Swallowing, State::Uncertain)] {
        let task = world.wish(MONA, 1).await;
        world.sweep().await;
        line.set(way);
        tokio::time::sleep(Duration::from_millis(100)).await;
        line.set(Line::Open);
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.start().await;
        assert_eq!(world.state(task.id).await, state, "{way:?}: {}", world.story(task.id).await);
        world.live_in_steps(90, 10).await;
        assert_eq!((world.state(task.id).await, world.made(&task)), (State::Completed, 1), "{way:?}");
    }
    world.assert_nothing_twice().await;
}

/// However an answer is lost, late or cut: first it is looked, and there is one task in the end.
///
/// Case 47.
#[tokio::test]
async fn however_the_answer_is_lost_the_task_is_looked_for_and_made_once() {
    let (world, line) = world().await;
    let mut tasks = Vec::new();
    for (way, made) in [
        (Line::CutAnswer(0), 1),
        (Line::CutAnswer(20), 1),
        (Line::CutAnswer(450), 1),
        (Line::Mute, 1),
        (Line::Slow(TIMEOUT * 2), 1),
        (Line::Swallowing, 0),
        (Line::Refusing, 0),
    ] {
        let task = world.wish(MONA, 1).await;
        let met = line.met();
        line.once(START, way);
        world.start().await;
        assert_eq!((line.met(), world.state(task.id).await), (met + 1, State::Uncertain), "{way:?}");
        tasks.push((task, way, made));
    }
    // What is passed on without an answer may still be under way.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for (task, way, made) in &tasks {
        assert_eq!(world.made(task), *made, "{way:?}");
    }
    assert_eq!(posts(&world), 5);
    world.live_in_steps(90, 10).await;
    for (task, way, made) in &tasks {
        let expected = if *made == 1 { vec!["adopted"] } else { vec!["absent", "created"] };
        assert_eq!(world.outcomes(task.id).await, expected, "{way:?}: {}", world.story(task.id).await);
        assert_eq!((world.state(task.id).await, world.made(task)), (State::Completed, 1), "{way:?}");
    }
    assert_eq!(posts(&world), 7, "one more for each that was shown absent");
}

/// The list that is looked through is cut as well: that shows nothing, and nothing is started on the strength of it.
///
/// Case 51.
#[tokio::test]
async fn a_list_that_is_cut_or_comes_too_late_shows_no_absence() {
    for way in [Line::CutAnswer(0), Line::CutAnswer(450), Line::Mute] {
        let (world, line) = world().await;
        let task = world.wish(MONA, 1).await;
        line.once(START, Line::CutAnswer(0));
        world.start().await;
        let grace = i64::try_from(world.bridge.settings.uncertain_grace.as_secs()).unwrap();
        let began = world.bridge.ground.now();
        // Longer than the grace: each look ends in nothing.
        while world.bridge.ground.now() - began < TimeDelta::seconds(grace + 180) {
            line.once("GET /agents/repos/", way);
            world.advance(61);
            world.look().await;
        }
        assert!(line.met() > 5, "{way:?}: it looked {} times", line.met());
        assert_eq!((world.state(task.id).await, posts(&world)), (State::Uncertain, 1), "{way:?}");
        // The same answer is told once, however often it is looked: a cut may be met now in the head and now in the body.
        let story = world.story(task.id).await;
        let told = story.lines().filter(|line| line.contains("cannot tell yet")).collect::<Vec<_>>();
        assert!(!told.is_empty() && told.windows(2).all(|two| two[0] != two[1]), "{story}");
        line.once("nothing that is ever sent", Line::Open);
        world.live_in_steps(30, 20).await;
        assert_eq!(world.outcomes(task.id).await, ["adopted"], "{way:?}: {}", world.story(task.id).await);
        assert_eq!((world.made(&task), posts(&world)), (1, 1), "{way:?}");
    }
}

/// GitHub says that a task is where it was before: that is told as it is, and nothing is started for it.
///
/// Case 52.
#[tokio::test]
async fn a_task_that_goes_back_is_followed_and_the_story_shows_it() {
    let (world, _line) = world().await;
    let task = world.wish(MONA, 1).await;
    world.settle().await;
    world.live_for(20).await;
    assert_eq!(world.state(task.id).await, State::InProgress);
    let remote = world.task_now(task.id).await.remote_id.unwrap();
    world.control().set_state(&remote, "queued", None).unwrap();
    world.live_for(10).await;
    assert!(world.story(task.id).await.contains("GitHub says queued"), "{}", world.story(task.id).await);
    world.live_for(120).await;
    assert_eq!((world.task_now(task.id).await.remote_id, world.made(&task), posts(&world)), (Some(remote), 1, 1));
}
