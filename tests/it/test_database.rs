//! The ground under all other stories: each test has a database that nobody else sees.

use sqlx::{Connection as _, PgConnection};

use crate::support::postgres::TestDatabase;

async fn connect(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(&database.url).await.unwrap()
}

#[tokio::test]
async fn each_database_is_its_own() {
    let (one, two) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    let mut in_one = connect(&one).await;
    sqlx::query("CREATE TABLE only_here (x int)").execute(&mut in_one).await.unwrap();
    let in_two: Option<String> =
        sqlx::query_scalar("SELECT to_regclass('only_here')::text").fetch_one(&mut connect(&two).await).await.unwrap();
    assert_eq!(in_two, None);
}

#[tokio::test]
async fn migrations_are_applied_unless_an_empty_one_is_asked_for() {
    let marker = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    let full = TestDatabase::create().await;
    let empty = TestDatabase::create_empty().await;
    let in_full: bool = sqlx::query_scalar(marker).fetch_one(&mut connect(&full).await).await.unwrap();
    let in_empty: bool = sqlx::query_scalar(marker).fetch_one(&mut connect(&empty).await).await.unwrap();
    assert!(in_full);
    assert!(!in_empty);
}

#[tokio::test]
async fn a_database_is_dropped_at_the_end_even_when_in_use() {
    let stays = TestDatabase::create_empty().await;
    let goes = TestDatabase::create_empty().await;
    let name = goes.name.clone();
    let _still_connected = connect(&goes).await;
    drop(goes);
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut connect(&stays).await)
        .await
        .unwrap();
    assert!(!there);
}
