//! What is told of work that was asked for in a channel of Slack where the app is not: the address for answers is good for half an
//! hour, and work takes longer.

use taskbridge::domain::task::State;

use crate::support::chat::{MONA_CHAT, chat_world};
use crate::support::world::World;

const ELSEWHERE: &str = "C0009";

impl World {
    async fn asks_elsewhere(&self, text: &str) {
        self.slack_says(&self.slack().slash(MONA_CHAT, ELSEWHERE, "/copilot", text)).await;
    }
}

#[tokio::test]
async fn the_end_of_long_work_is_told_to_the_one_who_asked_in_their_conversation_with_the_app() {
    let world = chat_world().await;
    world.slack().close(ELSEWHERE);
    world.asks_elsewhere("repo:acme/widgets fix it").await;
    world.settle().await;
    world.advance(31 * 60);
    world.live_for(60).await;
    assert_eq!(world.task().await.state, State::Completed);
    let told: Vec<_> = world.slack().messages().into_iter().filter(|message| message.channel == MONA_CHAT).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    let id = world.task().await.id.to_string();
    assert!(
        told[0].text.contains("*Done*") && told[0].text.contains("acme/widgets") && told[0].text.contains(&id),
        "{told:?}"
    );
    assert!(told[0].text.contains("[open]") && !told[0].answered, "{told:?}");
}

#[tokio::test]
async fn an_answer_that_comes_late_reaches_the_one_who_asked_alone() {
    let world = chat_world().await;
    world.slack().close(ELSEWHERE);
    world.asks_elsewhere("list").await;
    world.advance(31 * 60);
    world.settle().await;
    let told = world.slack().messages();
    assert!(told.len() == 1 && told[0].channel == MONA_CHAT && told[0].text == "You have no tasks yet.", "{told:#?}");
    // In time it is told where it was asked.
    world.asks_elsewhere("list").await;
    world.settle().await;
    assert_eq!(world.slack().messages().len(), 1);
    assert_eq!(world.slack().whispers(MONA_CHAT).pop().unwrap().channel, ELSEWHERE);
}
