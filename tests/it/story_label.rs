//! The main job: a label on an issue becomes a task, tracked to its end.

use axum::http::StatusCode;
use taskbridge::domain::task::State;

use crate::support::world::{LABEL_RULE, World, labelled};

const MONA: (i64, &str) = (1001, "mona");

#[tokio::test]
async fn a_label_becomes_a_task_and_a_living_comment_tells_of_it() {
    let world = World::new(LABEL_RULE).await;
    let now = world.bridge.ground.now();
    let answer = world.hook("issues", "d-1", &labelled("copilot-fix", MONA, now)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.body["status"], "recorded");

    world.settle().await;
    let task = world.task().await;
    assert_eq!(task.state, State::Queued);
    let remote = world.control().tasks();
    assert_eq!(remote.len(), 1);
    let prompt = &remote[0].prompt;
    assert!(prompt.starts_with("Fix issue #42: It leaks\n\nUnder load."), "{prompt}");
    assert!(prompt.ends_with(&format!("Taskbridge-Ref: {}", task.marker.expose())), "{prompt}");
    assert_eq!(world.control().reactions("acme/widgets", 42).unwrap(), [("mona".to_owned(), "eyes".to_owned())]);
    assert_eq!(world.comments().len(), 1);
    assert!(world.comments()[0].contains("Queued at GitHub"), "{}", world.comments()[0]);

    world.live_for(20).await;
    assert_eq!(world.task().await.state, State::InProgress);
    world.live_for(60).await;
    let task = world.task().await;
    assert_eq!(task.state, State::Completed);
    assert!(task.pull_number.is_some());
    let comments = world.comments();
    assert_eq!(comments.len(), 1, "the comment is edited in place");
    assert!(comments[0].contains("✅ **Done**"), "{}", comments[0]);
    assert!(comments[0].contains(&format!("#{}", task.pull_number.unwrap())), "{}", comments[0]);
    assert!(!comments[0].contains(task.marker.expose()), "the marker is shown nowhere");
}
