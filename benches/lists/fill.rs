//! Much that is kept, made by PostgreSQL itself: `fill.sql`. All is computed from the number of a row, so that the
//! bench knows what there is without asking.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use taskbridge::domain::rule::{Allow, Reporting};
use taskbridge::ids::uuid_floor;

const FILL: &str = include_str!("fill.sql");

/// How much there is.
#[derive(Clone, Copy)]
pub(crate) struct Amounts {
    pub(crate) deliveries: i64,
    pub(crate) tasks: i64,
    pub(crate) people: i64,
}

impl Amounts {
    pub(crate) const FULL: Self = Self { deliveries: 1_000_000, tasks: 200_000, people: 400 };
    pub(crate) const QUICK: Self = Self { deliveries: 25_000, tasks: 5_000, people: 400 };
}

/// Fills the empty tables; the last row is of `now`.
pub(crate) async fn fill(url: &str, amounts: Amounts, now: DateTime<Utc>) {
    let json = |value: serde_json::Result<String>| value.expect("it can be written");
    let text = FILL
        .replace(":deliveries", &amounts.deliveries.to_string())
        .replace(":tasks", &amounts.tasks.to_string())
        .replace(":people", &amounts.people.to_string())
        .replace(":now", &format!("'{}'", now.to_rfc3339_opts(SecondsFormat::Millis, true)))
        .replace(":allow", &json(serde_json::to_string(&Allow::default())))
        .replace(":report", &json(serde_json::to_string(&Reporting::default())));
    let mut connection = PgConnection::connect(url).await.expect("the private server answers");
    // One by one: several in one message would be one transaction, in which nothing can be vacuumed.
    for statement in text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
        done.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    connection.close().await.expect("the connection ends");
}

/// Where in time things lie.
pub(crate) struct Places {
    pub(crate) amounts: Amounts,
    pub(crate) now: DateTime<Utc>,
}

impl Places {
    /// When a part of all there is (0 to 1) had been made.
    pub(crate) fn moment(&self, part: f64) -> String {
        self.time(part).to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// Between two rows, where so much (0 to 1) is older.
    pub(crate) fn place(&self, part: f64) -> u128 {
        uuid_floor(self.time(part)).as_u128()
    }

    fn time(&self, part: f64) -> DateTime<Utc> {
        self.now - TimeDelta::milliseconds((2_592_000_000.0 * (1.0 - part)) as i64)
    }
}
