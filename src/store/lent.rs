//! Connections lent by a pool, and how they go back. A caller may run out of time in the middle of a statement or of a
//! BEGIN: the pool itself would then wait for the answer for ever, keeping the connection's place taken, or lend a
//! connection on which a transaction was begun that nobody knows of.
//!
//! The pool also asks each connection that comes back whether it still lives, which under load would be a round trip more
//! for each statement. So one whose last statement was answered is kept here for the next caller.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, Postgres};
use sqlx::{Error, Executor};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::plans::Plans;

/// How long a connection may take to answer when it comes back, is about to be used or is made.
pub(super) const ANSWER: Duration = Duration::from_millis(2500);
/// How long a connection counts as alive after it was used.
pub(super) const FRESH: Duration = Duration::from_millis(500);

/// A pool, and those of its connections that were used a moment ago.
#[derive(Debug)]
pub(super) struct Lender {
    pool: PgPool,
    plans: Plans,
    /// As many as the pool has connections: who holds one finds a connection kept here, or room for one in the pool.
    places: Arc<Semaphore>,
    kept: Mutex<Vec<Kept>>,
}

/// A connection, since when it is out of the pool, and when it was last used.
#[derive(Debug)]
struct Kept {
    connection: PoolConnection<Postgres>,
    since: Instant,
    used: Instant,
}

/// A connection of a pool. One that was given up in the middle of something is asked for an answer when it goes back, and
/// closed when none comes in time.
#[derive(Debug)]
pub(super) struct Lent {
    /// There until the drop.
    connection: Option<PoolConnection<Postgres>>,
    /// Since when it is out of the pool.
    since: Instant,
    transaction: Transaction,
    /// Whether the last statement was answered to its end, and well.
    pub(super) answered: bool,
    lender: Arc<Lender>,
    /// Given back after the connection.
    _place: OwnedSemaphorePermit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    /// Begun, or just being begun: nobody knows.
    Beginning,
    Open,
}

impl Lender {
    pub(super) fn new(pool: PgPool, plans: Plans) -> Arc<Self> {
        let places = usize::try_from(pool.options().get_max_connections()).unwrap_or(Semaphore::MAX_PERMITS);
        Arc::new(Self { pool, plans, places: Arc::new(Semaphore::new(places)), kept: Mutex::default() })
    }

    /// The pool itself, for what is no statement.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection, after a bounded time.
    ///
    /// # Errors
    /// None came free in time, or none can be made: retry.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent, Error> {
        let place = timeout(ANSWER, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| Error::PoolTimedOut)?.map_err(|_| Error::PoolClosed)?;
        // The one used last is at the end; if that has lain too long, all have, and the pool asks them.
        let newest = self.kept().pop();
        let (connection, since) = match newest {
            Some(Kept { connection, since, used }) if used.elapsed() < FRESH && !self.plans.outdate(since) => {
                (connection, since)
            }
            Some(stale) => {
                let all = std::mem::take(&mut *self.kept());
                all.into_iter().chain([stale]).for_each(|kept| self.give_back(kept.connection, kept.since));
                (self.pool.acquire().await?, Instant::now())
            }
            None => (self.pool.acquire().await?, Instant::now()),
        };
        Ok(Lent {
            connection: Some(connection),
            since,
            transaction: Transaction::None,
            answered: true,
            lender: Arc::clone(self),
            _place: place,
        })
    }

    /// Gives a connection back to the pool, which asks it for an answer: for ever, were it not ended here. One of before the
    /// tables changed is closed.
    fn give_back(&self, mut connection: PoolConnection<Postgres>, since: Instant) {
        if self.plans.outdate(since) {
            connection.close_on_drop();
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(ANSWER, connection.return_to_pool()));
        }
    }

    /// Closes all connections; waits for those that are lent.
    pub(super) async fn close(&self) {
        let closing = self.pool.close();
        drop(std::mem::take(&mut *self.kept()));
        closing.await;
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        // Dropped as they are they would go back, which nobody may be there to see through.
        for kept in self.kept().drain(..) {
            drop(kept.connection.detach());
        }
    }
}

impl Lent {
    /// Begins a transaction. Given up on the way, the connection is not used again: the answer may still come.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        self.transaction = Transaction::Beginning;
        self.execute("BEGIN").await?;
        self.transaction = Transaction::Open;
        Ok(())
    }

    /// Ends the transaction, for good if there is no error.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        self.answered = false;
        self.execute("COMMIT").await?;
        (self.transaction, self.answered) = (Transaction::None, true);
        Ok(())
    }

    /// Takes the connection out of the pool, which makes another in its place.
    ///
    /// # Errors
    /// Never met: a lent connection is there until it goes back.
    pub(super) fn detach(mut self) -> Result<PgConnection, Error> {
        self.connection.take().map(PoolConnection::detach).ok_or(Error::PoolClosed)
    }

    /// Its two halves: what statements are sent on, and whether the last one was answered.
    pub(super) fn halves(&mut self) -> (&mut PgConnection, &mut bool) {
        (self.connection.as_deref_mut().expect("it is there until the drop"), &mut self.answered)
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_deref().expect("it is there until the drop")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_deref_mut().expect("it is there until the drop")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let (Some(mut connection), Ok(runtime)) = (self.connection.take(), Handle::try_current()) else { return };
        match self.transaction {
            Transaction::Beginning => connection.close_on_drop(),
            Transaction::None => {
                // Looked at with the list in hand, so that none is kept once `close` has taken them all.
                let mut kept = self.lender.kept();
                if self.answered && !self.lender.pool.is_closed() {
                    kept.push(Kept { connection, since: self.since, used: Instant::now() });
                } else {
                    drop(kept);
                    self.lender.give_back(connection, self.since);
                }
            }
            Transaction::Open => {
                let (lender, since) = (Arc::clone(&self.lender), self.since);
                runtime.spawn(async move {
                    if matches!(timeout(ANSWER, connection.execute("ROLLBACK")).await, Ok(Ok(_))) {
                        lender.give_back(connection, since);
                    } else {
                        connection.close_on_drop();
                    }
                });
            }
        }
    }
}
