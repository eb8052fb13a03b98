//! Replicas that ended although nobody killed them. One may: when its database is away while it starts, it gives up
//! with status 1 and a sentence that says so, for a supervisor to start it again.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::stage::Stage;
use crate::watcher::was_aborted;

/// What a start that finds no database says last.
const AWAY: [&str; 3] = [
    "taskbridge: the database could not be reached within ",
    "taskbridge: the tables could not be brought up to date: ",
    "taskbridge: the database is not available: ",
];
/// What it says once it serves: from then on it waits for its database.
const SERVES: &str = "taskbridge serves;";
/// What it says, and its status, when it is told to end while it starts.
const STOPPED: (i32, &str) = (130, "taskbridge: stopped before it was done");

/// One life of a replica, to be judged at its end.
pub(crate) struct Life {
    number: usize,
    log: PathBuf,
    /// Where in the log it begins.
    from: u64,
    born: Instant,
}

impl Life {
    /// Of replica `number`, about to be started.
    pub(crate) fn begin(stage: &Stage, number: usize) -> Self {
        let log = stage.folder.join(log_of(number));
        let from = std::fs::metadata(&log).map_or(0, |of| of.len());
        Self { number, log, from, born: Instant::now() }
    }

    /// It ended although nobody sent it a signal.
    pub(crate) fn ended(&self, stage: &Stage, pid: Option<i32>, status: ExitStatus) {
        match status.signal() {
            Some(raw) if raw == Signal::ABORT.as_raw() && was_aborted(stage, pid) => stage.died(),
            Some(raw) => stage.wrong(format!("{self} died of signal {raw} by itself")),
            None => match gave_up(status.code(), &self.said(), stage.database.was_away_since(self.born)) {
                Ok(()) => stage.tally.add("replicas.gave_up", 1),
                Err(why) => stage.wrong(format!("{self} ended by itself with {status}: {why}")),
            },
        }
    }

    /// It was told to end, and ended.
    pub(crate) fn obeyed(&self, stage: &Stage, pid: Option<i32>, status: ExitStatus) {
        match (status.signal(), status.code()) {
            // It had not yet begun to listen to signals.
            (Some(raw), _) if raw == Signal::TERM.as_raw() => {}
            (None, Some(0)) => {}
            (None, Some(code)) if code == STOPPED.0 && last_words(&self.said()) == STOPPED.1 => {}
            // It died at a fail point on its way out, or gave up right before.
            _ => self.ended(stage, pid, status),
        }
    }

    /// What it has said.
    fn said(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| {
            log.seek(SeekFrom::Start(self.from))?;
            log.read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("its log cannot be read: {error}"),
        }
    }
}

impl std::fmt::Display for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "replica {}", self.number)
    }
}

/// The log of replica `number`.
pub(crate) fn log_of(number: usize) -> String {
    format!("replica-{number}.log")
}

/// The last that it said of itself. What its connections have to log may come after it.
fn last_words(said: &str) -> &str {
    said.lines().rfind(|line| line.starts_with("taskbridge: ")).unwrap_or_default()
}

/// Whether one that ended so has given up for want of its database; if not, why not.
fn gave_up(code: Option<i32>, said: &str, was_away: bool) -> Result<(), String> {
    let last = last_words(said);
    if code != Some(1) || !AWAY.iter().any(|sentence| last.starts_with(sentence)) {
        return Err(format!("its last words were {last:?}"));
    }
    if said.contains(SERVES) {
        return Err(format!("it served, and must wait for its database: {last:?}"));
    }
    if !was_away {
        return Err(format!("its database was there: {last:?}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::gave_up;

    #[test]
    fn only_a_start_without_a_database_may_give_up() {
        let away =
            "INFO something\ntaskbridge: the database is not available: no answer came in time\nDEBUG ROLLBACK\n";
        assert!(gave_up(Some(1), away, true).is_ok());
        assert!(gave_up(Some(101), away, true).is_err() && gave_up(None, away, true).is_err(), "another status");
        assert!(gave_up(Some(1), away, false).is_err(), "it was there");
        assert!(gave_up(Some(1), &format!("INFO taskbridge serves; webhooks\n{away}"), true).is_err(), "it served");
        for other in ["taskbridge: the address 127.0.0.1:1 is in use", "thread 'main' panicked", ""] {
            assert!(gave_up(Some(1), other, true).is_err(), "{other}");
        }
    }
}
