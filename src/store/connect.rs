//! Two pools to one database: intake has its own, so that no slow query of an operator can keep a
//! webhook from being recorded.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use super::StoreError;
use super::disk::Disk;
use super::error::said;
use super::in_time::{Bounds, STATEMENT, WorkPool};
use super::lent::{ANSWER, FRESH};
use super::plans::Plans;
use crate::fail_point::{Point, reach};
use crate::secret::Secret;

/// The migrations, compiled in.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// While the tables are brought up to date: how often the database is asked whether it is still there, and after how many
/// silences in a row it is not.
const KNOCK_AGAIN: Duration = Duration::from_secs(2);
const SILENCES: u32 = 3;

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `postgres://…`
    pub url: Secret,
    /// Connections kept for recording webhooks.
    pub intake_connections: u32,
    /// Connections for everything else.
    pub work_connections: u32,
    /// How long to wait for a database that is not there yet.
    pub connect_wait: Duration,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) intake: PgPool,
    pub(crate) work: WorkPool,
    pub(super) disk: Disk,
}

/// Why the database cannot be used. All of these are for a person to settle.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address does not parse.
    #[error("the database URL is not a valid postgres:// address")]
    BadUrl,
    /// Nothing answered in time.
    #[error(
        "the database could not be reached within {waited_s} s: {}. Check that PostgreSQL runs and that the address, the name of the database, user and password are right",
        said(source)
    )]
    NoAnswer {
        /// How long it was waited for, in seconds.
        waited_s: u64,
        /// The last failure.
        source: sqlx::Error,
    },
    /// The tables are of another version.
    #[error("the database's tables do not fit this version of taskbridge: {0}")]
    Schema(String),
    /// The tables could not be made.
    #[error(
        "the tables could not be brought up to date: {}. What was done of that step is undone. Is the database away, or does its user lack the right to make tables? If it is neither, restore the last backup, or ask the project with this text",
        of_step(.0)
    )]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

/// Which step failed, and why.
fn of_step(error: &sqlx::migrate::MigrateError) -> String {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::Execute(error) => said(error),
        MigrateError::ExecuteMigration(error, step) => format!("step {step}: {}", said(error)),
        other => other.to_string(),
    }
}

/// Whether a connection may be used. What was used a moment ago is not asked: under load that would be a round trip more for
/// each statement.
async fn lives(connection: &mut sqlx::PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    if idle_for >= FRESH {
        let answer = tokio::time::timeout(ANSWER, sqlx::Connection::ping(connection)).await;
        answer.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    }
    Ok(true)
}

impl Store {
    /// Connects, waiting up to `connect_wait` for a database that is still starting; `waiting` is
    /// called once, when the first try fails.
    ///
    /// # Errors
    /// [`ConnectError::BadUrl`], or [`ConnectError::NoAnswer`] after the wait: ask a person.
    pub async fn connect(settings: &StoreSettings, waiting: impl FnOnce(&str)) -> Result<Self, ConnectError> {
        let options: PgConnectOptions = settings.url.expose().parse().map_err(|_| ConnectError::BadUrl)?;
        // A query that no human waits for any more must not go on: sqlx itself has no time-out. A line that is gone
        // without a word is noticed only on this side.
        let options = options.application_name("taskbridge").options([
            ("statement_timeout", "15000"),
            ("idle_in_transaction_session_timeout", "30000"),
            ("lock_timeout", "5000"),
        ]);
        let plans = Plans::default();
        let pool = |connections: u32| {
            let plans = plans.clone();
            PgPoolOptions::new()
                .max_connections(connections.max(1))
                .acquire_timeout(ANSWER)
                .test_before_acquire(false)
                .before_acquire(move |connection, met| {
                    let outdated = plans.outdate_aged(met.age);
                    Box::pin(async move { Ok(!outdated && lives(connection, met.idle_for).await?) })
                })
        };
        let disk = Disk::default();
        let store = Self {
            intake: pool(settings.intake_connections).connect_lazy_with(options.clone()),
            work: WorkPool::new(
                pool(settings.work_connections).connect_lazy_with(options),
                Bounds { longest: STATEMENT, disk: disk.clone(), plans: plans.clone() },
            ),
            disk,
        };
        store.wait_until_there(settings.connect_wait, waiting).await?;
        Ok(store)
    }

    /// The same database, where statements outside intake end after `longest` instead of 18 seconds: for those who need
    /// not wait so long.
    #[must_use]
    pub fn patient_for(mut self, longest: Duration) -> Self {
        self.work = self.work.with(Bounds { longest, ..self.work.bounds().clone() });
        self
    }

    async fn wait_until_there(&self, limit: Duration, waiting: impl FnOnce(&str)) -> Result<(), ConnectError> {
        let started = tokio::time::Instant::now();
        let mut waiting = Some(waiting);
        loop {
            match self.knock().await {
                Ok(()) => return Ok(()),
                Err(source) if started.elapsed() >= limit => {
                    return Err(ConnectError::NoAnswer { waited_s: limit.as_secs(), source });
                }
                Err(source) => {
                    if let Some(waiting) = waiting.take() {
                        waiting(&said(&source));
                    }
                    tokio::time::sleep(Duration::from_millis(250).min(limit)).await;
                }
            }
        }
    }

    /// One try to connect. A pool would try again by itself until its time-out, and then hide the reason.
    async fn knock(&self) -> Result<(), sqlx::Error> {
        let options = self.work.pool().connect_options();
        let connect = <sqlx::PgConnection as sqlx::Connection>::connect_with(&options);
        let connected = tokio::time::timeout(ANSWER, connect).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        sqlx::Connection::close(connected).await
    }

    async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query_scalar!(r#"/* ping */ SELECT 1 AS "one!""#).fetch_one(&self.work).await.map(|_| ())
    }

    /// Whether the database answers now, and has not lately refused to take something for want of room.
    ///
    /// # Errors
    /// [`StoreError`] when it does not: retry.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.ping().await?;
        if self.disk.is_full() {
            let full = std::io::Error::new(std::io::ErrorKind::StorageFull, "the database has no room left");
            return Err(StoreError::Unavailable(sqlx::Error::Io(full)));
        }
        Ok(())
    }

    /// How many connections there are for all but recording webhooks.
    #[must_use]
    pub fn work_connections(&self) -> usize {
        usize::try_from(self.work.pool().options().get_max_connections()).unwrap_or(usize::MAX)
    }

    /// Makes or updates the tables. Several replicas may do so at once: one does, the others wait.
    ///
    /// # Errors
    /// [`ConnectError::Schema`] when the tables are newer than this version, [`ConnectError::Migrate`]
    /// when a step failed: ask a person.
    pub async fn migrate(&self) -> Result<(), ConnectError> {
        use sqlx::migrate::MigrateError;
        // A connection of its own, closed afterwards: a large step and the wait for another replica's
        // may take longer than any query is otherwise allowed to.
        let mut connection = self.work.detached().await.map_err(|error| ConnectError::Migrate(error.into()))?;
        let outcome = tokio::select! {
            outcome = bring_up_to_date(&mut connection) => outcome,
            () = self.gone() => {
                let gone = std::io::Error::new(std::io::ErrorKind::TimedOut, "the database no longer answers");
                return Err(ConnectError::Migrate(sqlx::Error::Io(gone).into()));
            }
        };
        let _ = sqlx::Connection::close(connection).await;
        outcome.map_err(|error| match error {
            MigrateError::VersionMissing(version) => ConnectError::Schema(format!(
                "they have step {version}, which is newer. Start the newer version, or restore an older backup"
            )),
            MigrateError::VersionMismatch(version) => {
                ConnectError::Schema(format!(
                    "step {version} was applied with other text, by a build that was never released or was changed. Start that build, or restore an older backup"
                ))
            }
            other => ConnectError::Migrate(other),
        })
    }

    /// Ends when the database has not answered for long. A step may take as long as it takes, so only this shows that the line
    /// on which it runs leads nowhere any more.
    async fn gone(&self) {
        let mut silent = 0;
        while silent < SILENCES {
            tokio::time::sleep(KNOCK_AGAIN).await;
            silent = match self.knock().await {
                // A refusal is an answer.
                Ok(()) | Err(sqlx::Error::Database(_)) => 0,
                Err(_) => silent + 1,
            };
        }
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.intake.close().await;
        self.work.close().await;
    }
}

/// Runs the steps that are missing.
async fn bring_up_to_date(connection: &mut sqlx::PgConnection) -> Result<(), sqlx::migrate::MigrateError> {
    sqlx::query!(
        "/* migrate */ SELECT set_config('statement_timeout', '0', false) AS a, set_config('lock_timeout', '0', false) AS b"
    )
    .fetch_one(&mut *connection)
    .await?;
    reach(Point::MigrateBefore);
    let outcome = MIGRATIONS.run(connection).await;
    reach(Point::MigrateDone);
    outcome
}
