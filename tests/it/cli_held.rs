//! The real binary, held at exact places between the claim of a task and what is told of it, and then killed with
//! `kill -9`, or put to sleep until its leases are over. Another replica carries on; who was asleep wakes up and does no harm.

use std::time::Duration;

use chrono::TimeDelta;
use taskbridge::domain::task::State;
use taskbridge::sandbox::{Fault, FaultKind};

use crate::cli_serve::now;
use crate::support::door::Door;
use crate::support::install::{Install, Replica, client, until, webhook};
use crate::support::payloads::{MONA, labelled};
use crate::support::stories::CREATE;

/// How long whoever sleeps does so at least: longer than it may wait with a request of its own, which must end by its lease.
const SLEEP: Duration = Duration::from_secs(4);
const CALLS: &str = ", write_spacing: 10ms, timeout: 3s";
const TIMES: &str = "tasks: { lease: 7s, uncertain_grace: 1s }\nsweep: { interval_min: 1s, interval_max: 2s }\n";
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    Asleep,
}

/// A place where a replica stands still.
struct Place {
    /// What waits there, and on what condition.
    trigger: &'static str,
    condition: &'static str,
    /// Whether it is done after all when the replica has ended, which does not hear of it any more.
    done: bool,
    /// How many calls that start a task, and how many comments, GitHub has had by then.
    starts: Option<usize>,
    comments: Option<usize>,
    /// What comes of the attempts, where nothing else may be under way meanwhile.
    outcomes: Option<&'static [&'static str]>,
    /// What it says when it wakes up, if anything.
    awake: &'static str,
}

/// The task is taken up, and nothing is written of an attempt.
const CLAIMED: Place = Place {
    trigger: "TRIGGER door AFTER INSERT OR UPDATE ON writers",
    condition: "NEW.lease = (SELECT lease FROM tasks WHERE state = 'pending')",
    done: true,
    starts: Some(0),
    comments: None,
    outcomes: Some(&["created"]),
    awake: "",
};
/// The attempt is committed, and its request has not left.
const BEGUN: Place = Place {
    trigger: "CONSTRAINT TRIGGER door AFTER INSERT ON attempts DEFERRABLE INITIALLY DEFERRED",
    condition: "true",
    done: true,
    starts: Some(0),
    comments: None,
    outcomes: Some(&["absent", "created"]),
    awake: "an answer came after the lease was lost",
};
/// GitHub has answered, and that is not written down.
const ANSWERED: Place = Place {
    trigger: "TRIGGER door BEFORE UPDATE ON attempts",
    condition: "NEW.outcome = 'created'",
    done: false,
    starts: Some(1),
    comments: None,
    outcomes: Some(&["adopted"]),
    awake: "an answer came after the lease was lost",
};
/// The comment is taken up and not said.
const UNSAID: Place = Place {
    trigger: "TRIGGER door AFTER INSERT OR UPDATE ON writers",
    condition: "NEW.lease = (SELECT lease FROM reports WHERE kind = 'comment')",
    done: true,
    starts: None,
    comments: Some(0),
    outcomes: Some(&["created"]),
    awake: "the lease was about to end",
};
/// The comment is said, and that is not written down.
const SAID: Place = Place {
    trigger: "TRIGGER door BEFORE UPDATE ON reports",
    condition: "NEW.kind = 'comment' AND OLD.external_id IS NULL AND NEW.external_id IS NOT NULL",
    done: false,
    starts: None,
    comments: Some(1),
    outcomes: None,
    awake: "",
};

/// What is told under the issue.
fn comments(install: &Install) -> Vec<String> {
    let comments = install.sandbox.control().comments("acme/widgets", 42).unwrap();
    comments.into_iter().map(|comment| comment.body).collect()
}

fn starts(install: &Install) -> usize {
    install.sandbox.control().count_calls("POST", "/agents/")
}

/// All that is known of all tasks: their stories, attempts and reports, and what GitHub has of them.
async fn all(install: &Install) -> Vec<String> {
    let mut all = comments(install);
    let made = install.sandbox.control().creations_by_last_line();
    assert!(made.values().all(|count| *count == 1), "made twice: {made:?}");
    all.push(format!("{} made, {} asked for", made.len(), starts(install)));
    let store = &install.bridge.store;
    for task in install.tasks().await {
        all.push(format!("{} {}", task.id, task.state));
        all.extend(store.timeline(task.id).await.unwrap().into_iter().map(|entry| format!("{entry:?}")));
        all.extend(store.attempts(task.id).await.unwrap().into_iter().map(|attempt| format!("{attempt:?}")));
        let reports = store.reports_of_task(task.id).await.unwrap().into_iter();
        all.extend(reports.map(|report| format!("{} of {}: {}", report.sent_revision, report.revision, report.state)));
    }
    all
}

/// Waits until all tasks are in this state and all of that is told.
async fn told(install: &Install, state: State) {
    let at_rest = async || {
        for task in install.tasks().await {
            let reports = install.bridge.store.reports_of_task(task.id).await.unwrap();
            if task.state != state || reports.iter().any(|report| report.state != "sent") {
                return None;
            }
        }
        Some(())
    };
    until("it is carried on and told", PATIENCE, at_rest).await;
}

/// Ends whoever stands at the door.
async fn end(replica: &mut Replica, door: &mut Door, how: End, done: bool) {
    replica.program.signal(if how == End::Killed { "KILL" } else { "STOP" });
    if done {
        door.open().await;
    } else {
        door.open_for_nobody().await;
    }
    match how {
        End::Killed => drop(replica.program.ended(Duration::from_secs(5))),
        End::Asleep => tokio::time::sleep(SLEEP).await,
    }
    door.leases_end().await;
}

/// Whoever was asleep finds the world ended by others, and changes nothing of it.
async fn wake(install: &Install, mut sleeper: Replica, says: &str) {
    let before = all(install).await;
    sleeper.program.signal("CONT");
    if !says.is_empty() {
        sleeper.program.says(says);
    }
    // Told to end, it first brings to its end whatever it was at.
    sleeper.program.signal("TERM");
    assert!(sleeper.program.ended(Duration::from_secs(30)).success(), "{}", sleeper.program.text());
    assert_eq!(all(install).await, before, "{}", sleeper.program.text());
}

async fn held_at(place: &Place, how: End) {
    let install = Install::new(CALLS, TIMES).await;
    install.person(MONA.0, MONA.1).await;
    let mut first = install.replica();
    let mut door = Door::close(&install.url, place.trigger, place.condition).await;
    let wish = labelled("copilot-fix", MONA, now());
    assert_eq!(webhook(&client(), &first.address, "d-1", &wish).send().await.unwrap().status(), 202);
    door.met().await;
    assert!(place.starts.is_none_or(|asked| starts(&install) == asked), "{} asked for", starts(&install));
    assert!(place.comments.is_none_or(|said| comments(&install).len() == said), "{:?}", comments(&install));
    end(&mut first, &mut door, how, place.done).await;

    let second = install.replica();
    told(&install, State::InProgress).await;
    let id = install.tasks().await.pop().unwrap().id;
    let attempts = install.bridge.store.attempts(id).await.unwrap();
    // One that surely was not sent is no attempt that counts: on a busy machine the turn may come too late.
    let outcomes: Vec<_> = attempts.iter().filter_map(|attempt| attempt.outcome.as_deref()).collect();
    let outcomes: Vec<_> = outcomes.into_iter().filter(|outcome| *outcome != "deferred").collect();
    assert!(place.outcomes.is_none_or(|wanted| outcomes == wanted), "{outcomes:?}: {}", second.program.text());
    assert_eq!(install.sandbox.control().creations().len(), 1);
    assert_eq!(comments(&install).len(), 1, "{:?}", comments(&install));
    if how == End::Asleep {
        wake(&install, first, place.awake).await;
    }
}

/// Before the attempt is written the task is simply taken up by the next; after it nobody can know whether its request left, so
/// it is looked for and, when complete lists do not show it, started once.
///
/// Case 36.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_the_claim_and_the_request_the_next_one_starts_it_once() {
    held_at(&CLAIMED, End::Killed).await;
    held_at(&BEGUN, End::Killed).await;
}

/// The same with a replica that only sleeps: another takes its task, and it sends nothing when it wakes up.
///
/// Cases 36, 41.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asleep_between_the_claim_and_the_request_it_sends_nothing_when_it_wakes_up() {
    held_at(&CLAIMED, End::Asleep).await;
    held_at(&BEGUN, End::Asleep).await;
}

/// It sleeps with its request out, which GitHub has heard and not answered, until its lease is over by itself: the next one finds
/// the task by its marker. When it wakes up, nothing is left for it to say or to change.
///
/// Case 37.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asleep_while_github_has_not_answered_it_changes_nothing_when_it_wakes_up() {
    let install = Install::new(CALLS, TIMES).await;
    install.person(MONA.0, MONA.1).await;
    let sleeper = install.replica();
    let control = install.sandbox.control();
    control.inject(Fault::new(FaultKind::DelayAfter { ms: 60_000 }).on("POST", CREATE).times(1));
    let wish = labelled("copilot-fix", MONA, now());
    assert_eq!(webhook(&client(), &sleeper.address, "d-1", &wish).send().await.unwrap().status(), 202);
    until("GitHub has heard", PATIENCE, async || (control.creations().len() == 1).then_some(())).await;
    sleeper.program.signal("STOP");
    let task = install.tasks().await.pop().unwrap();
    assert_eq!(task.state, State::Starting, "nothing is answered");

    let second = install.replica();
    told(&install, State::InProgress).await;
    let attempts = install.bridge.store.attempts(task.id).await.unwrap();
    let outcomes: Vec<_> = attempts.iter().filter_map(|attempt| attempt.outcome.as_deref()).collect();
    assert_eq!(outcomes, ["adopted"], "{}", second.program.text());
    assert_eq!((control.creations().len(), starts(&install), comments(&install).len()), (1, 1, 1));
    wake(&install, sleeper, "").await;
    assert_eq!((control.creations().len(), starts(&install), comments(&install).len()), (1, 1, 1));
}

/// GitHub has made it, and nobody has written that down: the next one finds it by its marker. Who slept meanwhile comes too late
/// with the answer.
///
/// Cases 38, 41.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_or_asleep_with_github_s_answer_in_its_hands_the_next_one_finds_the_task() {
    held_at(&ANSWERED, End::Killed).await;
    held_at(&ANSWERED, End::Asleep).await;
}

/// What is to be told is told, in one comment: what was said already is found by its footer.
///
/// Case 39.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_or_after_its_comment_is_said_it_is_told_in_one_comment() {
    held_at(&UNSAID, End::Killed).await;
    held_at(&SAID, End::Killed).await;
}

/// Cases 39, 41.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asleep_before_or_after_its_comment_is_said_it_says_nothing_twice() {
    held_at(&UNSAID, End::Asleep).await;
    held_at(&SAID, End::Asleep).await;
}

/// Two of four tasks are taken in when the replica that asks GitHub for them ends: the next one takes in the other two, tells
/// of each once, and skips none.
///
/// Case 40.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_or_asleep_half_way_through_a_round_the_next_one_brings_it_to_its_end() {
    for how in [End::Killed, End::Asleep] {
        let install = Install::new(CALLS, TIMES).await;
        install.person(MONA.0, MONA.1).await;
        let mut first = install.replica();
        for nth in 0..4 {
            let wish = labelled("copilot-fix", MONA, now() - TimeDelta::seconds(60 - nth));
            let sent = webhook(&client(), &first.address, &format!("d-{nth}"), &wish).send().await;
            assert_eq!(sent.unwrap().status(), 202);
        }
        let states = async |state| install.tasks().await.into_iter().filter(|task| task.state == state).count();
        let begun = async || (states(State::InProgress).await == 4).then_some(());
        until("all four are under way", PATIENCE, begun).await;
        let half_way = "NEW.state = 'completed' AND OLD.state <> 'completed'
                        AND (SELECT count(*) FROM tasks WHERE state = 'completed') = 2";
        let mut door = Door::close(&install.url, "TRIGGER door BEFORE UPDATE ON tasks", half_way).await;
        let control = install.sandbox.control();
        for remote in control.tasks() {
            control.set_state(&remote.id, "completed", None).unwrap();
        }
        door.met().await;
        assert_eq!(states(State::Completed).await, 2, "half-way");
        end(&mut first, &mut door, how, false).await;
        assert_eq!(states(State::Completed).await, 2, "half-way");

        let _second = install.replica();
        told(&install, State::Completed).await;
        let comments = comments(&install);
        assert_eq!(comments.len(), 4, "a comment a task: {comments:#?}");
        assert!(comments.iter().all(|text| text.contains("**Done**")), "{comments:#?}");
        for task in install.tasks().await {
            let story = install.bridge.store.timeline(task.id).await.unwrap();
            let ends = story.iter().filter(|entry| entry.to_state.as_deref() == Some("completed")).count();
            assert_eq!(ends, 1, "{story:#?}");
        }
        if how == End::Asleep {
            wake(&install, first, "").await;
        }
    }
}
