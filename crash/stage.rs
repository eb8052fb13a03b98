//! What a round plays on: a folder, a database, a simulated GitHub with people and repositories, the configuration and
//! the secrets. Everything of it outlives the replicas.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use taskbridge::clock::Ground;
use taskbridge::sandbox::slack::SIGNING_SECRET;
use taskbridge::sandbox::slack::rotation::CLIENT_SECRET;
use taskbridge::sandbox::{Control, Pace, RepoSpec, Role, Sandbox, SandboxConfig, UserSpec};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::app_tokens::App;
use crate::chance::Dice;
use crate::chat;
use crate::database::Database;
use crate::options::Options;
use crate::places::Places;
use crate::receiver::Receiver;
use crate::signed_in;
use crate::tally::Tally;

/// What cannot be gone on with.
pub(crate) type Fatal = Box<dyn std::error::Error + Send + Sync>;

/// How long a worker of the service holds what it works on.
pub(crate) const LEASE: Duration = Duration::from_secs(5);
/// How long what a round has started may take to end when the round is left.
const ACTORS_END: Duration = Duration::from_secs(10);
/// Repositories and, for each, its number.
pub(crate) const REPOS: [(&str, i64); 3] = [("widgets", 5001), ("gears", 5002), ("levers", 5003)];
/// People who may start tasks.
pub(crate) const WRITERS: usize = 6;
/// Somebody who may only read.
pub(crate) const READER: usize = WRITERS;

/// A person: number, login and token.
#[derive(Debug, Clone)]
pub(crate) struct Someone {
    pub id: i64,
    pub login: String,
    pub token: String,
}

/// The stage of one round. Shared by all actors.
pub(crate) struct Stage {
    pub options: Options,
    pub seed: u64,
    pub folder: PathBuf,
    pub ground: Ground,
    pub sandbox: Sandbox,
    pub database: Database,
    pub people: Vec<Someone>,
    pub hook_secret: String,
    /// Where each replica listens.
    pub addresses: Vec<std::net::SocketAddr>,
    pub client: reqwest::Client,
    pub receiver: Receiver,
    /// The app of the chat.
    pub app: App,
    pub tally: Tally,
    /// The named places, over all rounds.
    pub places: Arc<Places>,
    /// What should not have happened, as it was seen.
    pub wrong: Mutex<Vec<String>>,
    /// Raised when every replica must be started anew, to read its configuration.
    pub generation: watch::Sender<u64>,
    /// All sealing keys that were ever in use.
    pub keys: Mutex<Vec<String>>,
    /// When a replica was killed, aborted or told to end.
    pub deaths: Mutex<Vec<DateTime<Utc>>>,
}

impl Stage {
    /// Notes that a replica ended, and not by itself.
    pub(crate) fn died(&self) {
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner).push(self.ground.now());
    }

    /// How many died between two moments.
    pub(crate) fn deaths_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
        let deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        deaths.iter().filter(|at| (from..=to).contains(*at)).count()
    }

    pub(crate) async fn set(options: &Options, seed: u64, places: Arc<Places>) -> Result<Arc<Self>, Fatal> {
        let folder = std::env::temp_dir().join(format!("taskbridge-crash-{}-{seed}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let mut dice = Dice::of(seed, "stage");
        let ground = Ground::system();
        let mut config = SandboxConfig::new(ground.clone());
        config.pace = Pace::new(Duration::from_millis(500), Duration::from_millis(1500));
        let sandbox = Sandbox::start(config).await?;
        let people = (0..=READER).map(|nth| Someone {
            id: 1001 + i64::try_from(nth).unwrap_or(0),
            login: if nth == READER { "otto".to_owned() } else { format!("mona{nth}") },
            token: format!("canary-token-{nth}-{}", dice.hex::<12>()),
        });
        let people: Vec<Someone> = people.collect();
        seed_world(sandbox.control(), &people)?;
        signed_in::seed(sandbox.control(), &dice.hex::<12>())?;
        let database = Database::start(&folder.join("database")).await?;
        let receiver = Receiver::start(seed, options.disturbs_github()).await?;
        let app = App::install(sandbox.slack(), seed);
        let stage = Self {
            options: options.clone(),
            seed,
            ground,
            sandbox,
            database,
            people,
            hook_secret: format!("canary-hook-secret-{}", dice.hex::<16>()),
            addresses: free_addresses(options.replicas.max(1))?,
            client: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(4)).build()?,
            receiver,
            app,
            tally: Tally::default(),
            places,
            wrong: Mutex::default(),
            generation: watch::channel(1).0,
            keys: Mutex::new(vec![dice.hex::<32>()]),
            deaths: Mutex::default(),
            folder,
        };
        let key = stage.new_key_file(1)?;
        stage.write_configuration(&[key])?;
        Ok(Arc::new(stage))
    }

    /// Notes something that should not have happened.
    pub(crate) fn wrong(&self, what: String) {
        eprintln!("WRONG: {what}");
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub(crate) fn control(&self) -> &Control {
        self.sandbox.control()
    }

    /// The file that fail points write to.
    pub(crate) fn fail_log(&self) -> PathBuf {
        self.folder.join("fail-points.log")
    }

    /// Writes the newest key into a file of its own; answers its name.
    pub(crate) fn new_key_file(&self, number: u64) -> Result<String, Fatal> {
        let key = self.keys.lock().unwrap_or_else(PoisonError::into_inner).last().cloned().unwrap_or_default();
        let name = format!("sealing-{number}.key");
        let path = self.folder.join(&name);
        fs::write(&path, key)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(name)
    }

    /// Writes the configuration with these key files, whole or not at all: a replica may be reading it.
    pub(crate) fn write_configuration(&self, key_files: &[String]) -> Result<(), Fatal> {
        let url = self.sandbox.url();
        let keys: Vec<String> = key_files.iter().map(|name| format!("{{ file: {name} }}")).collect();
        let text = format!(
            "data_dir: data\nserver: {{ public_url: \"http://127.0.0.1:9\" }}\n\
             sources:\n  github: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}\n  slack: {}\n\
             outgoing: [{}]\n\
             database: {{ connect_wait: 30s, intake_connections: 2, worker_connections: 8 }}\n\
             github: {{ api_url: \"{url}\", web_url: \"{url}\", timeout: 1500ms, write_spacing: 20ms, \
             writes_per_hour: 1000000, {} }}\n\
             tasks: {{ lease: {}s, uncertain_grace: 6s }}\n\
             sweep: {{ interval_min: 1s, interval_max: 3s }}\n\
             limits: {{ per_repo: {{ live: 1000000 }} }}\n\
             vault: {{ keys: [{}] }}\n{RULES}",
            chat::source(&self.sandbox),
            self.receiver.configured(),
            signed_in::configured(),
            LEASE.as_secs(),
            keys.join(", ")
        );
        let draft = self.folder.join("taskbridge.yaml.new");
        fs::write(&draft, text)?;
        fs::rename(draft, self.folder.join("taskbridge.yaml"))?;
        Ok(())
    }

    /// The service with these arguments, its words going to a file of this name.
    pub(crate) fn service(&self, args: &[&str], log: &str) -> Result<Command, Fatal> {
        let log = fs::File::options().create(true).append(true).open(self.folder.join(log))?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(args)
            .current_dir(&self.folder)
            .env("TASKBRIDGE_CONFIG", "taskbridge.yaml")
            .env("TASKBRIDGE_LOG", "debug,taskbridge=trace,hyper_util=info,h2=info")
            .env("DATABASE_URL", self.database.url())
            .env("HOOK_SECRET", &self.hook_secret)
            .env("SIGN_IN_SECRET", signed_in::CLIENT_SECRET)
            .env("SLACK_CLIENT_SECRET", CLIENT_SECRET)
            .env("SLACK_REFRESH_TOKEN", self.app.refresh_token())
            .env("SLACK_SIGNING_SECRET", SIGNING_SECRET)
            .env("RECEIVER_KEY", self.receiver.key())
            .env("NO_COLOR", "1")
            .env("NO_PROXY", "*")
            .env_remove(taskbridge::fail_point::PLAN)
            .env(taskbridge::fail_point::LOG, self.fail_log())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        if self.options.control {
            command.env(taskbridge::fail_point::BLIND, "1");
        }
        Ok(command)
    }

    /// Gives everybody's token to the service, with its own command.
    pub(crate) async fn add_people(&self) -> Result<(), Fatal> {
        for someone in &self.people {
            let mut command = self.service(&["people", "add", &someone.login, "--token-stdin"], "people.log")?;
            let mut child = command.stdin(Stdio::piped()).spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(someone.token.as_bytes()).await?;
            }
            let status = child.wait().await?;
            if !status.success() {
                return Err(format!("`people add {}` ended with {status}", someone.login).into());
            }
        }
        Ok(())
    }
}

const RULES: &str = "
rules:
  - name: fix
    on: { label: copilot-fix }
    prompt: \"{{ issue.title }}: fix it.\"
    report: { labels: { running: \"copilot: running\", done: \"copilot: done\" } }
  - name: tests
    on: { command: tests }
    prompt: \"{{ issue.title }}: write tests.\"
  - name: chat
    on: { slash: /copilot }
    prompt: \"{{ command.text }}\"
  - name: forks
    on: { event: fork }
    when: event.action == 'none'
    prompt: \"Nothing starts this.\"
";

fn seed_world(control: &Control, people: &[Someone]) -> Result<(), Fatal> {
    for someone in people {
        control.add_user(UserSpec::person(someone.id, &someone.login, &someone.token))?;
    }
    for (name, id) in REPOS {
        control.add_repo(RepoSpec::private(id, "acme", name))?;
        for (nth, someone) in people.iter().enumerate() {
            let role = if nth == READER { Role::Read } else { Role::Write };
            control.grant(&format!("acme/{name}"), &someone.login, role)?;
        }
    }
    Ok(())
}

/// Addresses that nobody listens on now; they are used soon, and again and again.
fn free_addresses(count: usize) -> Result<Vec<std::net::SocketAddr>, Fatal> {
    let held: Vec<std::net::TcpListener> =
        (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    Ok(held.iter().map(std::net::TcpListener::local_addr).collect::<Result<_, _>>()?)
}

/// Ends a round in its middle, and takes its folder away. Its actors are dropped, and with them their replicas are
/// killed, as soon as each comes to a wait.
pub(crate) async fn leave(mut stage: Arc<Stage>) -> Result<(), Fatal> {
    let began = Instant::now();
    let Stage { options, folder, sandbox, database, .. } = loop {
        match Arc::try_unwrap(stage) {
            Ok(stage) => break stage,
            Err(shared) if began.elapsed() < ACTORS_END => stage = shared,
            Err(_) => return Err("some of what the round had started does not end".into()),
        }
        sleep(Duration::from_millis(10)).await;
    };
    sandbox.stop().await;
    database.end().await?;
    if !options.keep {
        clear(&folder);
    }
    Ok(())
}

/// Takes the folder away.
pub(crate) fn clear(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}
