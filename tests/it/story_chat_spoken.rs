//! Messages that speak to the app: where its name stands in them, and what else they carry.

use serde_json::{Value, json};
use taskbridge::store::deliveries::DeliveryState;

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

#[tokio::test]
async fn a_message_with_a_file_and_a_reply_that_is_shown_to_the_channel_are_messages() {
    let world = chat_world().await;
    let direct = json!({ "type": "message", "channel_type": "im", "channel": "D0001", "subtype": "file_share",
                         "files": [{ "id": "F1", "name": "screen.png" }] });
    world.hears("10", "repo:acme/widgets fix what is on the picture", &direct).await;
    assert_eq!(world.prompts().await, ["fix what is on the picture"]);
    // With nothing but the file it is asked what is wanted.
    world.hears("11", "", &direct).await;
    let said = world.slack().messages().pop().unwrap();
    assert!(said.channel == "D0001" && said.text.contains("You are linked to mona"), "{said:?}");
    let reply = json!({ "subtype": "thread_broadcast", "thread_ts": "1515449500.000001" });
    world.slack().reply(CHANNEL, "1515449500.000001");
    world.hears("12", "<@U0BOT> list", &reply).await;
    assert!(world.whispered(MONA_CHAT).contains("acme/widgets"), "{}", world.whispered(MONA_CHAT));
    for (id, subtype) in
        [("13", "message_changed"), ("14", "message_deleted"), ("15", "bot_message"), ("16", "channel_join")]
    {
        world.hears(id, "<@U0BOT> fix it", &json!({ "subtype": subtype })).await;
        assert_eq!(world.delivery(id).await.state, DeliveryState::Ignored, "{subtype}");
    }
    assert_eq!(world.tasks().await.len(), 1);
}

/// In a direct message nobody has to be called: a name that it begins with is part of what is said.
#[tokio::test]
async fn a_direct_message_that_begins_with_somebodys_name_keeps_it() {
    let world = chat_world().await;
    let direct = json!({ "type": "message", "channel_type": "im", "channel": "D0001" });
    world.hears("10", "<@U0OTTO|otto> broke repo:acme/widgets", &direct).await;
    world.hears("11", "repo:acme/widgets <@U0OTTO|otto> broke it", &direct).await;
    assert_eq!(world.prompts().await, ["@otto broke", "@otto broke it"]);
    world.hears("12", "<@U0OTTO|otto> status", &direct).await;
    assert_ne!(world.whispered(MONA_CHAT), "Nothing runs for you now.", "it is about otto, and no word of ours");
}
