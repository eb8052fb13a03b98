//! A database a test, with nothing to set up: `cargo test` on a fresh machine starts one private
//! server, shared by all test processes, and a watcher stops it after the last of them. With `DATABASE_URL`
//! set, that server is used instead.
//!
//! It lies in memory where there is room, else under the target folder: hundreds of databases that come and go are
//! hundreds of thousands of files, and file systems look long for a number that was not just freed.
//!
//! The shared server keeps fsync on, as the product does, but answers a commit before it is on disk
//! (`synchronous_commit=off`): no test here pulls the plug, and tests that kill a server start their own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use taskbridge::store::embedded::{EmbeddedError, EmbeddedOptions};
use tokio::sync::OnceCell;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");
static SERVER: OnceCell<Server> = OnceCell::const_new();
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Taken on the maintenance database while a template is built; any fixed number does.
const TEMPLATE_LOCK: i64 = 0x7461_736b_7465_6d70;
/// On a server given by `DATABASE_URL`, databases older than this were left by a crashed run, in seconds.
const STALE_S: i64 = 3600;
/// Templates of migrations that have changed since are kept for a day, in seconds.
const STALE_TEMPLATE_S: i64 = 24 * 3600;

/// Where files are in memory, on Linux; in a container it is often small.
const MEMORY: &str = "/dev/shm";
/// Room that must be there for the server's files in memory, in KiB: a run was seen to take 192 MiB at most, and others want memory too.
const ROOM_KIB: u64 = 3 * 1024 * 1024;

/// A database of its own, dropped at the end.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    /// Where to connect to.
    pub(crate) url: String,
    /// Its name on the server.
    pub(crate) name: String,
    maintenance: &'static str,
}

impl TestDatabase {
    /// With all migrations applied.
    pub(crate) async fn create() -> Self {
        let server = server().await;
        let template = server.template.get_or_init(|| build_template(&server.url)).await;
        Self::cloned_from(server, template).await
    }

    /// With nothing in it, for tests of the migrations themselves.
    pub(crate) async fn create_empty() -> Self {
        Self::cloned_from(server().await, "template0").await
    }

    async fn cloned_from(server: &'static Server, template: &str) -> Self {
        let mut connection = connect(&server.url).await;
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("taskbridge_test_{}_{}_{counter}", epoch(&mut connection).await, std::process::id());
        run(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let _ = connection.close().await;
        Self { url: with_database(&server.url, &name), name, maintenance: &server.url }
    }
}

impl Drop for TestDatabase {
    /// On a thread of its own, because the test's runtime may be ending. What fails is swept by a later run.
    fn drop(&mut self) {
        let (maintenance, statement) = (self.maintenance, drop_statement(&self.name));
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                if let Ok(mut connection) = PgConnection::connect(maintenance).await {
                    let _ = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await;
                    let _ = connection.close().await;
                }
            });
        };
        let _ = std::thread::spawn(work).join();
    }
}

struct Server {
    /// Of the maintenance database.
    url: String,
    /// The name of the template, once it is known to be there.
    template: OnceCell<String>,
}

async fn server() -> &'static Server {
    SERVER
        .get_or_init(|| async {
            let (url, holders) = match std::env::var("DATABASE_URL") {
                Ok(url) if !url.is_empty() => (url, None),
                _ => {
                    let (url, data_dir) = private_server().await;
                    (url, Some(data_dir.join("holders")))
                }
            };
            sweep(&url, holders.as_deref()).await;
            Server { url, template: OnceCell::new() }
        })
        .await
}

/// Starts or adopts the shared server; the temporary folder is the last choice, for when tests run
/// as root in a place where the server's account cannot go.
async fn private_server() -> (String, PathBuf) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(target).expect("the target folder can be written, as the test binary lies in it");
    let mut dir = if has_room(Path::new(MEMORY)) { outside(Path::new(MEMORY)) } else { target.join("postgres") };
    let mut started = start_shared(&dir).await;
    if let Err(EmbeddedError::NotTraversable { .. }) = started {
        dir = outside(&std::env::temp_dir());
        started = start_shared(&dir).await;
    }
    match started {
        Ok(url) => (url, dir),
        Err(error) => panic!("the tests need a PostgreSQL: {error}"),
    }
}

/// A folder that belongs to this target folder and lies elsewhere, where others may make folders too.
fn outside(base: &Path) -> PathBuf {
    let target = env!("CARGO_TARGET_TMPDIR");
    let dir = base.join(format!("taskbridge-test-{}", hex::encode(&Sha256::digest(target)[..8])));
    let _ = fs::create_dir(&dir);
    let owner = |path: &Path| fs::symlink_metadata(path).map(|found| found.uid()).ok();
    assert_eq!(owner(&dir), owner(Path::new(target)), "{} was made by someone else: remove it", dir.display());
    dir
}

/// Whether a folder is one in memory, with more room than the databases of a run take.
fn has_room(dir: &Path) -> bool {
    let Ok(told) = Command::new("df").args(["-Pk"]).arg(dir).output() else { return false };
    let told = String::from_utf8_lossy(&told.stdout);
    let fields: Vec<&str> = told.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    let free: u64 = fields.get(3).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    fields.first() == Some(&"tmpfs") && free >= ROOM_KIB
}

async fn start_shared(dir: &Path) -> Result<String, EmbeddedError> {
    let holder = register(dir);
    let options = EmbeddedOptions::from_env()
        .shared()
        .setting("synchronous_commit", "off")
        .setting("max_connections", "300")
        .setting("max_wal_size", "256MB")
        .setting("log_error_verbosity", "default");
    match options.start(dir, |_| {}).await {
        Ok(server) => Ok(server.url()),
        Err(error) => {
            let _ = fs::remove_file(holder);
            Err(error)
        }
    }
}

/// Says that this process uses the server, and leaves a watcher behind (see `watcher.sh`).
fn register(dir: &Path) -> PathBuf {
    let me = std::process::id().to_string();
    let (holders, stopping) = (dir.join("holders"), dir.join("stopping"));
    let holder = holders.join(&me);
    let begun = Instant::now();
    // A watcher may remove the folder between the two steps.
    while fs::create_dir_all(&holders).and_then(|()| fs::write(&holder, "")).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(5), "{} cannot be written", holders.display());
    }
    while stopping.exists() {
        if begun.elapsed() > Duration::from_secs(40) {
            let _ = fs::remove_dir(&stopping);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // The outer shell ends at once, so that the watcher is nobody's child and leaves no zombie here.
    let left = Command::new("sh")
        .args(["-c", "sh -c \"$0\" taskbridge-test-watcher \"$@\" &", include_str!("watcher.sh"), &me])
        .arg(dir)
        .arg(if dir.starts_with(MEMORY) { "gone" } else { "kept" })
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .status();
    assert!(left.is_ok_and(|status| status.success()), "every Unix has sh");
    holder
}

/// Drops what crashed runs left: on the shared server whatever belongs to no living process, on
/// another server whatever is old, as the process may be on another machine.
async fn sweep(url: &str, holders: Option<&Path>) {
    let mut connection = connect(url).await;
    let now = epoch(&mut connection).await;
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname ^@ 'taskbridge_test_'")
            .fetch_all(&mut connection)
            .await
            .expect("the catalog can be read");
    for name in names {
        let mut parts = name.split('_').skip(2);
        let made: i64 = parts.next().and_then(|text| text.parse().ok()).unwrap_or(now);
        let pid = parts.next().unwrap_or_default();
        let stale = match holders {
            // Nothing was made by this process yet, so its own number is one that was used before.
            Some(holders) => pid == std::process::id().to_string() || !holders.join(pid).exists(),
            None => now - made > STALE_S,
        };
        if stale {
            run(&mut connection, drop_statement(&name)).await;
        }
    }
    let templates: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT datname::text, shobj_description(oid, 'pg_database') FROM pg_database
         WHERE datname ^@ 'taskbridge_template_' AND datname <> $1",
    )
    .bind(template_name())
    .fetch_all(&mut connection)
    .await
    .expect("the catalog can be read");
    for (name, made) in templates {
        if made.and_then(|text| text.parse::<i64>().ok()).is_some_and(|made| now - made > STALE_TEMPLATE_S) {
            run(&mut connection, drop_statement(&name)).await;
        }
    }
    let _ = connection.close().await;
}

/// Named after the contents of all migrations, so that a change of one makes a new template.
fn template_name() -> String {
    let mut hash = Sha256::new();
    for migration in MIGRATOR.iter() {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    format!("taskbridge_template_{}", hex::encode(&hash.finalize()[..8]))
}

/// Applies the migrations once, under another name until complete; parallel processes wait for each other.
async fn build_template(url: &str) -> String {
    let name = template_name();
    let mut connection = connect(url).await;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await.expect("a lock");
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await
        .expect("the catalog can be read");
    if !there {
        let draft = format!("{name}_draft");
        run(&mut connection, drop_statement(&draft)).await;
        run(&mut connection, format!("CREATE DATABASE {draft} TEMPLATE template0")).await;
        let mut inside = connect(&with_database(url, &draft)).await;
        MIGRATOR.run(&mut inside).await.expect("the migrations apply to an empty database");
        let _ = inside.close().await;
        let now = epoch(&mut connection).await;
        run(&mut connection, format!("COMMENT ON DATABASE {draft} IS '{now}'")).await;
        run(&mut connection, format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    // The lock goes with the connection.
    let _ = connection.close().await;
    name
}

fn drop_statement(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("the test server answers")
}

async fn run(connection: &mut PgConnection, statement: String) {
    let outcome = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(connection).await;
    if let Err(error) = outcome {
        panic!("{statement}: {error}");
    }
}

/// The server's clock, in seconds.
async fn epoch(connection: &mut PgConnection) -> i64 {
    let now = sqlx::query_scalar("SELECT extract(epoch FROM clock_timestamp())::bigint").fetch_one(connection).await;
    now.expect("the server knows the time")
}

/// `url` with another database's name.
fn with_database(url: &str, name: &str) -> String {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let after_scheme = before.find("://").map_or(0, |at| at + 3);
    let host_end = before[after_scheme..].find('/').map_or(before.len(), |at| after_scheme + at);
    let joined = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{}/{name}{joined}", &before[..host_end])
}
