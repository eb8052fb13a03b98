//! Whether the database said lately that its disk is full. A full database still answers questions; that it takes nothing
//! can be told only by what was refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::StoreError;

/// How long a refusal counts. Short, because whoever sends nothing here meanwhile cannot find out that there is room again.
const COUNTS: Duration = Duration::from_secs(10);

/// The last refusal. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<Option<Instant>>>);

impl Disk {
    /// Remembers a refusal for want of room (SQLSTATE 53100).
    pub(super) fn note(&self, error: &sqlx::Error) {
        if error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("53100")) {
            self.put(Some(Instant::now()));
        }
    }

    /// Remembers what became of recording webhooks, and passes it on. Where one was written, there is room.
    pub(super) fn noted<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match &outcome {
            Ok(_) => self.put(None),
            Err(StoreError::Unavailable(error)) => self.note(error),
            Err(_) => {}
        }
        outcome
    }

    /// Whether something was refused within the last ten seconds.
    pub(super) fn is_full(&self) -> bool {
        let refused = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.is_some_and(|at| at.elapsed() < COUNTS)
    }

    fn put(&self, refused: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }
}
