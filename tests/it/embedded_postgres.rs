//! The private server: it starts from nothing, keeps what was committed whatever is killed, belongs
//! to one taskbridge at a time, and says what to do when it cannot start.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use taskbridge::store::embedded::{EmbeddedError, EmbeddedOptions, EmbeddedPostgres};

/// A data folder that takes its server with it.
struct DataDir(PathBuf);

impl DataDir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("taskbridge-it-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        Self(dir)
    }

    /// The postmaster's process number, from its own file.
    fn postmaster(&self) -> Option<String> {
        let text = fs::read_to_string(self.0.join("postgres/postmaster.pid")).ok()?;
        text.lines().next().map(str::to_owned)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Some(pid) = self.postmaster() {
            signal("-QUIT", &pid);
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn signal(which: &str, pid: &str) -> bool {
    let kill = Command::new("kill").args([which, pid]).stderr(Stdio::null()).status();
    kill.expect("every Unix has kill").success()
}

async fn start(dir: &DataDir) -> EmbeddedPostgres {
    EmbeddedPostgres::start(&dir.0, |_| {}).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn refusal(dir: &DataDir) -> EmbeddedError {
    EmbeddedPostgres::start(&dir.0, |_| {}).await.expect_err("this must be refused")
}

async fn execute(server: &EmbeddedPostgres, statement: &'static str) {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn number(server: &EmbeddedPostgres, query: &'static str) -> i64 {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

async fn setting(server: &EmbeddedPostgres, query: &'static str) -> String {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

/// The memory ran out, say. It is started again on its data; and one that is gone is not waited for at the end.
///
/// Case 26.
#[tokio::test]
async fn one_that_ends_by_itself_is_started_again() {
    let dir = DataDir::new("revived");
    let mut server = start(&dir).await;
    execute(&server, "CREATE TABLE kept AS SELECT 42::bigint AS x").await;
    assert!(!server.revive().await.unwrap(), "it runs");
    let first = dir.postmaster().unwrap();
    assert!(signal("-KILL", &first));
    let begun = Instant::now();
    while !server.revive().await.unwrap() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is seen to be gone");
    }
    assert_ne!(dir.postmaster().unwrap(), first);
    assert_eq!(number(&server, "SELECT x FROM kept").await, 42);
    assert!(!server.revive().await.unwrap());
    assert!(signal("-KILL", &dir.postmaster().unwrap()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    server.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn starts_from_nothing_stops_without_a_trace_and_starts_again_with_its_data() {
    let dir = DataDir::new("life");
    let mut said = Vec::new();
    let server = EmbeddedPostgres::start(&dir.0, |line| said.push(line.to_owned())).await.unwrap();
    assert!(!server.adopted());
    assert!(said.iter().any(|line| line.starts_with("creating a private PostgreSQL")), "{said:?}");
    assert_eq!(setting(&server, "SHOW fsync").await, "on");
    assert_eq!(setting(&server, "SHOW synchronous_commit").await, "on");
    assert_eq!(setting(&server, "SHOW listen_addresses").await, "");
    execute(&server, "CREATE TABLE kept AS SELECT 42::bigint AS x").await;
    let pid = dir.postmaster().unwrap();
    server.stop().await.unwrap();
    assert!(!signal("-0", &pid), "the server is gone, not even a zombie is left");

    said.clear();
    let server = EmbeddedPostgres::start(&dir.0, |line| said.push(line.to_owned())).await.unwrap();
    assert!(said.iter().all(|line| !line.starts_with("creating")), "{said:?}");
    assert_eq!(number(&server, "SELECT x FROM kept").await, 42);
    server.stop().await.unwrap();

    fs::write(dir.0.join("postgres/PG_VERSION"), "9\n").unwrap();
    let refused = refusal(&dir).await;
    assert!(matches!(refused, EmbeddedError::Version { found: 9, .. }), "{refused:?}");
    assert!(refused.to_string().contains("package `postgresql-9`"), "{refused}");
}

#[tokio::test]
async fn survives_the_death_of_its_owner_and_its_own() {
    let dir = DataDir::new("owners");
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded_postgres::owner_to_be_killed", "--ignored"])
        .env(OWNED_DIR, &dir.0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !dir.0.join("owned").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the owner never came up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let second = refusal(&dir).await;
    let owners = owner.id();
    assert!(matches!(second, EmbeddedError::InUse { pid: Some(pid), .. } if pid == owners), "{second:?}");
    assert!(second.to_string().contains("set DATABASE_URL"), "{second}");

    owner.kill().unwrap();
    owner.wait().unwrap();
    let pid = dir.postmaster().unwrap();
    let heir = start(&dir).await;
    assert!(heir.adopted());
    assert_eq!(dir.postmaster().unwrap(), pid);
    assert_eq!(number(&heir, "SELECT x FROM kept").await, 7);

    drop(heir);
    assert!(signal("-KILL", &pid));
    let server = start(&dir).await;
    assert!(!server.adopted());
    assert_eq!(number(&server, "SELECT x FROM kept").await, 7, "committed is committed");
    server.stop().await.unwrap();
}

/// Says to the process below which folder it owns.
const OWNED_DIR: &str = "TASKBRIDGE_TEST_OWNED_DIR";

#[tokio::test]
#[ignore = "not a test: the process that the test above kills"]
async fn owner_to_be_killed() {
    let Some(dir) = std::env::var_os(OWNED_DIR).map(PathBuf::from) else { return };
    let server = EmbeddedPostgres::start(&dir, |_| {}).await.unwrap();
    execute(&server, "CREATE TABLE kept AS SELECT 7::bigint AS x").await;
    fs::write(dir.join("owned"), "").unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_long_and_odd_path_works() {
    let dir = DataDir::new(&format!("it's a \"path\" & 100%+, é {}", "long ".repeat(20)));
    let server = start(&dir).await;
    assert_eq!(number(&server, "SELECT 1::bigint").await, 1);
    let sockets = PathBuf::from(setting(&server, "SHOW unix_socket_directories").await.trim_matches('"'));
    assert!(!sockets.starts_with(&dir.0) && sockets.as_os_str().len() < 100, "{}", sockets.display());
    assert_eq!(fs::metadata(&sockets).unwrap().mode() & 0o777, 0o700);
    server.stop().await.unwrap();
    fs::remove_dir(sockets).unwrap();
}

#[tokio::test]
async fn shared_starts_meet_on_one_server_that_none_of_them_stops() {
    let dir = DataDir::new("shared");
    let options = EmbeddedOptions::from_env().shared();
    let (one, two) = tokio::join!(options.start(&dir.0, |_| {}), options.start(&dir.0, |_| {}));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.url(), two.url());
    assert_eq!([one.adopted(), two.adopted()].iter().filter(|adopted| **adopted).count(), 1);
    one.stop().await.unwrap();
    assert_eq!(number(&two, "SELECT 1::bigint").await, 1);
    start(&dir).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let dir = DataDir::new("not-a-folder");
    let file = dir.0.with_extension("file");
    fs::write(&file, "").unwrap();
    let refused = refusal(&DataDir(file.join("data"))).await;
    fs::remove_file(&file).unwrap();
    assert!(matches!(refused, EmbeddedError::Unwritable { .. }), "{refused:?}");
    assert!(refused.to_string().contains(&file.display().to_string()), "{refused}");
}

#[tokio::test]
async fn a_bindir_without_programs_is_an_error_and_nothing_else_is_tried() {
    let dir = DataDir::new("no-programs");
    let empty = dir.0.join("empty");
    fs::create_dir_all(&empty).unwrap();
    let refused = EmbeddedOptions::from_env().bindir(&empty).start(&dir.0, |_| {}).await.unwrap_err();
    assert!(matches!(refused, EmbeddedError::BadBindir { missing: "postgres", .. }), "{refused:?}");
    assert!(refused.to_string().contains("PG_BINDIR"), "{refused}");
    assert!(!dir.0.join("postgres").exists(), "nothing was made");
    for way_out in ["package `postgresql`", "PG_BINDIR", "compose", "DATABASE_URL"] {
        assert!(EmbeddedError::NoBinaries.to_string().contains(way_out), "{way_out}");
    }
}

#[tokio::test]
async fn a_cluster_of_someone_else_is_refused() {
    let dir = DataDir::new("foreign");
    let cluster = dir.0.join("postgres");
    fs::create_dir_all(&cluster).unwrap();
    // Open to everyone is as good as someone else's.
    fs::set_permissions(&cluster, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = refusal(&dir).await;
    assert!(matches!(refused, EmbeddedError::NotOurs { .. }), "{refused:?}");
}

#[tokio::test]
async fn as_root_a_closed_parent_folder_is_named() {
    let closed = DataDir::new("closed");
    fs::DirBuilder::new().mode(0o700).create(&closed.0).unwrap();
    if fs::metadata(&closed.0).unwrap().uid() != 0 {
        return; // an ordinary user's server runs as that user, who can enter
    }
    let refused = refusal(&DataDir(closed.0.join("data"))).await;
    let named = |folder: &Path| folder == closed.0.canonicalize().unwrap();
    assert!(matches!(&refused, EmbeddedError::NotTraversable { folder, .. } if named(folder)), "{refused:?}");
    assert!(refused.to_string().contains("chmod o+x"), "{refused}");
}
