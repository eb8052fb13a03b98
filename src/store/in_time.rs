//! Every statement outside intake ends within a bounded time. PostgreSQL ends slow statements by itself, but a line that
//! dies without a word ends nothing, and sqlx waits for an answer for ever. So the other rooms' connections are got
//! through here, and no caller has to think of it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, Postgres, SqlStr, Transaction};
use tokio::time::{Sleep, sleep, timeout};

use super::disk::Disk;

/// As long as it may take to get a connection, and then the server lets a statement run, and a little more; shorter
/// than a request of the admin API.
pub(super) const STATEMENT: Duration = Duration::from_secs(18);

/// A pool whose statements end in time. What did not is answered as unavailable; the connection is then asked for an
/// answer before it is used again, and closed when there is none.
#[derive(Debug, Clone)]
pub(crate) struct WorkPool {
    pool: PgPool,
    bounds: Bounds,
}

/// How long a statement may take, and what is to be remembered of those that are refused.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub longest: Duration,
    pub disk: Disk,
}

/// A connection whose statements end in time.
#[derive(Debug)]
pub(super) struct On<'c> {
    connection: &'c mut PgConnection,
    bounds: Bounds,
}

impl WorkPool {
    pub(super) fn new(pool: PgPool, bounds: Bounds) -> Self {
        Self { pool, bounds }
    }

    /// The pool itself, for what is no statement.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, Postgres>, Error> {
        self.bounds.one(self.pool.begin()).await
    }

    pub(super) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        self.pool.acquire().await
    }
}

impl<'c> On<'c> {
    pub(super) fn new(connection: &'c mut PgConnection, bounds: &Bounds) -> Self {
        Self { connection, bounds: bounds.clone() }
    }
}

impl Bounds {
    /// Waits for one answer.
    ///
    /// # Errors
    /// As `work`, or a time-out: whether it was done is not known.
    pub(super) async fn one<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let outcome = timeout(self.longest, work).await.unwrap_or_else(|_| Err(late()));
        outcome.inspect_err(|error| self.disk.note(error))
    }

    /// Waits for many rows.
    fn many<'e, T: 'e>(&self, rows: BoxStream<'e, Result<T, Error>>) -> BoxStream<'e, Result<T, Error>> {
        Box::pin(Many { rows, end: Box::pin(sleep(self.longest)), disk: self.disk.clone() })
    }
}

fn late() -> Error {
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer came in time"))
}

/// An answer of many rows, all of which must be there in time.
struct Many<'e, T> {
    rows: BoxStream<'e, Result<T, Error>>,
    end: Pin<Box<Sleep>>,
    disk: Disk,
}

impl<T> Stream for Many<'_, T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(row) = self.rows.as_mut().poll_next(cx) {
            if let Some(Err(error)) = &row {
                self.disk.note(error);
            }
            return Poll::Ready(row);
        }
        self.end.as_mut().poll(cx).map(|()| Some(Err(late())))
    }
}

impl<'p> Executor<'p> for &'_ WorkPool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.bounds.many(self.pool.fetch_many(query))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let (bounds, row) = (self.bounds.clone(), self.pool.fetch_optional(query));
        Box::pin(async move { bounds.one(row).await })
    }

    fn prepare_with<'e>(self, sql: SqlStr, types: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        let (bounds, made) = (self.bounds.clone(), self.pool.prepare_with(sql, types));
        Box::pin(async move { bounds.one(made).await })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        self.pool.describe(sql)
    }
}

impl<'c> Executor<'c> for On<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.bounds.many(self.connection.fetch_many(query))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move { self.bounds.one(self.connection.fetch_optional(query)).await })
    }

    fn prepare_with<'e>(self, sql: SqlStr, types: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move { self.bounds.one(self.connection.prepare_with(sql, types)).await })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.connection.describe(sql)
    }
}
