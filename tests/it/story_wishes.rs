//! One wish, one task: however often, through however many hooks and under however many names it comes.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use taskbridge::domain::task::State;
use taskbridge::store::deliveries::DeliveryState;

use crate::support::payloads::{MONA, account, issue, repository, stamp};
use crate::support::world::{HOOK_SECRET, LABEL_RULE, OLD_SECRET, World, labelled, signature, signed};

/// A request of another hook than the usual one.
fn of_hook(hook: &'static str, delivery: &str, payload: &Value) -> Request<Body> {
    let mut request = signed("issues", delivery, payload.to_string().as_bytes());
    request.headers_mut().insert("x-github-hook-id", axum::http::HeaderValue::from_static(hook));
    request
}

/// What an App's hook adds.
fn of_app(mut payload: Value) -> Value {
    payload["installation"] = json!({ "id": 8001, "node_id": "MDIz" });
    payload
}

/// Case 1.
#[tokio::test]
async fn a_delivery_that_comes_twice_is_recorded_once_and_starts_once() {
    let world = World::new(LABEL_RULE).await;
    let payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    let first = world.hook("issues", "d-1", &payload).await;
    let again = world.hook("issues", "d-1", &payload).await;
    assert_eq!((first.status, again.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!((&first.body["status"], &again.body["status"]), (&json!("recorded"), &json!("duplicate")));
    assert_eq!(first.body["delivery"], again.body["delivery"]);
    world.settle().await;
    let late = world.hook("issues", "d-1", &payload).await;
    assert_eq!(late.body["status"], "duplicate");
    world.settle().await;
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Processed);
    world.task().await;
    assert_eq!(world.control().tasks().len(), 1);
}

/// Case 3.
#[tokio::test]
async fn a_delivery_that_comes_twice_at_once_is_recorded_once() {
    let world = World::new(LABEL_RULE).await;
    let payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    let sends = (0..8).map(|_| world.hook("issues", "d-1", &payload));
    let answers = join_all(sends).await;
    let recorded = answers.iter().filter(|answer| answer.body["status"] == "recorded").count();
    assert!(answers.iter().all(|answer| answer.status == StatusCode::ACCEPTED));
    assert_eq!((recorded, world.delivery_count().await), (1, 1));
    world.settle().await;
    world.task().await;
}

async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut pinned {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if pinned.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pinned.into_iter().map(|(_, output)| output.unwrap()).collect()
}

/// Case 4.
#[tokio::test]
async fn a_delivery_id_that_comes_again_with_another_body_is_a_conflict_and_the_first_stays() {
    let world = World::new(LABEL_RULE).await;
    let now = world.bridge.ground.now();
    world.hook("issues", "d-1", &labelled("copilot-fix", MONA, now)).await;
    let other = world.hook("issues", "d-1", &labelled("something-else", MONA, now)).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(world.refusals().await, [("id_reused".to_owned(), 1)]);
    world.settle().await;
    assert_eq!(world.task().await.label_name.as_deref(), Some("copilot-fix"));
}

/// Case 4.
#[tokio::test]
async fn a_redelivery_that_is_signed_with_a_newer_secret_is_the_same_and_another_body_is_not() {
    let both = "sources:\n  github: { type: github, secrets: [\"${HOOK_SECRET}\", \"${OLD_SECRET}\"] }\n";
    let rules = LABEL_RULE.trim_start();
    let world = World::new(&format!("{both}{rules}")).await;
    let send = async |secret: &str, payload: &Value| {
        let body = payload.to_string();
        let mut request = signed("issues", "d-1", body.as_bytes());
        request.headers_mut().insert("x-hub-signature-256", signature(secret, body.as_bytes()).parse().unwrap());
        world.send(request).await
    };
    let payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    assert_eq!(send(OLD_SECRET, &payload).await.body["status"], "recorded");
    assert_eq!(send(HOOK_SECRET, &payload).await.body["status"], "duplicate");
    let other = labelled("something-else", MONA, world.bridge.ground.now());
    assert_eq!(send(HOOK_SECRET, &other).await.status, StatusCode::CONFLICT);
    world.settle().await;
    world.task().await;
}

#[tokio::test]
async fn a_redelivery_runs_again_only_while_the_first_failed() {
    let world = World::new("sources:\n  other: { type: github, secrets: \"${OLD_SECRET}\" }\n").await;
    // A failure that passes: the source is taken away between receipt and matching, and comes back.
    world.reload(LABEL_RULE);
    let payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    world.hook("issues", "d-1", &payload).await;
    world.reload("sources:\n  other: { type: github, secrets: \"${OLD_SECRET}\" }\n");
    world.settle().await;
    let failed = world.delivery("d-1").await;
    assert_eq!(failed.state, DeliveryState::Failed);
    assert!(failed.reason.unwrap().contains("no longer configured"));
    world.reload(LABEL_RULE);
    assert_eq!(world.hook("issues", "d-1", &payload).await.body["status"], "duplicate");
    world.settle().await;
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Processed);
    world.task().await;
    world.hook("issues", "d-1", &payload).await;
    assert_eq!(world.round().await, 0, "it has decisions: it does not run again");
}

/// Case 24.
#[tokio::test]
async fn a_replay_under_a_new_delivery_id_is_a_duplicate_that_names_the_first() {
    let world = World::new(LABEL_RULE).await;
    let payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    world.hook("issues", "d-1", &payload).await;
    world.settle().await;
    world.advance(60);
    world.hook("issues", "d-2", &payload).await;
    world.settle().await;
    let (first, replay) = (world.delivery("d-1").await, world.delivery("d-2").await);
    assert_eq!(replay.state, DeliveryState::Duplicate);
    assert_eq!(replay.duplicate_of, Some(first.id));
    assert!(replay.reason.unwrap().contains(&first.id.to_string()));
    world.task().await;
}

/// Case 24.
#[tokio::test]
async fn a_replay_that_only_changes_the_hooks_id_is_a_duplicate_too() {
    let world = World::new(LABEL_RULE).await;
    let payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    world.hook("issues", "d-1", &payload).await;
    world.settle().await;
    let first = world.delivery("d-1").await;
    // A rule that was put in force since must not be started by old news.
    world.reload(&LABEL_RULE.replace("fix-labelled-issues", "another-rule"));
    world.advance(60);
    world.send(of_hook("88", "d-1", &payload)).await;
    world.settle().await;
    let page = taskbridge::store::Page { before: None, limit: 10 };
    let replay = world.bridge.store.deliveries(&Default::default(), page).await.unwrap().remove(0);
    assert_eq!((replay.state, replay.duplicate_of), (DeliveryState::Duplicate, Some(first.id)));
    let reason = replay.reason.unwrap();
    assert!(reason.contains("a replay, or told by a second hook"), "{reason}");
    world.task().await;
}

/// Case 24.
#[tokio::test]
async fn an_event_older_than_bodies_are_kept_is_ignored_because_it_may_be_a_replay() {
    let world = World::new(LABEL_RULE).await;
    let now = world.bridge.ground.now();
    let keep = chrono::TimeDelta::from_std(world.bridge.settings.keep_bodies).unwrap();
    world.hook("issues", "d-1", &labelled("copilot-fix", MONA, now - keep - chrono::TimeDelta::seconds(1))).await;
    world.settle().await;
    let delivery = world.delivery("d-1").await;
    assert_eq!(delivery.state, DeliveryState::Ignored);
    assert!(delivery.reason.unwrap().contains("cannot be told from a replay"));
    assert!(world.tasks().await.is_empty());
    world.hook("issues", "d-2", &labelled("copilot-fix", MONA, now - keep + chrono::TimeDelta::seconds(1))).await;
    world.settle().await;
    world.task().await;
}

/// Case 4.
#[tokio::test]
async fn a_repository_hook_and_an_app_hook_make_one_task_that_both_deliveries_show() {
    let world = World::new(LABEL_RULE).await;
    let payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    // GitHub gives both the same GUID.
    assert_eq!(world.send(of_hook("77", "guid", &payload)).await.body["status"], "recorded");
    assert_eq!(world.send(of_hook("88", "guid", &of_app(payload))).await.body["status"], "recorded");
    world.settle().await;
    let task = world.task().await;
    let page = taskbridge::store::Page { before: None, limit: 10 };
    let deliveries = world.bridge.store.deliveries(&Default::default(), page).await.unwrap();
    assert_eq!(deliveries.len(), 2);
    for delivery in deliveries {
        let decisions = world.bridge.store.decisions(delivery.id).await.unwrap();
        assert_eq!(decisions[0].task_id, Some(task.id), "{decisions:?}");
    }
    assert_eq!(world.control().tasks().len(), 1);
}

#[tokio::test]
async fn the_same_happening_under_other_names_and_in_other_words_is_one_wish() {
    let world = World::new(LABEL_RULE).await;
    let mut payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    world.hook("issues", "d-1", &payload).await;
    payload["issue"]["reactions"] = json!({ "total_count": 3 });
    world.hook("issues", "d-2", &payload).await;
    world.settle().await;
    let task = world.task().await;
    let second = world.decision("d-2").await;
    assert_eq!(second.task_id, Some(task.id));
    let causes = [world.decision("d-1").await.cause, second.cause];
    assert_eq!(causes.iter().filter(|cause| cause.contains("the same wish came before")).count(), 1, "{causes:?}");
}

#[tokio::test]
async fn a_label_put_on_again_later_is_a_new_wish() {
    let world = World::new(LABEL_RULE).await;
    world.label("copilot-fix", "d-1").await;
    world.live_for(120).await;
    assert_eq!(world.task().await.state, State::Completed);
    world.label("copilot-fix", "d-2").await;
    assert_eq!(world.tasks().await.len(), 2);
    assert_eq!(world.control().tasks().len(), 2);
}

#[tokio::test]
async fn a_comment_is_one_wish_whatever_its_times_say_and_an_edit_of_it_is_none() {
    let rules = "rules:\n  - name: fix\n    on: { command: fix }\n    prompt: \"Fix #{{ issue.number }}\"\n";
    let world = World::new(rules).await;
    world.say(900, "/copilot fix", MONA, "d-1").await;
    world.advance(5);
    world.say(900, "/copilot fix", MONA, "d-2").await;
    world.task().await;
    let now = world.bridge.ground.now();
    let edited = json!({
        "action": "edited", "issue": issue(now), "repository": repository(),
        "sender": { "id": 1001, "login": "mona", "type": "User" },
        "comment": { "id": 901, "body": "/copilot fix", "author_association": "MEMBER", "updated_at": now.to_rfc3339() }
    });
    world.hook("issue_comment", "d-3", &edited).await;
    world.settle().await;
    assert_eq!(world.delivery("d-3").await.state, DeliveryState::Ignored);
    world.task().await;
}

#[tokio::test]
async fn what_happens_to_an_old_review_is_news_each_time() {
    let world = World::new(
        "rules:\n  - name: review\n    on: { event: pull_request_review }\n    prompt: x\n    task: { base_ref: main }\n",
    )
    .await;
    let written = world.bridge.ground.now() - chrono::TimeDelta::days(30);
    for (nth, action) in ["edited", "edited", "dismissed"].into_iter().enumerate() {
        let now = world.bridge.ground.now();
        let payload = json!({
            "action": action, "pull_request": issue(now), "repository": repository(), "sender": account(MONA),
            "review": { "id": 5, "body": format!("take {nth}"), "user": account(MONA), "submitted_at": stamp(written) }
        });
        world.hook("pull_request_review", &format!("d-{nth}"), &payload).await;
        world.settle().await;
        assert_eq!(world.delivery(&format!("d-{nth}")).await.state, DeliveryState::Processed);
        assert_eq!(world.tasks().await.len(), nth + 1, "{action}");
        world.advance(60);
    }
}
