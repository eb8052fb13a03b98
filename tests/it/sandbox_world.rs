//! What the sandbox's own tests share: a world with a manual clock, and a caller.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot go on should stop the test")]

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use taskbridge::clock::{Ground, ManualClock, SystemChance};
use taskbridge::sandbox::{Control, Pace, Sandbox, SandboxConfig, UserSpec};

pub(crate) const MONA: &str = "sandbox-mona-token";
pub(crate) const TASKS: &str = "/agents/repos/acme/widgets/tasks";

/// The demo's world at noon, with a clock that stands; tasks queue 10 s and work 40 s.
pub(crate) struct Place {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<ManualClock>,
    client: reqwest::Client,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let _again = rustls::crypto::ring::default_provider().install_default();
        let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let ground = Ground { clock: clock.clone(), chance: Arc::new(SystemChance) };
        let mut config = SandboxConfig::new(ground);
        config.pace = Pace::new(Duration::from_secs(10), Duration::from_secs(40));
        let sandbox = Sandbox::start(config).await.unwrap();
        sandbox.control().seed_demo().unwrap();
        sandbox.control().add_user(UserSpec::person(1002, "otto", "sandbox-otto-token")).unwrap();
        let redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().redirect(redirects).no_proxy().build().unwrap();
        Self { sandbox, clock, client }
    }

    pub(crate) fn control(&self) -> &Control {
        self.sandbox.control()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A call without a token and without a User-Agent.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.sandbox.url()))
    }

    /// A call with `token`.
    pub(crate) fn call(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(token).header("user-agent", "test")
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.call(Method::GET, path, MONA).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.call(Method::POST, path, MONA).json(&body).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Starts a task with a pull request and gives the answer.
    pub(crate) async fn start(&self, prompt: &str) -> Value {
        let response = self.post(TASKS, json!({ "prompt": prompt, "create_pull_request": true })).await;
        assert_eq!(response.status(), 201);
        response.json().await.unwrap()
    }

    /// The state of a task now.
    pub(crate) async fn state(&self, task: &Value) -> String {
        let id = task["id"].as_str().unwrap();
        self.json(&format!("/agents/tasks/{id}")).await["state"].as_str().unwrap().to_owned()
    }
}
