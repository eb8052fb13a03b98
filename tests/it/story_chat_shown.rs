//! Whether what one account alone is told is shown to it: Slack takes a passing message for a thread in which nobody has
//! replied, says that it is well, and shows it to nobody.

use taskbridge::ids::PersonId;
use taskbridge::sandbox::SlackMessage;

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT, OTTO_CHAT, chat_world};
use crate::support::world::{OTTO_TOKEN, Setup, World};

const ASKED: &str = "1515449522.000016";
/// The conversation of mona with the app.
const DIRECT: &str = "D0001";

impl World {
    async fn mentioned(&self, id: &str, account: &str, channel: &str, text: &str) {
        self.slack_says(&self.slack().mention(id, account, channel, ASKED, text)).await;
        self.settle().await;
    }

    fn last_shown(&self, account: &str) -> SlackMessage {
        assert_eq!(self.slack().hidden(), [], "shown to nobody");
        self.slack().whispers(account).pop().expect("something that is shown")
    }
}

#[tokio::test]
async fn what_is_said_alone_to_a_message_without_replies_is_shown_beside_it() {
    let world = World::of(Setup::new(CHAT_RULE)).await;
    world.mentioned("Ev1", MONA_CHAT, CHANNEL, "fix it").await;
    let asked = world.last_shown(MONA_CHAT);
    assert!(asked.text.contains("not linked") && asked.channel == CHANNEL && asked.thread.is_none(), "{asked:?}");
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.mentioned("Ev2", MONA_CHAT, "C0009", "fix it").await;
    let asked = world.last_shown(MONA_CHAT);
    assert!(asked.text.contains("Say where") && asked.channel == "C0009", "{asked:?}");
}

#[tokio::test]
async fn what_is_said_alone_in_a_thread_that_stands_is_shown_in_it() {
    let world = World::of(Setup::new(CHAT_RULE)).await;
    world.slack_says(&world.slack().mention_in("1515449500.000001", "Ev1", MONA_CHAT, CHANNEL, ASKED, "fix it")).await;
    world.settle().await;
    assert_eq!(world.last_shown(MONA_CHAT).thread.as_deref(), Some("1515449500.000001"));
    // The form was opened when nobody had replied; then the message of a task was the first reply.
    let world = chat_world().await;
    world.slack_says(&world.slack().choose(MONA_CHAT, CHANNEL, ASKED, "fix it too")).await;
    world.settle().await;
    world.mentioned("Ev1", MONA_CHAT, CHANNEL, "fix it").await;
    assert_eq!(world.slack().messages()[0].thread.as_deref(), Some(ASKED));
    world.control().grant("acme/widgets", "mona", taskbridge::sandbox::Role::Read).unwrap();
    world.advance(60);
    world.slack_says(&world.slack().submit(MONA_CHAT, &[("repo", "acme/widgets"), ("prompt", "fix it too")])).await;
    world.settle().await;
    assert_eq!(world.last_shown(MONA_CHAT).thread.as_deref(), Some(ASKED));
}

#[tokio::test]
async fn what_is_pressed_is_answered_where_it_was_pressed() {
    let world = chat_world().await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    world.slash(MONA_CHAT, "fix it").await;
    let (ts, id) = (world.living().ts, world.task().await.id.to_string());
    for (account, says) in [(MONA_CHAT, "made by the rule chat"), (OTTO_CHAT, "not yours to see")] {
        for name in ["why", "cancel", "retry"] {
            world.slack_says(&world.slack().press(account, CHANNEL, &ts, name, &id)).await;
            world.settle().await;
            let told = world.last_shown(account);
            assert!(told.answered && told.thread.is_none() && told.channel == CHANNEL, "{name}: {told:?}");
            assert!(name != "why" || told.text.contains(says), "{}", told.text);
        }
    }
    // The address for answers is good for half an hour; later it is shown in the channel.
    let late = world.slack().press(MONA_CHAT, CHANNEL, &ts, "why", &id);
    world.slack_says(&late).await;
    world.advance(31 * 60);
    world.settle().await;
    let told = world.last_shown(MONA_CHAT);
    assert!(!told.answered && told.text.contains("made by the rule chat"), "{told:?}");
    assert_eq!(world.slack().whispers(MONA_CHAT).len(), 4);
}

#[tokio::test]
async fn in_a_conversation_with_the_app_it_is_a_message_that_stays() {
    let world = World::of(Setup::new(CHAT_RULE)).await;
    world.mentioned("Ev1", MONA_CHAT, DIRECT, "fix it").await;
    world.slack_says(&world.slack().slash(MONA_CHAT, DIRECT, "/copilot", "status")).await;
    world.settle().await;
    assert_eq!(world.slack().hidden(), []);
    let said = world.slack().messages();
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said.iter().all(|message| message.channel == DIRECT && message.text.contains("not linked")), "{said:#?}");
    let threads: Vec<_> = said.iter().map(|message| message.thread.as_deref()).collect();
    assert_eq!(threads, [Some(ASKED), None]);
}
