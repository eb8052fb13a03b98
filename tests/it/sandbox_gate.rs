//! What every call to the sandbox passes: User-Agent, version, token, rate limit, ETag, and the record.

use reqwest::Method;
use serde_json::{Value, json};
use taskbridge::clock::Ground;
use taskbridge::sandbox::{Fault, FaultKind, Sandbox, SandboxConfig};

use crate::sandbox_world::{MONA, Place, TASKS};

#[tokio::test]
async fn a_call_needs_a_user_agent_a_known_version_and_a_good_token() {
    let place = Place::new().await;
    let nameless = place.bare(Method::GET, "/user").bearer_auth(MONA).send().await.unwrap();
    assert_eq!(nameless.status(), 403);
    let version = async |version: &str| {
        place.call(Method::GET, "/user", MONA).header("x-github-api-version", version).send().await.unwrap()
    };
    assert_eq!(version("1999-01-01").await.status(), 400);
    let newer = version("2026-03-10").await;
    assert_eq!(newer.headers()["x-github-api-version-selected"], "2026-03-10");
    assert!(newer.headers().contains_key("x-github-request-id"));
    let tokenless = place.bare(Method::GET, "/user").header("user-agent", "x").send().await.unwrap();
    assert_eq!(tokenless.status(), 401);
    let wrong: Value = place.call(Method::GET, "/user", "no").send().await.unwrap().json().await.unwrap();
    assert_eq!(wrong["message"], "Bad credentials");
    assert!(wrong["documentation_url"].is_string());
    place.control().revoke_token(MONA).unwrap();
    assert_eq!(place.get("/user").await.status(), 401);
}

#[tokio::test]
async fn the_newer_version_lacks_the_old_fields() {
    let place = Place::new().await;
    let path = "/repos/acme/widgets/issues/42";
    assert!(place.json(path).await.as_object().unwrap().contains_key("assignee"));
    let get = async |path: &str| -> Value {
        let call = place.call(Method::GET, path, MONA).header("x-github-api-version", "2026-03-10");
        call.send().await.unwrap().json().await.unwrap()
    };
    assert!(get(path).await.get("assignee").is_none());
    assert!(get("/rate_limit").await.get("rate").is_none());
    assert!(get("/rate_limit").await["resources"]["core"]["limit"].is_number());
}

#[tokio::test]
async fn an_etag_saves_the_body_and_the_quota() {
    let place = Place::new().await;
    place.start("x").await;
    let first = place.get(TASKS).await;
    let (etag, used) = (first.headers()["etag"].clone(), first.headers()["x-ratelimit-used"].clone());
    assert!(etag.to_str().unwrap().starts_with("W/\""));
    let again = async || place.call(Method::GET, TASKS, MONA).header("if-none-match", &etag).send().await.unwrap();
    let same = again().await;
    assert_eq!((same.status().as_u16(), &same.headers()["x-ratelimit-used"]), (304, &used));
    assert_eq!(same.headers()["etag"], etag);
    assert_eq!(same.text().await.unwrap(), "");
    place.advance(10);
    assert_eq!(again().await.status(), 200);
}

#[tokio::test]
async fn the_rate_limit_counts_ends_and_comes_back() {
    let place = Place::new().await;
    place.control().set_rate("mona", 2, 90).unwrap();
    let rate = async |path: &str| {
        let response = place.get(path).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().parse::<i64>().unwrap();
        (response.status().as_u16(), header("x-ratelimit-remaining"), header("x-ratelimit-reset"))
    };
    assert_eq!(rate("/user").await, (200, 1, 1_800_000_090));
    assert_eq!(rate("/rate_limit").await, (200, 1, 1_800_000_090));
    assert_eq!(rate("/user").await.1, 0);
    assert_eq!(rate("/user").await, (403, 0, 1_800_000_090));
    let other = place.call(Method::GET, "/user", "sandbox-otto-token").send().await.unwrap();
    assert_eq!(other.status(), 200);
    place.advance(90);
    assert_eq!(rate("/user").await, (200, 4_999, 1_800_003_690));
}

#[tokio::test]
async fn every_call_is_remembered_without_its_token() {
    let place = Place::new().await;
    place.get("/agents/tasks?per_page=5").await;
    place.get("/agents/tasks/none").await;
    place.call(Method::GET, "/user", "secret-and-wrong").send().await.unwrap();
    let calls = place.control().calls();
    let short: Vec<_> = calls.iter().map(|call| (call.path.as_str(), call.user.as_deref(), call.status)).collect();
    let mona = Some("mona");
    assert_eq!(short, [("/agents/tasks", mona, 200), ("/agents/tasks/none", mona, 404), ("/user", None, 401)]);
    assert_eq!(calls[0].query, "per_page=5");
    assert_eq!(place.control().count_calls("GET", "/agents/tasks"), 2);
    assert!(!serde_json::to_string(&calls).unwrap().contains("secret-and-wrong"));
    place.control().clear_calls();
    assert_eq!(place.control().calls(), []);
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused() {
    let place = Place::new().await;
    let call = place.call(Method::POST, TASKS, MONA).json(&json!({ "prompt": "x".repeat(11 * 1024 * 1024) }));
    // Refused while it is still being sent: either the answer arrives, or the connection is cut.
    if let Ok(response) = call.send().await {
        assert_eq!(response.status(), 413);
    }
    assert_eq!(place.control().creations().len(), 0);
}

#[tokio::test]
async fn it_runs_until_told_and_says_when_the_address_is_taken() {
    let place = Place::new().await;
    let mut config = SandboxConfig::new(Ground::system());
    config.web_url = Some("https://github.example/".to_owned());
    let (told, address) = tokio::sync::oneshot::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(taskbridge::sandbox::run(
        config,
        |sandbox| {
            sandbox.control().seed_demo().unwrap();
            told.send(sandbox.url().to_owned()).unwrap();
        },
        async { ended.await.unwrap() },
    ));
    let url = format!("{}/repos/acme/widgets", address.await.unwrap());
    let get = async || {
        reqwest::Client::builder().no_proxy().user_agent("x").build().unwrap().get(&url).bearer_auth(MONA).send().await
    };
    let repo: Value = get().await.unwrap().json().await.unwrap();
    assert_eq!(repo["html_url"], "https://github.example/acme/widgets");
    end.send(()).unwrap();
    running.join_next().await.unwrap().unwrap().unwrap();
    assert!(get().await.is_err());

    let mut taken = SandboxConfig::new(Ground::system());
    taken.listen = place.sandbox.address();
    let refused = Sandbox::start(taken).await.unwrap_err().to_string();
    assert!(refused.starts_with(&format!("cannot listen on {}", place.sandbox.address())), "{refused}");
}

#[tokio::test]
async fn web_pages_cannot_reach_the_control() {
    let place = Place::new().await;
    let call = place.bare(Method::POST, "/_sandbox/clear").header("origin", "https://evil.example").body("{}");
    assert_eq!(call.send().await.unwrap().status(), 403);
    assert_eq!(place.json("/user").await["id"], 1001);
}

#[tokio::test]
async fn stopping_ends_a_call_that_waits() {
    let place = Place::new().await;
    place.control().inject(Fault::new(FaultKind::Delay { ms: 60_000 }).on("GET", "/user"));
    let waiting = place.call(Method::GET, "/user", MONA).send();
    let mut calls = tokio::task::JoinSet::new();
    calls.spawn(waiting);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let address = place.sandbox.address();
    tokio::time::timeout(std::time::Duration::from_secs(5), place.sandbox.stop()).await.unwrap();
    assert!(calls.join_next().await.unwrap().unwrap().is_err());
    assert!(tokio::net::TcpListener::bind(address).await.is_ok());
}
