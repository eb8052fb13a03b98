//! A private PostgreSQL of its own for each bench, as the product starts it: fsync on, a commit answered only
//! when it is on disk. It lies in the target folder, so that it is on a real disk and not in memory.

use std::path::{Path, PathBuf};

use taskbridge::store::embedded::{EmbeddedError, EmbeddedOptions, EmbeddedPostgres};

/// A running server that is removed at the end.
pub(crate) struct Database {
    pub(crate) url: String,
    folder: PathBuf,
    server: Option<EmbeddedPostgres>,
}

impl Database {
    /// # Panics
    /// When there is no PostgreSQL here.
    pub(crate) async fn start() -> Self {
        let name = format!("bench-postgres-{}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        let options = || EmbeddedOptions::from_env().setting("synchronous_commit", "on").setting("fsync", "on");
        let (folder, started) = match options().start(&folder, |_| {}).await {
            // As root the server has another account, which may not be let in there.
            Err(EmbeddedError::NotTraversable { .. }) => {
                let _ = std::fs::remove_dir_all(&folder);
                let folder = std::env::temp_dir().join(&name);
                (folder.clone(), options().start(&folder, |_| {}).await)
            }
            other => (folder, other),
        };
        let server = started.unwrap_or_else(|error| panic!("a bench needs a PostgreSQL: {error}"));
        Self { url: server.url(), folder, server: Some(server) }
    }

    pub(crate) async fn stop(mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await.expect("the private server stops");
        }
    }
}

impl Drop for Database {
    /// After a panic the server still runs: it would outlive the bench.
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(self.folder.join("postgres/postmaster.pid")).unwrap_or_default();
        if let (Some(_), Some(pid)) = (&self.server, pid.lines().next()) {
            let _ = std::process::Command::new("kill").args(["-QUIT", pid]).status();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
