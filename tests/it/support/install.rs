//! An installation of real processes: replicas of the binary on one database and one simulated GitHub, which stands
//! in the test itself, and the parts of the product beside them for giving tokens and for looking.

use std::time::{Duration, Instant};

use serde_json::Value;
use taskbridge::cli::{live_of, settings_of};
use taskbridge::clock::Ground;
use taskbridge::github::{Github, Settings as GithubSettings};
use taskbridge::pipeline::{Bridge, people};
use taskbridge::sandbox::{Pace, Role, Sandbox, SandboxConfig, UserSpec};
use taskbridge::secret::Secret;
use taskbridge::store::Page;
use taskbridge::store::tasks::list::ListedTask;
use taskbridge::store::tasks::list::TaskFilter;
use taskbridge::vault::{Key, Vault};

use super::postgres::TestDatabase;
use super::program::{Folder, Program};
use super::world::{HOOK_SECRET, LABEL_RULE, configuration, open_store, signature};

/// The sealing key, in the clear.
pub(crate) const SEALING_KEY: &str = "0c0ffee05ea1ab1e0c0ffee05ea1ab1e0c0ffee05ea1ab1e0c0ffee05ea1ab1e";

/// The installation.
pub(crate) struct Install {
    pub(crate) folder: Folder,
    pub(crate) sandbox: Sandbox,
    _database: TestDatabase,
    pub(crate) bridge: Bridge,
    /// The way to the database that replicas take.
    pub(crate) url: String,
}

/// A replica that serves.
pub(crate) struct Replica {
    pub(crate) program: Program,
    /// Where it listens.
    pub(crate) address: String,
}

impl Install {
    /// With these lines in the configuration, after the addresses of `github`.
    pub(crate) async fn new(github: &str, sections: &str) -> Self {
        let mut config = SandboxConfig::new(Ground::system());
        config.pace = Pace::new(Duration::from_millis(200), Duration::from_secs(600));
        let sandbox = Sandbox::start(config).await.unwrap();
        sandbox.control().seed_demo().unwrap();
        let database = TestDatabase::create().await;
        let folder = Folder::new();
        let url = sandbox.url();
        let text = format!(
            "sources:\n  github: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}\n\
             github: {{ api_url: \"{url}\", web_url: \"{url}\"{github} }}\n{sections}{LABEL_RULE}"
        );
        folder.write("taskbridge.yaml", &text);
        let settings = GithubSettings { api_url: url.to_owned(), web_url: url.to_owned(), ..GithubSettings::default() };
        let github = Github::new(settings, Ground::system()).unwrap();
        let loaded = configuration(LABEL_RULE);
        let live = live_of(&loaded, github.host());
        let vault = Vault::new(vec![Key::parse(&Secret::new(SEALING_KEY)).unwrap()]).unwrap();
        let store = open_store(&database.url).await;
        let bridge = Bridge::new(store, github, vault, Ground::system(), settings_of(&loaded.config), live);
        let url = database.url.clone();
        Self { folder, sandbox, _database: database, bridge, url }
    }

    /// Somebody who may write, with a token.
    pub(crate) async fn person(&self, id: i64, login: &str) {
        let token = format!("sandbox-{login}-token");
        if login != "mona" {
            self.sandbox.control().add_user(UserSpec::person(id, login, &token)).unwrap();
            self.sandbox.control().grant("acme/widgets", login, Role::Write).unwrap();
        }
        people::add(&self.bridge, login, Secret::new(token)).await.unwrap();
    }

    pub(crate) fn env(&self) -> [(&str, &str); 3] {
        [("HOOK_SECRET", HOOK_SECRET), ("DATABASE_URL", &self.url), ("TASKBRIDGE_SEALING_KEY", SEALING_KEY)]
    }

    /// A replica that is not waited for.
    pub(crate) fn launch(&self) -> Program {
        self.folder.start(&["serve", "--listen", "127.0.0.1:0"], &self.env())
    }

    /// A replica, once it serves.
    pub(crate) fn replica(&self) -> Replica {
        let mut program = self.launch();
        let line = program.says("taskbridge serves");
        let address = line.split(' ').find_map(|word| word.strip_prefix("address=")).unwrap().to_owned();
        Replica { program, address }
    }

    /// All tasks, oldest first.
    pub(crate) async fn tasks(&self) -> Vec<ListedTask> {
        let page = Page { before: None, limit: 1000 };
        let mut tasks = self.bridge.store.tasks(&TaskFilter::default(), page).await.unwrap();
        tasks.reverse();
        tasks
    }
}

/// A client for webhooks.
pub(crate) fn client() -> reqwest::Client {
    // A test of processes alone has no client of the product's, which would have done so.
    let _again = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(15)).build().unwrap()
}

/// A signed webhook about issues for a replica.
pub(crate) fn webhook(client: &reqwest::Client, address: &str, guid: &str, payload: &Value) -> reqwest::RequestBuilder {
    event(client, address, "issues", guid, payload)
}

/// A signed webhook of any event for a replica.
pub(crate) fn event(
    client: &reqwest::Client,
    address: &str,
    name: &str,
    guid: &str,
    payload: &Value,
) -> reqwest::RequestBuilder {
    let body = payload.to_string();
    client
        .post(format!("http://{address}/hooks/github"))
        .header("content-type", "application/json")
        .header("x-github-event", name)
        .header("x-github-delivery", guid)
        .header("x-github-hook-id", "77")
        .header("x-hub-signature-256", signature(HOOK_SECRET, body.as_bytes()))
        .body(body)
}

/// What `look` sees, as soon as it sees something.
pub(crate) async fn until<T>(what: &str, patience: Duration, look: impl AsyncFn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begun.elapsed() < patience, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
