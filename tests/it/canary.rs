//! No secret anywhere but where it belongs: not in a log line of any story, and not in the clear in the database.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use taskbridge::pipeline::match_rules;
use taskbridge::sandbox::FaultKind;

use crate::support::canary::{first_leak, heard, know, leak, leak_in};
use crate::support::stories::MONA;
use crate::support::world::{HOOK_SECRET, LABEL_RULE, MONA_TOKEN, OTTO_TOKEN, World, labelled};

/// Case 62.
#[tokio::test]
async fn a_story_with_every_kind_of_trouble_leaves_no_secret_in_log_or_database() {
    let world = World::new(LABEL_RULE).await;
    world.let_otto_in().await;
    for kind in [
        FaultKind::StatusAfter { status: 502 },
        FaultKind::DropAfter,
        FaultKind::StatusBefore { status: 422 },
        FaultKind::SecondaryLimit { status: 403, retry_after: None },
        FaultKind::Redirect { status: 307, location: None },
        FaultKind::Unauthorized,
    ] {
        world.spoil_start(kind, 1);
        world.wish(MONA, 1).await;
        world.live_for(90).await;
    }
    assert_eq!(leak(), None);
    assert!(heard() > 1000, "the lines are heard: {}", heard());

    let markers: Vec<String> = world.tasks().await.into_iter().map(|task| task.marker.expose().to_owned()).collect();
    let tokens = [HOOK_SECRET, MONA_TOKEN, OTTO_TOKEN, &"0f".repeat(32)].map(str::to_owned);
    let dump = dump(&world.database.url).await;
    assert!(dump.iter().any(|(_, row)| row.contains(&markers[0])), "the dump shows what is in the clear");
    for (table, row) in &dump {
        for secret in &tokens {
            assert!(!row.contains(secret), "{secret} in the clear in {table}");
            assert!(!row.contains(&hex::encode(secret)), "{secret} in the clear in {table}");
        }
        let elsewhere = table != "tasks" && markers.iter().any(|marker| row.contains(marker));
        assert!(!elsewhere, "a marker in {table}: {row}");
    }
}

/// Case 62.
#[tokio::test]
async fn a_marker_that_github_repeats_is_neither_told_nor_logged() {
    let world = World::new(LABEL_RULE).await;
    let now = world.bridge.ground.now();
    world.hook("issues", "d-1", &labelled("copilot-fix", MONA, now)).await;
    match_rules::match_batch(&world.bridge, 64).await.unwrap();
    let marker = world.task().await.marker;
    assert!(!format!("{:?}", world.task().await).contains(marker.expose()));
    world.spoil_start(FaultKind::Forbidden { message: format!("no: {}", marker.expose()) }, 1);
    world.settle().await;
    let refused = world.task().await;
    assert!(refused.reason.contains("no: …"), "{}", refused.reason);

    world.wish(MONA, 1).await;
    world.live_for(20).await;
    let (task, remote) = (world.tasks().await.remove(1), world.control().tasks().remove(0));
    let error = format!("cannot do: {}", remote.prompt);
    world.control().set_state(&remote.id, "failed", Some(&error)).unwrap();
    world.live_for(1800).await;
    let markers = [marker, task.marker];
    assert!(world.tasks().await[1].remote_error.as_deref().is_some_and(|error| error.starts_with("cannot do")));
    assert_eq!(leak(), None);
    for (table, row) in dump(&world.database.url).await.iter().filter(|(table, _)| table != "tasks") {
        assert!(!markers.iter().any(|marker| row.contains(marker.expose())), "a marker in {table}: {row}");
    }
    for task in world.tasks().await {
        let told = [Some(task.reason), task.remote_error].into_iter().flatten().collect::<String>()
            + &world.comments().concat();
        assert!(!markers.iter().any(|marker| told.contains(marker.expose())), "{told}");
    }
}

/// Every row of every table as text; bytes as hexadecimal digits.
async fn dump(url: &str) -> Vec<(String, String)> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut rows = Vec::new();
    for table in tables {
        let text: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("SELECT t::text FROM {table} t")))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        rows.extend(text.into_iter().map(|row| (table.clone(), row)));
    }
    rows
}

/// Case 62.
#[test]
fn the_canary_sees_a_secret_when_there_is_one() {
    let secrets = ["sesame".to_owned()].into();
    assert!(first_leak("fine\nopen sesame now\n", &secrets).is_some_and(|line| line.ends_with("open sesame now")));
    assert_eq!(first_leak("fine\nopen ses ame\n", &secrets), None);
    know(&["a key of this test only", "short"]);
    assert!(leak_in("it is a key of this test only.").is_some(), "what a process prints is looked through too");
    assert_eq!(leak_in("in short, fine"), None, "a short text is no secret");
}
