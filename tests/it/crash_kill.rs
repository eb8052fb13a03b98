//! The real binary, killed with `kill -9` between the committed attempt and the recorded answer: started again, it
//! carries on with no human, and nothing was made twice. Its log, at its most talkative, holds no secret.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use taskbridge::cli::{live_of, settings_of};
use taskbridge::clock::Ground;
use taskbridge::domain::task::State;
use taskbridge::github::{Github, Settings as GithubSettings, SignInSettings};
use taskbridge::ids::PersonId;
use taskbridge::pipeline::{Bridge, people, sign_in};
use taskbridge::sandbox::{Fault, FaultKind, Pace, Sandbox, SandboxConfig};
use taskbridge::secret::Secret;
use taskbridge::store::Page;
use taskbridge::store::tasks::Task;
use taskbridge::store::tasks::list::TaskFilter;
use taskbridge::vault::{Key, Vault};

use crate::support::canary::first_leak;
use crate::support::postgres::TestDatabase;
use crate::support::stories::{CREATE, MONA};
use crate::support::world::{HOOK_SECRET, LABEL_RULE, MONA_TOKEN, configuration, labelled, open_store, signature};

/// The sealing key, in the clear.
const SEALING_KEY: &str = "5ea1c0ffee5ea1c0ffee5ea1c0ffee5ea1c0ffee5ea1c0ffee5ea1c0ffee5ea1";

/// The app that people sign in with.
const CLIENT: &str = "Iv23killed";
const CLIENT_SECRET: &str = "canary-client-secret-killed";
const SITE: &str = "http://127.0.0.1:9";
const TOKENS: &str = "/login/oauth/access_token";

/// The real binary, running; killed when dropped.
struct Service {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Service {
    fn start(folder: &Path, database: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_taskbridge"))
            .args(["--config", "taskbridge.yaml", "serve", "--listen", "127.0.0.1:0"])
            .current_dir(folder)
            .env("HOOK_SECRET", HOOK_SECRET)
            .env("CLIENT_SECRET", CLIENT_SECRET)
            .env("DATABASE_URL", database)
            .env("TASKBRIDGE_SEALING_KEY", SEALING_KEY)
            .env("TASKBRIDGE_LOG", "trace")
            .env("NO_COLOR", "1")
            .env("NO_PROXY", "*")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, heard) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { return };
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Self { child, log }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Where it listens, as its log says.
    async fn address(&self) -> String {
        let found = until(Duration::from_secs(20), async || {
            let log = self.log();
            let line = log.lines().find(|line| line.contains("taskbridge serves"))?;
            let at = line.find("127.0.0.1:")?;
            Some(line[at..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect::<String>())
        });
        found.await.unwrap_or_else(|| panic!("it does not serve:\n{}", self.log()))
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `look` sees, as soon as it sees something.
async fn until<T>(patience: Duration, look: impl AsyncFn() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    while began.elapsed() < patience {
        if let Some(seen) = look().await {
            return Some(seen);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

fn write_configuration(folder: &Path, sandbox: &Sandbox) {
    let url = sandbox.url();
    let text = format!(
        "data_dir: data\n\
         sources:\n  hub: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}\n\
         github: {{ api_url: \"{url}\", web_url: \"{url}\", timeout: 2s }}\n\
         tasks: {{ lease: 3s, uncertain_grace: 3s }}\n\
         sweep: {{ interval_min: 1s, interval_max: 2s }}\n{LABEL_RULE}"
    );
    fs::write(folder.join("taskbridge.yaml"), text).unwrap();
}

/// People can sign in too.
fn add_sign_in(folder: &Path) {
    let file = folder.join("taskbridge.yaml");
    let app = format!(", sign_in: {{ client_id: {CLIENT}, client_secret: \"${{CLIENT_SECRET}}\" }} }}");
    let text = fs::read_to_string(&file).unwrap().replace(", timeout: 2s }", &format!(", timeout: 2s{app}"));
    fs::write(file, format!("server: {{ public_url: \"{SITE}\" }}\n{text}")).unwrap();
}

/// The same parts as the binary's, to give mona's token and to look at tasks.
async fn beside(database: &TestDatabase, sandbox: &Sandbox) -> Bridge {
    let github = GithubSettings {
        api_url: sandbox.url().to_owned(),
        web_url: sandbox.url().to_owned(),
        sign_in: Some(SignInSettings {
            client_id: CLIENT.to_owned(),
            client_secret: Secret::new(CLIENT_SECRET),
            scopes: Vec::new(),
        }),
        ..GithubSettings::default()
    };
    let github = Github::new(github, Ground::system()).unwrap();
    let loaded = configuration(LABEL_RULE);
    let live = live_of(&loaded, github.host());
    let vault = Vault::new(vec![Key::parse(&Secret::new(SEALING_KEY)).unwrap()]).unwrap();
    let store = open_store(&database.url).await;
    let mut settings = settings_of(&loaded.config);
    settings.connect_url = Some(format!("{SITE}/connect"));
    Bridge::new(store, github, vault, Ground::system(), settings, live)
}

async fn only_task(bridge: &Bridge) -> Option<Task> {
    let page = Page { before: None, limit: 10 };
    let tasks = bridge.store.tasks(&TaskFilter::default(), page).await.unwrap();
    assert!(tasks.len() < 2, "one wish, one task: {tasks:#?}");
    bridge.store.task(tasks.first()?.id).await.unwrap()
}

/// Cases 37, 62.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_github_answers_it_finds_the_task_again_and_makes_no_second_one() {
    let folder = std::env::temp_dir().join(format!("taskbridge-crash-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut config = SandboxConfig::new(Ground::system());
    config.pace = Pace::new(Duration::from_millis(200), Duration::from_millis(800));
    let sandbox = Sandbox::start(config).await.unwrap();
    sandbox.control().seed_demo().unwrap();
    let database = TestDatabase::create().await;
    let bridge = beside(&database, &sandbox).await;
    people::add(&bridge, "mona", Secret::new(MONA_TOKEN)).await.unwrap();
    write_configuration(&folder, &sandbox);

    sandbox.control().inject(Fault::new(FaultKind::DelayAfter { ms: 30_000 }).on("POST", CREATE).times(1));
    let mut service = Service::start(&folder, &database.url);
    let address = service.address().await;
    let body = labelled("copilot-fix", MONA, bridge.ground.now()).to_string();
    let sent = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = sent
        .post(format!("http://{address}/hooks/hub"))
        .header("content-type", "application/json")
        .header("x-github-event", "issues")
        .header("x-github-delivery", "crash-1")
        .header("x-github-hook-id", "77")
        .header("x-hub-signature-256", signature(HOOK_SECRET, body.as_bytes()))
        .body(body);
    assert_eq!(answer.send().await.unwrap().status(), 202);
    let made = async || (!sandbox.control().creations().is_empty()).then_some(());
    until(Duration::from_secs(10), made).await.unwrap_or_else(|| panic!("never started:\n{}", service.log()));
    service.kill();
    let task = only_task(&bridge).await.unwrap();
    assert_eq!(task.state, State::Starting, "killed in time");
    let first_log = service.log();

    let service = Service::start(&folder, &database.url);
    let done = async || only_task(&bridge).await.filter(|task| task.state == State::Completed);
    let task = until(Duration::from_secs(20), done).await;
    let task = task.unwrap_or_else(|| panic!("it does not carry on:\n{}", service.log()));
    let attempts = bridge.store.attempts(task.id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome.as_deref(), Some("adopted"));
    assert_eq!(sandbox.control().creations().len(), 1);
    let told = async || {
        let comments = sandbox.control().comments("acme/widgets", 42).unwrap();
        (comments.len() == 1 && comments[0].body.contains("✅ **Done**")).then_some(())
    };
    assert!(until(Duration::from_secs(10), told).await.is_some(), "and it tells so, in one comment");

    let log = first_log + &service.log();
    assert!(log.contains("TRACE"), "the log was at its most talkative");
    let secrets = [HOOK_SECRET, MONA_TOKEN, SEALING_KEY, task.marker.expose()].map(str::to_owned);
    assert_eq!(first_leak(&log, &BTreeSet::from(secrets)), None);
    drop(service);
    let _ = fs::remove_dir_all(&folder);
}

/// Killed after GitHub has renewed a pair and before the new one is committed: the next process asks with the old token, sees
/// that the pair is lost, and asks the person to sign in. Nothing is sent on a guess.
///
/// Case 56.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_a_renewal_and_its_commit_it_asks_the_person_and_guesses_nothing() {
    let folder = std::env::temp_dir().join(format!("taskbridge-renewal-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let sandbox = Sandbox::start(SandboxConfig::new(Ground::system())).await.unwrap();
    let control = sandbox.control();
    control.seed_demo().unwrap();
    control.set_sign_in(CLIENT, CLIENT_SECRET, Some(&format!("{SITE}/connect/callback")));
    control.set_token_life(Some(8), 1000);
    let database = TestDatabase::create().await;
    let bridge = beside(&database, &sandbox).await;
    let begun = sign_in::begin(&bridge, None).await.unwrap();
    let back = control.approve(&begun.url, Some("mona")).unwrap();
    let field = |name: &str| {
        let (_, query) = back.split_once('?').unwrap();
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).unwrap().1.to_owned()
    };
    sign_in::finish(&bridge, begun.browser.expose(), &field("state"), &field("code")).await.unwrap();
    let mona = async || bridge.store.person(PersonId(MONA.0)).await.unwrap().unwrap();
    write_configuration(&folder, &sandbox);
    add_sign_in(&folder);

    control.inject(Fault::new(FaultKind::DelayAfter { ms: 30_000 }).on("POST", TOKENS).times(1));
    let mut service = Service::start(&folder, &database.url);
    service.address().await;
    let renewed = async || (control.rotations() == 1).then_some(());
    until(Duration::from_secs(20), renewed).await.unwrap_or_else(|| panic!("never renewed:\n{}", service.log()));
    service.kill();
    let person = mona().await;
    assert!(person.refresh_sent_at.is_some() && person.token_state == "ok", "killed in time: {person:?}");
    let first_log = service.log();

    let service = Service::start(&folder, &database.url);
    let ended = async || Some(mona().await).filter(|person| person.token_state == "reauth_required");
    let person = until(Duration::from_secs(40), ended).await;
    let person = person.unwrap_or_else(|| panic!("nobody is asked:\n{}", service.log()));
    assert!(person.token_reason.unwrap().contains("the new one was lost on the way"));
    assert_eq!(control.rotations(), 1);
    // The old token has ended by itself meanwhile and tells nothing: the refresh token is asked whether it was used up.
    assert_eq!(control.count_calls("POST", TOKENS), 3, "the sign-in, one renewal and one question");
    let log = first_log + &service.log();
    let secrets = [HOOK_SECRET, SEALING_KEY, CLIENT_SECRET].map(str::to_owned);
    assert_eq!(first_leak(&log, &BTreeSet::from(secrets)), None);
    drop(service);
    let _ = fs::remove_dir_all(&folder);
}
