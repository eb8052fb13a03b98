//! Whether lists go by an index: what PostgreSQL plans for each filter, and what it counted while the real server was
//! asked.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use taskbridge::domain::task::{ALL, State};

use crate::ask::Ask;

/// The tables that grow with use.
const GROWING: [&str; 8] =
    ["deliveries", "decisions", "tasks", "attempts", "timeline", "sessions", "reports", "people"];

/// How often each table that grows was read from its beginning to its end so far.
pub(crate) async fn scans(url: &str) -> BTreeMap<String, i64> {
    let mut connection = PgConnection::connect(url).await.expect("the private server answers");
    let rows = sqlx::query("SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE relname = ANY($1)")
        .bind(GROWING.map(str::to_owned))
        .fetch_all(&mut connection)
        .await
        .expect("the counts can be read");
    connection.close().await.expect("the connection ends");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The tables that were read whole since then, with how often.
pub(crate) async fn scanned_since(url: &str, before: &BTreeMap<String, i64>) -> Vec<String> {
    let now = scans(url).await;
    let more = now.iter().map(|(table, count)| (table, count - before.get(table).copied().unwrap_or(0)));
    more.filter(|(_, more)| *more > 0).map(|(table, more)| format!("{table} {more} x")).collect()
}

/// For each list with each set of filters: the indexes in its plan; `SEQ SCAN` and the whole plan if one of the
/// tables that grow is read whole.
pub(crate) async fn planned(url: &str, asks: &[Ask]) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.expect("the private server answers");
    let mut all = Vec::new();
    for ask in asks.iter().filter(|ask| !ask.list.is_empty() && ask.page == "first") {
        let plan = plan(&mut connection, ask).await;
        let scans = |line: &&str| GROWING.iter().any(|table| line.contains(&format!("Seq Scan on {table} ")));
        let by: Vec<&str> = plan.iter().filter_map(|line| index_of(line)).collect();
        let mut text = format!("{}: {}", ask.name, by.join(", "));
        if plan.iter().map(String::as_str).any(|line| scans(&line)) {
            text = format!("{}: SEQ SCAN\n{}", ask.name, plan.join("\n"));
        }
        all.push(text);
    }
    connection.close().await.expect("the connection ends");
    all
}

/// The index that a line of a plan names.
fn index_of(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" using ").or_else(|| line.split_once("Bitmap Index Scan on "))?;
    rest.split_whitespace().next()
}

async fn plan(connection: &mut PgConnection, ask: &Ask) -> Vec<String> {
    let given = |name: &str| ask.filters.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    let literal = |name: &str| given(name).map_or("NULL".to_owned(), |value| format!("'{value}'"));
    let since = literal("since");
    let floor = given("since").map_or("NULL".to_owned(), |moment| {
        let moment: chrono::DateTime<chrono::Utc> = moment.parse().expect("the bench has written it");
        format!("'{}'", taskbridge::ids::uuid_floor(moment - chrono::TimeDelta::hours(1)))
    });
    let narrowed = ["source", "state", "event", "repo", "rule", "person"].iter().any(|name| given(name).is_some());
    let (name, values) = match ask.list {
        "deliveries" if narrowed => {
            let (source, state, event) = (literal("source"), literal("state"), literal("event"));
            ("deliveries_of", format!("NULL, {source}, {state}, {event}, {since}, {floor}, 51"))
        }
        "deliveries" => ("deliveries", format!("NULL, {since}, {floor}, 51")),
        "tasks" if narrowed => {
            let states = given("state").map_or(ALL.map(State::as_str).join(","), str::to_owned);
            let (repo, rule, person) = (literal("repo"), literal("rule"), literal("person"));
            ("tasks_of", format!("NULL, '{{{states}}}', {repo}, {rule}, {person}, {since}, {floor}, 51"))
        }
        "tasks" => ("tasks", format!("NULL, {since}, {floor}, 51")),
        _ => ("people", "NULL, 51".to_owned()),
    };
    for text in [
        "DEALLOCATE ALL".to_owned(),
        "SET plan_cache_mode = force_custom_plan".to_owned(),
        format!("PREPARE asked AS {}", statement(name)),
    ] {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *connection).await.expect("it is the product's own statement");
    }
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE asked({values})");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(connection).await.expect("the values fit it");
    rows.iter().map(|row| row.get::<String, _>(0) + " ").collect()
}

/// The statement of this name, as the program sends it.
fn statement(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    for entry in std::fs::read_dir(folder).expect("it lies beside the source").flatten() {
        let text = std::fs::read(entry.path()).unwrap_or_default();
        let json: Value = serde_json::from_slice(&text).unwrap_or_default();
        let query = json["query"].as_str().unwrap_or_default();
        if [" */", ":"].iter().any(|end| query.starts_with(&format!("/* {name}{end}"))) {
            return query.to_owned();
        }
    }
    panic!("there is no statement {name}");
}
