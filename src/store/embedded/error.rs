//! What can go wrong with the private server, each told as one sentence that says what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the private PostgreSQL is not there. Every case waits for a person: trying again unchanged
/// gives the same answer. `Display` is the sentence for that person and holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No PostgreSQL programs on this machine.
    #[error(
        "no PostgreSQL was found on this machine: install it (package `postgresql`; on macOS `brew install postgresql`), \
         or set PG_BINDIR to the folder that holds `postgres`, `initdb` and `pg_ctl`, \
         or start everything with the compose file (`docker compose up`), \
         or set DATABASE_URL to a server that you already run"
    )]
    NoBinaries,
    /// `PG_BINDIR` was given and does not hold what is needed; nothing else is tried behind its back.
    #[error(
        "PG_BINDIR is {} but there is no `{missing}` in it: point it at the folder that holds `postgres`, `initdb` and \
         `pg_ctl`, or unset it to search the usual places", dir.display()
    )]
    BadBindir {
        /// The folder given.
        dir: PathBuf,
        /// The first program that is not there.
        missing: &'static str,
    },
    /// A program of PostgreSQL could not be run or answered nonsense.
    #[error("{} cannot be used: {reason}; reinstall PostgreSQL or set PG_BINDIR to another copy", program.display())]
    BadProgram {
        /// The program.
        program: PathBuf,
        /// What the system or the program said.
        reason: String,
    },
    /// Started as root, and there is no account to run the server under.
    #[error(
        "PostgreSQL refuses to run as root and there is no user `postgres` in /etc/passwd: install the package \
         `postgresql`, or create that user, or run taskbridge as an ordinary user, or set DATABASE_URL"
    )]
    NoAccount,
    /// The server's account cannot get to a folder that it needs.
    #[error(
        "user `{user}`, under which PostgreSQL runs, cannot enter {}: allow it with `chmod o+x {}`, or choose another \
         data_dir (for example /var/lib/taskbridge), or run taskbridge as an ordinary user",
        folder.display(), folder.display()
    )]
    NotTraversable {
        /// The first folder on the way that is closed.
        folder: PathBuf,
        /// The account's name.
        user: String,
    },
    /// The data folder cannot be made or written.
    #[error(
        "the data folder {} cannot be written ({source}): give this user the right to write there, or set data_dir to \
         another folder, or set DATABASE_URL", folder.display()
    )]
    Unwritable {
        /// The data folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that must be the server's own belongs to someone else.
    #[error(
        "{} belongs to user number {found}, but the server would run as user number {wanted} (or it is open to others): \
         start taskbridge as the user that made it, or hand it over with `chown -R {wanted}` and `chmod 700`",
        folder.display()
    )]
    NotOurs {
        /// The folder.
        folder: PathBuf,
        /// Who owns it.
        found: u32,
        /// Who must own it.
        wanted: u32,
    },
    /// Another taskbridge owns this data folder.
    #[error(
        "another taskbridge{} is running on the data folder {}: stop it first, or give this one another data_dir; to run \
         several replicas set DATABASE_URL to one PostgreSQL that they share", Process(*pid), folder.display()
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The owner's process number, when it could be read.
        pid: Option<u32>,
    },
    /// The data was written by another major version.
    #[error(
        "the data in {} was written by PostgreSQL {found}, but the programs found are version {have}: install PostgreSQL \
         {found} (package `postgresql-{found}`) or set PG_BINDIR to its programs; to move on to {have}, dump with \
         {found}, start on an empty data_dir and load the dump", folder.display()
    )]
    Version {
        /// The cluster's folder.
        folder: PathBuf,
        /// The version that wrote it.
        found: u32,
        /// The version at hand.
        have: u32,
    },
    /// `initdb` failed.
    #[error("PostgreSQL could not create its files in {}: {said}", folder.display())]
    Initdb {
        /// The data folder.
        folder: PathBuf,
        /// The end of what `initdb` said.
        said: String,
    },
    /// The server ended, or was not ready in time.
    #[error(
        "the private PostgreSQL did not start: {said} (the whole log is {}); free the disk or memory it asks for, or \
         restore the data folder from a backup, then start again", log.display()
    )]
    DidNotStart {
        /// The server's log.
        log: PathBuf,
        /// The end of that log.
        said: String,
    },
    /// The server answered, but not as expected.
    #[error("the private PostgreSQL runs but refused to set up its database ({source}); see {}", log.display())]
    Setup {
        /// The server's log.
        log: PathBuf,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The server would not stop.
    #[error(
        "the private PostgreSQL did not stop in time: {said}; it keeps its data safe, and the next start adopts it"
    )]
    DidNotStop {
        /// What `pg_ctl` said.
        said: String,
    },
    /// The file system failed in a way that no other case names.
    #[error("{} failed on {}: {source}", doing, path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// ` (process 12)`, or nothing when the number is unknown.
struct Process(Option<u32>);

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, " (process {pid})"),
            None => Ok(()),
        }
    }
}

impl EmbeddedError {
    /// For `map_err`: the same failure with what was being done and where.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
