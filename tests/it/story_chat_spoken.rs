//! Messages that speak to the app: where its name stands in them, and what else they carry.

use serde_json::{Value, json};

use crate::support::chat::{CHANNEL, MONA_CHAT, chat_world};
use crate::support::world::World;

impl World {
    /// Something that mona says; `more` is what the event has beside.
    async fn hears(&self, id: &str, text: &str, more: &Value) {
        let mut event = json!({
            "type": "app_mention", "user": MONA_CHAT, "channel": CHANNEL, "ts": format!("1515449522.0000{id}"), "text": text,
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.advance(1);
        self.slack_says(&self.slack().event(id, &event)).await;
        self.settle().await;
    }

    async fn prompts(&self) -> Vec<String> {
        self.tasks().await.into_iter().map(|task| task.prompt).collect()
    }
}

#[tokio::test]
async fn the_name_of_the_app_is_no_part_of_what_is_said_wherever_it_stands() {
    let world = chat_world().await;
    let none = json!({});
    world.hears("10", "hey <@U0BOT> please fix it", &none).await;
    world.hears("11", "The build is broken.\n<@U0BOT> fix the build", &none).await;
    world.hears("12", "fix the docs <@U0BOT>", &none).await;
    assert_eq!(world.prompts().await, ["hey please fix it", "The build is broken.\nfix the build", "fix the docs"]);
}

#[tokio::test]
async fn one_of_our_own_words_behind_the_name_is_one_whatever_stands_in_front() {
    let world = chat_world().await;
    world.hears("10", "thanks! <@U0BOT> status", &json!({})).await;
    assert!(world.tasks().await.is_empty(), "{:?}", world.prompts().await);
    assert_eq!(world.whispered(MONA_CHAT), "Nothing runs for you now.");
}
