//! Following tasks: a call a person and round, a call a changed task, nothing skipped, nothing overwritten by older
//! news, and silence when there is nothing to follow. The numbers of calls are measured.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::rule::Limits;
use taskbridge::domain::task::State;
use taskbridge::ids::PersonId;
use taskbridge::pipeline::{observe, people};
use taskbridge::sandbox::{Fault, FaultKind, Outcome, Usage};
use taskbridge::store::tasks::Task;
use taskbridge::store::tasks::story::{UsageOf, UsageSum};

use crate::support::stories::{MINE, MONA, OTTO};
use crate::support::world::{LABEL_RULE, MONA_TOKEN, World, labelled};

const ONE: &str = "/agents/tasks/";

/// A started task of mona's that goes this way.
async fn started(world: &World, outcome: Outcome) -> Task {
    world.control().script_next(outcome);
    let task = world.wish(MONA, 1).await;
    world.settle().await;
    world.task_now(task.id).await
}

fn lists(world: &World) -> Vec<u16> {
    let calls = world.control().calls().into_iter();
    calls.filter(|call| call.method == "GET" && call.path == "/agents/tasks").map(|call| call.status).collect()
}

fn gets(world: &World) -> usize {
    world.control().count_calls("GET", ONE)
}

#[tokio::test]
async fn twenty_quiet_tasks_cost_one_list_call_a_round() {
    let world = World::new(LABEL_RULE).await;
    world.control().script_usual(Outcome::Stuck);
    world.wish(MONA, 20).await;
    world.live_for(300).await;
    assert!(world.tasks().await.iter().all(|task| task.state == State::InProgress && task.branch.is_some()));
    world.control().clear_calls();
    world.live_in_steps(360, 10).await;
    let lists = lists(&world);
    assert!((60..=120).contains(&lists.len()), "an hour of rounds of 40 s: {}", lists.len());
    let unchanged = lists.iter().filter(|status| **status == 304).count();
    assert!(lists.len() - unchanged <= 3, "{unchanged} of {} were 304", lists.len());
    assert!(gets(&world) <= 20 * 3, "looks at quiet tasks: {}", gets(&world));
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let counted: (i64, i64) =
        sqlx::query_as("SELECT rounds, list_calls FROM sweeps").fetch_one(&mut connection).await.unwrap();
    assert_eq!(counted.0, counted.1, "rounds and list calls");
}

#[tokio::test]
async fn only_what_changed_is_asked_for() {
    let world = World::new(LABEL_RULE).await;
    world.control().script_usual(Outcome::Stuck);
    world.wish(MONA, 10).await;
    world.live_for(200).await;
    world.control().clear_calls();
    let one = world.tasks().await[3].clone();
    world.control().set_state(one.remote_id.as_ref().unwrap(), "idle", None).unwrap();
    world.live_in_steps(6, 10).await;
    assert_eq!(world.state(one.id).await, State::Idle);
    assert_eq!(gets(&world), 1);
}

#[tokio::test]
async fn a_whole_life_costs_a_handful_of_calls_and_a_settled_task_next_to_none() {
    let world = World::new(LABEL_RULE).await;
    let task = started(&world, Outcome::Completed).await;
    world.live_for(60).await;
    assert_eq!(world.state(task.id).await, State::Completed);
    assert!(lists(&world).len() <= 16 && gets(&world) <= 5, "{} and {}", lists(&world).len(), gets(&world));
    world.control().clear_calls();
    world.live_in_steps(60, 60).await;
    assert!(world.control().calls().len() <= 6, "an hour of a settled task: {}", world.control().calls().len());
    world.advance(8 * 86_400);
    world.settle().await;
    world.control().clear_calls();
    world.live_in_steps(60, 60).await;
    assert_eq!(world.control().calls().len(), 0, "nothing to follow, nothing asked");
}

/// Case 51.
#[tokio::test]
async fn pages_over_a_moving_order_skip_nothing() {
    let world = World::with(LABEL_RULE, |settings| settings.limits = Limits::default(), |_| {}).await;
    world.control().script_usual(Outcome::Stuck);
    world.wish(MONA, 250).await;
    while world.start().await > 0 {}
    let remote: Vec<String> = world.control().tasks().into_iter().map(|task| task.id).collect();
    assert_eq!(remote.len(), 250);
    world.control().inject(Fault::new(FaultKind::Delay { ms: 30 }).on("GET", MINE));
    let moving = async {
        for (nth, id) in remote.iter().enumerate() {
            world.clock.advance(Duration::from_millis(300));
            world.control().set_state(id, if nth % 2 == 0 { "idle" } else { "waiting_for_user" }, None).unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let sweeping = async {
        for _ in 0..20 {
            world.sweep().await;
            world.clock.advance(Duration::from_secs(6));
        }
    };
    tokio::join!(moving, sweeping);
    world.control().clear_faults();
    for _ in 0..3 {
        world.advance(60);
        world.sweep().await;
    }
    for (ours, theirs) in world.tasks().await.iter().zip(world.control().tasks()) {
        let known = world.control().tasks().into_iter().find(|task| Some(&task.id) == ours.remote_id.as_ref());
        assert_eq!(ours.state.as_str(), known.unwrap().state, "{} {}", ours.id, theirs.id);
    }
}

/// Case 52.
#[tokio::test]
async fn older_news_overwrites_neither_the_state_nor_the_sessions() {
    let world = World::new(LABEL_RULE).await;
    let task = started(&world, Outcome::Completed).await;
    world.live_for(20).await;
    let acting = people::act_as(&world.bridge, PersonId(1001)).await.unwrap();
    let old = acting.session.task(task.remote_id.as_ref().unwrap()).await.unwrap();
    world.live_for(60).await;
    let before = world.bridge.store.sessions(task.id).await.unwrap();
    assert_eq!((before[0].state.as_str(), before[0].usage_nano), ("completed", Some(1_500_000_000)));
    observe::take_in(&world.bridge, task.id, &old, None).await.unwrap();
    let after = world.bridge.store.sessions(task.id).await.unwrap();
    assert_eq!((after[0].state.as_str(), after[0].completed_at), ("completed", before[0].completed_at));
    assert_eq!(world.state(task.id).await, State::Completed);
}

#[tokio::test]
async fn every_way_of_going_on_is_shown_in_the_comment() {
    let world = World::new(LABEL_RULE).await;
    let failed = Outcome::Failed { message: "The tests do not pass.".to_owned() };
    let odd = Outcome::UnknownState { state: "paused_for_review".to_owned() };
    for (outcome, seconds, state, words) in [
        (failed, 60, State::Failed, "| Error | The tests do not pass. |"),
        (Outcome::TimedOut, 60, State::TimedOut, "ran out of time"),
        (Outcome::Cancelled, 60, State::Cancelled, "🚫 **Cancelled**"),
        (Outcome::Idle, 60, State::Idle, "has paused"),
        (Outcome::WaitsForever, 60, State::WaitingForUser, "waits for an answer** from @mona"),
        (odd, 50, State::Unrecognised, "`paused_for_review`"),
        (Outcome::GoesBack, 60, State::Completed, "✅ **Done**"),
    ] {
        let task = started(&world, outcome).await;
        world.live_for(seconds).await;
        let comments = world.comments();
        let own = comments.iter().find(|text| text.contains(&task.id.to_string())).unwrap();
        assert!(own.contains(words), "{words}: {own}");
        assert_eq!(world.state(task.id).await, state);
    }
}

#[tokio::test]
async fn a_reopened_task_is_followed_again_and_its_usage_adds_up_exactly() {
    let world = World::new(LABEL_RULE).await;
    world.control().set_usage(Usage::AiCredits(1_234_567_891));
    let task = started(&world, Outcome::Completed).await;
    let other = started(&world, Outcome::Completed).await;
    world.live_for(60).await;
    assert_eq!(world.state(task.id).await, State::Completed);
    let remote = task.remote_id.as_ref().unwrap();
    world.control().reopen(remote).unwrap();
    world.live_in_steps(20, 60).await;
    assert_eq!(world.state(task.id).await, State::Queued);
    assert_eq!(world.task_now(task.id).await.ended_at, None);
    world.control().script(remote, &Outcome::Completed).unwrap();
    world.live_in_steps(3, 60).await;
    assert!(world.story(task.id).await.contains("a new session"), "{}", world.story(task.id).await);
    assert_eq!(world.state(task.id).await, State::Completed);
    let sum = |count: i64| vec![UsageSum { kind: "ai_credits".to_owned(), nano: count * 1_234_567_891 }];
    let store = &world.bridge.store;
    assert_eq!(store.usage(UsageOf::Task(task.id)).await.unwrap(), sum(2));
    assert_eq!(store.usage(UsageOf::Task(other.id)).await.unwrap(), sum(1));
    for all in [UsageOf::Rule("fix-labelled-issues"), UsageOf::Repo(5001), UsageOf::Person(PersonId(1001))] {
        assert_eq!(store.usage(all).await.unwrap(), sum(3), "{all:?}");
    }
    assert!(world.comments().iter().any(|text| text.contains("2.469135782 AI credits")), "{:?}", world.comments());
}

/// Case 52.
#[tokio::test]
async fn a_task_that_answers_404_is_lost_after_long_and_found_again() {
    let world = World::new(LABEL_RULE).await;
    let task = started(&world, Outcome::Stuck).await;
    world.live_for(60).await;
    let gone = world.control().inject(Fault::new(FaultKind::StatusBefore { status: 404 }).on("GET", ONE));
    world.live_in_steps(60, 60).await;
    assert_eq!(world.state(task.id).await, State::InProgress, "not yet");
    assert!(world.story(task.id).await.contains("GitHub does not find it"));
    world.live_in_steps(40, 60).await;
    assert_eq!(world.state(task.id).await, State::Lost);
    assert!(world.comments()[0].contains("👻 **Lost from sight**"));
    world.control().remove_fault(gone);
    world.live_in_steps(40, 600).await;
    assert_eq!(world.state(task.id).await, State::InProgress, "{}", world.story(task.id).await);

    world.control().vanish(task.remote_id.as_ref().unwrap()).unwrap();
    world.live_in_steps(30, 600).await;
    assert_eq!(world.state(task.id).await, State::Lost);
    world.control().clear_calls();
    world.live_in_steps(144, 600).await;
    assert!(gets(&world) <= 5, "a day of a lost task: {}", gets(&world));
}

#[tokio::test]
async fn an_archived_task_is_followed_although_no_list_shows_it() {
    let world = World::new(LABEL_RULE).await;
    let task = started(&world, Outcome::Stuck).await;
    world.live_for(60).await;
    let remote = task.remote_id.unwrap();
    world.control().archive(&remote).unwrap();
    world.control().set_state(&remote, "completed", None).unwrap();
    world.live_in_steps(40, 60).await;
    assert_eq!(world.state(task.id).await, State::Completed);
}

#[tokio::test]
async fn a_pull_request_of_the_tasks_branch_brings_the_next_round_forward() {
    let world = World::new(LABEL_RULE).await;
    let task = started(&world, Outcome::Stuck).await;
    world.live_for(240).await;
    let task = world.task_now(task.id).await;
    world.control().set_state(task.remote_id.as_ref().unwrap(), "completed", None).unwrap();
    world.settle().await;
    assert_eq!(world.state(task.id).await, State::InProgress, "the next round is not due");
    let mut payload = labelled("x", MONA, world.bridge.ground.now());
    let (repository, user) = (payload["repository"].clone(), payload["sender"].clone());
    payload.as_object_mut().unwrap().retain(|key, _| key == "repository" || key == "sender");
    payload["action"] = json!("opened");
    payload["number"] = json!(task.pull_number);
    payload["pull_request"] = json!({
        "id": 1, "number": task.pull_number, "title": "Fix", "html_url": "https://github.com/acme/widgets/pull/1",
        "user": user, "state": "open", "head": { "ref": task.branch, "repo": repository },
        "base": { "ref": "main", "repo": repository }
    });
    world.hook("pull_request", "hint-1", &payload).await;
    world.settle().await;
    assert_eq!(world.state(task.id).await, State::Completed, "{}", world.story(task.id).await);
    assert!(task.pull_url.unwrap().ends_with(&format!("/pull/{}", task.pull_number.unwrap())));
}

#[tokio::test]
async fn the_trouble_of_one_person_does_not_delay_another() {
    for trouble in [FaultKind::Unauthorized, FaultKind::SecondaryLimit { status: 429, retry_after: None }] {
        let world = World::new(LABEL_RULE).await;
        world.let_otto_in().await;
        let hers = world.wish(MONA, 1).await;
        let his = world.wish(OTTO, 1).await;
        world.settle().await;
        world.control().inject(Fault::new(trouble.clone()).on("GET", "/agents").user("mona"));
        world.live_for(60).await;
        assert_eq!(world.state(his.id).await, State::Completed, "{trouble:?}");
        assert_eq!(world.state(hers.id).await, State::Queued);
        world.control().clear_faults();
        if trouble == FaultKind::Unauthorized {
            assert_eq!(world.token_state(1001).await, "reauth_required");
            world.add_person("mona", MONA_TOKEN).await;
            world.settle().await;
        } else {
            world.live_in_steps(20, 60).await;
        }
        assert_eq!(world.state(hers.id).await, State::Completed, "{trouble:?}");
    }
}

#[tokio::test]
async fn who_has_nothing_to_watch_is_put_aside_until_there_is_something_again() {
    let hour = Duration::from_secs(3600);
    let world = World::with(LABEL_RULE, |settings| settings.settled_watch = hour, |_| {}).await;
    let task = started(&world, Outcome::Completed).await;
    world.live_for(60).await;
    world.live_in_steps(20, 600).await;
    let mona = PersonId(1001);
    let due = async || world.bridge.store.next_round(mona).await.unwrap().unwrap();
    let is_aside = |due: chrono::DateTime<chrono::Utc>| due - world.bridge.ground.now() > chrono::TimeDelta::days(365);
    assert!(is_aside(due().await), "{}", due().await);

    world.control().clear_calls();
    world.bridge.store.hint_sweep(mona, world.bridge.ground.now()).await.unwrap();
    assert!(!is_aside(due().await));
    world.settle().await;
    assert_eq!(lists(&world), [0; 0], "a hint alone is no reason to ask");
    assert!(is_aside(due().await), "and costs one look at the tables");

    let remote = task.remote_id.as_ref().unwrap();
    world.control().reopen(remote).unwrap();
    let acting = people::act_as(&world.bridge, mona).await.unwrap();
    observe::look_at(&world.bridge, &acting.session, &world.task_now(task.id).await).await.unwrap();
    assert_eq!(world.state(task.id).await, State::Queued);
    assert!(!is_aside(due().await), "a reopened task is watched");
    world.control().script(remote, &Outcome::Completed).unwrap();
    world.live_in_steps(3, 60).await;
    assert_eq!(world.state(task.id).await, State::Completed);
    world.live_in_steps(20, 600).await;
    assert!(is_aside(due().await));
    started(&world, Outcome::Completed).await;
    assert!(!is_aside(due().await), "and so is a new one");
}
