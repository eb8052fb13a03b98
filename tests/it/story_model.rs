//! A task as a state machine: lists of operations that chance invents run against the real steps, the real database
//! and the simulated GitHub, beside a model that is written down here a second time. No operation may move a task that
//! it has nothing to do with, no step may be one that the model does not know, and what has ended moves only because GitHub
//! now says something else of it, or because somebody tries again what was refused.
//!
//! Some lists are always the same, and one is new each time; `TASKBRIDGE_MODEL_SEED` and `TASKBRIDGE_MODEL_CASES` try one list
//! again, or many. A failure prints the seed and the shortest list of operations that was found to show it.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use taskbridge::clock::Ground;
use taskbridge::domain::task::State;
use taskbridge::pipeline::steer::{self, SteerError};
use taskbridge::sandbox::FaultKind;
use taskbridge::store::tasks::Task;

use crate::support::stories::MONA;
use crate::support::world::{LABEL_RULE, MONA_TOKEN, World};

/// GitHub's words, and what an unknown one is called here.
const REMOTE: [&str; 9] = [
    "queued",
    "in_progress",
    "waiting_for_user",
    "idle",
    "unrecognised",
    "completed",
    "failed",
    "timed_out",
    "cancelled",
];
const ENDS: [&str; 6] = ["completed", "failed", "timed_out", "cancelled", "start_failed", "lost"];

#[derive(Debug, Clone)]
enum Op {
    Wish,
    Start,
    /// A worker that is gone while GitHub still answers, or before it has heard.
    Die {
        heard: bool,
    },
    Look,
    Sweep,
    Tell,
    Wait(u64),
    Cancel(usize),
    Retry(usize, bool),
    /// What the next start meets.
    Spoil(FaultKind),
    /// GitHub moves a task.
    Remote(usize, &'static str),
    Vanish(usize),
    Revoke,
    Give,
}

fn any_op() -> impl Strategy<Value = Op> {
    let spoiled = prop_oneof![
        Just(FaultKind::StatusBefore { status: 502 }),
        Just(FaultKind::StatusAfter { status: 503 }),
        Just(FaultKind::StatusBefore { status: 422 }),
        Just(FaultKind::DropBefore),
        Just(FaultKind::DropAfter),
        Just(FaultKind::NoId),
        Just(FaultKind::SecondaryLimit { status: 429, retry_after: Some("30".to_owned()) }),
        Just(FaultKind::Unauthorized),
        Just(FaultKind::Redirect { status: 307, location: None }),
    ];
    let words =
        ["in_progress", "waiting_for_user", "idle", "dreaming", "completed", "failed", "timed_out", "cancelled"];
    prop_oneof![
        4 => Just(Op::Wish),
        8 => Just(Op::Start),
        1 => any::<bool>().prop_map(|heard| Op::Die { heard }),
        4 => Just(Op::Look),
        6 => Just(Op::Sweep),
        1 => Just(Op::Tell),
        7 => proptest::sample::select(vec![2, 20, 90, 700]).prop_map(Op::Wait),
        3 => (0..6_usize).prop_map(Op::Cancel),
        3 => (0..6_usize, any::<bool>()).prop_map(|(nth, absent)| Op::Retry(nth, absent)),
        3 => spoiled.prop_map(Op::Spoil),
        5 => (0..6_usize, proptest::sample::select(words.to_vec())).prop_map(|(nth, word)| Op::Remote(nth, word)),
        1 => (0..6_usize).prop_map(Op::Vanish),
        1 => Just(Op::Revoke),
        3 => Just(Op::Give),
    ]
}

/// Whether the model knows a step from one state to another.
fn is_a_step(from: &str, to: &str) -> bool {
    let (remote, after) = (REMOTE.contains(&to), |states: &[&str]| states.contains(&to));
    match from {
        "held" => after(&["pending", "cancelled"]),
        "pending" => after(&["starting", "held", "start_failed", "cancelled"]),
        "starting" => remote || after(&["pending", "held", "uncertain", "start_failed"]),
        "uncertain" => remote || after(&["pending"]),
        "start_failed" => after(&["pending"]),
        from => (from == "lost" || REMOTE.contains(&from)) && (remote || to == "lost"),
    }
}

/// Whether an operation may have moved a task that it was not about so.
fn may_move(op: &Op, from: &Task, to: &str) -> bool {
    let state = from.state.as_str();
    // Whoever asks GitHub with a token that is dead finds out, and what waits for its person is held.
    if matches!(op, Op::Wish | Op::Look | Op::Sweep | Op::Tell) && (state, to) == ("pending", "held") {
        return true;
    }
    match op {
        Op::Start | Op::Die { .. } => ["held", "pending"].contains(&state) && to != "lost",
        Op::Look => {
            ["starting", "uncertain"].contains(&state) && (to == "pending" || to == "uncertain" || REMOTE.contains(&to))
        }
        Op::Sweep => from.remote_id.is_some() && (to == "lost" || REMOTE.contains(&to)),
        Op::Give => (state, to) == ("held", "pending"),
        _ => false,
    }
}

/// Whether what has ended may move so: to what GitHub says of it at this moment, when it is looked at; and what GitHub
/// refused, when somebody tries it again. What was called off before its start never moves: GitHub knows nothing of it.
fn may_live_again(world: &World, op: &Op, from: &Task, to: State) -> bool {
    match (op, &from.remote_id) {
        (Op::Sweep, Some(id)) => {
            let theirs = world.control().tasks().into_iter().find(|task| task.id == *id);
            theirs.is_some_and(|theirs| match to {
                State::Lost => theirs.vanished,
                to => !theirs.vanished && State::from_remote(&theirs.state) == to,
            })
        }
        (Op::Retry(..), None) => (from.state, to) == (State::StartFailed, State::Pending),
        _ => false,
    }
}

/// What the model says to a wish to cancel: the state afterwards, or a refusal.
fn cancelled(task: &Task) -> Option<&'static str> {
    match task.state {
        State::Held | State::Pending | State::Cancelled => Some("cancelled"),
        _ => None,
    }
}

/// What the model says to a retry: a state of the same task, a new task, or a refusal.
#[derive(Debug, PartialEq)]
enum Retried {
    Same,
    New,
    Refused,
}

fn retried(task: &Task, absent: bool, all: &[Task]) -> Retried {
    let lives = |other: &Task| other.retry_of == Some(task.id) && !ENDS.contains(&other.state.as_str());
    match task.state.as_str() {
        "start_failed" => Retried::Same,
        "uncertain" if absent => Retried::Same,
        "completed" | "failed" | "timed_out" | "cancelled" | "lost" if !all.iter().any(lives) => Retried::New,
        _ => Retried::Refused,
    }
}

macro_rules! hold {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}

/// How many steps were taken, and how many of them led out of an end because GitHub had gone on.
async fn run(ops: &[Op]) -> Result<(usize, usize), String> {
    let short = |settings: &mut taskbridge::pipeline::Settings| {
        (settings.lease, settings.call_timeout) = (Duration::from_millis(600), Duration::from_millis(100));
    };
    let world = World::with(LABEL_RULE, short, |_| {}).await;
    let mut tokens = 0;
    let (mut moved, mut reopened) = (0, 0);
    for (nth, op) in ops.iter().enumerate() {
        let before = world.tasks().await;
        perform(&world, op, &before, &mut tokens).await.map_err(|why| format!("operation {nth}, {op:?}: {why}"))?;
        let after = world.tasks().await;
        for old in &before {
            let Some(new) = after.iter().find(|new| new.id == old.id) else {
                return Err(format!("operation {nth}, {op:?}: a task is gone"));
            };
            let about_it = match op {
                Op::Cancel(at) | Op::Retry(at, _) => before.get(*at).is_some_and(|task| task.id == old.id),
                _ => false,
            };
            let (from, to) = (old.state, new.state);
            let allowed = from == to || about_it || may_move(op, old, to.as_str());
            hold!(allowed, "operation {nth}, {op:?}, moved a task from {from} to {to}");
            if ENDS.contains(&from.as_str()) && from != to {
                hold!(may_live_again(&world, op, old, to), "operation {nth}, {op:?}: it ended {from}, and is now {to}");
                reopened += usize::from(!ENDS.contains(&to.as_str()) && from != State::StartFailed);
            }
            let forgets = old.remote_id.is_some() && new.remote_id != old.remote_id;
            hold!(!forgets, "operation {nth}, {op:?}: what GitHub has was forgotten");
        }
    }
    for task in world.tasks().await {
        hold!(world.made(&task) <= 1, "made twice: {}", world.story(task.id).await);
        let mut state = None;
        for entry in world.bridge.store.timeline(task.id).await.unwrap() {
            let Some(to) = entry.to_state else { continue };
            if let (Some(from), Some(said)) = (&state, &entry.from_state) {
                hold!(from == said, "the story jumps from {from} to {said}");
            }
            if let Some(from) = &entry.from_state {
                hold!(is_a_step(from, &to), "no step leads from {from} to {to}: {}", entry.text);
                moved += 1;
            }
            state = Some(to);
        }
        hold!(state.is_none_or(|state| state == task.state.as_str()), "the story ends where the task stands");
    }
    Ok((moved, reopened))
}

async fn perform(world: &World, op: &Op, before: &[Task], tokens: &mut usize) -> Result<(), String> {
    let remote = |nth: usize| before.get(nth).and_then(|task| task.remote_id.clone());
    match op {
        Op::Wish => drop(world.wish(MONA, 1).await),
        Op::Start => drop(world.start().await),
        Op::Die { heard } => {
            world.spoil_start(
                if *heard { FaultKind::DelayAfter { ms: 60_000 } } else { FaultKind::Delay { ms: 60_000 } },
                1,
            );
            let _ = tokio::time::timeout(Duration::from_millis(250), world.start()).await;
            world.control().clear_faults();
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        Op::Look => drop(world.look().await),
        Op::Sweep => drop(world.sweep().await),
        Op::Tell => world.tell().await,
        Op::Wait(seconds) => world.advance(*seconds),
        Op::Spoil(kind) => world.spoil_start(kind.clone(), 1),
        Op::Remote(nth, word) => {
            if let Some(id) = remote(*nth) {
                let _ = world.control().set_state(&id, word, None);
            }
        }
        Op::Vanish(nth) => {
            if let Some(id) = remote(*nth) {
                let _ = world.control().vanish(&id);
            }
        }
        Op::Revoke => {
            let current = if *tokens == 0 { MONA_TOKEN.to_owned() } else { format!("sandbox-mona-token-{tokens}") };
            let _ = world.control().revoke_token(&current);
        }
        Op::Give => {
            *tokens += 1;
            let next = format!("sandbox-mona-token-{tokens}");
            world.control().add_token("mona", &next, Default::default()).unwrap();
            world.add_person("mona", &next).await;
        }
        Op::Cancel(nth) => {
            let Some(task) = before.get(*nth) else { return Ok(()) };
            let answer = steer::cancel(&world.bridge, task.id, "the model").await;
            let (is, should) = (answer.as_ref().map(|task| task.state.as_str()).ok(), cancelled(task));
            hold!(is == should, "cancelling what is {}: {answer:?}", task.state);
            let refused = matches!(answer, Ok(_) | Err(SteerError::Conflict { .. }));
            hold!(refused, "not in words: {answer:?}");
        }
        Op::Retry(nth, absent) => {
            let Some(task) = before.get(*nth) else { return Ok(()) };
            // Whoever says so has looked.
            let absent = *absent && world.made(task) == 0;
            let answer = steer::retry(&world.bridge, task.id, "the model", absent).await;
            let is = match &answer {
                Ok(again) if again.id == task.id => Retried::Same,
                Ok(again) if again.retry_of == Some(task.id) => Retried::New,
                Err(SteerError::Conflict { .. }) => Retried::Refused,
                _ => return Err(format!("{answer:?}")),
            };
            let should = retried(task, absent, before);
            hold!(is == should, "retrying what is {} ({absent}): {is:?} and not {should:?}", task.state);
        }
    }
    Ok(())
}

/// Runs a list, and looks for a shorter one when it fails.
async fn shortest(mut tree: impl ValueTree<Value = Vec<Op>>) -> Result<(usize, usize), String> {
    let mut found = match run(&tree.current()).await {
        Ok(counts) => return Ok(counts),
        Err(why) => format!("{why}\n{:?}", tree.current()),
    };
    let mut more = tree.simplify();
    for _ in 0..60 {
        if !more {
            break;
        }
        more = match run(&tree.current()).await {
            Ok(_) => tree.complicate(),
            Err(why) => {
                found = format!("{why}\n{:?}", tree.current());
                tree.simplify()
            }
        };
    }
    Err(found)
}

/// The lists that are always tried. In one of them at least, GitHub goes on with what had ended.
const FIXED: [u64; 2] = [2, 3];

/// Which lists are tried: the fixed ones and a new one, or those that the environment names.
fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seed, cases) = (number("TASKBRIDGE_MODEL_SEED"), number("TASKBRIDGE_MODEL_CASES"));
    let fresh = || u64::from(u32::from_le_bytes(Ground::system().bytes()));
    match (seed, cases) {
        (None, None) => FIXED.into_iter().chain([fresh()]).collect(),
        (from, cases) => {
            let from = from.unwrap_or_else(fresh);
            (from..from + cases.unwrap_or(1)).collect()
        }
    }
}

/// Case 44.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_in_whatever_order_no_step_is_one_that_the_model_does_not_know() {
    let seeds = seeds();
    let (mut moved, mut reopened) = (0, 0);
    for seed in &seeds {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
        let tree = proptest::collection::vec(any_op(), 60..100).new_tree(&mut runner).unwrap();
        match shortest(tree).await {
            Ok((steps, again)) => (moved, reopened) = (moved + steps, reopened + again),
            Err(why) => panic!("TASKBRIDGE_MODEL_SEED={seed} shows it again: {why}"),
        }
    }
    assert!(moved >= seeds.len() * 5, "the lists move tasks: {moved} steps in {seeds:?}");
    assert!(reopened > 0 || !seeds.starts_with(&FIXED), "no list had GitHub go on with what had ended");
}

/// Each end in turn: nothing that we or people do moves it, then GitHub goes on with it, and it moves to what GitHub says.
///
/// Case 44.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_ended_is_moved_by_github_alone() {
    let ends = ["completed", "failed", "timed_out", "cancelled"];
    let mut ops = vec![Op::Wish, Op::Start];
    for (end, word) in ends.into_iter().zip(["idle", "in_progress", "waiting_for_user", "dreaming"]) {
        let ours =
            [Op::Start, Op::Look, Op::Cancel(0), Op::Retry(0, true), Op::Give, Op::Start, Op::Wait(700), Op::Sweep];
        ops.extend([Op::Remote(0, end), Op::Wait(700), Op::Sweep].into_iter().chain(ours));
        ops.extend([Op::Remote(0, word), Op::Wait(7_200), Op::Sweep, Op::Cancel(0), Op::Retry(0, false)]);
    }
    let (_, reopened) = run(&ops).await.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(reopened, ends.len());
}

#[test]
fn the_model_itself_refuses_what_must_not_be() {
    for (from, to) in [
        ("completed", "pending"),
        ("uncertain", "starting"),
        ("queued", "pending"),
        ("cancelled", "pending"),
        ("start_failed", "starting"),
        ("lost", "held"),
    ] {
        assert!(!is_a_step(from, to), "{from} to {to}");
    }
    assert!(is_a_step("uncertain", "completed") && is_a_step("completed", "in_progress"));
}
