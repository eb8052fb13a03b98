//! Deliveries that are settled while a transaction is under way are decided together by the next: each becomes what it would
//! have become alone.

use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::task::State;
use taskbridge::pipeline::{StepError, match_rules};
use taskbridge::store::decisions::{Decision, Verdict};
use taskbridge::store::deliveries::DeliveryState;
use taskbridge::store::tasks::Task;

use crate::story_contended::races;
use crate::support::payloads::{MONA, labelled, unlabelled};
use crate::support::world::{LABEL_RULE, World};

/// A wish for an issue of its own; all share the thread in which the simulated GitHub is told of them.
fn wish(world: &World, number: i64, label: &str) -> Value {
    let mut payload = labelled(label, MONA, world.bridge.ground.now());
    payload["issue"]["id"] = number.into();
    payload["issue"]["title"] = format!("Wish {number}").into();
    payload
}

async fn send(world: &World, delivery: &str, payload: &Value) {
    world.clock.advance(Duration::from_millis(2));
    assert_eq!(world.hook("issues", delivery, payload).await.body["status"], "recorded");
}

async fn wishes(world: &World, count: i64) {
    for number in 1..=count {
        send(world, &format!("d-{number}"), &wish(world, number, "copilot-fix")).await;
    }
}

/// Lets the match step come to where it would decide, does `meanwhile`, and lets it go on when all have gathered.
async fn decide(world: &World, meanwhile: impl AsyncFnOnce()) -> Result<usize, StepError> {
    let mut gate = world.bridge.store.begin().await.unwrap();
    gate.alone_with("rule:fix-labelled-issues").await.unwrap();
    let (decided, ()) = tokio::join!(match_rules::match_batch(&world.bridge, 64), async {
        // Well within what is tried for, and long also where the processors have much else to do.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        meanwhile().await;
        drop(gate);
    });
    decided
}

/// The transactions that made the tasks.
async fn transactions(world: &World) -> usize {
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let count = sqlx::query_scalar::<_, i64>("SELECT count(DISTINCT xmin::text) FROM tasks");
    count.fetch_one(&mut connection).await.unwrap().try_into().unwrap()
}

fn by_line(tasks: &[Task]) -> Vec<&Task> {
    let mut tasks: Vec<&Task> = tasks.iter().collect();
    tasks.sort_by_key(|task| task.line);
    tasks
}

async fn decisions(world: &World, count: i64) -> Vec<Decision> {
    let mut all = Vec::new();
    for number in 1..=count {
        all.push(world.decision(&format!("d-{number}")).await);
    }
    all
}

#[tokio::test]
async fn what_gathers_becomes_tasks_in_one_transaction_each_with_its_story_and_its_reports() {
    let world = World::new(LABEL_RULE).await;
    wishes(&world, 20).await;
    decide(&world, async || {}).await.unwrap();
    let tasks = world.tasks().await;
    assert_eq!(tasks.len(), 20);
    assert_eq!(transactions(&world).await, 1);
    let in_line: Vec<String> = by_line(&tasks).iter().map(|task| task.delivery_id.to_string()).collect();
    assert!(in_line.is_sorted(), "who came first is first in line: {in_line:?}");
    for (number, decision) in (1..).zip(decisions(&world, 20).await) {
        assert_eq!(decision.verdict, Verdict::Matched);
        let task = tasks.iter().find(|task| Some(task.id) == decision.task_id).unwrap();
        let delivery = world.bridge.store.delivery(decision.delivery_id).await.unwrap().unwrap();
        assert_eq!(delivery.state, DeliveryState::Processed);
        assert_eq!(task.delivery_id, decision.delivery_id);
        assert!(task.prompt.starts_with(&format!("Fix issue #42: Wish {number}\n")), "{}", task.prompt);
        let story = world.bridge.store.timeline(task.id).await.unwrap();
        assert_eq!(story.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>(), ["made"]);
    }
    world.live_for(30).await;
    assert_eq!(world.control().creations().len(), 20);
    let told = world.comments();
    assert!(tasks.iter().all(|task| told.iter().any(|comment| comment.contains(&task.id.to_string()))), "{told:?}");
}

#[tokio::test]
async fn a_limit_counts_what_the_same_transaction_made_and_who_came_first_is_first() {
    for limit in ["live: 5", "started: { count: 5, within: 10m }"] {
        let world = World::new(&format!("{LABEL_RULE}    limits: {{ per_person: {{ {limit} }} }}\n")).await;
        wishes(&world, 12).await;
        decide(&world, async || {}).await.unwrap();
        assert_eq!(world.tasks().await.len(), 5, "{limit}");
        let decisions = decisions(&world, 12).await;
        let refused: Vec<&Decision> = decisions.iter().filter(|said| said.verdict == Verdict::Refused).collect();
        assert_eq!(refused.len(), 7, "{limit}");
        assert!(refused.iter().all(|said| said.cause.contains("the limit per_person")), "{refused:?}");
        assert!(decisions[..5].iter().all(|said| said.verdict == Verdict::Matched), "{limit}: {decisions:?}");
        world.live_for(10).await;
        assert_eq!(world.comments().iter().filter(|text| text.contains("the limit per_person")).count(), 7, "{limit}");
    }
}

#[tokio::test]
async fn two_tellings_of_one_wish_in_one_transaction_are_one_task() {
    let world = World::new(LABEL_RULE).await;
    wishes(&world, 3).await;
    let mut payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    for (nth, total_count) in (4..=9).zip(0..) {
        payload["issue"]["reactions"] = serde_json::json!({ "total_count": total_count });
        world.hook("issues", &format!("d-{nth}"), &payload).await;
    }
    decide(&world, async || {}).await.unwrap();
    assert_eq!(world.tasks().await.len(), 4);
    assert_eq!(transactions(&world).await, 1, "none had to be sent through by itself");
    let decisions = decisions(&world, 9).await;
    let of_it: Vec<_> = decisions[3..].iter().map(|said| said.task_id.unwrap()).collect();
    assert!(of_it.iter().all(|task| *task == of_it[0]), "{of_it:?}");
    assert_eq!(decisions.iter().filter(|said| said.cause.contains("the same wish came before")).count(), 5);
}

#[tokio::test]
async fn once_per_sees_the_tasks_of_its_own_transaction() {
    for (then, states) in [
        ("skip", vec![State::Pending]),
        ("wait", [State::Pending].into_iter().chain([State::Held; 5]).collect()),
        ("replace", [State::Cancelled; 5].into_iter().chain([State::Pending]).collect()),
    ] {
        let world = World::new(&format!("{LABEL_RULE}    once_per: {{ key: all, then: {then} }}\n")).await;
        wishes(&world, 6).await;
        decide(&world, async || {}).await.unwrap();
        let tasks = world.tasks().await;
        assert_eq!(by_line(&tasks).iter().map(|task| task.state).collect::<Vec<_>>(), states, "{then}");
    }
    let world = World::new(&format!("{LABEL_RULE}    once_per: {{ key: all, window: 10m }}\n")).await;
    wishes(&world, 6).await;
    decide(&world, async || {}).await.unwrap();
    let task = world.task().await;
    let story = world.bridge.store.timeline(task.id).await.unwrap();
    assert_eq!(story.iter().filter(|entry| entry.text.starts_with("again: ")).count(), 5, "{story:?}");
}

#[tokio::test]
async fn a_lease_that_one_of_them_lost_is_no_loss_of_the_others() {
    let world = World::new(LABEL_RULE).await;
    wishes(&world, 10).await;
    let lost = world.delivery("d-9").await.id;
    let take_away = async || {
        let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
        let text = "UPDATE deliveries SET lease = gen_random_uuid() WHERE id = $1";
        sqlx::query(text).bind(lost.0).execute(&mut connection).await.unwrap();
    };
    decide(&world, take_away).await.unwrap();
    assert_eq!(world.tasks().await.len(), 9);
    assert_eq!(world.delivery("d-9").await.state, DeliveryState::Received);
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let text = "UPDATE deliveries SET lease = NULL, lease_until = NULL WHERE id = $1";
    sqlx::query(text).bind(lost.0).execute(&mut connection).await.unwrap();
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 10);
    assert_eq!(world.control().creations().len(), 10);
}

#[tokio::test]
async fn what_the_database_does_not_take_of_one_does_not_touch_the_others() {
    let world = World::new(LABEL_RULE).await;
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let text = "CREATE FUNCTION no_nine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF NEW.prompt LIKE '%Wish 9%' THEN RAISE EXCEPTION 'not this one' USING ERRCODE = '22000'; END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER no_nine BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION no_nine()";
    sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
    wishes(&world, 10).await;
    let decided = decide(&world, async || {}).await;
    assert!(decided.unwrap_err().to_string().contains("not this one"));
    let tasks = world.tasks().await;
    assert_eq!(tasks.len(), 9);
    assert!(!tasks.iter().any(|task| task.prompt.contains("Wish 9")));
    let ninth = world.delivery("d-9").await;
    assert_eq!((ninth.state, ninth.tries), (DeliveryState::Received, 1), "it counts, and is parked in the end");
    assert!(decisions(&world, 8).await.iter().all(|said| said.verdict == Verdict::Matched));
}

/// Mona's wish is what another transaction is alone with; nothing else waits for it, and nothing is held meanwhile.
#[tokio::test]
async fn what_another_transaction_counts_holds_up_nobody_who_does_not_need_it() {
    let rules = format!("{LABEL_RULE}  - {{ name: other, on: {{ label: other }}, prompt: Do it. }}\n")
        + "  - { name: never, on: { label: never }, when: issue.number == 1, prompt: Do it. }\n";
    let world = World::new(&rules).await;
    send(&world, "d-1", &wish(&world, 1, "copilot-fix")).await;
    send(&world, "d-2", &wish(&world, 2, "other")).await;
    send(&world, "d-3", &wish(&world, 3, "never")).await;
    let look = async || {
        let begun = Instant::now();
        while world.delivery("d-3").await.state == DeliveryState::Received || world.tasks().await.is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(3), "they wait for the other");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(world.delivery("d-1").await.state, DeliveryState::Received);
        assert_eq!(world.task().await.rule, "other");
        assert_eq!(world.delivery("d-3").await.state, DeliveryState::Processed);
        // Others get what it has for the moment of each of its tries.
        let names = ["repo:5001", "person:1001"].map(str::to_owned);
        while !world.bridge.store.begin().await.unwrap().try_alone_with(&names).await.unwrap().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(4), "what waits holds what others need");
        }
        world.advance(100);
    };
    decide(&world, look).await.unwrap();
    let tasks = world.tasks().await;
    assert_eq!(tasks.len(), 2);
    let late = tasks.iter().find(|task| task.rule != "other").unwrap();
    assert_eq!(late.created_at, world.bridge.ground.now(), "a window begins when the task is made");
}

#[tokio::test]
async fn a_wish_that_waits_for_a_task_holds_up_no_answer() {
    let rules = format!("{LABEL_RULE}    once_per: {{ key: all, then: replace }}\n")
        + "  - { name: never, on: { label: never }, when: issue.number == 1, prompt: Do it. }\n";
    let world = World::new(&rules).await;
    wishes(&world, 1).await;
    match_rules::match_batch(&world.bridge, 64).await.unwrap();
    let mut holder = PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT FROM tasks FOR UPDATE").execute(&mut holder).await.unwrap();
    send(&world, "d-2", &wish(&world, 2, "copilot-fix")).await;
    send(&world, "d-3", &wish(&world, 3, "never")).await;
    let (decided, ()) = tokio::join!(match_rules::match_batch(&world.bridge, 64), async {
        let begun = Instant::now();
        while world.delivery("d-3").await.state != DeliveryState::Processed {
            assert!(begun.elapsed() < Duration::from_secs(4), "it waits for the other");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(world.delivery("d-2").await.state, DeliveryState::Received);
        sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    });
    decided.unwrap();
    assert_eq!(world.tasks().await.len(), 2);
}

#[tokio::test]
async fn what_is_busy_for_long_is_given_back_uncounted_and_done_later() {
    // A step that takes nothing up any more when it gives them back.
    let world = World::with(LABEL_RULE, |settings| settings.lease = Duration::from_secs(8), |_| {}).await;
    wishes(&world, 2).await;
    decide(&world, async || tokio::time::sleep(Duration::from_secs(7)).await).await.unwrap();
    assert_eq!(world.tasks().await.len(), 0);
    let first = world.delivery("d-1").await;
    assert_eq!((first.state, first.tries), (DeliveryState::Received, 0));
    match_rules::match_batch(&world.bridge, 64).await.unwrap();
    assert_eq!(world.tasks().await.len(), 2);
}

#[tokio::test]
async fn a_race_that_the_database_breaks_is_run_again_by_the_whole_group() {
    let world = World::new(LABEL_RULE).await;
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    races(&mut connection, "tasks", "INSERT", "40P01", 2).await;
    wishes(&world, 5).await;
    decide(&world, async || {}).await.unwrap();
    assert_eq!((world.tasks().await.len(), transactions(&world).await), (5, 1));
}

#[tokio::test]
async fn of_labels_taken_off_meanwhile_each_calls_off_its_own_wish() {
    let world = World::new(LABEL_RULE).await;
    for number in 1..=3 {
        let mut payload = wish(&world, number, "copilot-fix");
        payload["issue"]["number"] = (number + 50).into();
        send(&world, &format!("d-{number}"), &payload).await;
    }
    let take_off = async || {
        world.advance(1);
        let mut payload = unlabelled("copilot-fix", MONA, world.bridge.ground.now());
        payload["issue"]["number"] = 52.into();
        send(&world, "d-4", &payload).await;
        match_rules::match_batch(&world.bridge, 64).await.unwrap();
    };
    decide(&world, take_off).await.unwrap();
    let verdicts: Vec<Verdict> = decisions(&world, 3).await.iter().map(|said| said.verdict).collect();
    assert_eq!(verdicts, [Verdict::Matched, Verdict::Refused, Verdict::Matched]);
}

#[tokio::test]
async fn limits_and_once_per_count_each_other_right_in_one_transaction() {
    let limited = |once: &str, live: u32| {
        format!("{LABEL_RULE}    once_per: {once}\n    limits: {{ per_rule: {{ live: {live} }} }}\n")
    };
    // Each has a key of its own, so that all are written one by one.
    let world = World::new(&limited("'{{ issue.title }}'", 5)).await;
    wishes(&world, 8).await;
    decide(&world, async || {}).await.unwrap();
    assert_eq!(world.tasks().await.len(), 5);
    // Each takes the place of the one before.
    let world = World::new(&limited("{ key: all, then: replace }", 1)).await;
    wishes(&world, 4).await;
    decide(&world, async || {}).await.unwrap();
    let tasks = world.tasks().await;
    let states: Vec<State> = by_line(&tasks).iter().map(|task| task.state).collect();
    assert_eq!(states, [State::Cancelled, State::Cancelled, State::Cancelled, State::Pending]);
}
