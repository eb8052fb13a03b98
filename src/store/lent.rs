//! Connections lent by a pool, and how they go back. A caller may run out of time in the middle of a statement or of a
//! BEGIN: the pool itself would then wait for the answer for ever, keeping the connection's place taken, or lend a
//! connection on which a transaction was begun that nobody knows of.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{Error, Executor};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a connection may take to answer when it comes back, is about to be used or is made.
pub(super) const ANSWER: Duration = Duration::from_millis(2500);

/// A connection of a pool. It is asked for an answer when it goes back, and closed when none comes in time.
#[derive(Debug)]
pub(super) struct Lent {
    /// There until the drop.
    connection: Option<PoolConnection<Postgres>>,
    transaction: Transaction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    /// Begun, or just being begun: nobody knows.
    Beginning,
    Open,
}

impl Lent {
    pub(super) fn new(connection: PoolConnection<Postgres>) -> Self {
        Self { connection: Some(connection), transaction: Transaction::None }
    }

    /// Begins a transaction. Given up on the way, the connection is not used again: the answer may still come.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        self.transaction = Transaction::Beginning;
        self.execute("BEGIN").await?;
        self.transaction = Transaction::Open;
        Ok(())
    }

    /// Ends the transaction, for good if there is no error.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        self.execute("COMMIT").await?;
        self.transaction = Transaction::None;
        Ok(())
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
        if self.transaction == Transaction::Beginning {
            connection.close_on_drop();
            return;
        }
        let undo = self.transaction == Transaction::Open;
        runtime.spawn(async move {
            if undo && !matches!(timeout(ANSWER, connection.execute("ROLLBACK")).await, Ok(Ok(_))) {
                connection.close_on_drop();
                return;
            }
            // The pool itself would ask as well, but without an end.
            let _ = timeout(ANSWER, connection.return_to_pool()).await;
        });
    }
}
