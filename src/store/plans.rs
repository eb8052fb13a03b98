//! When it was last seen that tables had changed under prepared statements. A newer version that brings the tables up to date
//! while this one still runs changes what `SELECT *` answers; PostgreSQL then refuses each such statement on every connection
//! that has prepared it before, for as long as the connection lives. So connections of before that moment are not used again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgDatabaseError;
use tokio::time::Instant;

/// Where in PostgreSQL's source the refusal comes from: its code, `0A000`, means much else too, and its words are translated.
const REFUSED_IN: &str = "RevalidateCachedQuery";

/// The moment of the last such refusal. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Plans(Arc<Mutex<Option<Instant>>>);

impl Plans {
    /// Remembers a refusal.
    pub(super) fn note(&self, error: &sqlx::Error) {
        if is_outdated(error) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// Whether a connection that was there at `since` may have prepared something that is refused now.
    pub(super) fn outdate(&self, since: Instant) -> bool {
        let refused = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.is_some_and(|at| since <= at)
    }

    /// The same of a connection that is so old.
    pub(super) fn outdate_aged(&self, age: Duration) -> bool {
        Instant::now().checked_sub(age).is_some_and(|since| self.outdate(since))
    }
}

/// Whether a statement was refused because the tables have changed since it was prepared. Prepared anew it does what it should.
pub(super) fn is_outdated(error: &sqlx::Error) -> bool {
    let said = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    said.is_some_and(|said| said.routine() == Some(REFUSED_IN))
}
