//! The wish to end early: what a round has started would outlive a program that is killed by a signal, above all its
//! PostgreSQL.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens to SIGTERM, SIGINT and a closed terminal.
pub(crate) struct Told([Signal; 3]);

impl Told {
    /// From now on these signals no longer end the program by themselves; one that comes is kept until it is asked for.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?]))
    }

    /// Waits for one of them.
    pub(crate) async fn wait(&mut self) {
        let [term, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
