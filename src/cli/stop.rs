//! SIGINT and SIGTERM, caught from the first moment on: whatever was started must also be ended, above all the
//! private PostgreSQL, which would outlive a killed process.

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::CliError;

/// What SIGHUP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hangup {
    /// The terminal was closed.
    Stops,
    /// Somebody else listens to it.
    IsNotForUs,
}

/// The wish to stop, in two beats.
#[derive(Debug)]
pub(super) struct Stop {
    first: CancellationToken,
    second: CancellationToken,
    _listener: JoinSet<()>,
}

impl Stop {
    /// Listens from now on; the signals no longer end the process by themselves. A closed terminal (SIGHUP) is a
    /// wish to stop too, but for the service, which reloads on it.
    pub(super) fn listen(hangup: Hangup) -> Result<Self, CliError> {
        let catch = |kind| signal(kind).map_err(|error| CliError::Said(format!("signals cannot be received: {error}")));
        let (mut term, mut interrupt) = (catch(SignalKind::terminate())?, catch(SignalKind::interrupt())?);
        let mut closed = match hangup {
            Hangup::Stops => Some(catch(SignalKind::hangup())?),
            Hangup::IsNotForUs => None,
        };
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        let mut listener = JoinSet::new();
        let beats = [first.clone(), second.clone()];
        listener.spawn(async move {
            for beat in beats {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = interrupt.recv() => {}
                    Some(_) = async { closed.as_mut()?.recv().await } => {}
                }
                beat.cancel();
            }
        });
        Ok(Self { first, second, _listener: listener })
    }

    /// Waits for the first signal.
    pub(super) async fn told(&self) {
        self.first.cancelled().await;
    }

    /// Whether the first signal came.
    pub(super) fn is_told(&self) -> bool {
        self.first.is_cancelled()
    }

    /// Waits for the second signal: no more patience.
    pub(super) async fn told_again(&self) {
        self.second.cancelled().await;
    }
}
