//! While GitHub cannot be asked, whoever asks in a chat is told so once, and once more when it is given up.

use taskbridge::pipeline::steer;
use taskbridge::sandbox::{Fault, FaultKind};
use taskbridge::store::deliveries::DeliveryState;
use taskbridge::store::{Page, deliveries::Delivery};

use crate::support::chat::{CHAT_RULE, MONA_CHAT, chat_world};
use crate::support::chats::{DISCORD_MONA, DISCORD_RULE, MONA, on_discord};
use crate::support::world::{Setup, World};

const AWAY: FaultKind = FaultKind::StatusBefore { status: 503 };

impl World {
    fn told(&self) -> Vec<String> {
        self.slack().whispers(MONA_CHAT).into_iter().map(|message| message.text).collect()
    }

    async fn newest_delivery(&self) -> Delivery {
        self.bridge.store.deliveries(&Default::default(), Page { before: None, limit: 1 }).await.unwrap().remove(0)
    }
}

#[tokio::test]
async fn who_asks_while_github_is_away_is_told_once_that_it_is_kept_and_it_goes_on() {
    let world = chat_world().await;
    let away = world.control().inject(Fault::new(AWAY).on("GET", "/repos/"));
    world.slash(MONA_CHAT, "fix it").await;
    world.live_for(120).await;
    let told = world.told();
    assert!(told.len() == 1 && told[0].contains("It is kept, and goes on by itself"), "{told:#?}");
    world.live_in_steps(12, 600).await;
    assert_eq!(world.told().len(), 1, "once, and not at each try: {:#?}", world.told());
    assert!(world.tasks().await.is_empty());
    world.control().remove_fault(away);
    world.live_for(900).await;
    assert_eq!(world.task().await.prompt, "fix it");
    assert_eq!(world.told().len(), 1);
}

#[tokio::test]
async fn what_passes_within_seconds_is_not_told() {
    let world = chat_world().await;
    world.control().inject(Fault::new(AWAY).on("GET", "/repos/").times(1));
    world.slash(MONA_CHAT, "fix it").await;
    world.live_for(30).await;
    assert_eq!(world.task().await.prompt, "fix it");
    assert_eq!(world.told(), Vec::<String>::new());
}

#[tokio::test]
async fn who_is_given_up_after_a_day_is_told() {
    let world = chat_world().await;
    world.control().inject(Fault::new(AWAY).on("GET", "/repos/"));
    world.slash(MONA_CHAT, "fix it").await;
    world.live_in_steps(30, 3_000).await;
    let told = world.told();
    assert!(told.len() == 2 && told[1].contains("Nothing was done") && told[1].contains("Ask once more"), "{told:#?}");
    assert_eq!(world.newest_delivery().await.state, DeliveryState::Ignored);
    assert!(world.tasks().await.is_empty());
}

#[tokio::test]
async fn in_discord_nobody_is_left_waiting_for_an_answer() {
    let world = World::of(Setup::new(DISCORD_RULE)).await;
    world.link_as(&on_discord(DISCORD_MONA), MONA).await;
    let away = world.control().inject(Fault::new(AWAY).on("GET", "/repos/"));
    world.discord_command(DISCORD_MONA, "fix it").await;
    world.live_for(60).await;
    let told = world.sandbox.discord().whispers(DISCORD_MONA);
    assert!(told.len() == 1 && told[0].text.contains("It is kept, and goes on by itself"), "{told:#?}");
    world.control().remove_fault(away);
    world.live_for(300).await;
    assert_eq!(world.task().await.prompt, "fix it");
    let told = world.sandbox.discord().whispers(DISCORD_MONA);
    assert!(told.len() == 1 && told[0].text.contains("taken up"), "the same message: {told:#?}");
}

/// How long it waited for its account to be linked is no impatience of GitHub's.
#[tokio::test]
async fn a_wish_that_was_kept_for_days_is_not_given_up_at_the_first_failure() {
    let world = World::of(Setup::new(CHAT_RULE)).await;
    world.slash(MONA_CHAT, "fix it").await;
    world.live_in_steps(30, 3_600).await;
    assert!(world.tasks().await.is_empty());
    let away = world.control().inject(Fault::new(AWAY).on("GET", "/repos/"));
    world.link(MONA_CHAT, MONA).await;
    world.live_for(120).await;
    let waits = world.newest_delivery().await;
    assert_eq!(waits.state, DeliveryState::Received, "{:?}", waits.reason);
    // But a day of trying is enough, also of what was kept; and a replay begins anew.
    world.live_in_steps(30, 3_000).await;
    assert_eq!(world.newest_delivery().await.state, DeliveryState::Ignored);
    steer::replay(&world.bridge, waits.id).await.unwrap();
    world.live_for(60).await;
    assert_eq!(world.newest_delivery().await.state, DeliveryState::Received);
    world.control().remove_fault(away);
    world.live_for(120).await;
    assert_eq!(world.task().await.prompt, "fix it");
}
