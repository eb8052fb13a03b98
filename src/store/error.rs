//! What can go wrong with the database, told by what to do next.

/// A failed call to the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is shutting down, is full or is overloaded: retry later.
    #[error("the database is not available: {}", said(.0))]
    Unavailable(#[source] sqlx::Error),
    /// Another transaction held a row or a table for too long, or the statement took too long: retry later.
    #[error("the database is busy with it: {}", said(.0))]
    Busy(#[source] sqlx::Error),
    /// The statement lost a race that the database broke (deadlock, serialization), or the tables
    /// have changed since it was prepared: retry now.
    #[error("the database asked to try again: {}", said(.0))]
    Contended(#[source] sqlx::Error),
    /// Another transaction was faster with the same thing: look again now.
    #[error("another transaction was faster")]
    Raced,
    /// A named constraint refused it: the caller knows which and what it means.
    #[error("the constraint {constraint} refused it")]
    Constraint {
        /// The constraint's name, as in the migration.
        constraint: String,
    },
    /// A fault in this program or a table changed by hand: give up and tell a person.
    #[error("the database refused a statement: {}", said(.0))]
    Fault(#[source] sqlx::Error),
    /// What is stored cannot be read back by this version: give up and tell a person.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(String),
}

/// What the database or the way to it said, with PostgreSQL's code, and without what only their authors need, such as the line
/// of PostgreSQL's source.
pub(super) fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(db) => match db.code() {
            Some(code) => format!("{} ({code})", db.message()),
            None => db.message().to_owned(),
        },
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::PoolTimedOut => "no answer came in time".to_owned(),
        other => other.to_string(),
    }
}

impl StoreError {
    /// Whether the same call may succeed later with nobody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Busy(_) | Self::Contended(_) | Self::Raced)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_) => Self::Unavailable(error),
            sqlx::Error::Database(_) if super::plans::is_outdated(&error) => Self::Contended(error),
            sqlx::Error::Database(db) => {
                let code = db.code().unwrap_or_default().into_owned();
                if let Some(constraint) = db.constraint() {
                    return Self::Constraint { constraint: constraint.to_owned() };
                }
                match code.as_str() {
                    "40001" | "40P01" => Self::Contended(error),
                    // A lock; a time-out.
                    "55P03" | "57014" => Self::Busy(error),
                    // 08 connection, 53 resources, 57 operator, 58 system.
                    code if ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) => {
                        Self::Unavailable(error)
                    }
                    "25006" => Self::Unavailable(error),
                    _ => Self::Fault(error),
                }
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::TypeNotFound { .. } => {
                Self::Unreadable(error.to_string())
            }
            _ => Self::Fault(error),
        }
    }
}
