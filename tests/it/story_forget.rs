//! Forgetting: bodies, deliveries and tasks, each after its own time, in small batches, by one replica at a time; what
//! still lives is never forgotten.

use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::task::State;
use taskbridge::pipeline::forget::{Forgotten, forget};
use taskbridge::sandbox::Outcome;

use crate::support::stories::MONA;
use crate::support::world::{LABEL_RULE, World};

const DAY: u64 = 86_400;

async fn count(world: &World, what: &'static str) -> i64 {
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::query_scalar(what).fetch_one(&mut connection).await.unwrap()
}

const BODIES: &str = "SELECT count(*) FROM deliveries WHERE body IS NOT NULL";
const DELIVERIES: &str = "SELECT count(*) FROM deliveries";
const TASKS: &str = "SELECT count(*) FROM tasks";
const REST: &str = "SELECT (SELECT count(*) FROM timeline) + (SELECT count(*) FROM attempts)
    + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM intents) + (SELECT count(*) FROM reports)
    + (SELECT count(*) FROM decisions)";

async fn forgotten(world: &World) -> Forgotten {
    forget(&world.bridge).await.unwrap().unwrap()
}

#[tokio::test]
async fn each_kind_goes_after_its_own_time() {
    let world = World::new(LABEL_RULE).await;
    world.wish(MONA, 2).await;
    world.live_for(60).await;
    assert_eq!(forgotten(&world).await, Forgotten::default(), "nothing is old");
    world.advance(8 * DAY);
    assert_eq!(forgotten(&world).await, Forgotten { bodies: 2, ..Forgotten::default() });
    assert_eq!((count(&world, BODIES).await, count(&world, DELIVERIES).await), (0, 2));
    world.advance(23 * DAY);
    assert_eq!(forgotten(&world).await.deliveries, 2);
    assert_eq!((count(&world, DELIVERIES).await, count(&world, TASKS).await), (0, 2), "tasks stay longer");
    world.advance(150 * DAY);
    assert_eq!(forgotten(&world).await.tasks, 2);
    assert_eq!((count(&world, TASKS).await, count(&world, REST).await), (0, 0), "and all that hangs on them goes too");
}

#[tokio::test]
async fn what_lives_is_kept_whatever_its_age() {
    let world = World::new(LABEL_RULE).await;
    world.control().script_next(Outcome::Stuck);
    let live = world.wish(MONA, 1).await;
    world.settle().await;
    let waiting = world.wish(MONA, 1).await;
    // Recorded and not yet looked at.
    let at = world.bridge.ground.now();
    world.hook("issues", "late", &crate::support::world::labelled("copilot-fix", MONA, at)).await;
    world.advance(400 * DAY);
    let gone = forgotten(&world).await;
    assert_eq!((gone.deliveries, gone.tasks), (0, 0));
    assert_eq!((count(&world, DELIVERIES).await, count(&world, TASKS).await), (3, 2));
    assert_eq!(count(&world, BODIES).await, 1, "the body that is still to be read");
    assert!(!world.state(live.id).await.is_end());
    assert_eq!(world.state(waiting.id).await, State::Pending);
}

/// 1700 deliveries of the year 2020, as their ids say.
async fn old_deliveries(world: &World) {
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::query(
        "INSERT INTO deliveries (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at,
                                 state, due_at)
         SELECT ('016f5e66e8007' || lpad(to_hex(n), 19, '0'))::uuid, 'github', '1', 'd' || n, 'push',
                'application/json', 'x', sha256(n::text::bytea), '2020-01-01', 'ignored', '2020-01-01'
         FROM generate_series(1, 1700) n",
    )
    .execute(&mut connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn many_rows_go_in_small_batches_and_of_two_replicas_one_works() {
    let world = World::new(LABEL_RULE).await;
    old_deliveries(&world).await;
    let other = world.replica(|_| {}, |_| {}).await;
    let (one, two) = tokio::join!(forget(&world.bridge), forget(&other));
    let runs = [one.unwrap(), two.unwrap()];
    let worked: Vec<Forgotten> = runs.into_iter().flatten().filter(|run| *run != Forgotten::default()).collect();
    assert_eq!(worked.len(), 1, "{runs:?}");
    assert_eq!((worked[0].bodies, worked[0].deliveries), (1700, 1700));
    assert_eq!(count(&world, DELIVERIES).await, 0);
}

#[tokio::test]
async fn what_cannot_be_forgotten_keeps_nothing_else() {
    let world = World::new(LABEL_RULE).await;
    old_deliveries(&world).await;
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
                  CREATE TRIGGER refuse BEFORE UPDATE ON deliveries FOR EACH ROW EXECUTE FUNCTION refuse()";
    sqlx::raw_sql(refuse).execute(&mut connection).await.unwrap();
    assert!(forget(&world.bridge).await.is_err(), "no body could be taken off");
    assert_eq!(count(&world, DELIVERIES).await, 0, "and yet the deliveries went");
    assert!(forget(&world.bridge).await.unwrap().is_some(), "the chore is free again");
}

#[tokio::test]
async fn a_long_chore_keeps_no_transaction_open_and_its_turn_until_its_end() {
    let world = World::new(LABEL_RULE).await;
    let chore = world.bridge.store.chore("forget").await.unwrap().unwrap();
    let open = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state = 'idle in transaction'";
    assert_eq!(count(&world, open).await, 0, "the database ends idle transactions");
    assert_eq!(forget(&world.bridge).await.unwrap(), None, "another is at it");
    chore.end().await;
    assert!(forget(&world.bridge).await.unwrap().is_some());
    let dropped = world.bridge.store.chore("forget").await.unwrap().unwrap();
    drop(dropped);
    for _ in 0..100 {
        if forget(&world.bridge).await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("a chore that was dropped is free again");
}

#[tokio::test]
async fn a_rule_set_goes_when_nothing_refers_to_it() {
    let world = World::new(LABEL_RULE).await;
    let store = &world.bridge.store;
    world.wish(MONA, 1).await;
    world.live_for(60).await;
    let used = world.task().await.rule_version;
    let now = world.bridge.ground.now();
    for version in [used.as_str(), "unused", "of-now"] {
        let at = if version == "of-now" { now + chrono::TimeDelta::days(1) } else { now };
        store.keep_rule_version(version, &serde_json::json!([]), at).await.unwrap();
    }
    world.advance(40 * DAY);
    forgotten(&world).await;
    assert!(store.rule_version("unused").await.unwrap().is_none());
    assert!(store.rule_version(&used).await.unwrap().is_some(), "the task is there");
    world.advance(200 * DAY);
    forgotten(&world).await;
    assert!(store.rule_version(&used).await.unwrap().is_none());
    assert!(store.rule_version("of-now").await.unwrap().is_some(), "the newest stays");
}
