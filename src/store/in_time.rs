//! Every statement outside intake ends within a bounded time. PostgreSQL ends slow statements by itself, but a line that
//! dies without a word ends nothing, and sqlx waits for an answer for ever. So the other rooms' connections are got
//! through here, and no caller has to think of it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::postgres::{PgConnection, PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, Postgres, SqlStr};
use tokio::time::timeout;

use super::disk::Disk;
use super::lent::{Lender, Lent};
use super::plans::Plans;

/// As long as it may take to get a connection, and then the server lets a statement run, and a little more; shorter
/// than a request of the admin API.
pub(super) const STATEMENT: Duration = Duration::from_secs(18);

/// A pool whose statements end in time. What did not is answered as unavailable.
#[derive(Debug, Clone)]
pub(crate) struct WorkPool {
    lender: Arc<Lender>,
    bounds: Bounds,
}

/// How long a statement may take, and what is to be remembered of those that are refused.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub longest: Duration,
    pub disk: Disk,
    pub plans: Plans,
}

/// A connection whose statements end in time.
#[derive(Debug)]
pub(super) struct On<'c> {
    connection: &'c mut PgConnection,
    /// Whether the last statement was answered to its end.
    answered: &'c mut bool,
    bounds: Bounds,
}

impl WorkPool {
    pub(super) fn new(pool: PgPool, bounds: Bounds) -> Self {
        Self { lender: Lender::new(pool, bounds.plans.clone()), bounds }
    }

    /// The same connections with other bounds.
    pub(super) fn with(&self, bounds: Bounds) -> Self {
        Self { lender: Arc::clone(&self.lender), bounds }
    }

    /// The pool itself, for what is no statement.
    pub(super) fn pool(&self) -> &PgPool {
        self.lender.pool()
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// A connection, after a bounded time.
    ///
    /// # Errors
    /// None came free in time, or none can be made: retry.
    pub(super) async fn acquire(&self) -> Result<Lent, Error> {
        self.lender.lend().await.inspect_err(|error| self.bounds.disk.note(error))
    }

    /// A connection of its own, which does not go back.
    pub(super) async fn detached(&self) -> Result<PgConnection, Error> {
        self.acquire().await?.detach()
    }

    pub(super) async fn close(&self) {
        self.lender.close().await;
    }
}

impl<'c> On<'c> {
    pub(super) fn new((connection, answered): (&'c mut PgConnection, &'c mut bool), bounds: &Bounds) -> Self {
        Self { connection, answered, bounds: bounds.clone() }
    }
}

impl Bounds {
    /// Waits for one answer.
    ///
    /// # Errors
    /// As `work`, or a time-out: whether it was done is not known.
    pub(super) async fn one<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let outcome = timeout(self.longest, work).await.unwrap_or_else(|_| Err(late()));
        outcome.inspect_err(|error| {
            self.disk.note(error);
            self.plans.note(error);
        })
    }

    /// Waits for many rows, all of which must be there in time.
    async fn many<T>(&self, mut rows: BoxStream<'_, Result<T, Error>>) -> Result<Vec<T>, Error> {
        let all = async {
            let mut all = Vec::new();
            while let Some(row) = poll_fn(|cx| rows.as_mut().poll_next(cx)).await {
                all.push(row?);
            }
            Ok(all)
        };
        self.one(all).await
    }
}

fn late() -> Error {
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer came in time"))
}

/// Rows that come when all of them are there. The statements are bounded in what they answer.
enum Rows<'e, T> {
    Awaited(BoxFuture<'e, Result<Vec<T>, Error>>),
    There(std::vec::IntoIter<T>),
}

impl<T: Unpin> Stream for Rows<'_, T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Self::Awaited(rows) = &mut *self {
            let (there, failed) = match ready!(rows.as_mut().poll(cx)) {
                Ok(rows) => (rows.into_iter(), None),
                Err(error) => (Vec::new().into_iter(), Some(Err(error))),
            };
            *self = Self::There(there);
            if failed.is_some() {
                return Poll::Ready(failed);
            }
        }
        match &mut *self {
            Self::There(rows) => Poll::Ready(rows.next().map(Ok)),
            Self::Awaited(_) => Poll::Pending,
        }
    }
}

impl<'p> Executor<'p> for &'_ WorkPool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        Box::pin(Rows::Awaited(Box::pin(async move {
            let mut lent = pool.acquire().await?;
            On::new(lent.halves(), &pool.bounds).all(query).await
        })))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut lent = pool.acquire().await?;
            On::new(lent.halves(), &pool.bounds).fetch_optional(query).await
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, types: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut lent = pool.acquire().await?;
            // Known by the connection it was made on; the others make it when they first meet it.
            On::new(lent.halves(), &pool.bounds).prepare_with(sql, types).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        self.lender.pool().describe(sql)
    }
}

impl<'c> On<'c> {
    /// All that a statement answers.
    async fn all<'q, E>(self, query: E) -> Result<Vec<Either<PgQueryResult, PgRow>>, Error>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        *self.answered = false;
        let rows = self.bounds.many(self.connection.fetch_many(query)).await?;
        *self.answered = true;
        Ok(rows)
    }
}

impl<'c> Executor<'c> for On<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(Rows::Awaited(Box::pin(self.all(query))))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            *self.answered = false;
            let row = self.bounds.one(self.connection.fetch_optional(query)).await?;
            *self.answered = true;
            Ok(row)
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, types: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            *self.answered = false;
            let made = self.bounds.one(self.connection.prepare_with(sql, types)).await?;
            *self.answered = true;
            Ok(made)
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.connection.describe(sql)
    }
}
