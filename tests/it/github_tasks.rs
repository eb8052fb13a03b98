//! The tasks API: what is asked, pages, 304, and a preview that changes under us.

use chrono::TimeDelta;
use serde_json::json;
use taskbridge::github::{Artifact, CallError, NewTask, TaskQuery};

use crate::github_kit::{Mock, new_task, noon, reply, repo, session};

#[tokio::test]
async fn a_list_asks_for_changes_in_order() {
    let mock = Mock::start(|_| reply(200, r#"{"tasks":[]}"#)).await;
    let session = session(&mock.url);
    let since = Some(noon() + TimeDelta::milliseconds(999));
    let query = TaskQuery { since, creator_id: Some(7), ..TaskQuery::default() };
    let page = session.list_my_tasks(query).await.unwrap();
    assert!(page.tasks.is_empty() && page.next.is_none() && !page.not_modified);
    session.list_repo_tasks(&repo(), TaskQuery { archived: true, ..query }).await.unwrap();
    session.list_my_tasks(TaskQuery::default()).await.unwrap();
    let order = "sort=updated_at&direction=asc&per_page=100";
    let since = "since=2026-11-23T12%3A00%3A00Z";
    assert_eq!(
        mock.paths(),
        [
            format!("GET /agents/tasks?{since}&is_archived=false&{order}"),
            format!("GET /agents/repos/octo/hello/tasks?{since}&creator_id=7&is_archived=true&{order}"),
            format!("GET /agents/tasks?is_archived=false&{order}"),
        ]
    );
}

#[tokio::test]
async fn pages_are_followed_by_link_only() {
    let mock = Mock::start(|seen| {
        if seen.path.contains("cursor=b,2") {
            return reply(200, r#"{"tasks":[{"id":"2"}]}"#).with("link", r#"</agents/tasks?page=1>; rel="first""#);
        }
        let host = seen.header("host");
        let next = format!(r#"<http://{host}/agents/tasks?cursor=a>; rel="prev", "#)
            + &format!(r#"<http://{host}/agents/tasks?cursor=b,2>; title="x"; rel="last next""#);
        reply(200, r#"{"tasks":[{"id":"1"}]}"#).with("link", &next)
    })
    .await;
    let session = session(&mock.url);
    let first = session.list_my_tasks(TaskQuery::default()).await.unwrap();
    let next = first.next.expect("a second page");
    let second = session.list_my_tasks(TaskQuery { next: Some(&next), ..TaskQuery::default() }).await.unwrap();
    assert_eq!((second.tasks[0].id.as_str(), second.next), ("2", None));
    assert_eq!(mock.paths()[1], "GET /agents/tasks?cursor=b,2");
}

#[tokio::test]
async fn a_next_page_on_another_server_gets_no_token() {
    let mock = Mock::start(|_| reply(200, r#"{"tasks":[]}"#)).await;
    let thief = Mock::start(|_| reply(200, r#"{"tasks":[]}"#)).await;
    let next = format!("{}/agents/tasks?page=2", thief.url);
    let error = session(&mock.url).list_my_tasks(TaskQuery { next: Some(&next), ..TaskQuery::default() }).await;
    assert!(matches!(error, Err(CallError::Unknown { .. })));
    assert!(thief.seen().is_empty() && mock.seen().is_empty());
}

#[tokio::test]
async fn an_unchanged_list_costs_a_304() {
    let mock = Mock::start(|seen| match seen.header("if-none-match") {
        "\"abc\"" => reply(304, ""),
        _ => reply(200, r#"{"tasks":[{"id":"1"}]}"#).with("etag", "\"abc\""),
    })
    .await;
    let session = session(&mock.url);
    let first = session.list_my_tasks(TaskQuery::default()).await.unwrap();
    assert_eq!((first.etag.as_deref(), first.not_modified), (Some("\"abc\""), false));
    let query = TaskQuery { etag: first.etag.as_deref(), ..TaskQuery::default() };
    let second = session.list_my_tasks(query).await.unwrap();
    assert_eq!((second.etag.as_deref(), second.not_modified), (Some("\"abc\""), true));
}

#[tokio::test]
async fn a_list_that_is_no_list_is_no_empty_list() {
    for body in ["{}", "[]", r#"{"tasks":null}"#, r#"{"tasks":{}}"#, "<html>", ""] {
        let mock = Mock::start(move |_| reply(200, body)).await;
        let error = session(&mock.url).list_my_tasks(TaskQuery::default()).await.unwrap_err();
        assert!(matches!(error, CallError::Unknown { status: Some(200), .. }), "{body}: {error:?}");
    }
}

#[tokio::test]
async fn a_list_may_be_long() {
    let long = json!({ "tasks": [{ "id": "1", "name": "x".repeat(3 * 1024 * 1024) }] }).to_string();
    let mock = Mock::start(move |_| reply(200, &long)).await;
    assert_eq!(session(&mock.url).list_my_tasks(TaskQuery::default()).await.unwrap().tasks.len(), 1);
}

#[tokio::test]
async fn a_task_is_read_whole() {
    let body = json!({
        "id": "t1", "state": "completed", "created_at": "2026-11-23T12:00:00Z", "updated_at": "2026-11-23T13:00:00+01:00",
        "html_url": "https://github.com/t1", "name": "Fix", "creator": { "id": 5 }, "owner": { "id": 6 },
        "repository": { "id": 7 }, "archived_at": "2026-11-24T00:00:00Z",
        "artifacts": [
            { "provider": "github", "type": "branch", "data": { "head_ref": "copilot/x", "base_ref": "main" } },
            { "provider": "github", "type": "pull", "data": { "id": 2_000_000_001i64, "global_id": "PR_1" } },
        ],
        "sessions": [{
            "id": "s1", "state": "failed", "created_at": "2026-11-23T12:00:00Z", "completed_at": "2026-11-23T12:30:00Z",
            "prompt": "do it", "head_ref": "copilot/x", "base_ref": "main", "model": "m",
            "usage": { "type": "ai_credits", "amount": 9_007_199_254_740_993i64 }, "error": { "message": "broke" },
        }],
    })
    .to_string();
    let mock = Mock::start(move |_| reply(200, &body)).await;
    let session = session(&mock.url);
    let task = session.task("t1").await.unwrap();
    assert_eq!(session.task_in_repo(&repo(), "t1").await.unwrap(), task);
    assert_eq!(mock.paths(), ["GET /agents/tasks/t1", "GET /agents/repos/octo/hello/tasks/t1"]);
    assert_eq!((task.created_at, task.updated_at), (Some(noon()), Some(noon())));
    assert_eq!((task.creator_id, task.owner_id, task.repository_id), (Some(5), Some(6), Some(7)));
    assert!(task.archived && task.html_url.as_deref() == Some("https://github.com/t1"));
    assert_eq!(
        task.artifacts,
        [
            Artifact::Branch { head_ref: "copilot/x".to_owned(), base_ref: "main".to_owned() },
            Artifact::Pull { id: 2_000_000_001, global_id: Some("PR_1".to_owned()) },
        ]
    );
    let run = &task.sessions.unwrap()[0];
    assert_eq!((run.prompt.as_deref(), run.error_message.as_deref()), (Some("do it"), Some("broke")));
    let usage = run.usage.as_ref().unwrap();
    assert_eq!((usage.kind.as_str(), usage.whole()), ("ai_credits", Some(9_007_199_254_740_993)));
}

#[tokio::test]
async fn preview_drift_spoils_nothing_else() {
    let body = json!({
        "tasks": [
            { "id": 42, "state": "pondering", "created_at": 5, "creator": "me", "brand_new": { "deep": [1] },
              "archived_at": null, "artifacts": [
                { "type": "pull", "data": { "id": "not a number" } },
                { "type": "branch", "data": null },
                { "type": "video", "data": { "url": "x" } },
                { "data": 1 }, "what",
                { "type": "pull", "data": { "id": 3 } },
            ] },
            { "state": "queued" },
            { "id": "3", "state": null, "artifacts": "none", "repository": null, "sessions": [
                { "id": "s", "usage": { "type": "premium_requests", "amount": 1.5 } },
                { "id": "s2", "usage": { "type": "ai_credits", "amount": 3e9 } },
                { "id": "s3", "usage": { "amount": "much" }, "error": "text" },
                { "state": "no id" },
            ] },
        ],
        "total_active_count": 3,
    })
    .to_string();
    let mock = Mock::start(move |_| reply(200, &body)).await;
    let page = session(&mock.url).list_my_tasks(TaskQuery::default()).await.unwrap();
    assert_eq!(page.unreadable, 1);
    let [first, second] = page.tasks.as_slice() else { panic!("{page:?}") };
    assert_eq!((first.id.as_str(), first.state.as_str(), first.archived), ("42", "pondering", false));
    assert_eq!((first.created_at, first.creator_id), (None, None));
    let other = |type_: &str| Artifact::Other { type_: type_.to_owned() };
    let third = Artifact::Pull { id: 3, global_id: None };
    assert_eq!(first.artifacts, [other("pull"), other("branch"), other("video"), other(""), other(""), third]);
    assert!(first.sessions.is_none() && second.artifacts.is_empty() && second.state.is_empty());
    let usages: Vec<_> = second.sessions.iter().flatten().map(|run| run.usage.as_ref()).collect();
    assert_eq!(usages.len(), 3);
    let (fraction, whole) = (usages[0].unwrap(), usages[1].unwrap());
    assert_eq!((fraction.amount.as_f64(), fraction.whole()), (Some(1.5), None));
    assert_eq!((whole.whole(), usages[2]), (Some(3_000_000_000), None));
}

#[tokio::test]
async fn a_start_sends_what_is_set() {
    let mock = Mock::start(|_| reply(201, r#"{"id":"t1"}"#)).await;
    let new = NewTask {
        model: Some("m".to_owned()),
        custom_agent: Some("a".to_owned()),
        base_ref: Some("main".to_owned()),
        head_ref: Some("fix".to_owned()),
        create_pull_request: false,
        ..new_task()
    };
    session(&mock.url).start_task(&repo(), &new).await.unwrap();
    let sent: serde_json::Value = serde_json::from_str(&mock.seen()[0].body).unwrap();
    let meant = json!({ "prompt": "do it", "model": "m", "custom_agent": "a", "create_pull_request": false,
        "base_ref": "main", "head_ref": "fix" });
    assert_eq!(sent, meant);
}

#[tokio::test]
async fn an_id_cannot_change_which_call_is_made() {
    let mock = Mock::start(|seen| reply(404, &json!({ "message": seen.path }).to_string())).await;
    let session = session(&mock.url);
    for id in ["", ".", "..", " .. "] {
        assert!(matches!(session.task(id).await, Err(CallError::Invalid { .. })), "{id:?}");
    }
    assert!(mock.seen().is_empty());
    session.task("../x?y#z%2e").await.unwrap_err();
    assert_eq!(mock.paths(), ["GET /agents/tasks/..%2Fx%3Fy%23z%252e"]);
}
