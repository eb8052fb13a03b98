//! A door in the database: what changes a certain row waits in its middle for as long as the door is closed. So a replica
//! stands still at an exact place of the walk, and is killed there, or put to sleep.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Statements of this database that wait for a lock.
pub(crate) const BLOCKED: &str = "SELECT count(*) FROM pg_stat_activity
                                  WHERE datname = current_database() AND wait_event_type = 'Lock'";
/// Who waits for the lock that is the door; the service has advisory locks of its own.
const AT_THE_DOOR: &str =
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = 7 AND NOT granted
                           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const END_THEM: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks
                        WHERE locktype = 'advisory' AND classid = 0 AND objid = 7 AND NOT granted
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const LEASES_END: &str = "
    DO $$ DECLARE leased text; BEGIN
        FOR leased IN SELECT table_name FROM information_schema.columns
                      WHERE table_schema = 'public' AND column_name = 'lease_until' LOOP
            EXECUTE format('UPDATE %I SET lease_until = clock_timestamp() WHERE lease_until > clock_timestamp()', leased);
        END LOOP;
    END $$";

pub(crate) async fn count(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
}

/// Waits until a count is as it should be.
pub(crate) async fn counted(connection: &mut PgConnection, query: &'static str, wanted: impl Fn(i64) -> bool) {
    let begun = Instant::now();
    while !wanted(count(connection, query).await) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{query}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Ends all leases, as when their time is over.
pub(crate) async fn leases_end(connection: &mut PgConnection) {
    sqlx::raw_sql(LEASES_END).execute(connection).await.unwrap();
}

/// The door.
pub(crate) struct Door {
    keeper: PgConnection,
    /// To look on with.
    pub(crate) watcher: PgConnection,
}

impl Door {
    /// Closes it for what `trigger` names (`TRIGGER door BEFORE UPDATE ON reports`), if `condition` holds of the row. Whoever
    /// stands before it gives up after five seconds, as everybody does who waits for a lock.
    pub(crate) async fn close(url: &str, trigger: &str, condition: &str) -> Self {
        let mut keeper = PgConnection::connect(url).await.unwrap();
        let statements = format!(
            "CREATE FUNCTION door() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN IF {condition} THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NEW; END $$;
             CREATE {trigger} FOR EACH ROW EXECUTE FUNCTION door();
             SELECT pg_advisory_lock(7)"
        );
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut keeper).await.unwrap();
        Self { keeper, watcher: PgConnection::connect(url).await.unwrap() }
    }

    /// Waits until somebody stands before it.
    pub(crate) async fn met(&mut self) {
        counted(&mut self.watcher, AT_THE_DOOR, |count| count > 0).await;
    }

    /// Opens it, and lets through who waits.
    pub(crate) async fn open(&mut self) {
        sqlx::raw_sql("SELECT pg_advisory_unlock(7)").execute(&mut self.keeper).await.unwrap();
        counted(&mut self.watcher, AT_THE_DOOR, |count| count == 0).await;
    }

    /// Opens it, and who waits never comes through: PostgreSQL would notice only after the statement that its client is dead.
    pub(crate) async fn open_for_nobody(&mut self) {
        assert!(count(&mut self.watcher, END_THEM).await > 0, "somebody waits");
        self.open().await;
    }

    /// As [`leases_end`].
    pub(crate) async fn leases_end(&mut self) {
        leases_end(&mut self.watcher).await;
    }
}
