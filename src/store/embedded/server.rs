//! Making, starting, finding and stopping the server itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, sleep, timeout};

use super::account::Account;
use super::binaries::Binaries;
use super::error::EmbeddedError;
use super::folder::{Folder, one_line};

/// The superuser and the database of the private cluster.
pub(super) const NAME: &str = "taskbridge";
/// Only names the socket file: the server listens on no network.
pub(super) const PORT: u16 = 5432;

/// After `kill -9` of the postmaster its children hold the shared memory for a few seconds, and a new one refuses.
const PATIENCE: Duration = Duration::from_secs(10);
/// Replaying the write-ahead log after a crash of the machine may take this long.
const RECOVERY_LIMIT: Duration = Duration::from_secs(180);
/// A server that takes longer to answer is not taken for ready.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(15);

/// Small enough for a container of 256 MB; durable; reachable through the socket only; and a log
/// that holds no row contents (`terse` drops the DETAIL lines that quote them).
const SETTINGS: [(&str, &str); 18] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    ("shared_buffers", "48MB"),
    ("max_connections", "100"),
    ("max_wal_size", "256MB"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("log_destination", "stderr"),
    ("logging_collector", "off"),
    ("log_min_messages", "warning"),
    ("log_checkpoints", "off"),
    ("log_error_verbosity", "terse"),
    ("log_parameter_max_length_on_error", "0"),
];

/// What a start needs to know.
pub(super) struct Server<'a> {
    pub(super) folder: &'a Folder,
    pub(super) account: &'a Account,
    pub(super) binaries: &'a Binaries,
    pub(super) socket_dir: PathBuf,
    /// Settings that come after, and so override, the usual ones.
    pub(super) settings: &'a [(String, String)],
}

/// A server that answered.
pub(super) struct Running {
    /// Set when this process is its parent.
    pub(super) child: Option<Child>,
    /// Where its socket is: an adopted server may have put it elsewhere.
    pub(super) socket_dir: PathBuf,
    /// A connection to its maintenance database.
    pub(super) connection: PgConnection,
}

enum Answer {
    Ready(PgConnection),
    /// It lives but starts up, recovers or shuts down.
    Busy,
    Silent,
}

/// The major version that wrote the cluster, when there is one.
pub(super) fn version_of(cluster: &Path) -> Option<u32> {
    fs::read_to_string(cluster.join("PG_VERSION")).ok()?.trim().parse().ok()
}

impl Server<'_> {
    /// Creates the cluster beside its place and moves it there when complete, so that a kill in
    /// between leaves nothing that looks like a cluster.
    pub(super) async fn init(&self) -> Result<(), EmbeddedError> {
        let place = self.folder.cluster();
        let draft = self.folder.root().join("postgres.new");
        if draft.exists() {
            fs::remove_dir_all(&draft).map_err(EmbeddedError::io("removing half-made files", &draft))?;
        }
        let draft = self.folder.private_dir(draft, self.account)?;
        let initdb = self.binaries.program("initdb");
        let output = tokio::process::Command::from(self.account.command(&initdb))
            .arg("-D")
            .arg(&draft)
            .kill_on_drop(true)
            .args(["-U", NAME, "--encoding=UTF8", "--locale=C", "--auth-local=trust", "--auth-host=reject"])
            .output()
            .await
            .map_err(EmbeddedError::io("running", &initdb))?;
        if !output.status.success() {
            let said = one_line(&output.stderr);
            return Err(EmbeddedError::Initdb { folder: self.folder.root().to_owned(), said });
        }
        fs::rename(&draft, &place).map_err(EmbeddedError::io("moving the new cluster", &place))
    }

    /// Finds the server that runs on the folder, or starts one.
    pub(super) async fn up(&self, progress: &mut impl FnMut(&str)) -> Result<Running, EmbeddedError> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            let busy = match self.running().await {
                Some((socket_dir, Answer::Ready(connection))) => {
                    return Ok(Running { child: None, socket_dir, connection });
                }
                Some((_, Answer::Busy)) => true,
                Some((_, Answer::Silent)) | None => false,
            };
            if !busy {
                let log_from = fs::metadata(self.folder.log()).map_or(0, |meta| meta.len());
                let mut child = self.spawn()?;
                if let Some(connection) = self.ready(&mut child).await? {
                    return Ok(Running { child: Some(child), socket_dir: self.socket_dir.clone(), connection });
                }
                if begun.elapsed() > PATIENCE {
                    return Err(self.did_not_start(log_from));
                }
            } else if begun.elapsed() > RECOVERY_LIMIT {
                return Err(self.did_not_start(0));
            }
            if !told {
                progress("PostgreSQL is not ready yet; trying again");
                told = true;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    fn did_not_start(&self, log_from: u64) -> EmbeddedError {
        EmbeddedError::DidNotStart { log: self.folder.log(), said: self.folder.log_tail(log_from) }
    }

    /// The server that `postmaster.pid` speaks of, which may be long gone.
    async fn running(&self) -> Option<(PathBuf, Answer)> {
        let socket_dir = socket_dir_of(&fs::read_to_string(self.folder.cluster().join("postmaster.pid")).ok()?)?;
        let answer = self.ask(&socket_dir).await;
        Some((socket_dir, answer))
    }

    /// Whether a server runs on the folder, ready or not yet.
    pub(super) async fn is_there(&self) -> bool {
        matches!(self.running().await, Some((_, Answer::Ready(_) | Answer::Busy)))
    }

    /// A real connection is the only proof of readiness; that it is ours is told by its data folder.
    async fn ask(&self, socket_dir: &Path) -> Answer {
        let question = async {
            let mut connection = options(socket_dir, "postgres").connect().await?;
            let data: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut connection).await?;
            Ok::<_, sqlx::Error>((connection, data))
        };
        match timeout(ANSWER_LIMIT, question).await {
            Ok(Ok((connection, data))) if Path::new(&data) == self.folder.cluster() => Answer::Ready(connection),
            // 57P03 cannot_connect_now: starting up, recovering, shutting down.
            Ok(Err(sqlx::Error::Database(error))) if error.code().as_deref() == Some("57P03") => Answer::Busy,
            Err(_) => Answer::Busy,
            Ok(_) => Answer::Silent,
        }
    }

    fn spawn(&self) -> Result<Child, EmbeddedError> {
        let log = self.folder.open_log()?;
        let log_again = log.try_clone().map_err(EmbeddedError::io("opening", self.folder.log()))?;
        let postgres = self.binaries.program("postgres");
        let mut command = self.account.command(&postgres);
        command.arg("-D").arg(self.folder.cluster());
        // The setting is a list of quoted names; a quote is doubled.
        let sockets = self.socket_dir.to_string_lossy().replace('"', "\"\"");
        command.arg("-c").arg(format!("unix_socket_directories=\"{sockets}\""));
        command.arg("-c").arg(format!("port={PORT}"));
        let usual = SETTINGS.iter().copied();
        for (name, value) in usual.chain(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdout(log).stderr(log_again);
        command.spawn().map_err(EmbeddedError::io("running", &postgres))
    }

    /// Waits until the child answers; `None` when it ended instead.
    async fn ready(&self, child: &mut Child) -> Result<Option<PgConnection>, EmbeddedError> {
        let begun = Instant::now();
        loop {
            if child.try_wait().map_err(EmbeddedError::io("watching", self.folder.cluster()))?.is_some() {
                return Ok(None);
            }
            if let Answer::Ready(connection) = self.ask(&self.socket_dir).await {
                return Ok(Some(connection));
            }
            if begun.elapsed() > RECOVERY_LIMIT {
                // Left running on purpose: it may be half through a long recovery, and the next start adopts it.
                return Err(self.did_not_start(0));
            }
            sleep(POLL).await;
        }
    }
}

/// Makes the database if it is missing and lets the connection go.
pub(super) async fn ensure_database(mut connection: PgConnection, log: PathBuf) -> Result<(), EmbeddedError> {
    let work = async {
        let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'taskbridge')")
            .fetch_one(&mut connection)
            .await?;
        if !there {
            sqlx::query("CREATE DATABASE taskbridge").execute(&mut connection).await?;
        }
        connection.close().await
    };
    work.await.map_err(|source| EmbeddedError::Setup { log, source })
}

/// Stops the server on `cluster`: running statements are cut, everything committed stays. A server
/// that is already gone counts as stopped.
pub(super) async fn stop(binaries: &Binaries, account: &Account, cluster: &Path) -> Result<(), EmbeddedError> {
    let program = binaries.program("pg_ctl");
    let output = tokio::process::Command::from(account.command(&program))
        .args(["stop", "--silent", "--mode=fast", "--wait", "--timeout=60", "-D"])
        .arg(cluster)
        .output()
        .await
        .map_err(EmbeddedError::io("running", &program))?;
    if output.status.success() || !cluster.join("postmaster.pid").exists() {
        return Ok(());
    }
    Err(EmbeddedError::DidNotStop { said: one_line(&output.stderr) })
}

fn options(socket_dir: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(PORT)
        .username(NAME)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
}

/// The socket's folder is the fifth line of `postmaster.pid`
/// (PostgreSQL's documentation, "Database File Layout", and `src/include/utils/pidfile.h`).
fn socket_dir_of(pid_file: &str) -> Option<PathBuf> {
    let line = pid_file.lines().nth(4)?;
    line.starts_with('/').then(|| PathBuf::from(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_socket_folder_from_a_pid_file() {
        let text = "42\n/data/postgres\n1700000000\n5432\n/data/run\n\n  1 2\nready   \n";
        assert_eq!(socket_dir_of(text), Some(PathBuf::from("/data/run")));
        assert_eq!(socket_dir_of("42\n/data/postgres\n"), None, "written only in part");
    }
}
