//! From a task's artifact (a resource id) to the pull request that people know by its number.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use serde_json::{Value, json};
use taskbridge::github::{Artifact, RemoteTask};

use crate::github_kit::{Mock, reply, repo, session};

fn pull(id: i64, number: i64, node: &str) -> Value {
    json!({
        "id": id, "node_id": node, "number": number, "state": "closed", "merged_at": "2026-11-23T12:00:00Z",
        "html_url": format!("https://github.com/octo/hello/pull/{number}"),
        "head": { "ref": "copilot/x", "repo": null }, "base": { "ref": "main", "repo": { "id": 9 } },
    })
}

async fn task(artifacts: Value, heads: &[&str]) -> RemoteTask {
    let sessions: Vec<_> = heads.iter().map(|head| json!({ "id": "s", "head_ref": head })).collect();
    let body = json!({ "id": "t", "artifacts": artifacts, "sessions": sessions }).to_string();
    let mock = Mock::start(move |_| reply(200, &body)).await;
    session(&mock.url).task("t").await.unwrap()
}

fn artifact(id: i64) -> Value {
    json!({ "type": "pull", "data": { "id": id, "global_id": "PR_x" } })
}

fn branch(head: &str) -> Value {
    json!({ "type": "branch", "data": { "head_ref": head, "base_ref": "main" } })
}

/// The number found for a task when the server lists `pulls` for each branch, and what was asked.
async fn resolve(task: &RemoteTask, pulls: &[Value]) -> (Option<i64>, Vec<String>) {
    let body = Value::from(pulls.to_vec()).to_string();
    let mock = Mock::start(move |_| reply(200, &body)).await;
    let found = session(&mock.url).resolve_pull(&repo(), task).await.unwrap();
    (found.map(|pull| pull.number), mock.paths())
}

#[tokio::test]
async fn the_one_with_the_artifacts_id_is_found_through_the_branch() {
    let task = task(json!([artifact(71), branch("copilot/x")]), &["copilot/x"]).await;
    let (found, asked) = resolve(&task, &[pull(70, 3, "a"), pull(71, 4, "b"), pull(72, 5, "c")]).await;
    assert_eq!(found, Some(4));
    assert_eq!(asked, ["GET /repos/octo/hello/pulls?head=octo%3Acopilot%2Fx&state=all&per_page=100"]);
}

#[tokio::test]
async fn a_sessions_branch_will_do_and_so_will_the_node_id() {
    let task = task(json!([artifact(1)]), &["old", "new"]).await;
    let (found, asked) = resolve(&task, &[pull(70, 3, "a"), pull(71, 4, "PR_x")]).await;
    assert_eq!(found, Some(4));
    assert!(asked[0].contains("head=octo%3Anew"), "{asked:?}");
}

#[tokio::test]
async fn an_only_one_is_taken_and_of_several_strangers_none() {
    let task = task(json!([artifact(1), branch("copilot/x")]), &[]).await;
    assert_eq!(resolve(&task, &[pull(70, 3, "a")]).await.0, Some(3));
    assert_eq!(resolve(&task, &[pull(70, 3, "a"), pull(71, 4, "b")]).await.0, None);
    assert_eq!(resolve(&task, &[]).await.0, None);
}

#[tokio::test]
async fn without_a_pull_artifact_nothing_is_asked() {
    let task = task(json!([branch("copilot/x")]), &["copilot/x"]).await;
    assert_eq!(resolve(&task, &[pull(70, 3, "a")]).await, (None, Vec::new()));
    assert!(matches!(task.artifacts[0], Artifact::Branch { .. }));
}

#[tokio::test]
async fn a_pull_request_whose_head_is_gone_is_read() {
    let body = pull(70, 3, "a").to_string();
    let mock = Mock::start(move |_| reply(200, &body)).await;
    let found = session(&mock.url).pull(&repo(), 3).await.unwrap();
    assert_eq!((found.id, found.number, found.merged, found.state.as_str()), (70, 3, true, "closed"));
    assert_eq!((found.head_repo_id, found.base_repo_id), (None, Some(9)));
    assert_eq!((found.head_ref.as_str(), found.base_ref.as_str()), ("copilot/x", "main"));
    assert_eq!(mock.paths(), ["GET /repos/octo/hello/pulls/3"]);
}
