//! Steering through the admin API: cancel, retry, approve, replay and pause do what they say, once.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use taskbridge::domain::task::State;
use taskbridge::ids::PersonId;
use taskbridge::pipeline::match_rules::match_batch;
use taskbridge::pipeline::{Live, people};
use taskbridge::sandbox::{Fault, FaultKind, Pace};
use taskbridge::store::api_keys::Scope;
use taskbridge::store::tasks::Hold;

use crate::api_kit::{Caller, request, shown};
use crate::support::world::{LABEL_RULE, MONA_TOKEN, World, configuration, labelled};

const MONA: (i64, &str) = (1001, "mona");
const STARTS: &str = "/agents/repos/*/*/tasks";

async fn label(world: &World, delivery: &str) {
    world.advance(1);
    let answer = world.hook("issues", delivery, &labelled("copilot-fix", MONA, world.bridge.ground.now())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    world.settle().await;
}

fn posts(world: &World) -> usize {
    world.control().creations().len()
}

/// Case 72.
#[tokio::test]
async fn a_task_is_shown_with_its_story_and_without_its_marker_or_tokens() {
    let world = World::new(LABEL_RULE).await;
    label(&world, "d-1").await;
    world.live_for(90).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let task = world.task().await;
    let shown = reader.get(&format!("/api/v1/tasks/{}", task.id)).await.body;
    assert_eq!(shown["state"], "completed");
    assert_eq!(shown["rule"], "fix-labelled-issues");
    assert_eq!(shown["repo"], "acme/widgets");
    assert_eq!(shown["actor"], json!({ "id": 1001, "login": "mona" }));
    assert!(shown["prompt"].as_str().unwrap().starts_with("Fix issue #42"), "{shown}");
    assert_eq!(shown["attempts"][0]["outcome"], "created");
    assert_eq!(shown["remote"]["state"], "completed");
    assert!(shown["remote"]["looked_at"].is_string() && shown["next_look_at"].is_string(), "{shown}");
    assert!(shown["remote"]["pull_number"].is_number() && shown["pull_url"].is_string(), "{shown}");
    assert!(shown["timeline"].as_array().unwrap().len() >= 3, "{shown}");
    assert_eq!(shown["usage"].as_array().unwrap().len(), 1, "{shown}");
    let used = &shown["usage"][0]["nano"];
    for of in ["rule=fix-labelled-issues", &format!("repo={}", task.repo_id), "person=MONA"] {
        assert_eq!(&reader.get(&format!("/api/v1/usage?{of}")).await.body["usage"][0]["nano"], used, "{of}");
    }
    assert_eq!(reader.get("/api/v1/usage?rule=none").await.body, json!({ "usage": [] }));
    assert_eq!(reader.get("/api/v1/usage?person=nobody").await.status, StatusCode::NOT_FOUND);
    let comment = shown["reports"].as_array().unwrap().iter().find(|report| report["kind"] == "comment").unwrap();
    assert!(comment["link"].as_str().unwrap().contains("/issues/42#issuecomment-"), "{comment}");

    let delivery = reader.get("/api/v1/deliveries?source=github&state=processed&event=issues").await.body;
    let id = delivery["items"][0]["id"].as_str().unwrap().to_owned();
    let delivery = reader.get(&format!("/api/v1/deliveries/{id}")).await.body;
    assert_eq!(delivery["decisions"][0]["verdict"], "matched");
    assert_eq!(delivery["decisions"][0]["task_id"], task.id.to_string());
    assert_eq!(delivery["tasks"][0]["id"], task.id.to_string());
    assert!(delivery["explanation"].as_str().unwrap().contains("fix-labelled-issues"), "{delivery}");
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    let refused = operator.post(&format!("/api/v1/deliveries/{id}/replay")).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.body["tasks"], json!([task.id.to_string()]));

    let lists = ["/api/v1/tasks", "/api/v1/deliveries", "/api/v1/people", "/api/v1/status", "/api/v1/pause"];
    let mut all = format!("{shown}{delivery}");
    for path in lists {
        all += &reader.get(path).await.body.to_string();
    }
    for secret in [task.marker.expose(), MONA_TOKEN, reader.key.expose(), crate::support::world::HOOK_SECRET] {
        assert!(!all.contains(secret), "{secret}");
    }
}

/// Case 43.
#[tokio::test]
async fn cancel_works_before_the_start_and_links_to_the_stop_button_after_it() {
    let world = World::new(LABEL_RULE).await;
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    operator.put("/api/v1/pause", &json!({ "scope": "all", "paused": true })).await;
    label(&world, "d-1").await;
    let task = world.task().await;
    for _ in 0..2 {
        let answer = operator.post(&format!("/api/v1/tasks/{}/cancel", task.id)).await;
        assert_eq!((answer.status, &answer.body["state"]), (StatusCode::OK, &json!("cancelled")), "{}", answer.body);
    }
    assert!(world.task().await.reason.contains("ops"), "the key's name is noted");
    operator.put("/api/v1/pause", &json!({ "scope": "all", "paused": false })).await;
    world.live_for(30).await;
    assert_eq!(posts(&world), 0);

    label(&world, "d-2").await;
    let running = world.tasks().await.pop().unwrap();
    let answer = operator.post(&format!("/api/v1/tasks/{}/cancel", running.id)).await;
    assert_eq!(answer.body["link"].as_str(), running.remote_url.as_deref());
    let shown = shown(&answer).replace(running.remote_url.as_deref().unwrap(), "<its page>");
    insta::assert_snapshot!("cancel_too_late", shown);
}

/// Case 72.
#[tokio::test]
async fn retry_pressed_twice_makes_one_attempt() {
    let world = World::new(LABEL_RULE).await;
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    let fault = Fault::new(FaultKind::Forbidden { message: "no seat".to_owned() });
    world.control().inject(fault.on("POST", STARTS).times(1));
    label(&world, "d-1").await;
    let task = world.task().await;
    assert_eq!(task.state, State::StartFailed);
    let path = format!("/api/v1/tasks/{}/retry", task.id);
    let press = || {
        let request = request(Method::POST, &path)
            .header("authorization", format!("Bearer {}", operator.key.expose()))
            .header("idempotency-key", "the same press");
        world.send(request.body(Body::empty()).unwrap())
    };
    let (one, two) = tokio::join!(press(), press());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT], "{} {}", one.body, two.body);
    world.settle().await;
    assert_eq!(posts(&world), 1);
    assert_eq!(world.bridge.store.attempts(task.id).await.unwrap().len(), 2, "the refused one and one more");

    // An ended task is repeated by a task of its own, once.
    world.live_for(90).await;
    assert_eq!(world.task().await.state, State::Completed);
    let (one, two) = tokio::join!(press(), press());
    let (made, refused) = if one.status == StatusCode::OK { (one, two) } else { (two, one) };
    assert_eq!(made.body["retry_of"], task.id.to_string());
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.body["tasks"], json!([made.body["id"]]));
    world.settle().await;
    assert_eq!((world.tasks().await.len(), posts(&world)), (2, 2));
}

#[tokio::test]
async fn an_uncertain_task_is_retried_only_when_a_person_says_it_is_absent() {
    let world = World::new(LABEL_RULE).await;
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    world.control().inject(Fault::new(FaultKind::DropBefore).on("POST", STARTS).times(1));
    label(&world, "d-1").await;
    let task = world.task().await;
    assert_eq!(task.state, State::Uncertain);
    let path = format!("/api/v1/tasks/{}/retry", task.id);
    insta::assert_snapshot!("retry_uncertain", shown(&operator.post(&path).await));
    for body in [json!({ "known_absent": "yes" }), json!({ "absent": true }), json!([true]), json!(true)] {
        assert_eq!(operator.call(Method::POST, &path, Some(&body)).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(world.task().await.state, State::Uncertain);
    let answer = operator.call(Method::POST, &path, Some(&json!({ "known_absent": true }))).await;
    assert_eq!((answer.status, &answer.body["state"]), (StatusCode::OK, &json!("pending")));
    world.settle().await;
    assert_eq!(posts(&world), 1);
}

#[tokio::test]
async fn a_task_that_waits_for_approval_goes_on_when_it_is_approved() {
    let rules = "
rules:
  - name: fix-labelled-issues
    on: { label: copilot-fix }
    untrusted: hold
    prompt: \"Fix {{ issue.title }}: {{ issue.body }}\"
";
    let world = World::new(rules).await;
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    let mut payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    payload["issue"]["user"] = json!({ "id": 1002, "login": "otto", "type": "User" });
    payload["issue"]["author_association"] = json!("NONE");
    world.hook("issues", "d-1", &payload).await;
    world.settle().await;
    let task = world.task().await;
    let waiting = operator.get("/api/v1/tasks?state=held").await.body;
    assert_eq!(waiting["items"][0]["hold"], "approval", "{waiting}");
    let path = format!("/api/v1/tasks/{}/approve", task.id);
    assert_eq!(operator.post(&path).await.status, StatusCode::OK);
    let again = operator.post(&path).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
    world.settle().await;
    assert_eq!((world.task().await.state, posts(&world)), (State::Queued, 1));
}

/// Case 72.
#[tokio::test]
async fn a_replayed_delivery_meets_the_rules_of_now() {
    let world = World::new(&LABEL_RULE.replace("copilot-fix", "another")).await;
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    label(&world, "d-1").await;
    let list = operator.get("/api/v1/deliveries?state=ignored").await.body;
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    world.reload(LABEL_RULE);
    let path = format!("/api/v1/deliveries/{id}/replay");
    let answer = operator.post(&path).await;
    assert_eq!((answer.status, &answer.body["state"]), (StatusCode::ACCEPTED, &json!("received")));
    assert_eq!(operator.post(&path).await.status, StatusCode::CONFLICT, "it waits already");
    world.settle().await;
    assert_eq!(world.task().await.state, State::Queued);
    let answer = operator.post(&path).await;
    assert_eq!(
        (answer.status, &answer.body["tasks"]),
        (StatusCode::CONFLICT, &json!([world.task().await.id.to_string()]))
    );
}

#[tokio::test]
async fn a_pause_stops_starting_and_work_goes_on_when_it_is_lifted() {
    let world = World::new(LABEL_RULE).await;
    let operator = Caller::new(&world, "ops", Scope::Operate).await;
    let set = async |scope: &str, name: Option<&str>, paused: bool| -> Value {
        let said = json!({ "scope": scope, "name": name, "paused": paused, "reason": "a storm" });
        let answer = operator.put("/api/v1/pause", &said).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["pauses"].clone()
    };
    for (number, (scope, name)) in [
        ("all", None),
        ("source", Some("github")),
        ("rule", Some("fix-labelled-issues")),
        ("repo", Some("ACME/Widgets")),
    ]
    .into_iter()
    .enumerate()
    {
        let pauses = set(scope, name, true).await;
        assert_eq!(pauses.as_array().unwrap().len(), 1);
        assert_eq!(pauses[0]["paused_by"], "ops");
        assert_eq!(pauses[0]["reason"], "a storm");
        assert_eq!(
            pauses[0]["name"],
            json!(name.map(str::to_owned).map(|n| if scope == "repo" { n.to_lowercase() } else { n }))
        );
        assert_eq!(operator.get("/api/v1/status").await.body["paused"], true);
        label(&world, &format!("d-{number}")).await;
        world.live_for(30).await;
        assert_eq!(posts(&world), number, "{scope}");
        assert_eq!(set(scope, name, false).await, json!([]));
        // Whoever waits for tasks is woken at once.
        let woken = tokio::time::timeout(std::time::Duration::from_secs(1), world.bridge.wake.tasks.notified());
        assert!(woken.await.is_ok(), "{scope}");
        world.live_for(10).await;
        assert_eq!(posts(&world), number + 1, "{scope}");
    }
    assert_eq!(set("all", None, false).await, json!([]), "lifting what is not set changes nothing");
    let unknown = operator.put("/api/v1/pause", &json!({ "scope": "rule", "name": "fix", "paused": true })).await;
    insta::assert_snapshot!("pause_unknown_rule", shown(&unknown));
    let unknown = operator.put("/api/v1/pause", &json!({ "scope": "source", "name": "gitlab", "paused": false })).await;
    assert!(unknown.body["detail"].as_str().unwrap().contains("`github`"), "{}", unknown.body);
    // A pause outlives the rule that it names and can still be lifted.
    set("rule", Some("fix-labelled-issues"), true).await;
    world.reload(&LABEL_RULE.replace("fix-labelled-issues", "renamed"));
    assert_eq!(set("rule", Some("fix-labelled-issues"), false).await, json!([]));
}

#[tokio::test]
async fn the_status_says_how_it_stands() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let count = |hours: i64, count| taskbridge::store::refusals::RefusalCount {
        hour: world.bridge.ground.now() - chrono::TimeDelta::hours(hours),
        source: "github".to_owned(),
        reason: "signature_wrong".to_owned(),
        count,
    };
    world.bridge.store.add_refusals(&[count(30, 100), count(3, 2), count(1, 3)]).await.unwrap();
    world.hook("issues", "d-1", &labelled("copilot-fix", MONA, world.bridge.ground.now())).await;
    let status = reader.get("/api/v1/status").await.body;
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["rules"]["count"], 1);
    assert_eq!(status["rules"]["version"], world.bridge.live().rules.version);
    assert_eq!((&status["sources"], &status["needs_restart"]), (&json!(["github"]), &json!([])));
    assert_eq!(status["waiting_deliveries"], 1);
    assert_eq!(status["refused_24h"], json!([{ "source": "github", "reason": "signature_wrong", "count": 5 }]));
    assert_eq!(status["paused"], false);
    assert_eq!(
        status["github"],
        json!({ "answers": true, "away_since": null, "takes_writes": true, "asked_again_at": null })
    );
    let again = taskbridge::cli::live_of(&configuration(LABEL_RULE), "github.com");
    world.bridge.swap(Live { needs_restart: vec!["server", "limits"], ..again });
    assert_eq!(reader.get("/api/v1/status").await.body["needs_restart"], json!(["server", "limits"]));
}

#[tokio::test]
async fn a_person_is_removed_as_the_command_does_it_and_by_nobody_who_may_less() {
    let world = World::new(LABEL_RULE).await;
    let (admin, ops) =
        (Caller::new(&world, "root", Scope::Admin).await, Caller::new(&world, "ops", Scope::Operate).await);
    world.bridge.store.give_consent(PersonId(1001), "fix-labelled-issues", world.bridge.ground.now()).await.unwrap();
    world.hook("issues", "d-1", &labelled("copilot-fix", MONA, world.bridge.ground.now())).await;
    match_batch(&world.bridge, 64).await.unwrap();
    let remove = |caller, path: &'static str| Caller::call(caller, Method::DELETE, path, None);
    assert_eq!(remove(&ops, "/api/v1/people/1001").await.status, StatusCode::FORBIDDEN);
    for path in ["/api/v1/people/mona", "/api/v1/people/0", "/api/v1/people/-1"] {
        assert_eq!(remove(&admin, path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
    let removed = remove(&admin, "/api/v1/people/1001").await;
    assert_eq!(removed.status, StatusCode::OK, "{}", removed.text);
    let told = json!({ "id": 1001, "at_github": "not_ours", "page": null, "tried_again": false });
    assert_eq!(removed.body, told);
    assert_eq!(remove(&admin, "/api/v1/people/1001").await.status, StatusCode::NOT_FOUND);
    assert!(world.bridge.store.people(None, 10).await.unwrap().is_empty());
    assert!(world.bridge.store.consents(PersonId(1001)).await.unwrap().is_empty());
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Token)));
    assert!(task.reason.starts_with("an operator has removed the person"), "{}", task.reason);
}

/// What runs at GitHub as somebody who was removed is seen by nobody: it takes no place for ever, and is found again.
#[tokio::test]
async fn what_runs_as_somebody_who_was_removed_takes_no_place_for_ever() {
    let world = World::new(LABEL_RULE).await;
    world.control().set_pace(Pace { queued_ms: 1000, working_ms: 100_000_000 });
    world.label("copilot-fix", "d-1").await;
    world.live_for(60).await;
    let task = world.task().await;
    assert_eq!(task.state, State::InProgress);
    people::remove(&world.bridge, PersonId(1001), people::REMOVED).await.unwrap();
    world.live_in_steps(12, 300).await;
    assert_eq!(world.task().await.state, State::InProgress, "{}", world.story(task.id).await);
    world.live_in_steps(16, 600).await;
    let lost = world.task().await;
    assert_eq!(lost.state, State::Lost, "{}", world.story(task.id).await);
    assert!(lost.reason.contains("was removed here, and no other token sees it"), "{}", lost.reason);
    world.add_person("mona", MONA_TOKEN).await;
    world.live_in_steps(2, 60).await;
    assert_eq!(world.task().await.state, State::InProgress, "{}", world.story(task.id).await);
}
