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

#[tokio::test]
async fn many_rows_go_in_small_batches_and_of_two_replicas_one_works() {
    let world = World::new(LABEL_RULE).await;
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::query(
        "INSERT INTO deliveries (id, source, hook_id, sender_id, event_name, content_type, body, body_hash, received_at,
                                 state, due_at)
         SELECT gen_random_uuid(), 'github', '1', 'd' || n, 'push', 'application/json', 'x', sha256(n::text::bytea),
                '2020-01-01', 'ignored', '2020-01-01'
         FROM generate_series(1, 1700) n",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let other = world.replica(|_| {}, |_| {}).await;
    let (one, two) = tokio::join!(forget(&world.bridge), forget(&other));
    let runs = [one.unwrap(), two.unwrap()];
    let worked: Vec<Forgotten> = runs.into_iter().flatten().filter(|run| *run != Forgotten::default()).collect();
    assert_eq!(worked.len(), 1, "{runs:?}");
    assert_eq!((worked[0].bodies, worked[0].deliveries), (1700, 1700));
    assert_eq!(count(&world, DELIVERIES).await, 0);
}
