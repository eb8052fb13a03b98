//! GitHub refuses connections for two hours, and many tasks wait: it is asked now and then, not all the time, nobody is
//! kept waiting by another's tasks, and afterwards they are started one a turn.

use std::collections::HashMap;
use std::time::Duration;

use taskbridge::domain::task::State;
use taskbridge::pipeline::start_task;

use crate::support::stories::{CREATE, MONA, OTTO};
use crate::support::world::{LABEL_RULE, World};

/// Fewer than the usual limits let one person have.
const TASKS: usize = 20;

#[tokio::test]
async fn an_outage_of_two_hours_is_waited_out_and_the_rest_is_started_one_a_turn() {
    let spacing = Duration::from_secs(1);
    let world = World::with(LABEL_RULE, |settings| settings.write_spacing = spacing, |_| {}).await;
    world.let_otto_in().await;
    // Nobody listens there any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = world.replica(|_| {}, |github| github.api_url = format!("http://{closed}")).await;
    world.wish(MONA, TASKS).await;
    let otto = world.wish(OTTO, 1).await;
    assert_eq!((world.tasks().await.len(), otto.person_login.as_str()), (TASKS + 1, "otto"));
    for _ in 0..720 {
        world.advance(10);
        // As the worker does: again at once while there is something to do.
        let mut rounds = 0;
        while start_task::start_batch(&away).await.unwrap() > 0 {
            rounds += 1;
            assert!(rounds < 5, "it does not come to rest");
        }
    }
    let asked = away.github.requests_sent();
    // Some at first, and then every ten minutes.
    let each = asked / u64::try_from(TASKS + 1).unwrap();
    assert!((5..=20).contains(&each), "{asked} attempts to connect for {} tasks in two hours", TASKS + 1);
    assert!(world.task_now(otto.id).await.attempt_count >= 8, "otto's turn comes too");
    assert!(world.tasks().await.iter().all(|task| task.state == State::Pending));

    world.control().clear_calls();
    let mut started = HashMap::new();
    for _ in 0..740 {
        world.advance(1);
        while world.start().await > 0 {}
        let tasks = world.tasks().await;
        for login in ["mona", "otto"] {
            let count = tasks.iter().filter(|task| task.person_login == login && task.remote_id.is_some()).count();
            let before = started.insert(login, count).unwrap_or(0);
            assert!(count <= before + 1, "{login} wrote {} times within {spacing:?}", count - before);
        }
    }
    assert_eq!((started["mona"], started["otto"]), (TASKS, 1));
    assert_eq!(world.control().count_calls("POST", CREATE.trim_end_matches("*/*/tasks$")), TASKS + 1);
    world.assert_nothing_twice().await;
}
