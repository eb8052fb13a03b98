//! The five task calls of the sandbox and the way of a task by the clock.

use reqwest::Method;
use serde_json::{Value, json};
use taskbridge::sandbox::{Outcome, RepoSpec, Role, Usage};

use crate::sandbox_world::{MONA, Place, TASKS};

const OTTO: &str = "sandbox-otto-token";

#[tokio::test]
async fn a_task_goes_its_way_by_the_clock_and_opens_a_pull_request_half_way() {
    let place = Place::new().await;
    let task = place.start("Fix the total\n\nRef: one").await;
    assert_eq!(task["state"], "queued");
    assert_eq!(task["creator"], json!({ "id": 1001 }));
    assert_eq!(task["repository"], json!({ "id": 5001 }));
    assert_eq!(task["name"], "Fix the total");
    assert!(task.get("sessions").is_none() && task.get("prompt").is_none());
    let path = format!("{TASKS}/{}", task["id"].as_str().unwrap());

    place.advance(10);
    assert_eq!(place.state(&task).await, "in_progress");
    place.advance(10);
    let branch = place.json(&path).await["artifacts"].clone();
    assert_eq!(branch.as_array().unwrap().len(), 1);
    assert_eq!(branch[0]["type"], "branch");
    let head = branch[0]["data"]["head_ref"].as_str().unwrap().to_owned();
    assert!(head.starts_with("copilot/"));

    place.advance(10);
    let half = place.json(&path).await;
    assert_eq!(half["artifacts"][1]["type"], "pull");
    let found = place.json(&format!("/repos/acme/widgets/pulls?state=all&head=acme:{head}")).await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["id"], half["artifacts"][1]["data"]["id"]);
    assert_ne!(found[0]["id"], found[0]["number"]);
    assert_eq!(found[0]["number"], 43);

    place.advance(20);
    let done = place.json(&path).await;
    assert_eq!(done["state"], "completed");
    assert_eq!(done["sessions"][0]["usage"], json!({ "type": "ai_credits", "amount": 1_500_000_000 }));
    assert_eq!(done["sessions"][0]["prompt"], "Fix the total\n\nRef: one");
    assert_eq!(done["updated_at"], done["sessions"][0]["completed_at"]);
    assert_eq!(place.control().creations_by_last_line()["Ref: one"], 1);
    assert_eq!(place.control().count_creations_with("the total"), 1);
}

#[tokio::test]
async fn without_asking_there_is_no_pull_request_and_usage_can_be_in_requests() {
    let place = Place::new().await;
    place.control().set_usage(Usage::PremiumRequests(1.5));
    let task: Value = place.post(TASKS, json!({ "prompt": "Look" })).await.json().await.unwrap();
    place.advance(50);
    let done = place.json(&format!("/agents/tasks/{}", task["id"].as_str().unwrap())).await;
    assert_eq!(done["artifacts"].as_array().unwrap().len(), 1);
    assert_eq!(done["sessions"][0]["usage"], json!({ "type": "premium_requests", "amount": 1.5 }));
}

#[tokio::test]
async fn every_outcome_can_be_asked_for() {
    let place = Place::new().await;
    let ways: [(&str, &[&str]); 9] = [
        ("failed", &["queued", "in_progress", "in_progress", "failed"]),
        ("timed_out", &["queued", "in_progress", "in_progress", "timed_out"]),
        ("cancelled", &["queued", "in_progress", "in_progress", "cancelled"]),
        ("idle", &["queued", "in_progress", "in_progress", "idle"]),
        ("waiting_for_user", &["queued", "in_progress", "waiting_for_user", "in_progress", "completed"]),
        ("paused_for_review", &["queued", "in_progress", "paused_for_review", "paused_for_review", "completed"]),
        ("goes_back", &["queued", "in_progress", "queued", "completed"]),
        ("reopened", &["queued", "in_progress", "in_progress", "completed", "completed", "queued"]),
        ("stuck", &["queued", "in_progress", "in_progress", "in_progress"]),
    ];
    for (name, states) in ways {
        let task = place.start(&format!("Do it. sandbox-outcome: {name}")).await;
        let mut seen = Vec::new();
        for at in [0, 10, 20, 20, 20, 20].into_iter().take(states.len()) {
            place.advance(at);
            seen.push(place.state(&task).await);
        }
        assert_eq!(seen, states, "{name}");
    }
}

#[tokio::test]
async fn a_failure_says_why_and_a_vanished_task_is_gone() {
    let place = Place::new().await;
    place.control().script_next(Outcome::Failed { message: "No tests".to_owned() });
    place.control().script_next(Outcome::Vanished);
    let (failed, gone) = (place.start("a").await, place.start("b").await);
    place.advance(50);
    let failed = place.json(&format!("/agents/tasks/{}", failed["id"].as_str().unwrap())).await;
    assert_eq!(failed["sessions"][0]["error"]["message"], "No tests");
    let path = format!("/agents/tasks/{}", gone["id"].as_str().unwrap());
    assert_eq!(place.get(&path).await.status(), 404);
    assert_eq!(place.json("/agents/tasks").await["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(place.control().creations().len(), 2);
}

#[tokio::test]
async fn a_running_task_can_be_taken_over_by_hand() {
    let place = Place::new().await;
    let task = place.start("a").await;
    let id = task["id"].as_str().unwrap();
    place.control().set_state(id, "waiting_for_user", None).unwrap();
    place.advance(500);
    assert_eq!(place.state(&task).await, "waiting_for_user");
    place.control().script(id, &Outcome::Completed).unwrap();
    place.advance(40);
    assert_eq!(place.state(&task).await, "completed");
    place.control().reopen(id).unwrap();
    let reopened = place.json(&format!("/agents/tasks/{id}")).await;
    assert_eq!((&reopened["state"], &reopened["session_count"]), (&json!("queued"), &json!(2)));
    place.control().archive(id).unwrap();
    assert_eq!(place.json("/agents/tasks").await["tasks"], json!([]));
    assert_eq!(place.json("/agents/tasks?is_archived=true").await["tasks"][0]["id"], id);
    assert!(place.control().archive("nothing").is_err());
}

#[tokio::test]
async fn lists_filter_sort_and_page_and_show_neither_prompts_nor_sessions() {
    let place = Place::new().await;
    place.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    let first = place.start("first").await;
    place.advance(60);
    for number in 0..4 {
        place.start(&format!("later {number}")).await;
        place.advance(1);
    }
    place.call(Method::POST, TASKS, OTTO).json(&json!({ "prompt": "otto's" })).send().await.unwrap();

    let all = place.json(TASKS).await;
    assert_eq!(all["tasks"].as_array().unwrap().len(), 6);
    assert!(all["tasks"].as_array().unwrap().iter().all(|t| t.get("sessions").is_none() && t.get("prompt").is_none()));
    assert_eq!((&all["total_active_count"], &all["total_archived_count"]), (&json!(6), &json!(0)));
    assert_eq!(all["tasks"][5]["id"], first["id"]);
    assert_eq!(place.json(&format!("{TASKS}?direction=asc")).await["tasks"][0]["id"], first["id"]);
    assert_eq!(place.json("/agents/tasks").await["tasks"].as_array().unwrap().len(), 5);
    let count = async |path: String| place.json(&path).await["tasks"].as_array().unwrap().len();
    assert_eq!(count(format!("{TASKS}?state=completed,failed")).await, 1);
    assert_eq!(count(format!("{TASKS}?creator_id=1002")).await, 1);
    assert_eq!(count(format!("{TASKS}?creator_id=1002&creator_id=1001")).await, 6);
    assert_eq!(count(format!("{TASKS}?since=2027-01-15T08:01:02Z")).await, 3);

    let page = place.get(&format!("{TASKS}?per_page=2&page=2&sort=created_at")).await;
    let link = page.headers()["link"].to_str().unwrap().to_owned();
    let base = place.sandbox.url();
    assert!(link.contains(&format!("<{base}{TASKS}?per_page=2&sort=created_at&page=3>; rel=\"next\"")), "{link}");
    assert!(link.contains("rel=\"prev\"") && link.contains("rel=\"first\"") && link.contains("rel=\"last\""));
    let last = place.get(&format!("{TASKS}?per_page=2&page=3")).await;
    assert!(!last.headers()["link"].to_str().unwrap().contains("rel=\"next\""));
    for bad in ["sort=name", "direction=up", "since=yesterday", "state=asleep", "is_archived=maybe", "creator_id=x"] {
        assert_eq!(place.get(&format!("{TASKS}?{bad}")).await.status(), 422, "{bad}");
    }
}

#[tokio::test]
async fn only_people_with_a_seat_and_write_access_start_tasks() {
    let place = Place::new().await;
    let status = async |token: &str, body: Value| {
        let response = place.call(Method::POST, TASKS, token).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let good = json!({ "prompt": "x" });
    assert_eq!(status("wrong", good.clone()).await.0, 401);
    assert_eq!(status("wrong", good.clone()).await.1["message"], "Bad credentials");
    assert_eq!(status(OTTO, good.clone()).await.0, 404);
    place.control().grant("acme/widgets", "otto", Role::Read).unwrap();
    assert_eq!(status(OTTO, good.clone()).await.0, 403);
    place.control().set_seat("mona", false).unwrap();
    assert_eq!(status(MONA, good.clone()).await.0, 403);
    place.control().set_seat("mona", true).unwrap();

    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({ "prompt": "  " }), "invalid"),
        (json!({ "prompt": 7 }), "invalid"),
        (json!({ "prompt": "x", "create_pull_request": "yes" }), "invalid"),
        (json!({ "prompt": "x", "model": 5 }), "invalid"),
    ] {
        let (status, answer) = status(MONA, body).await;
        assert_eq!((status, &answer["errors"][0]["code"]), (422, &json!(code)));
        assert!(answer["errors"][0]["message"].is_string() && answer["errors"][0].get("field").is_none());
    }
    let broken = place.call(Method::POST, TASKS, MONA).body("{").send().await.unwrap();
    assert_eq!(broken.status(), 400);
    assert_eq!(place.control().creations().len(), 0);
}

#[tokio::test]
async fn an_own_task_is_seen_by_those_who_see_its_repository() {
    let place = Place::new().await;
    place.control().add_repo(RepoSpec::private(5002, "acme", "other")).unwrap();
    place.control().grant("acme/other", "mona", Role::Read).unwrap();
    let id = place.start("x").await["id"].as_str().unwrap().to_owned();
    let see =
        async |path: String, token: &str| place.call(Method::GET, &path, token).send().await.unwrap().status().as_u16();
    assert_eq!(see(format!("/agents/tasks/{id}"), OTTO).await, 404);
    assert_eq!(see(format!("/agents/repos/acme/other/tasks/{id}"), MONA).await, 404);
    place.control().grant("acme/widgets", "otto", Role::Read).unwrap();
    assert_eq!(see(format!("/agents/tasks/{id}"), OTTO).await, 200);
}

#[tokio::test]
async fn a_task_on_an_open_pull_request_works_there() {
    let place = Place::new().await;
    let first = place.start("first").await;
    place.advance(60);
    let id = first["id"].as_str().unwrap();
    let done = place.json(&format!("/agents/tasks/{id}")).await;
    let (head, pull) = (&done["artifacts"][0]["data"]["head_ref"], &done["artifacts"][1]["data"]["id"]);
    let body = json!({ "prompt": "go on", "base_ref": "main", "head_ref": head, "create_pull_request": true });
    let second: Value = place.post(TASKS, body).await.json().await.unwrap();
    place.advance(60);
    let done = place.json(&format!("/agents/tasks/{}", second["id"].as_str().unwrap())).await;
    assert_eq!(&done["artifacts"][0]["data"]["head_ref"], head);
    assert_eq!(&done["artifacts"][1]["data"]["id"], pull);
    assert_eq!(place.json("/repos/acme/widgets/pulls").await.as_array().unwrap().len(), 1);
}
