//! The address for answers that a request of Slack carries: few uses, soon over.

use taskbridge::sandbox::SlackFault;
use taskbridge::store::Page;

use crate::support::chat::{CHAT_RULE, MONA_CHAT};
use crate::support::world::{Setup, World};

#[tokio::test]
async fn an_address_for_answers_that_fails_is_tried_five_times_and_no_more() {
    for (failing, told) in [(4, 1), (5, 0)] {
        let world = World::of(Setup::new(CHAT_RULE)).await;
        world.slack().close("C0009");
        for _ in 0..failing {
            world.slack().fail("hooks", SlackFault::Away);
        }
        world.slack_says(&world.slack().slash(MONA_CHAT, "C0009", "/copilot", "help")).await;
        world.settle().await;
        world.live_in_steps(28, 60).await;
        let whispers = world.slack().whispers(MONA_CHAT);
        assert_eq!(whispers.len(), told, "after {failing} that failed: {whispers:#?}");
    }
}

#[tokio::test]
async fn an_address_for_answers_is_used_five_times_within_half_an_hour() {
    let world = World::of(Setup::new(CHAT_RULE)).await;
    world.slack().close("C0009");
    let request = world.slack().slash(MONA_CHAT, "C0009", "/copilot", "help");
    world.slack_says(&request).await;
    world.settle().await;
    let told = world.slack().whispers(MONA_CHAT);
    assert!(told.len() == 1 && told[0].answered && told[0].text.contains("/copilot link"), "{told:#?}");
    let delivery =
        world.bridge.store.deliveries(&Default::default(), Page { before: None, limit: 9 }).await.unwrap()[0].id;
    let since = world.bridge.ground.now() - chrono::TimeDelta::minutes(30);
    let mut left = 0;
    while world.bridge.store.take_answer(delivery, 5, since).await.unwrap() {
        left += 1;
    }
    assert_eq!(left, 4);
    let later = world.slack().slash(MONA_CHAT, "C0009", "/copilot", "help");
    world.slack_says(&later).await;
    let newest =
        world.bridge.store.deliveries(&Default::default(), Page { before: None, limit: 9 }).await.unwrap()[0].id;
    let over = world.bridge.ground.now() + chrono::TimeDelta::seconds(1);
    assert!(!world.bridge.store.take_answer(newest, 5, over).await.unwrap(), "half an hour is over");
}
