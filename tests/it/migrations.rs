//! Migrations: each step on the sample rows of the steps before it, everything commented, safe when two replicas run
//! them at once, refused when the tables are newer; and the plans of the queries that run in loops do not scan.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::support::cut::{Cut, Line};
use crate::support::postgres::TestDatabase;
use crate::support::world::open_store;

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

const AT: &str = "'2026-01-01 00:00:00+00'";
const ID: &str = "'01900000-0000-7000-8000-000000000001'";

/// Sample rows for the tables of each step, by its place.
fn samples(step: usize) -> Vec<String> {
    match step {
        0 => vec![
            format!("INSERT INTO rule_versions VALUES ('v1', '[]', {AT})"),
            format!(
                "INSERT INTO deliveries (id, source, hook_id, sender_id, event_name, content_type, body, body_hash,
                     received_at, due_at)
                 VALUES ({ID}, 'github', '1', 'd-1', 'issues', 'application/json', '\\x00ff', sha256('x'), {AT}, {AT})"
            ),
            format!(
                "INSERT INTO decisions (id, delivery_id, position, rule, verdict, cause, decided_at)
                 VALUES ({ID}, {ID}, 0, 'fix', 'matched', 'why', {AT})"
            ),
            format!("INSERT INTO refusals VALUES ({AT}, 'github', 'signature', 3)"),
        ],
        1 => vec![
            format!("INSERT INTO people (id, login, token, added_at, checked_at) VALUES (1, 'mona', '\\x01', {AT}, {AT})"),
            format!("INSERT INTO consents VALUES (1, 'fix', {AT})"),
            format!("INSERT INTO writers (owner, free_at) VALUES ('person:1', {AT})"),
            format!("INSERT INTO api_keys (id, name, hash, scope, created_at) VALUES ({ID}, 'k', '\\x02', 'read', {AT})"),
            format!("INSERT INTO pauses VALUES ('all', '', 'why', 'ann', {AT})"),
        ],
        2 => vec![
            format!(
                "INSERT INTO tasks (id, state, rule, rule_version, delivery_id, source, host, event, repo_id, repo_owner,
                     repo_name, origin_repo_id, origin_owner, origin_name, subject_kind, person_id, person_login,
                     allow_rule, report, prompt, marker, create_pull_request, created_at, changed_at, due_at)
                 VALUES ({ID}, 'pending', 'fix', 'v1', {ID}, 'github', 'github.com', 'issues.labeled', 5, 'acme', 'w', 5,
                     'acme', 'w', 'issue', 1, 'mona', '{{}}', '{{}}', 'Fix it.', 'marker', true, {AT}, {AT}, {AT})"
            ),
            format!("INSERT INTO attempts (id, task_id, number, person_id, began_at) VALUES ({ID}, {ID}, 1, 1, {AT})"),
            format!("INSERT INTO timeline (id, task_id, at, kind, text) VALUES ({ID}, {ID}, {AT}, 'made', 'made')"),
            format!("INSERT INTO sweeps (person_id, watermark, due_at) VALUES (1, {AT}, {AT})"),
        ],
        _ => Vec::new(),
    }
}

async fn connect(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(&database.url).await.unwrap()
}

/// A step may take as long as it takes; but when the database itself no longer answers, nobody waits for it.
///
/// Case 28.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_dies_under_a_migration_is_noticed() {
    let database = TestDatabase::create().await;
    let line = Cut::new();
    let store = open_store(&line.url(&database.url)).await;
    let mut other = connect(&database).await;
    // Another replica is at a step.
    sqlx::raw_sql("BEGIN; LOCK TABLE _sqlx_migrations IN ACCESS EXCLUSIVE MODE").execute(&mut other).await.unwrap();
    let dies = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        line.set(Line::Swallowing);
    };
    let begun = Instant::now();
    let (outcome, ()) = tokio::join!(store.migrate(), dies);
    assert!(outcome.unwrap_err().to_string().contains("no longer answers"));
    assert!((Duration::from_secs(9)..Duration::from_secs(60)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn each_step_applies_on_the_rows_of_the_steps_before_it() {
    let database = TestDatabase::create_empty().await;
    let mut connection = connect(&database).await;
    for (nth, step) in MIGRATOR.iter().enumerate() {
        sqlx::raw_sql(step.sql.clone()).execute(&mut connection).await.unwrap();
        for row in samples(nth) {
            sqlx::query(AssertSqlSafe(row)).execute(&mut connection).await.unwrap();
        }
    }
    for table in ["rule_versions", "deliveries", "decisions", "refusals", "people", "tasks", "timeline", "sweeps"] {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(count, 1, "{table}");
    }
}

#[tokio::test]
async fn every_table_and_every_column_says_what_it_is() {
    let database = TestDatabase::create().await;
    let silent: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname || coalesce('.' || a.attname, '')
         FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
         CROSS JOIN LATERAL (
             SELECT NULL AS attname, 0 AS attnum
             UNION ALL SELECT attname, attnum FROM pg_attribute
             WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) a
         WHERE c.relkind IN ('r', 'v', 'm', 'p') AND c.relname NOT LIKE '%sqlx_migrations'
           AND NOT EXISTS (SELECT FROM pg_description d
                           WHERE d.objoid = c.oid AND d.objsubid = a.attnum AND d.classoid = 'pg_class'::regclass)",
    )
    .fetch_all(&mut connect(&database).await)
    .await
    .unwrap();
    assert!(silent.is_empty(), "without a comment: {silent:#?}");
}

#[tokio::test]
async fn bodies_are_compressed_with_lz4_where_the_server_has_it() {
    let database = TestDatabase::create().await;
    let mut connection = connect(&database).await;
    let known: bool =
        sqlx::query_scalar("SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    let used: String = sqlx::query_scalar(
        "SELECT attcompression::text FROM pg_attribute WHERE attrelid = 'deliveries'::regclass AND attname = 'body'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(used, if known { "l" } else { "" });
}

/// Case 32.
#[tokio::test]
async fn two_replicas_that_migrate_at_once_both_go_on() {
    let database = TestDatabase::create_empty().await;
    let (one, two) = (open_store(&database.url).await, open_store(&database.url).await);
    let (first, second) = tokio::join!(one.migrate(), two.migrate());
    first.unwrap();
    second.unwrap();
    one.migrate().await.unwrap();
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&mut connect(&database).await)
        .await
        .unwrap();
    assert!(tables > 10);
}

/// Case 32.
#[tokio::test]
async fn tables_of_a_newer_version_are_refused_in_plain_words() {
    let database = TestDatabase::create_empty().await;
    let store = open_store(&database.url).await;
    store.migrate().await.unwrap();
    let mut connection = connect(&database).await;
    let table: String =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE tablename LIKE '%sqlx_migrations'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    let newer = format!(
        "INSERT INTO {table} (version, description, success, checksum, execution_time)
         VALUES (99990101000000, 'of tomorrow', true, '\\x00', 1)"
    );
    sqlx::query(AssertSqlSafe(newer)).execute(&mut connection).await.unwrap();
    let error = store.migrate().await.unwrap_err().to_string();
    assert!(error.contains("they have step 99990101000000, which is newer. Start the newer version"), "{error}");
}

/// The statements of the product by the name in their first comment, as the compiler knows them.
fn statements() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let read = |path: &Path| {
        let json: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let query = json["query"].as_str().unwrap().to_owned();
        let name = query.trim_start().strip_prefix("/* ")?.split([' ', ':']).next()?.to_owned();
        Some((name, query))
    };
    fs::read_dir(folder).unwrap().filter_map(|entry| read(&entry.unwrap().path())).collect()
}

/// Time-ordered ids of sample rows, one a minute.
const TIME_ORDERED: &str = "CREATE FUNCTION id_of(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE RETURN
    (lpad(to_hex(1767225600000 + n * 60000), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid";

/// Some thousands of rows as an installation has them after a while: nearly all of them done.
const FILL: [&str; 8] = [
    TIME_ORDERED,
    "INSERT INTO rule_versions SELECT 'v' || n, '[]', '2026-01-01'::timestamptz + n * interval '1 day'
     FROM generate_series(1, 50) n",
    "INSERT INTO people (id, login, token, added_at, checked_at)
     SELECT n, 'p' || n, '\\x01', '2026-01-01', '2026-01-01' FROM generate_series(1, 200) n",
    "INSERT INTO deliveries (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at,
                             state, due_at, rule_version)
     SELECT id_of(n), 'github', '1', 'd' || n, 'push', 'application/json', CASE WHEN n > 10000 THEN 'x'::bytea END,
            sha256(n::text::bytea), '2026-01-01'::timestamptz + n * interval '1 minute',
            CASE WHEN n % 500 = 0 THEN 'received' ELSE 'ignored' END,
            '2026-01-01'::timestamptz + n * interval '1 minute', 'v1'
     FROM generate_series(1, 20000) n",
    "INSERT INTO tasks (id, state, hold, rule, rule_version, delivery_id, source, host, event, repo_id, repo_owner,
                        repo_name, origin_repo_id, origin_owner, origin_name, subject_kind, subject_number, label_name,
                        person_id, person_login, allow_rule, report, prompt, marker, create_pull_request, once_key,
                        created_at, changed_at, due_at, ended_at, remote_id, branch, look_at)
     SELECT id_of(n), s.state, CASE WHEN s.state = 'held' THEN CASE WHEN n % 2 = 0 THEN 'token' ELSE 'turn' END END,
            'rule' || n % 40, 'v1', id_of(n), 'github', 'github.com', 'issues.labeled', n % 300, 'acme',
            'r' || n % 300, n % 300, 'acme', 'r' || n % 300, 'issue', n, 'fix', n % 200 + 1, 'p' || n % 200 + 1, '{}', '{}',
            'Fix.', 'm' || n, true, 'k' || n, t.at, t.at, t.at, CASE WHEN s.state = 'completed' THEN t.at END,
            CASE WHEN s.state IN ('completed', 'in_progress') THEN 'remote' || n END, 'branch-' || n,
            CASE WHEN s.state = 'in_progress' THEN t.at END
     FROM generate_series(1, 20000) n
     CROSS JOIN LATERAL (SELECT '2026-01-01'::timestamptz + n * interval '1 minute' AS at) t
     CROSS JOIN LATERAL (SELECT CASE n % 200 WHEN 0 THEN 'pending' WHEN 1 THEN 'starting' WHEN 2 THEN 'uncertain'
                                WHEN 3 THEN 'in_progress' WHEN 4 THEN 'held' ELSE 'completed' END AS state) s",
    "INSERT INTO reports (id, task_id, kind, dedupe, repo_id, repo_owner, repo_name, subject_number, person_id, state,
                          made_at, due_at)
     SELECT id_of(n), CASE WHEN n % 10 > 0 THEN id_of(n) END, 'comment', 'c' || n, n % 300, 'acme', 'r', n, n % 200 + 1,
            CASE WHEN n % 300 = 0 THEN 'pending' ELSE 'sent' END, '2026-01-01', '2026-01-01'
     FROM generate_series(1, 20000) n",
    "INSERT INTO reports (id, task_id, kind, dedupe, repo_id, repo_owner, repo_name, subject_number, receiver, seq, state,
                          made_at, due_at)
     SELECT id_of(n + 20000), id_of(n / 4), 'outgoing', 'o' || n, 5, 'acme', 'r', n, 'board', n % 4,
            CASE WHEN n % 300 = 0 THEN 'pending' ELSE 'sent' END, '2026-01-01', '2026-01-01'
     FROM generate_series(4, 20000) n",
    "INSERT INTO sweeps (person_id, watermark, due_at)
     SELECT n, '2026-01-01', '2026-01-01' FROM generate_series(1, 200) n",
];

#[tokio::test]
async fn queries_that_run_in_loops_do_not_scan_what_grows() {
    let now = "'2026-01-10'";
    let (lease, ms, limit, floor) = ("gen_random_uuid()", "60000", "8", "id_of(10080)");
    let cases = [
        ("claim_deliveries", vec![now, limit, lease, ms, "16777216", "true"]),
        ("claim_startable", vec![now, limit, lease, ms, "NULL"]),
        ("claim_abandoned_starts", vec![limit, lease, ms]),
        ("claim_uncertain", vec![now, limit, lease, ms]),
        ("claim_looks", vec![now, now, limit]),
        ("idle_sweeps", vec![now, now, limit]),
        ("claim_sweeps", vec![now, now, limit, lease, ms]),
        ("claim_reports", vec![now, limit, lease, ms]),
        ("claim_outgoing", vec!["'board'", now, limit, lease, ms]),
        ("outgoing_sent", vec![lease, lease, now]),
        ("postpone_outgoing", vec![lease, lease, now, "'why'", now]),
        ("give_up_unheard", vec!["ARRAY['board']", now, limit]),
        ("watched", vec!["7", now]),
        ("tasks_whose_turn_it_is", vec![now]),
        ("tasks_held_for_token", vec!["7"]),
        ("tasks_held_for_approval", vec!["7", "7"]),
        ("tasks_held_for_a_limit", vec![now]),
        ("waiting_tasks_of", vec!["7"]),
        ("tasks_by_remote", vec!["'github.com'", "ARRAY['remote8', 'remote9']"]),
        ("task_on_branch", vec!["7", "'branch-7'"]),
        ("unstarted_by_label", vec!["7", "7", "'fix'", now, lease]),
        ("tasks_ahead", vec!["7", now, lease]),
        ("labels_are_ours", vec!["7", "7", "'fix'"]),
        ("tasks_of_intents", vec!["ARRAY['\\x00'::bytea]"]),
        ("live_retry_of", vec![lease]),
        ("tasks_with_key", vec!["'rule1'", "'k1'", now]),
        ("newest_with_key", vec!["'rule1'", "'k1'", now, now]),
        ("notes_of", vec![lease, "200"]),
        ("reports_of_task", vec![lease]),
        ("prompts_begin", vec!["ARRAY[id_of(7), id_of(8)]", "200"]),
        ("deliveries_about", vec!["'acme/r7'", "ARRAY['https://github.com/acme/r7/issues/7']", "'own'", "5"]),
        ("tasks_of_thread", vec!["'slack'", "'C1'", "'1.1'", "10"]),
        ("live_of_rule", vec!["'rule1'", lease]),
        ("live_of_rule_in_repo", vec!["'rule1'", "7", lease]),
        ("live_of_rule_as_person", vec!["'rule1'", "7", lease]),
        ("live_in_repo", vec!["7", lease]),
        ("live_as_person", vec!["7", lease]),
        ("made_by_rule", vec![now, "'rule1'"]),
        ("made_by_rule_in_repo", vec![now, "'rule1'", "7"]),
        ("made_by_rule_as_person", vec![now, "'rule1'", "7"]),
        ("made_in_repo", vec![now, "7"]),
        ("made_as_person", vec![now, "7"]),
        ("forget_bodies", vec![floor, limit]),
        ("forget_deliveries", vec![floor, limit]),
        ("forget_tasks", vec![now, limit]),
        ("forget_reports", vec![floor, limit]),
        ("forget_rule_versions", vec![now, limit]),
    ];
    let database = TestDatabase::create().await;
    let mut connection = connect(&database).await;
    for fill in FILL {
        sqlx::query(fill).execute(&mut connection).await.unwrap();
    }
    sqlx::query("ANALYZE").execute(&mut connection).await.unwrap();
    let statements = statements();
    let mut scans = Vec::new();
    for (name, values) in cases {
        let statement = &statements[name];
        sqlx::raw_sql(AssertSqlSafe(format!("PREPARE {name} AS {statement}"))).execute(&mut connection).await.unwrap();
        // Planned for these values, and once for all values, as a statement is that is repeated.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let values = values.join(", ");
            let explain = format!("SET plan_cache_mode = {mode}; EXPLAIN EXECUTE {name}({values})");
            let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
            assert!(plan.len() > 1, "{name} has a plan");
            let scanned = |line: &&String| {
                line.contains("Seq Scan on ")
                    && ["deliveries", "tasks", "reports"].iter().any(|table| line.contains(table))
            };
            scans
                .extend(plan.iter().filter(scanned).map(|line| format!("{name}, {mode}: {line}\n{}", plan.join("\n"))));
        }
    }
    assert!(scans.is_empty(), "{}", scans.join("\n\n"));
    let seen = sqlx::raw_sql("EXPLAIN SELECT FROM tasks WHERE prompt = 'x'").fetch_all(&mut connection).await.unwrap();
    assert!(seen[0].get::<String, _>(0).contains("Seq Scan on tasks"), "the check sees a scan when there is one");
}
