//! The world of a story: a simulated GitHub, a database of its own, the real router and the real steps, and one
//! clock for all of them. A story sends signed webhooks, lets the workers run until they are quiet, moves the
//! clock, and looks at what people would see.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sha2::Sha256;
use taskbridge::cli::{live_of, settings_of};
use taskbridge::clock::{Ground, ManualClock, SystemChance};
use taskbridge::config::{Loaded, Reader, load};
use taskbridge::github::{Github, Settings as GithubSettings};
use taskbridge::http::state::Intake;
use taskbridge::http::{AppState, router};
use taskbridge::pipeline::record::recorder;
use taskbridge::pipeline::{Bridge, Settings, match_rules, people, report, settle_uncertain, start_task, sweep_tasks};
use taskbridge::sandbox::{Control, Pace, Sandbox, SandboxConfig, UserSpec};
use taskbridge::secret::Secret;
use taskbridge::store::tasks::Task;
use taskbridge::store::tasks::list::TaskFilter;
use taskbridge::store::{Page, Store, StoreSettings};
use taskbridge::vault::{Key, Vault};
use tower::ServiceExt as _;

use super::postgres::TestDatabase;

/// The secret that the stories' webhooks are signed with.
pub(crate) const HOOK_SECRET: &str = "a secret for stories only, canary-hook-1c";
/// Tokens end with a canary that no log line may hold.
pub(crate) const MONA_TOKEN: &str = "sandbox-mona-token";
pub(crate) const OTTO_TOKEN: &str = "sandbox-otto-token";

/// The shortest useful rule.
pub(crate) const LABEL_RULE: &str = "
rules:
  - name: fix-labelled-issues
    on: { label: copilot-fix }
    prompt: \"Fix issue #{{ issue.number }}: {{ issue.title }}\\n\\n{{ issue.body }}\"
";

/// Everything that a story needs.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) bridge: Bridge,
    pub(crate) router: Router,
    pub(crate) database: TestDatabase,
    writer: tokio::task::JoinHandle<()>,
}

/// The answer of a door.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Value,
}

impl World {
    /// A world with mona (who can write) and otto (who cannot), mona's token stored, and these rules.
    pub(crate) async fn new(rules: &str) -> Self {
        Self::with(rules, |_| {}, |_| {}).await
    }

    /// The same with other settings and another GitHub client.
    pub(crate) async fn with(
        rules: &str,
        adjust: impl FnOnce(&mut Settings),
        adjust_github: impl FnOnce(&mut GithubSettings),
    ) -> Self {
        super::canary::listen(&[HOOK_SECRET, MONA_TOKEN, OTTO_TOKEN, &"0f".repeat(32)]);
        let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let ground = Ground { clock: clock.clone(), chance: Arc::new(SystemChance) };
        let mut config = SandboxConfig::new(ground.clone());
        config.pace = Pace::new(Duration::from_secs(10), Duration::from_secs(40));
        let sandbox = Sandbox::start(config).await.unwrap();
        sandbox.control().seed_demo().unwrap();
        sandbox.control().add_user(UserSpec::person(1002, "otto", OTTO_TOKEN)).unwrap();
        let database = TestDatabase::create().await;
        let store = open_store(&database.url).await;
        let loaded = configuration(rules);
        let mut settings = settings_of(&loaded.config);
        settings.write_spacing = Duration::ZERO;
        adjust(&mut settings);
        let mut github = GithubSettings {
            api_url: sandbox.url().to_owned(),
            web_url: sandbox.url().to_owned(),
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            ..GithubSettings::default()
        };
        adjust_github(&mut github);
        let github = Github::new(github, ground.clone()).unwrap();
        let live = live_of(&loaded, github.host());
        let vault = Vault::new(vec![Key::parse(&Secret::new("0f".repeat(32))).unwrap()]).unwrap();
        let bridge = Bridge::new(store, github, vault, ground.clone(), settings, live);
        let (recorder, writer) = recorder(bridge.store.clone(), ground);
        let intake = Arc::new(Intake::new(26_214_400, Duration::from_secs(5), 64 * 1024 * 1024));
        let router = router(AppState { bridge: bridge.clone(), recorder, intake });
        #[expect(clippy::disallowed_methods, reason = "the writer lives as long as the world, which aborts it")]
        let writer = tokio::spawn(writer.run());
        let world = Self { sandbox, clock, bridge, router, database, writer };
        world.add_person("mona", MONA_TOKEN).await;
        world
    }

    pub(crate) fn control(&self) -> &Control {
        self.sandbox.control()
    }

    pub(crate) async fn add_person(&self, login: &str, token: &str) {
        people::add(&self.bridge, login, Secret::new(token)).await.unwrap();
    }

    /// Puts other rules in force.
    pub(crate) fn reload(&self, rules: &str) {
        self.bridge.swap(live_of(&configuration(rules), self.bridge.github.host()));
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Sends a request through the real router.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a signed webhook under a delivery id.
    pub(crate) async fn hook(&self, event: &str, delivery: &str, payload: &Value) -> Answer {
        self.send(signed(event, delivery, payload.to_string().as_bytes())).await
    }

    /// Runs one round of every worker until none has anything to do.
    pub(crate) async fn settle(&self) {
        for _ in 0..100 {
            if self.round().await == 0 {
                return;
            }
        }
        panic!("the workers do not come to rest");
    }

    /// One round of every worker; how much was taken up.
    pub(crate) async fn round(&self) -> usize {
        let b = &self.bridge;
        let mut taken = match_rules::match_batch(b, 64).await.unwrap();
        taken += start_task::start_batch(b).await.unwrap();
        taken += settle_uncertain::settle_batch(b).await.unwrap();
        taken += sweep_tasks::sweep_batch(b).await.unwrap();
        taken + report::report_batch(b).await.unwrap()
    }

    /// Moves the clock in steps, letting the workers run after each.
    pub(crate) async fn live_for(&self, seconds: u64) {
        let mut left = seconds;
        while left > 0 {
            let step = left.min(10);
            self.advance(step);
            self.settle().await;
            left -= step;
        }
    }

    /// All tasks, oldest first.
    pub(crate) async fn tasks(&self) -> Vec<Task> {
        let page = Page { before: None, limit: 1000 };
        let mut tasks = self.bridge.store.tasks(&TaskFilter::default(), page).await.unwrap();
        tasks.reverse();
        tasks
    }

    /// The only task.
    pub(crate) async fn task(&self) -> Task {
        let tasks = self.tasks().await;
        assert_eq!(tasks.len(), 1, "one task: {tasks:#?}");
        tasks.into_iter().next().unwrap()
    }

    /// The comments on issue 42.
    pub(crate) fn comments(&self) -> Vec<String> {
        self.control().comments("acme/widgets", 42).unwrap().into_iter().map(|comment| comment.body).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.writer.abort();
        let markers = self.control().creations_by_last_line().into_keys();
        let markers: Vec<String> = markers.map(|line| line.replace("Taskbridge-Ref: ", "")).collect();
        super::canary::listen(&markers.iter().map(String::as_str).filter(|text| text.len() == 26).collect::<Vec<_>>());
        if !std::thread::panicking() {
            assert_eq!(super::canary::leak(), None);
        }
    }
}

pub(crate) async fn open_store(url: &str) -> Store {
    let settings = StoreSettings {
        url: Secret::new(url),
        intake_connections: 2,
        work_connections: 6,
        connect_wait: Duration::from_secs(10),
    };
    Store::connect(&settings, |_| {}).await.unwrap()
}

/// A loaded configuration with one GitHub source and these rules.
pub(crate) fn configuration(rules: &str) -> Loaded {
    let text = format!("sources:\n  github: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}\n{rules}");
    let reader = Reader::fixed(&[("HOOK_SECRET", HOOK_SECRET)], &[("/etc/taskbridge.yaml", &text)]);
    load(std::path::Path::new("/etc/taskbridge.yaml"), &reader).unwrap()
}

/// A request as GitHub makes it.
pub(crate) fn signed(event: &str, delivery: &str, body: &[u8]) -> Request<Body> {
    Request::post("/hooks/github")
        .header("content-type", "application/json")
        .header("x-github-event", event)
        .header("x-github-delivery", delivery)
        .header("x-github-hook-id", "77")
        .header("x-hub-signature-256", signature(HOOK_SECRET, body))
        .body(Body::from(body.to_vec()))
        .unwrap()
}

/// The signature of a body.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn account(id: i64, login: &str) -> Value {
    json!({ "id": id, "login": login, "type": "User" })
}

fn repository() -> Value {
    json!({
        "id": 5001, "name": "widgets", "full_name": "acme/widgets", "private": true, "fork": false,
        "default_branch": "main", "owner": { "id": 9001, "login": "acme", "type": "Organization" }
    })
}

fn issue(updated_at: DateTime<Utc>) -> Value {
    json!({
        "id": 4200, "number": 42, "title": "It leaks", "body": "Under load.", "state": "open",
        "html_url": "https://github.com/acme/widgets/issues/42", "user": account(1001, "mona"),
        "author_association": "MEMBER", "labels": [{ "id": 1, "name": "copilot-fix" }],
        "updated_at": updated_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    })
}

/// Someone put a label on issue 42.
pub(crate) fn labelled(label: &str, actor: (i64, &str), at: DateTime<Utc>) -> Value {
    json!({
        "action": "labeled", "issue": issue(at), "label": { "id": 31, "name": label },
        "repository": repository(), "sender": account(actor.0, actor.1)
    })
}

/// Someone wrote a comment on issue 42.
pub(crate) fn commented(id: i64, text: &str, actor: (i64, &str), at: DateTime<Utc>) -> Value {
    json!({
        "action": "created", "issue": issue(at), "repository": repository(), "sender": account(actor.0, actor.1),
        "comment": {
            "id": id, "body": text, "html_url": "https://github.com/acme/widgets/issues/42#issuecomment-1",
            "user": account(actor.0, actor.1), "author_association": "MEMBER", "performed_via_github_app": null,
            "created_at": at.to_rfc3339(), "updated_at": at.to_rfc3339()
        }
    })
}
