//! Alerts: a storm is one task with the later ones in its story, and a sender that does not wait is answered in time.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::{Value, json};
use taskbridge::cli::{live_of, settings_of};
use taskbridge::ids::PersonId;
use taskbridge::pipeline::explain::{Answer, of_delivery, of_payload};
use taskbridge::pipeline::people;
use taskbridge::store::api_keys::Scope;
use taskbridge::store::decisions::Verdict;
use taskbridge::store::deliveries::DeliveryState;

use crate::api_kit::Caller;
use crate::support::cut::{Cut, Line};
use crate::support::senders::sentry;
use crate::support::world::{Setup, World, configuration};

const RULES: &str = "
sources:
  sentry: { type: sentry, secrets: \"${HOOK_SECRET}\" }
rules:
  - name: look-at-alerts
    on: { alert: firing, source: sentry }
    run_as: person:mona
    allow: { sources: sentry }
    task:
      repo: acme/widgets
      prompt: \"Find the cause of {{ subject.title }} ({{ subject.url }}).\"
    once_per: { key: 'sentry {{ payload.data.issue.id }}', window: 1h }
";

fn alert(action: &str, issue: &str, count: u32) -> Value {
    json!({
        "action": action, "installation": { "uuid": "7a485448-a9e2-4c85-8a3c-4f44175783c9" },
        "data": { "issue": {
            "id": issue, "title": "TypeError: total is undefined", "culprit": "cart in total", "count": count,
            "web_url": format!("https://sentry.example.com/issues/{issue}/")
        } },
        "actor": { "type": "application", "id": "sentry", "name": "Sentry" }
    })
}

async fn send(world: &World, id: &str, action: &str, issue: &str, count: u32) {
    let answer = world.send(sentry(id, "issue", alert(action, issue, count).to_string().as_bytes())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    world.settle().await;
}

#[tokio::test]
async fn a_storm_of_alerts_is_one_task_with_the_later_ones_in_its_story() {
    let world = World::new(RULES).await;
    world.mona_consents(&["look-at-alerts"]).await;
    for nth in 0..40 {
        send(&world, &format!("a-{nth}"), "created", "77", nth).await;
        world.advance(10);
    }
    let task = world.task().await;
    assert_eq!((task.person_login.as_str(), task.subject_kind.as_str()), ("mona", "alert"));
    assert_eq!(task.subject_url, "https://sentry.example.com/issues/77/");
    assert_eq!(world.control().creations().len(), 1);
    let remote = &world.control().tasks()[0];
    assert_eq!(remote.creator, "mona");
    assert!(remote.prompt.contains("TypeError: total is undefined"), "{}", remote.prompt);
    let story = world.entries(task.id).await;
    let again: Vec<&String> = story.iter().filter(|entry| entry.starts_with("note: again: ")).collect();
    assert_eq!(again.len(), 39, "{story:#?}");
    assert_eq!(
        again[0],
        "note: again: issue.created from `sentry` (its id a-1): TypeError: total is undefined: \
         https://sentry.example.com/issues/77/"
    );
    let decision = world.decision("a-39").await;
    assert_eq!((decision.verdict, decision.task_id), (Verdict::Matched, Some(task.id)));
    assert!(decision.cause.starts_with(&format!("once_per: task {} was made for the same key, and until ", task.id)));
    assert!(decision.cause.ends_with("a further wish starts nothing; this one is written into its timeline"));
    for (id, outcome) in
        [("a-0", "it became a task"), ("a-39", "it belongs to a task that was there before; nothing more was started")]
    {
        let told = of_delivery(&world.bridge, world.delivery(id).await.id).await.unwrap().unwrap();
        assert_eq!(told.outcome, outcome);
    }

    // Another issue is another key; a resolved one is no alert that fires.
    send(&world, "b-1", "created", "78", 0).await;
    send(&world, "b-2", "resolved", "78", 0).await;
    assert_eq!(world.tasks().await.len(), 2);
    assert_eq!(world.delivery("b-2").await.state, DeliveryState::Ignored);

    // After the window, and when the task has ended, it is news again.
    world.live_for(600).await;
    world.advance(3600);
    send(&world, "a-40", "created", "77", 40).await;
    assert_eq!(world.tasks().await.len(), 3);
}

/// Nobody asks for an alert's task, so nobody is told that there is none: operators are.
#[tokio::test]
async fn a_rule_whose_person_is_gone_is_named_in_the_status() {
    let world = World::new(RULES).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let not_ready = async || reader.get("/api/v1/status").await.body["rules"]["not_ready"].clone();
    let told = not_ready().await;
    assert!(
        told[0]
            .as_str()
            .is_some_and(|text| text.contains("`look-at-alerts` starts nothing: run_as: @mona has not agreed")),
        "{told}"
    );
    world.mona_consents(&["look-at-alerts"]).await;
    assert_eq!(not_ready().await, json!([]));
    people::remove(&world.bridge, PersonId(1001), "the person has disconnected").await.unwrap();
    let told = not_ready().await;
    assert!(told[0].as_str().is_some_and(|text| text.contains("taskbridge does not know @mona")), "{told}");
    send(&world, "a-0", "created", "77", 0).await;
    assert_eq!(world.decision("a-0").await.verdict, Verdict::Refused);
}

#[tokio::test]
async fn the_story_of_a_task_has_an_end_however_long_the_storm() {
    let world = World::new(RULES).await;
    world.mona_consents(&["look-at-alerts"]).await;
    for nth in 0..205 {
        let body = alert("created", "77", nth).to_string();
        let answer = world.send(sentry(&format!("a-{nth}"), "issue", body.as_bytes())).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    world.settle().await;
    let story = world.entries(world.task().await.id).await;
    let again: Vec<&String> = story.iter().filter(|entry| entry.starts_with("note: again: ")).collect();
    assert_eq!(again.len(), 200, "{}", story.len());
    assert!(again[199].ends_with("later ones are only among the deliveries"), "{}", again[199]);
}

/// Tried out before it goes live: which rule would have it, and why another would not.
#[test]
fn a_payload_can_be_tried_out_and_each_rule_says_why() {
    let rules = format!(
        "{RULES}  - name: resolved-ones\n    on: {{ alert: resolved, source: sentry }}\n    run_as: person:mona\n    \
         allow: {{ sources: sentry }}\n    task: {{ repo: acme/widgets, prompt: Look }}\n"
    );
    let loaded = configuration(&rules);
    let (live, settings) = (live_of(&loaded, "github.com"), settings_of(&loaded.config));
    let body = alert("created", "77", 1).to_string();
    let told = of_payload(&live, &settings, "sentry", "issue", "application/json", body.as_bytes());
    assert_eq!(told.rules[0].answer, Answer::Selected, "{}", told.text());
    assert!(told.rules[0].why.starts_with("it would run with the token of @mona"), "{}", told.rules[0].why);
    assert_eq!(told.rules[1].answer, Answer::NotListening);
    assert_eq!(told.rules[1].why, "listens to alerts that are `resolved`, and this one is `firing`");
}

/// Sentry gives up after a second, and does not say it again by itself.
#[tokio::test]
async fn a_sender_that_waits_a_second_is_answered_within_it_also_when_the_database_is_slow() {
    let line = Cut::new();
    let world = World::of(Setup { cut: Some(line.clone()), ..Setup::new(RULES) }).await;
    world.mona_consents(&["look-at-alerts"]).await;
    let timed = async |id: &str, count: u32| {
        let begun = Instant::now();
        let answer = world.send(sentry(id, "issue", alert("created", "77", count).to_string().as_bytes())).await;
        (answer.status, begun.elapsed())
    };
    assert_eq!(timed("a-0", 0).await.0, StatusCode::ACCEPTED);
    line.set(Line::Slow(Duration::from_millis(30)));
    let (status, took) = timed("a-1", 1).await;
    assert_eq!(status, StatusCode::ACCEPTED, "slow, and still in time: {took:?}");
    line.set(Line::Slow(Duration::from_millis(2500)));
    let (status, took) = timed("a-2", 2).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    // Three quarters of a second; a machine that runs other stories beside this one may take a while to look at its clock.
    assert!(took < Duration::from_millis(1500), "{took:?}");
    // The answer came before the commit, and promised nothing; what was sent is kept all the same.
    line.set(Line::Open);
    let begun = Instant::now();
    while world.delivery_count().await < 3 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is written when the database has got to it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // While the first writing still waits for its answer, this one needs a new connection, which a busy machine may not
    // make in time: then the sender comes again, as it would.
    while timed("a-2", 2).await.0 != StatusCode::ACCEPTED {
        assert!(begun.elapsed() < Duration::from_secs(30), "the way to the database is open");
    }
    assert_eq!(world.delivery_count().await, 3);
}
