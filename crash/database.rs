//! The private PostgreSQL of a round, and the ways in which it goes down.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use taskbridge::store::embedded::{EmbeddedOptions, EmbeddedPostgres};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::chance::Dice;
use crate::stage::{Fatal, Stage};

/// A PostgreSQL that is killed and started again.
pub(crate) struct Database {
    folder: PathBuf,
    url: String,
    server: Mutex<Option<EmbeddedPostgres>>,
    away: std::sync::Mutex<Away>,
}

/// When it was last away.
#[derive(Clone, Copy)]
enum Away {
    Never,
    Now,
    Until(Instant),
}

impl Database {
    pub(crate) async fn start(folder: &Path) -> Result<Self, Fatal> {
        let server = up(folder).await?;
        Ok(Self {
            folder: folder.to_owned(),
            url: server.url(),
            server: Mutex::new(Some(server)),
            away: std::sync::Mutex::new(Away::Never),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Connections of our own, to see what is there.
    pub(crate) async fn pool(&self) -> Result<PgPool, Fatal> {
        Ok(PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(20)).connect(&self.url).await?)
    }

    fn set_away(&self, away: Away) {
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = away;
    }

    /// Whether it has been away at any moment since `then`.
    pub(crate) fn was_away_since(&self, then: Instant) -> bool {
        match *self.away.lock().unwrap_or_else(PoisonError::into_inner) {
            Away::Never => false,
            Away::Now => true,
            Away::Until(back) => back >= then,
        }
    }

    fn pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.folder.join("postgres/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok().and_then(Pid::from_raw)
    }

    /// Takes it down with a signal, and starts it again after a while.
    async fn restart(&self, signal: Signal, down: Duration) -> Result<(), Fatal> {
        let mut server = self.server.lock().await;
        let pid = self.pid().ok_or("postmaster.pid names no process")?;
        self.set_away(Away::Now);
        kill_process(pid, signal)?;
        // None from here on: whoever cuts this short sees that it is on its way down or up.
        let dying = server.take();
        if !is_reaped(pid, Duration::from_secs(60)).await {
            *server = dying;
            return Err("the database does not go down".into());
        }
        drop(dying);
        sleep(down).await;
        *server = Some(up(&self.folder).await?);
        self.set_away(Away::Until(Instant::now()));
        Ok(())
    }

    pub(crate) async fn stop(&self) -> Result<(), Fatal> {
        match self.server.lock().await.take() {
            Some(server) => Ok(server.stop().await?),
            None => Ok(()),
        }
    }
    /// Takes it down for good, also when a restart was cut short: then it is seen to be up first, and stopped after that.
    pub(crate) async fn end(&self) -> Result<(), Fatal> {
        if self.server.lock().await.is_some() {
            return self.stop().await;
        }
        if let Some(pid) = self.pid() {
            is_reaped(pid, Duration::from_secs(5)).await;
        }
        Ok(up(&self.folder).await?.stop().await?)
    }
}

/// Whether the server, our child, has ended: until it is reaped, a new one would take it for alive. One that is no child
/// has nobody to wait for.
async fn is_reaped(pid: Pid, patience: Duration) -> bool {
    let began = Instant::now();
    while matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(None)) {
        if began.elapsed() > patience {
            return false;
        }
        sleep(Duration::from_millis(10)).await;
    }
    true
}

impl Drop for Database {
    /// When a round could not be played: a server that is left running would be found by nobody.
    fn drop(&mut self) {
        let runs = self.server.get_mut().is_some();
        if let Some(pid) = self.pid().filter(|_| runs) {
            let _ = kill_process(pid, Signal::INT);
        }
    }
}

async fn up(folder: &Path) -> Result<EmbeddedPostgres, Fatal> {
    let mut tries = 0;
    loop {
        match EmbeddedOptions::from_env().start(folder, |_| {}).await {
            Ok(server) => return Ok(server),
            Err(error) if tries >= 5 => return Err(error.into()),
            Err(_) => tries += 1,
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Takes the database down every few seconds, until told to stop.
///
/// Case 26.
pub(crate) async fn disturb(stage: &Stage, stop: &CancellationToken) -> Result<(), Fatal> {
    let mut dice = Dice::of(stage.seed, "database");
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(dice.millis(5_000, 14_000)) => {}
        }
        let ways = [(Signal::KILL, "kill9"), (Signal::QUIT, "immediate"), (Signal::INT, "fast")];
        let (signal, name) = *dice.pick(&ways);
        let down = dice.millis(0, 1_500);
        stage.database.restart(signal, down).await?;
        stage.tally.add(&format!("database.{name}"), 1);
    }
}
