//! The simulated GitHub takes the manifests that GitHub takes, and its codes are good once and for an hour.

use std::time::Duration;

use chrono::DateTime;
use serde_json::{Value, json};
use taskbridge::clock::{Ground, ManualClock, SystemChance};
use taskbridge::sandbox::{Sandbox, SandboxConfig};

use crate::support::install::client;

fn manifest() -> Value {
    json!({
        "name": "bridge", "url": "https://bridge.example.com", "redirect_url": "http://127.0.0.1:9/made",
        "hook_attributes": { "url": "https://bridge.example.com/hooks/github", "active": true },
        "callback_urls": ["https://bridge.example.com/connect/callback"], "public": false,
        "default_permissions": { "issues": "write", "metadata": "read" }, "default_events": ["issues"],
    })
}

async fn post(sandbox: &Sandbox, path: &str, manifest: &Value) -> (u16, String, String) {
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("manifest", &manifest.to_string()).finish();
    let request =
        client().post(format!("{}{path}", sandbox.url())).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body).send().await.unwrap();
    let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), location, answer.text().await.unwrap())
}

#[tokio::test]
async fn a_manifest_that_github_would_not_take_is_refused_with_the_reason() {
    let sandbox = Sandbox::start(SandboxConfig::new(Ground::system())).await.unwrap();
    sandbox.control().seed_demo().unwrap();
    let many: Vec<String> = (0..11).map(|nth| format!("https://bridge.example.com/{nth}")).collect();
    let ways: [(&str, Value, &str); 11] = [
        ("/name", "".into(), "name"),
        ("/url", "bridge".into(), "must be an absolute URL"),
        ("/redirect_url", "/made".into(), "must be an absolute URL"),
        ("/hook_attributes", json!({ "active": false }), "url"),
        ("/hook_attributes/url", "/hooks/github".into(), "must be an absolute URL"),
        ("/hook_attributes", json!({ "url": "https://a.example.com", "secret": "s" }), "not a permitted key"),
        ("/callback_urls", many.into(), "Callback urls are too many"),
        (
            "/default_permissions",
            json!({ "issues": "write", "agent_tasks": "write" }),
            "not included in the list: agent_tasks",
        ),
        ("/default_permissions", json!({ "issues": "all" }), "not included in the list: issues"),
        ("/default_events", json!(["issues", "push"]), "not supported by permissions: push"),
        ("/default_events", json!(["installation"]), "Default events unsupported: installation"),
    ];
    for (place, wrong, told) in ways {
        let mut manifest = manifest();
        *manifest.pointer_mut(place).unwrap() = wrong;
        for path in ["/settings/apps/new?state=s", "/settings/apps?state=s"] {
            let (status, _, text) = post(&sandbox, path, &manifest).await;
            assert!(status == 422 && text.contains(told), "{place}: {status} {text}");
        }
    }
    assert_eq!(post(&sandbox, "/settings/apps/new?state=s", &manifest()).await.0, 200);
    assert_eq!(post(&sandbox, "/organizations/acme/settings/apps/new", &manifest()).await.0, 200);
    assert_eq!(post(&sandbox, "/organizations/mona/settings/apps/new", &manifest()).await.0, 404, "a person is none");
}

#[tokio::test]
async fn a_code_is_good_once_and_for_an_hour() {
    let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let ground = Ground { clock: clock.clone(), chance: std::sync::Arc::new(SystemChance) };
    let sandbox = Sandbox::start(SandboxConfig::new(ground)).await.unwrap();
    sandbox.control().seed_demo().unwrap();
    for (name, wait, first) in [("one", 0, 201), ("two", 3_599, 201), ("three", 3_600, 404)] {
        let mut manifest = manifest();
        manifest["name"] = name.into();
        let browser =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let body =
            form_urlencoded::Serializer::new(String::new()).append_pair("manifest", &manifest.to_string()).finish();
        let request = browser.post(format!("{}/settings/apps?state=s", sandbox.url()));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let (_, query) = location.split_once("http://127.0.0.1:9/made?code=").unwrap();
        let code = query.strip_suffix("&state=s").unwrap();
        clock.advance(Duration::from_secs(wait));
        for status in [first, 404] {
            let request = client().post(format!("{}/app-manifests/{code}/conversions", sandbox.url()));
            let answer = request.header("user-agent", "a test").send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{name}");
        }
    }
}
