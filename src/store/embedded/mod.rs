//! A private PostgreSQL under the data folder, for when no `DATABASE_URL` is given: one binary and
//! the distribution's `postgresql` package are then enough to try taskbridge, or to run one replica.
//!
//! It is a real server, with fsync on, in a process group of its own, so that Ctrl-C reaches
//! taskbridge first and taskbridge stops it last. It outlives a killed taskbridge, and the next start
//! adopts it. It listens on a Unix socket in a folder that only its own account can enter.

mod account;
mod binaries;
mod error;
mod folder;
mod server;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Child;

use account::Account;
use binaries::Binaries;
pub use error::EmbeddedError;
use folder::{Folder, Lock};
use server::Server;

/// How to start the private server; [`EmbeddedPostgres::start`] is the usual way.
#[derive(Debug, Clone, Default)]
pub struct EmbeddedOptions {
    bindir: Option<PathBuf>,
    shared: bool,
    settings: Vec<(String, String)>,
}

impl EmbeddedOptions {
    /// Takes the place of PostgreSQL's programs from `PG_BINDIR`, when that is set.
    #[must_use]
    pub fn from_env() -> Self {
        let bindir = std::env::var_os("PG_BINDIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        Self { bindir, ..Self::default() }
    }

    /// The folder of PostgreSQL's programs; no other place is searched then.
    #[must_use]
    pub fn bindir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.bindir = Some(dir.into());
        self
    }

    /// Nobody owns the server: any number of processes start or adopt it, and none of them stops
    /// it. For test processes that run side by side; someone else must stop it in the end.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// One server setting (of `postgresql.conf`), for a server that this call starts; an adopted one keeps its own.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// See [`EmbeddedPostgres::start`].
    ///
    /// # Errors
    /// See [`EmbeddedError`].
    pub async fn start(
        &self,
        data_dir: &Path,
        mut progress: impl FnMut(&str),
    ) -> Result<EmbeddedPostgres, EmbeddedError> {
        let folder = Folder::open(data_dir)?;
        let account = Account::serving(folder.own_uid)?;
        let mut lock = Some(if self.shared { folder.lock_for_start().await? } else { folder.lock()? });
        account.open_way(folder.root()).map_err(EmbeddedError::io("opening the way to", folder.root()))?;
        account.check_reaches(folder.root())?;
        let cluster = folder.cluster();
        let written_by = server::version_of(&cluster);
        if let Ok(meta) = std::fs::symlink_metadata(&cluster) {
            account.check_owns(&cluster, &meta)?;
        }
        let binaries = Binaries::find(self.bindir.as_deref(), written_by, &account).await?;
        let socket_dir = folder.socket_dir(&account)?;
        let server =
            Server { folder: &folder, account: &account, binaries: &binaries, socket_dir, settings: &self.settings };
        match written_by {
            Some(found) if found != binaries.major => {
                return Err(EmbeddedError::Version { folder: cluster, found, have: binaries.major });
            }
            Some(_) => {}
            None => {
                progress(&format!("creating a private PostgreSQL {} in {}", binaries.major, cluster.display()));
                server.init().await?;
            }
        }
        let running = server.up(&mut progress).await?;
        match &running.child {
            Some(child) => progress(&format!("PostgreSQL {} is ready (process {})", binaries.major, child.id())),
            None => progress("adopted the private PostgreSQL that was still running"),
        }
        server::ensure_database(running.connection, folder.log()).await?;
        if self.shared {
            lock = None;
        }
        Ok(EmbeddedPostgres {
            socket_dir: running.socket_dir,
            child: running.child,
            lock,
            folder,
            account,
            binaries,
            settings: self.settings.clone(),
        })
    }
}

/// A running private server. Dropped without [`EmbeddedPostgres::stop`] it runs on, and the next
/// start adopts it; nothing committed is lost either way.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    socket_dir: PathBuf,
    /// Set when this process started the server.
    child: Option<Child>,
    /// Held by the one owner; `None` for a shared server.
    lock: Option<Lock>,
    folder: Folder,
    account: Account,
    binaries: Binaries,
    /// What it was started with beside the usual.
    settings: Vec<(String, String)>,
}

impl EmbeddedPostgres {
    /// Starts the private server under `data_dir`, which is created when missing, or adopts the one
    /// that a killed taskbridge left running there. `progress` is told in short sentences what goes on.
    ///
    /// # Errors
    /// When there are no programs, the folder is in use, unwritable or of another version, or the
    /// server does not come up; each is a sentence that says what to do.
    pub async fn start(data_dir: &Path, progress: impl FnMut(&str)) -> Result<Self, EmbeddedError> {
        EmbeddedOptions::from_env().start(data_dir, progress).await
    }

    /// Where to connect to. Holds no secret: the folder of the socket is the guard. Port and
    /// `sslmode` are said so that `PGPORT` and `PGSSLMODE` in the environment change nothing.
    #[must_use]
    pub fn url(&self) -> String {
        url_of(&self.socket_dir)
    }

    /// Where to connect to beside the owner of the server under `data_dir`: a short command while the service
    /// runs. Starts nothing.
    ///
    /// # Errors
    /// When the folder cannot be entered.
    pub fn url_beside_owner(data_dir: &Path) -> Result<String, EmbeddedError> {
        let folder = Folder::open(data_dir)?;
        let account = Account::serving(folder.own_uid)?;
        Ok(url_of(&folder.socket_dir(&account)?))
    }

    /// Whether there is anything under `data_dir` yet. Makes nothing.
    #[must_use]
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join(folder::CLUSTER).exists()
    }

    /// Who owns `data_dir` now, as the error that a start would end with. Makes nothing.
    #[must_use]
    pub fn owner(data_dir: &Path) -> Option<EmbeddedError> {
        folder::owner(data_dir)
    }

    /// Whether the server was already running, left by a process that is gone.
    #[must_use]
    pub fn adopted(&self) -> bool {
        self.child.is_none()
    }

    /// Starts the server again if it has ended by itself: killed for want of memory, for example. Answers whether it had.
    /// Nothing committed is lost. To be called from time to time.
    ///
    /// # Errors
    /// When it does not come up: worth another try later.
    pub async fn revive(&mut self) -> Result<bool, EmbeddedError> {
        let server = Server {
            folder: &self.folder,
            account: &self.account,
            binaries: &self.binaries,
            socket_dir: self.socket_dir.clone(),
            settings: &self.settings,
        };
        let lives = match &mut self.child {
            Some(child) => !has_ended(child, &self.folder)?,
            None => server.is_there().await,
        };
        if lives {
            return Ok(false);
        }
        self.child = None;
        self.child = server.up(&mut |_| {}).await?.child;
        Ok(true)
    }

    /// Stops the server and gives the folder free. A shared server (see [`EmbeddedOptions::shared`]) is left alone.
    ///
    /// # Errors
    /// When it does not stop within a minute; it then runs on and the next start adopts it.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        if self.lock.is_none() {
            return Ok(());
        }
        // Ended by itself, and not waited for yet, it would be taken for one that does not stop.
        if let Some(child) = &mut self.child
            && has_ended(child, &self.folder)?
        {
            return Ok(());
        }
        let cluster = self.folder.cluster();
        server::stop(&self.binaries, &self.account, &cluster).await?;
        if let Some(child) = &mut self.child {
            child.wait().map_err(EmbeddedError::io("waiting for the server on", cluster))?;
        }
        Ok(())
    }
}

fn has_ended(child: &mut Child, folder: &Folder) -> Result<bool, EmbeddedError> {
    Ok(child.try_wait().map_err(EmbeddedError::io("watching the server on", folder.cluster()))?.is_some())
}

fn url_of(socket_dir: &Path) -> String {
    let host = percent_encode(&socket_dir.to_string_lossy());
    let (name, port) = (server::NAME, server::PORT);
    format!("postgres://{name}@localhost:{port}/{name}?host={host}&sslmode=disable")
}

/// For a path inside the query part of a URL.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::percent_encode;

    #[test]
    fn encodes_what_a_query_would_misread() {
        assert_eq!(percent_encode("/a b/c+d&e=é%"), "/a%20b/c%2Bd%26e%3D%C3%A9%25");
    }
}
