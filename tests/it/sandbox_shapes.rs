//! The shapes of the sandbox's answers. With `TASKBRIDGE_CONFORMANCE_DIR` set, every field that GitHub's
//! own description (`github-openapi-subset.json` there) requires must be there, with the right type.

use reqwest::Method;
use serde_json::{Value, json};
use taskbridge::sandbox::{CommentSpec, DeliverySpec};

use crate::conformance;
use crate::sandbox_control::JWT;
use crate::sandbox_world::{Place, TASKS};

/// Path in the description, status, answer.
type Case = (&'static str, &'static str, u16, Value);

async fn app(place: &Place, method: Method, path: &str) -> Value {
    place.call(method, path, JWT).send().await.expect("the sandbox answers").json().await.expect("JSON")
}

async fn cases(place: &Place) -> Vec<Case> {
    let task = place.start("Fix it").await;
    place.advance(60);
    let id = task["id"].as_str().expect("a task has an id");
    let issue = "/repos/acme/widgets/issues/42";
    let comment: Value =
        place.post(&format!("{issue}/comments"), json!({ "body": "x" })).await.json().await.expect("JSON");
    let reaction: Value =
        place.post(&format!("{issue}/reactions"), json!({ "content": "+1" })).await.json().await.expect("JSON");
    let labels: Value =
        place.post(&format!("{issue}/labels"), json!({ "labels": ["a"] })).await.json().await.expect("JSON");
    let review = CommentSpec {
        repo: "acme/widgets".to_owned(),
        number: 43,
        author: "mona".to_owned(),
        body: "x".to_owned(),
        path: Some("a".to_owned()),
    };
    let review = place.control().add_comment(review).expect("the pull request is there");
    let reply = format!("/repos/acme/widgets/pulls/43/comments/{review}/replies");
    let reply: Value = place.post(&reply, json!({ "body": "y" })).await.json().await.expect("JSON");
    let repo = "/repos/{owner}/{repo}";
    vec![
        ("POST", "/agents/repos/{owner}/{repo}/tasks", 201, task.clone()),
        ("GET", "/agents/repos/{owner}/{repo}/tasks", 200, place.json(TASKS).await),
        ("GET", "/agents/repos/{owner}/{repo}/tasks/{task_id}", 200, place.json(&format!("{TASKS}/{id}")).await),
        ("GET", "/agents/tasks", 200, place.json("/agents/tasks").await),
        ("GET", "/agents/tasks/{task_id}", 200, place.json(&format!("/agents/tasks/{id}")).await),
        ("GET", "/user", 200, place.json("/user").await),
        ("GET", repo, 200, place.json("/repos/acme/widgets").await),
        ("GET", "/repositories/{id}", 200, place.json("/repositories/5001").await),
        (
            "GET",
            "/repos/{owner}/{repo}/collaborators/{username}/permission",
            200,
            place.json("/repos/acme/widgets/collaborators/mona/permission").await,
        ),
        ("GET", "/repos/{owner}/{repo}/issues/{issue_number}", 200, place.json(issue).await),
        ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", 201, comment),
        (
            "GET",
            "/repos/{owner}/{repo}/issues/{issue_number}/comments",
            200,
            place.json(&format!("{issue}/comments")).await,
        ),
        ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/reactions", 201, reaction),
        ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", 200, labels),
        ("GET", "/repos/{owner}/{repo}/pulls", 200, place.json("/repos/acme/widgets/pulls").await),
        ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", 200, place.json("/repos/acme/widgets/pulls/43").await),
        ("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/comments/{comment_id}/replies", 201, reply),
        (
            "GET",
            "/orgs/{org}/teams/{team_slug}/memberships/{username}",
            200,
            place.json("/orgs/acme/teams/makers/memberships/mona").await,
        ),
        ("GET", "/user/installations", 200, place.json("/user/installations").await),
        (
            "GET",
            "/user/installations/{installation_id}/repositories",
            200,
            place.json("/user/installations/8001/repositories").await,
        ),
        ("GET", "/app", 200, app(place, Method::GET, "/app").await),
        (
            "GET",
            "/repos/{owner}/{repo}/installation",
            200,
            app(place, Method::GET, "/repos/acme/widgets/installation").await,
        ),
        (
            "POST",
            "/app/installations/{installation_id}/access_tokens",
            201,
            app(place, Method::POST, "/app/installations/8001/access_tokens").await,
        ),
        ("GET", "/rate_limit", 200, place.json("/rate_limit").await),
        ("GET", "/meta", 200, place.json("/meta").await),
    ]
}

#[tokio::test]
async fn what_is_always_read_is_always_there() {
    let place = Place::new().await;
    for (method, path, _, answer) in cases(&place).await {
        let keys: &[&str] = match path.rsplit('/').next().unwrap() {
            "tasks" if method == "GET" => &["tasks", "total_active_count", "total_archived_count"],
            "tasks" => &["id", "state", "created_at", "updated_at", "html_url", "creator", "repository", "artifacts"],
            "{task_id}" => &["id", "state", "created_at", "sessions", "archived_at"],
            "user" => &["id", "login", "type"],
            "permission" => &["permission", "role_name", "user"],
            "{issue_number}" => &["id", "number", "title", "body", "labels", "user", "html_url"],
            _ => continue,
        };
        for key in keys {
            assert!(answer.get(key).is_some(), "{path} lacks {key}");
        }
    }
}

#[tokio::test]
async fn answers_have_what_the_description_requires() {
    let Some(dir) = conformance::folder("shapes of the sandbox's answers") else { return };
    let text = std::fs::read(dir.join("github-openapi-subset.json")).unwrap();
    let spec: Value = serde_json::from_slice(&text).unwrap();
    let place = Place::new().await;
    let mut faults = Vec::new();
    let cases = cases(&place).await;
    conformance::say(&format!("{} shapes of answers", cases.len()));
    for (method, path, status, answer) in cases {
        let operation = &spec["paths"][path][method.to_ascii_lowercase()];
        let schema = &operation["responses"][status.to_string()]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method} {path} {status} is not described");
        check(&spec, schema, &answer, &format!("{method} {path}"), &mut faults);
    }
    let delivery = DeliverySpec {
        repo: Some("acme/widgets".to_owned()),
        org: None,
        hook_id: 7,
        guid: "g".to_owned(),
        status_code: 500,
        event: "issues".to_owned(),
        headers: std::collections::BTreeMap::new(),
        payload: json!({ "action": "opened", "repository": { "id": 5001 }, "installation": { "id": 8001 } }),
    };
    let id = place.control().add_delivery(delivery).unwrap();
    place.control().grant("acme/widgets", "mona", taskbridge::sandbox::Role::Admin).unwrap();
    let hook = "/repos/acme/widgets/hooks/7/deliveries";
    let one = place.json(&format!("{hook}/{id}")).await;
    check(&spec, &json!({ "$ref": "#/components/schemas/hook-delivery" }), &one, "delivery", &mut faults);
    let list = place.json(hook).await;
    check(&spec, &json!({ "$ref": "#/components/schemas/hook-delivery-item" }), &list[0], "item", &mut faults);
    let attempt = place.call(Method::POST, &format!("{hook}/{id}/attempts"), crate::sandbox_world::MONA);
    assert_eq!(attempt.send().await.unwrap().status(), 202);
    assert_eq!(faults, Vec::<String>::new());
}

/// Notes every required field that is missing and every plain type that differs.
fn check(spec: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = spec.pointer(name.trim_start_matches('#')).cloned().unwrap_or_default();
        return check(spec, &target, value, at, faults);
    }
    if value.is_null() {
        let may = schema["nullable"] == true || schema.get("type").is_none();
        if !may {
            faults.push(format!("{at} is null"));
        }
        return;
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(spec, part, value, at, faults);
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !fits {
        faults.push(format!("{at} is not {}", schema["type"]));
    }
    let known = schema["enum"].as_array();
    if known.is_some_and(|known| !known.contains(value)) {
        faults.push(format!("{at} is {value}, which is not in {}", schema["enum"]));
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(key).is_none() {
            faults.push(format!("{at} lacks {key}"));
        }
    }
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(key) {
            check(spec, inner, value, &format!("{at}.{key}"), faults);
        }
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        check(spec, &schema["items"], item, &format!("{at}[{number}]"), faults);
    }
}
