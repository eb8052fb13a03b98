//! The world of a story: a simulated GitHub, a database of its own, the real router and the real steps, and one
//! clock for all of them. A story sends signed webhooks, lets the workers run until they are quiet, moves the
//! clock, and looks at what people would see.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::DateTime;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::BodyExt as _;
use serde_json::Value;
use sha2::Sha256;
use taskbridge::cli::{live_of, settings_of};
use taskbridge::clock::{Ground, ManualClock, SharedClock, SystemChance};
use taskbridge::config::{Loaded, Reader, load};
use taskbridge::domain::hourly::Hourly;
use taskbridge::github::{AppSettings, Github, Settings as GithubSettings};
use taskbridge::http::state::Intake;
use taskbridge::http::{AppState, router};
use taskbridge::pipeline::record::recorder;
use taskbridge::pipeline::{
    Bridge, Settings, match_rules, people, report, settle_uncertain, start_task, sweep_tasks, tell_chat,
};
use taskbridge::sandbox::slack::{APP_TOKEN, BOT_TOKEN, SIGNING_SECRET};
use taskbridge::sandbox::{AppSpec, Control, Pace, Role, Sandbox, SandboxConfig, UserSpec};
use taskbridge::secret::Secret;
use taskbridge::store::decisions::Decision;
use taskbridge::store::deliveries::{Delivery, DeliveryFilter};
use taskbridge::store::tasks::Task;
use taskbridge::store::tasks::list::TaskFilter;
use taskbridge::store::{Page, Store, StoreSettings};
use taskbridge::vault::{Key, Vault};
use tower::ServiceExt as _;

use super::cut::Cut;
pub(crate) use super::payloads::{commented, labelled};
use super::postgres::TestDatabase;

/// The secret that the stories' webhooks are signed with.
pub(crate) const HOOK_SECRET: &str = "a secret for stories only, canary-hook-1c";
/// The one before it, during a rotation.
pub(crate) const OLD_SECRET: &str = "the secret before this one, canary-hook-0c";
/// A key of Standard Webhooks for stories.
pub(crate) const SIGNING_KEY: &str = "whsec_c3RvcmllcyBvbmx5LCBjYW5hcnkga2V5IDFk";
/// The one before it.
pub(crate) const OLD_SIGNING_KEY: &str = "whsec_c3RvcmllcyBvbmx5LCBjYW5hcnkga2V5IDBk";
/// The App that [`World::with_app`] installs.
pub(crate) const APP_ID: i64 = 12345;
const APP_KEY: &str = include_str!("../../fixtures/test-only-github-app-pkcs8.pem");
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
    pub(crate) intake: Arc<Intake>,
    pub(crate) database: TestDatabase,
    writer: tokio::task::JoinHandle<()>,
    /// Held for as long as the database and GitHub are to be reached through them.
    _lines: [Option<Cut>; 2],
}

/// How a world is made.
pub(crate) struct Setup<'a> {
    /// What stands in the file after the source `github`; a text with `sources:` stands alone.
    pub(crate) rules: String,
    /// Whether the App is installed.
    pub(crate) app: bool,
    pub(crate) intake: Intake,
    /// What stands between the service and its database.
    pub(crate) cut: Option<Cut>,
    /// What stands between the service and GitHub.
    pub(crate) wire: Option<Cut>,
    /// The longest that a statement outside intake may take, if not as long as usual.
    pub(crate) statement: Option<Duration>,
    pub(crate) adjust: Box<dyn FnOnce(&mut Settings) + Send + 'a>,
    pub(crate) adjust_github: Box<dyn FnOnce(&mut GithubSettings) + Send + 'a>,
}

impl Setup<'_> {
    /// The usual world with these rules.
    pub(crate) fn new(rules: &str) -> Self {
        Self {
            rules: rules.to_owned(),
            app: false,
            intake: Intake::new(26_214_400, Duration::from_secs(5), 64 * 1024 * 1024),
            cut: None,
            wire: None,
            statement: None,
            adjust: Box::new(|_| {}),
            adjust_github: Box::new(|_| {}),
        }
    }
}

/// The answer of a door.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl World {
    /// A world with mona (who can write) and otto (who cannot), mona's token stored, and these rules.
    pub(crate) async fn new(rules: &str) -> Self {
        Self::with(rules, |_| {}, |_| {}).await
    }

    /// The same with other settings and another GitHub client.
    pub(crate) async fn with(
        rules: &str,
        adjust: impl FnOnce(&mut Settings) + Send,
        adjust_github: impl FnOnce(&mut GithubSettings) + Send,
    ) -> Self {
        Self::of(Setup { adjust: Box::new(adjust), adjust_github: Box::new(adjust_github), ..Setup::new(rules) }).await
    }

    /// A world where the App is installed: it looks up everybody's rights and tells everybody.
    pub(crate) async fn with_app(rules: &str) -> Self {
        Self::of(Setup { app: true, ..Setup::new(rules) }).await
    }

    /// A world as `setup` says.
    pub(crate) async fn of(setup: Setup<'_>) -> Self {
        super::canary::listen(&[HOOK_SECRET, OLD_SECRET, SIGNING_KEY, OLD_SIGNING_KEY, &"0f".repeat(32)]);
        super::canary::listen(&[MONA_TOKEN, OTTO_TOKEN, SIGNING_SECRET, BOT_TOKEN, APP_TOKEN]);
        let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let ground = Ground { clock: clock.clone(), chance: Arc::new(SystemChance) };
        let mut config = SandboxConfig::new(ground.clone());
        config.pace = Pace::new(Duration::from_secs(10), Duration::from_secs(40));
        let sandbox = Sandbox::start(config).await.unwrap();
        let control = sandbox.control();
        control.seed_demo().unwrap();
        control.add_user(UserSpec::person(1002, "otto", OTTO_TOKEN)).unwrap();
        control.grant("acme/widgets", "otto", Role::Read).unwrap();
        let database = TestDatabase::create().await;
        let through = setup.cut.as_ref().map(|cut| cut.url(&database.url));
        let mut store = open_store(through.as_ref().unwrap_or(&database.url)).await;
        if let Some(longest) = setup.statement {
            store = store.patient_for(longest);
        }
        let loaded = configuration(&super::chats::addressed(&setup.rules, &sandbox));
        let mut settings = settings_of(&loaded.config);
        (settings.write_spacing, settings.hourly_writes) = (Duration::ZERO, Hourly::of(u32::MAX));
        settings.shared_clock = SharedClock::moved(clock.clone());
        (setup.adjust)(&mut settings);
        let api_url = setup.wire.as_ref().map_or_else(|| sandbox.url().to_owned(), |wire| wire.http(sandbox.url()));
        let mut github = GithubSettings {
            api_url,
            web_url: sandbox.url().to_owned(),
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            ..GithubSettings::default()
        };
        if setup.app {
            let (slug, client_id) = ("taskbridge".to_owned(), String::new());
            control.set_app(AppSpec { id: APP_ID, slug, client_id, public_key: None }).unwrap();
            // The sandbox's tokens of an installation all begin so.
            super::canary::listen(&[&format!("ghs_{APP_ID}_")]);
            super::canary::listen(&APP_KEY.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>());
            github.app = Some(AppSettings { id: APP_ID, private_key_pem: Secret::new(APP_KEY) });
        }
        (setup.adjust_github)(&mut github);
        let github = Github::new(github, ground.clone()).unwrap();
        let live = live_of(&loaded, github.host());
        let vault = Vault::new(vec![Key::parse(&Secret::new("0f".repeat(32))).unwrap()]).unwrap();
        let bridge = Bridge::new(store, github, vault, ground.clone(), settings, live);
        let (recorder, writer) = recorder(bridge.store.clone(), ground);
        let intake = Arc::new(setup.intake);
        let router = router(AppState { bridge: bridge.clone(), recorder, intake: Arc::clone(&intake) });
        #[expect(clippy::disallowed_methods, reason = "the writer lives as long as the world, which aborts it")]
        let writer = tokio::spawn(writer.run());
        let world = Self { sandbox, clock, bridge, router, intake, database, writer, _lines: [setup.cut, setup.wire] };
        world.add_person("mona", MONA_TOKEN).await;
        world
    }

    pub(crate) fn control(&self) -> &Control {
        self.sandbox.control()
    }

    pub(crate) async fn add_person(&self, login: &str, token: &str) {
        super::canary::listen(&[token]);
        people::add(&self.bridge, login, Secret::new(token)).await.unwrap();
    }

    /// Puts other rules in force.
    pub(crate) fn reload(&self, rules: &str) {
        let loaded = configuration(&super::chats::addressed(rules, &self.sandbox));
        self.bridge.swap(live_of(&loaded, self.bridge.github.host()));
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
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(super::canary::leak_in(&text), None, "told to a caller");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body, text }
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
        taken += start_task::resume_batch(b).await.unwrap();
        taken += start_task::start_batch(b).await.unwrap();
        taken += settle_uncertain::settle_batch(b).await.unwrap();
        taken += sweep_tasks::sweep_batch(b).await.unwrap();
        taken += tell_chat::tell_chat_batch(b).await.unwrap();
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
        let mut tasks = Vec::new();
        for listed in self.bridge.store.tasks(&TaskFilter::default(), page).await.unwrap().iter().rev() {
            tasks.push(self.bridge.store.task(listed.id).await.unwrap().unwrap());
        }
        tasks
    }

    /// The only task.
    pub(crate) async fn task(&self) -> Task {
        let tasks = self.tasks().await;
        assert_eq!(tasks.len(), 1, "one task: {tasks:#?}");
        tasks.into_iter().next().unwrap()
    }

    /// The end of the delivery that the sender calls so.
    pub(crate) async fn delivery(&self, sender_id: &str) -> Delivery {
        let page = Page { before: None, limit: 1000 };
        let all = self.bridge.store.deliveries(&DeliveryFilter::default(), page).await.unwrap();
        let mut own = all.into_iter().filter(|delivery| delivery.sender_id == sender_id);
        let delivery = own.next().expect("the delivery is recorded");
        assert!(own.next().is_none(), "the delivery is recorded once");
        delivery
    }

    /// How many deliveries are recorded.
    pub(crate) async fn delivery_count(&self) -> usize {
        let page = Page { before: None, limit: 1000 };
        self.bridge.store.deliveries(&DeliveryFilter::default(), page).await.unwrap().len()
    }

    /// What the rules said to a delivery.
    pub(crate) async fn decisions(&self, sender_id: &str) -> Vec<Decision> {
        self.bridge.store.decisions(self.delivery(sender_id).await.id).await.unwrap()
    }

    /// What the only candidate rule said to a delivery.
    pub(crate) async fn decision(&self, sender_id: &str) -> Decision {
        let decisions = self.decisions(sender_id).await;
        assert_eq!(decisions.len(), 1, "one decision: {decisions:#?}");
        decisions.into_iter().next().unwrap()
    }

    /// Requests turned away, by reason, of all sources.
    pub(crate) async fn refusals(&self) -> Vec<(String, i64)> {
        self.intake.refused.flush(&self.bridge).await.unwrap();
        let since = self.bridge.ground.now() - chrono::TimeDelta::hours(2);
        let counts = self.bridge.store.refusals(since).await.unwrap();
        counts.into_iter().map(|count| (count.reason, count.count)).collect()
    }

    /// Sends a label by mona and lets the workers settle it.
    pub(crate) async fn label(&self, label: &str, delivery: &str) {
        let now = self.bridge.ground.now();
        let answer = self.hook("issues", delivery, &labelled(label, (1001, "mona"), now)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        self.settle().await;
    }

    /// Sends a comment and lets the workers settle it.
    pub(crate) async fn say(&self, id: i64, text: &str, actor: (i64, &str), delivery: &str) {
        let now = self.bridge.ground.now();
        let answer = self.hook("issue_comment", delivery, &commented(id, text, actor, now)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        self.settle().await;
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

/// A loaded configuration with one GitHub source and these rules; a text that has its own sources stands alone.
pub(crate) fn configuration(rules: &str) -> Loaded {
    let source = "sources:\n  github: { type: github, secrets: \"${HOOK_SECRET}\" }\n";
    let text = if rules.contains("sources:\n") { rules.to_owned() } else { format!("{source}{rules}") };
    let env = [
        ("HOOK_SECRET", HOOK_SECRET),
        ("OLD_SECRET", OLD_SECRET),
        ("SIGNING_KEY", SIGNING_KEY),
        ("SLACK_SIGNING_SECRET", SIGNING_SECRET),
        ("SLACK_BOT_TOKEN", BOT_TOKEN),
        ("SLACK_APP_TOKEN", APP_TOKEN),
        ("WRONG_APP_TOKEN", "xapp-of-another-app"),
        ("OLD_SIGNING_KEY", OLD_SIGNING_KEY),
        ("PUBLIC_KEY", &super::senders::public_key()),
    ];
    let reader = Reader::fixed(&[&env[..], &super::chats::SECRETS].concat(), &[("/etc/taskbridge.yaml", &text)]);
    load(std::path::Path::new("/etc/taskbridge.yaml"), &reader).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
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
