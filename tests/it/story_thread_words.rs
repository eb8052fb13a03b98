//! Our own words in the thread of a task are about that task, also where they name none.

use taskbridge::domain::task::State;
use taskbridge::ids::{PersonId, TaskId};
use taskbridge::sandbox::{Role, UserSpec};
use taskbridge::store::tasks::Hold;

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT};
use crate::support::world::{Setup, World};

/// The message that asked for the first task, and so its thread.
const THREAD: &str = "1515449522.000016";
const VERA_CHAT: &str = "U0VERA";

impl World {
    /// Something said in the thread of the first task, and all that follows from it at once.
    async fn in_first_thread(&self, account: &str, nth: u8, text: &str) {
        let said = self.slack().mention_in(
            THREAD,
            &format!("Ev-{nth}"),
            account,
            CHANNEL,
            &format!("1515449599.0000{nth:02}"),
            text,
        );
        self.slack_says(&said).await;
        self.settle().await;
    }

    async fn stands(&self, id: TaskId) -> (State, Option<Hold>) {
        let task = self.task_now(id).await;
        (task.state, task.hold)
    }
}

const WAITS: (State, Option<Hold>) = (State::Held, Some(Hold::Approval));

/// Two tasks of mona's that wait for approval: one asked for in a thread, and a newer one elsewhere in the channel.
async fn two_wait() -> (World, TaskId, TaskId) {
    let world = World::of(Setup::new(&format!("{CHAT_RULE}    hold: approval\n"))).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.slack_says(&world.slack().mention("Ev1", MONA_CHAT, CHANNEL, THREAD, "the first")).await;
    world.settle().await;
    world.advance(5);
    world.slash(MONA_CHAT, "the second").await;
    let ids: Vec<TaskId> = world.tasks().await.iter().map(|task| task.id).collect();
    let [first, second] = ids[..] else { panic!("{ids:?}") };
    world.advance(5);
    (world, first, second)
}

#[tokio::test]
async fn a_word_in_the_thread_of_a_task_is_about_that_task() {
    let (world, first, second) = two_wait().await;
    world.in_first_thread(MONA_CHAT, 2, "why").await;
    let why = world.whispered(MONA_CHAT);
    assert!(why.contains(&first.to_string()) && !why.contains(&second.to_string()), "{why}");
    world.in_first_thread(MONA_CHAT, 3, "cancel").await;
    assert!(world.whispered(MONA_CHAT).contains("Done"), "{}", world.whispered(MONA_CHAT));
    assert_eq!(world.stands(first).await.0, State::Cancelled);
    assert_eq!(world.stands(second).await, WAITS, "the newer one was not meant");
    world.advance(5);
    world.in_first_thread(MONA_CHAT, 4, "retry").await;
    let third = world.tasks().await.pop().unwrap();
    assert_eq!(third.retry_of, Some(first));
    // Elsewhere it is one's own newest.
    world.advance(5);
    world.slash(MONA_CHAT, "cancel").await;
    assert_eq!(world.stands(third.id).await.0, State::Cancelled);
    assert_eq!(world.stands(second).await, WAITS);
}

#[tokio::test]
async fn who_may_approves_what_waits_in_the_thread_without_naming_it() {
    let (world, first, second) = two_wait().await;
    world.control().add_user(UserSpec::person(1003, "vera", "sandbox-vera-token")).unwrap();
    world.add_person("vera", "sandbox-vera-token").await;
    world.link(VERA_CHAT, PersonId(1003)).await;
    world.in_first_thread(VERA_CHAT, 2, "approve").await;
    assert!(world.whispered(VERA_CHAT).contains("not yours to see"), "{}", world.whispered(VERA_CHAT));
    assert_eq!(world.stands(first).await, WAITS, "vera may not write yet");
    world.control().grant("acme/widgets", "vera", Role::Write).unwrap();
    world.in_first_thread(VERA_CHAT, 3, "approve").await;
    assert!(world.whispered(VERA_CHAT).contains("Done"), "{}", world.whispered(VERA_CHAT));
    assert_ne!(world.stands(first).await, WAITS);
    assert_eq!(world.stands(second).await, WAITS);
}
