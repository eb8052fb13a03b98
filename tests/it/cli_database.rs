//! What a person at the terminal is told when the database is there and does not fit: in words that say what to do, without
//! what only PostgreSQL's authors need.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use crate::support::postgres::TestDatabase;
use crate::support::program::Folder;

const KEY: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const FILE: &str = "
database: { connect_wait: 1s }
rules:
  - name: fix
    on: { label: copilot-fix }
    prompt: \"Fix it.\"
";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", FILE);
    folder
}

fn environment(url: &str) -> [(&str, &str); 2] {
    [("DATABASE_URL", url), ("TASKBRIDGE_SEALING_KEY", KEY)]
}

async fn run(database: &TestDatabase, statement: &'static str) -> PgConnection {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_name_is_named() {
    let database = TestDatabase::create().await;
    let url = database.url.replace(&database.name, "no_such_name");
    let ended = folder().run(&["people", "list"], &environment(&url));
    let said = "database \"no_such_name\" does not exist (3D000)";
    let waiting = format!("waiting for the database: {said}\n");
    ended.is(1, &[&waiting, &format!("within 1 s: {said}. Check"), "the name of the database"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_is_told_with_its_reason() {
    let database = TestDatabase::create_empty().await;
    run(&database, "CREATE TABLE deliveries (other integer)").await;
    let ended = folder().run(&["people", "list"], &environment(&database.url));
    ended.is(1, &["the tables could not be brought up to date: step ", "\"deliveries\" already exists (42P07)."]);
    assert!(!ended.text.contains(" at line "), "{}", ended.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_another_process_is_told_so() {
    let database = TestDatabase::create().await;
    let mut other = run(&database, "BEGIN; LOCK TABLE _sqlx_migrations IN ACCESS EXCLUSIVE MODE").await;
    let folder = folder();
    let mut waiting = folder.start(&["people", "list"], &environment(&database.url));
    waiting.says("are being brought up to date, here or by another process");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(waiting.ended(Duration::from_secs(10)).success(), "{}", waiting.text());
    assert!(waiting.text().contains("There is nobody."), "{}", waiting.text());
}
