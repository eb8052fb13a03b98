//! The list of deliveries: whatever narrows it, each delivery that fits stands in it once, newest first, and is found
//! without reading the others.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use taskbridge::store::api_keys::Scope;

use crate::api_kit::Caller;
use crate::api_lists::{statement, walk};
use crate::support::world::{LABEL_RULE, World};

/// Deliveries straight into the table: a source and an event that only the five oldest have, another source that
/// stopped half-way, and all states.
async fn many_deliveries(world: &World, count: i32) -> PgConnection {
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::query(
        "INSERT INTO deliveries (id, source, hook_id, sender_id, event_name, content_type, body_hash, received_at, due_at, state)
         SELECT (lpad(to_hex(1800000000000 + n * 1000), 12, '0') || '7000800000000000' || lpad(to_hex(n), 4, '0'))::uuid,
                CASE WHEN n <= 5 THEN 'rare' WHEN n < $1 / 2 AND n % 3 = 0 THEN 'stopped' ELSE 'github' END, '', 's' || n,
                CASE WHEN n <= 5 THEN 'rare' WHEN n % 2 = 0 THEN 'push' ELSE 'issues' END, 'application/json',
                sha256(n::text::bytea), to_timestamp(1800000000 + n), to_timestamp(1800000000 + n),
                CASE WHEN n > $1 - 40 AND n % 2 = 0 THEN 'received' WHEN n % 50 = 0 THEN 'failed'
                     WHEN n % 7 = 0 THEN 'duplicate' WHEN n % 2 = 0 THEN 'ignored' ELSE 'processed' END
         FROM generate_series(1, $1) n",
    )
    .bind(count)
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::query("ANALYZE deliveries").execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn a_narrowed_list_of_deliveries_has_each_that_fits_once_newest_first() {
    let world = World::new(LABEL_RULE).await;
    let mut connection = many_deliveries(&world, 500).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let all = sqlx::query("SELECT id::text, source, state, event_name FROM deliveries ORDER BY id DESC");
    let all = all.fetch_all(&mut connection).await.unwrap();
    let mut found = 0;
    for source in ["", "github", "stopped", "rare", "none"] {
        for state in ["", "received", "processed", "ignored", "duplicate", "failed"] {
            for event in ["", "push", "rare"] {
                let filters = [("source", source), ("state", state), ("event", event)];
                let given: Vec<String> = filters
                    .iter()
                    .filter(|(_, value)| !value.is_empty())
                    .map(|(name, value)| format!("&{name}={value}"))
                    .collect();
                let fits = |row: &&sqlx::postgres::PgRow| {
                    let is = |at: usize, wanted: &str| wanted.is_empty() || row.get::<&str, _>(at) == wanted;
                    is(1, source) && is(2, state) && is(3, event)
                };
                let expected: Vec<String> =
                    all.iter().filter(fits).map(|row| format!("\"{}\"", row.get::<&str, _>(0))).collect();
                let path = format!("/api/v1/deliveries?limit=120{}", given.concat());
                assert_eq!(walk(&reader, &path).await, expected, "{path}");
                found += expected.len();
            }
        }
    }
    assert!(found > 3000, "{found}");
}

#[tokio::test]
async fn no_narrowed_list_of_deliveries_reads_what_it_does_not_show() {
    let world = World::new(LABEL_RULE).await;
    let mut connection = many_deliveries(&world, 20_000).await;
    for (source, state, event) in [
        (Some("rare"), None, None),
        (Some("stopped"), None, None),
        (Some("none"), None, None),
        (None, None, Some("rare")),
        (None, None, Some("none")),
        (None, Some("failed"), None),
        (None, Some("received"), None),
        (Some("stopped"), Some("received"), None),
        (Some("rare"), Some("ignored"), Some("push")),
    ] {
        let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {}", statement("deliveries_of"));
        let rows = sqlx::query(AssertSqlSafe(explain))
            .bind(None::<uuid::Uuid>)
            .bind(source)
            .bind(state)
            .bind(event)
            .bind(None::<chrono::DateTime<chrono::Utc>>)
            .bind(None::<uuid::Uuid>)
            .bind(51_i64)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let plan: String = rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect();
        assert!(!plan.contains("Seq Scan") && plan.contains("deliveries_list"), "{plan}");
        let thrown_away = plan.lines().filter_map(|line| line.trim().strip_prefix("Rows Removed by Filter: "));
        let thrown_away: u64 = thrown_away.map(|rows| rows.parse::<u64>().unwrap()).sum();
        assert!(thrown_away < 100, "{source:?} {state:?} {event:?}\n{plan}");
    }
}

#[test]
fn lists_read_no_prompt_and_no_body() {
    for name in ["tasks", "tasks_of", "tasks_of_delivery", "deliveries", "deliveries_of"] {
        let text = statement(name);
        let columns: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '*').collect();
        assert!(columns.contains(&"source") && !columns.contains(&"prompt") && !columns.contains(&"body"), "{text}");
        assert!(!text.contains("SELECT *"), "{text}");
    }
}
