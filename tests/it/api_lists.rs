//! Lists of the admin API: filters, pages without gap or double, and plans that do not read everything.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use taskbridge::domain::task::{ALL, State};
use taskbridge::store::api_keys::Scope;

use crate::api_kit::{Caller, many_tasks};
use crate::support::world::{LABEL_RULE, World, labelled};

const MONA: (i64, &str) = (1001, "mona");

pub(crate) async fn walk(reader: &Caller<'_>, path: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    for _ in 0..100 {
        let answer = reader.get(&format!("{path}{cursor}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let items = answer.body["items"].as_array().unwrap();
        assert!(cursor.is_empty() || !items.is_empty(), "a cursor leads to something, unless it went meanwhile");
        ids.extend(items.iter().map(|item| item["id"].to_string()));
        match answer.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
    panic!("the list has no end");
}

#[tokio::test]
async fn a_walk_over_250_tasks_has_no_gap_and_no_double_while_others_are_made() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    many_tasks(&world, 250).await;
    let all: Vec<String> = world.tasks().await.iter().rev().map(|task| format!("\"{}\"", task.id)).collect();
    assert_eq!(all.len(), 250);
    assert_eq!(walk(&reader, "/api/v1/tasks?limit=7").await, all);
    assert_eq!(walk(&reader, "/api/v1/tasks?limit=200").await, all);
    assert_eq!(walk(&reader, "/api/v1/tasks?limit=125").await, all, "the last page is full");
    assert_eq!(reader.get("/api/v1/tasks").await.body["items"].as_array().unwrap().len(), 50);

    let first = reader.get("/api/v1/tasks?limit=100").await;
    world.advance(3600);
    world.hook("issues", "d-1", &labelled("copilot-fix", MONA, world.bridge.ground.now())).await;
    world.settle().await;
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let rest = walk(&reader, &format!("/api/v1/tasks?limit=200&cursor={cursor}")).await;
    assert_eq!(rest, all[100..], "a task made meanwhile moves nothing");
}

#[tokio::test]
async fn filters_narrow_and_their_case_is_as_on_github() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    many_tasks(&world, 250).await;
    let rare: Vec<String> = world
        .tasks()
        .await
        .iter()
        .rev()
        .filter(|task| task.rule == "rare")
        .map(|task| format!("\"{}\"", task.id))
        .collect();
    assert_eq!(rare.len(), 2);
    for filter in
        ["state=failed", "rule=rare", "person=rARE", "repo=aCME/rare", "repo=acme/rare&rule=rare&state=failed"]
    {
        assert_eq!(walk(&reader, &format!("/api/v1/tasks?{filter}")).await, rare, "{filter}");
    }
    for filter in ["state=lost", "rule=RARE", "person=nobody", "repo=acme/rare&state=completed"] {
        assert!(walk(&reader, &format!("/api/v1/tasks?{filter}")).await.is_empty(), "{filter}");
    }
    // Task n was made n seconds after 1,800,000,000.
    let since =
        chrono::DateTime::from_timestamp(1_800_000_240, 0).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    assert_eq!(walk(&reader, &format!("/api/v1/tasks?since={since}")).await.len(), 11);
}

/// Case 73.
#[tokio::test]
async fn a_cursor_that_was_changed_or_is_of_another_list_is_refused() {
    let world = World::new(LABEL_RULE).await;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    many_tasks(&world, 250).await;
    let first = reader.get("/api/v1/tasks?limit=10&state=completed").await;
    let cursor = first.body["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(
        reader.get(&format!("/api/v1/tasks?cursor={cursor}&state=completed&limit=3")).await.status,
        StatusCode::OK
    );
    let mut others = vec![
        format!("/api/v1/tasks?cursor={cursor}"),
        format!("/api/v1/tasks?cursor={cursor}&state=failed"),
        format!("/api/v1/tasks?cursor={cursor}&state=completed&rule=rare"),
        format!("/api/v1/deliveries?cursor={cursor}"),
        format!("/api/v1/people?cursor={cursor}"),
        format!("/api/v1/tasks?cursor={cursor}A&state=completed"),
        format!("/api/v1/tasks?cursor={}&state=completed", &cursor[..cursor.len() - 4]),
    ];
    for at in 0..cursor.len() {
        let other = if cursor.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut changed = cursor.clone();
        changed.replace_range(at..=at, other);
        others.push(format!("/api/v1/tasks?cursor={changed}&state=completed"));
    }
    for path in others {
        let answer = reader.get(&path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.body["parameter"], "cursor", "{path}");
    }
}

#[tokio::test]
async fn people_are_paged_and_their_tokens_are_not_shown() {
    let world = World::new(LABEL_RULE).await;
    world.add_person("otto", crate::support::world::OTTO_TOKEN).await;
    let mona = taskbridge::ids::PersonId(1001);
    world.bridge.store.give_consent(mona, "fix-labelled-issues", world.bridge.ground.now()).await.unwrap();
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    assert_eq!(walk(&reader, "/api/v1/people?limit=1").await, ["1001", "1002"]);
    let people = reader.get("/api/v1/people").await.body;
    assert_eq!(people["items"][0]["login"], "mona");
    assert_eq!(people["items"][0]["token_state"], "ok");
    assert_eq!(people["items"][0]["consents"], serde_json::json!(["fix-labelled-issues"]));
    let fields: BTreeSet<&String> = people["items"][0].as_object().unwrap().keys().collect();
    assert!(!fields.iter().any(|field| ["token", "refresh_token"].contains(&field.as_str())), "{fields:?}");
    assert!(!people.to_string().contains("sandbox-"), "{people}");
}

/// The statement of this name, as the program sends it.
pub(crate) fn statement(name: &str) -> String {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    for entry in std::fs::read_dir(dir).unwrap() {
        let json: Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let query = json["query"].as_str().unwrap();
        if query.starts_with(&format!("/* {name}:")) || query.starts_with(&format!("/* {name} */")) {
            return query.to_owned();
        }
    }
    panic!("there is no statement {name}");
}

/// The plan of the task list with these filters, run and counted.
async fn plan(connection: &mut PgConnection, filters: &[(&str, &str)]) -> String {
    let bound = |name: &str| filters.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let before = bound("before").map(|text| text.parse::<uuid::Uuid>().unwrap());
    let since = bound("since").map(|text| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    let floor = since.map(|since| taskbridge::ids::uuid_floor(since - chrono::TimeDelta::hours(1)));
    let narrowed = ["state", "repo", "rule", "person"].iter().any(|name| bound(name).is_some());
    let name = if narrowed { "tasks_of" } else { "tasks" };
    let explain = AssertSqlSafe(format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {}", statement(name)));
    let mut query = sqlx::query(explain).bind(before);
    if narrowed {
        query = query
            .bind(bound("state").map_or(ALL.map(State::as_str).to_vec(), |state| vec![state]))
            .bind(bound("repo"))
            .bind(bound("rule"))
            .bind(bound("person"));
    }
    let rows = query.bind(since).bind(floor).bind(51_i64).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect()
}

#[tokio::test]
async fn the_tasks_of_one_person_are_read_by_their_index() {
    let world = World::new(LABEL_RULE).await;
    let mut connection = many_tasks(&world, 20_000).await;
    let ended = "UPDATE tasks SET ended_at = created_at, repo_id = 1 + length(rule) WHERE length(marker) > 9";
    for change in [ended, "UPDATE tasks SET person_id = 1002 WHERE repo_name = 'widgets'", "VACUUM ANALYZE tasks"] {
        sqlx::query(change).execute(&mut connection).await.unwrap();
    }
    for (person, live) in [(1001_i64, true), (1001, false), (1002, true), (1002, false), (7, true), (7, false)] {
        let explain =
            AssertSqlSafe(format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {}", statement("tasks_of_person")));
        let query = sqlx::query(explain).bind(person).bind(None::<i64>).bind(live).bind(10_i64);
        let rows = query.fetch_all(&mut connection).await.unwrap();
        let plan: String = rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect();
        assert!(!plan.contains("Seq Scan"), "{person} {live}\n{plan}");
        let index = if live { "tasks_open_person" } else { "tasks_person_made" };
        assert!(plan.contains(index), "{person} {live}\n{plan}");
    }
}

#[tokio::test]
async fn no_filter_reads_the_whole_table() {
    let world = World::new(LABEL_RULE).await;
    let mut connection = many_tasks(&world, 20_000).await;
    let last = "2027-01-15T13:30:00Z"; // the last half hour
    let early = "2027-01-15T09:00:00Z";
    let cases: [&[(&str, &str)]; 17] = [
        &[],
        &[("before", "01a31856-ba00-7000-8000-000000000000")],
        &[("state", "failed")],
        &[("state", "lost")],
        &[("repo", "acme/RARE")],
        &[("repo", "acme/none")],
        &[("rule", "rare")],
        &[("rule", "none")],
        &[("person", "rare")],
        &[("person", "none")],
        &[("since", last)],
        &[("since", "2030-01-01T00:00:00Z")],
        // Common ones that never meet, and a state that none has since then.
        &[("rule", "common-1"), ("state", "failed")],
        &[("person", "mona"), ("state", "lost")],
        &[("since", early), ("state", "lost")],
        &[("since", early), ("rule", "common-1")],
        &[("since", early), ("person", "mona")],
    ];
    for filters in cases {
        let plan = plan(&mut connection, filters).await;
        assert!(!plan.contains("Seq Scan"), "{filters:?}\n{plan}");
        let thrown_away = plan.lines().filter_map(|line| line.trim().strip_prefix("Rows Removed by Filter: "));
        let thrown_away: u64 = thrown_away.map(|rows| rows.parse::<u64>().unwrap()).sum();
        assert!(thrown_away < 500, "{filters:?}\n{plan}");
    }
}
