//! What may come from a channel of a chat: so many at once and in a while, beside what the rules allow.

use taskbridge::ids::PersonId;
use taskbridge::sandbox::Role;
use taskbridge::store::tasks::Hold;

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT, OTTO_CHAT};
use crate::support::world::{OTTO_TOKEN, Setup, World};

/// A channel with these limits beside one with none; mona and otto may write.
async fn world(limits: &str, more: &str) -> World {
    let channels = format!("{{ C0001: {{ repo: acme/widgets, limits: {limits} }}, C0002: {{ repo: acme/widgets }} }}");
    let rules = CHAT_RULE.replace("{ C0001: { repo: acme/widgets } }", &channels);
    let world = World::of(Setup::new(&format!("{rules}{more}"))).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    world
}

impl World {
    async fn asks_in(&self, channel: &str, account: &str, text: &str) -> usize {
        self.advance(1);
        self.slack_says(&self.slack().slash(account, channel, "/copilot", text)).await;
        self.settle().await;
        self.tasks().await.len()
    }
}

#[tokio::test]
async fn a_channel_s_limit_counts_what_came_from_it_alone_and_lets_go_when_one_ends() {
    let world = world("{ per_channel: { live: 1 } }", "").await;
    assert_eq!(world.asks_in("C0002", MONA_CHAT, "fix one").await, 1);
    assert_eq!(world.asks_in(CHANNEL, MONA_CHAT, "fix two").await, 2, "what came from another channel is not counted");
    assert_eq!(world.asks_in(CHANNEL, OTTO_CHAT, "fix three").await, 2, "whoever asks");
    let told = world.whispered(OTTO_CHAT);
    assert!(told.contains("the channel's limit per_channel.live is 1 for C0001"), "{told}");
    assert_eq!(world.asks_in("C0002", OTTO_CHAT, "fix three").await, 3, "the other channel has none");
    world.live_for(120).await;
    assert_eq!(world.asks_in(CHANNEL, OTTO_CHAT, "fix four").await, 4);
}

#[tokio::test]
async fn a_limit_per_person_in_a_channel_counts_each_by_themselves_and_has_room_again_after_its_while() {
    let world = world("{ per_person: { started: { count: 1, within: 1h } } }", "").await;
    assert_eq!(world.asks_in("C0002", MONA_CHAT, "fix one").await, 1);
    assert_eq!(world.asks_in(CHANNEL, MONA_CHAT, "fix two").await, 2);
    assert_eq!(world.asks_in(CHANNEL, MONA_CHAT, "fix three").await, 2);
    let told = world.whispered(MONA_CHAT);
    assert!(told.contains("the channel's limit per_person.started is 1 within 1 h for mona"), "{told}");
    assert_eq!(world.asks_in(CHANNEL, OTTO_CHAT, "fix three").await, 3);
    world.advance(3600);
    assert_eq!(world.asks_in(CHANNEL, MONA_CHAT, "fix four").await, 4);
}

/// What is approved while the channel is full waits like everything else, and goes on by itself.
#[tokio::test]
async fn what_is_approved_while_the_channel_is_full_waits_for_room() {
    let world = world("{ per_channel: { live: 2 } }", "    hold: approval\n").await;
    world.asks_in(CHANNEL, MONA_CHAT, "fix one").await;
    assert_eq!(world.asks_in(CHANNEL, MONA_CHAT, "fix two").await, 2);
    let narrower = "{ C0001: { repo: acme/widgets, limits: { per_channel: { live: 1 } } } }";
    world.reload(&format!("{}    hold: approval\n", CHAT_RULE.replace("{ C0001: { repo: acme/widgets } }", narrower)));
    let ids: Vec<_> = world.tasks().await.iter().map(|task| task.id.to_string()).collect();
    for id in &ids {
        world.asks_in(CHANNEL, MONA_CHAT, &format!("approve {id}")).await;
    }
    let held: Vec<_> = world.tasks().await.into_iter().filter(|task| task.hold == Some(Hold::Limit)).collect();
    assert_eq!(held.len(), 1, "one of the two starts");
    assert!(held[0].reason.contains("the channel's limit per_channel.live is 1"), "{}", held[0].reason);
    world.live_for(300).await;
    assert_eq!(world.control().creations().len(), 2, "and then the other");
}

#[tokio::test]
async fn a_retry_in_a_chat_is_counted_for_its_channel_too() {
    let world = world("{ per_channel: { live: 1 } }", "").await;
    world.asks_in(CHANNEL, MONA_CHAT, "fix one").await;
    let first = world.task().await;
    world.live_for(120).await;
    assert_eq!(world.asks_in(CHANNEL, OTTO_CHAT, "fix two").await, 2);
    assert_eq!(world.asks_in(CHANNEL, MONA_CHAT, &format!("retry {}", first.id)).await, 2);
    let told = world.whispered(MONA_CHAT);
    assert!(told.contains("the channel's limit per_channel.live is 1 for C0001"), "{told}");
    assert!(told.contains("try again when one has"), "{told}");
    world.live_for(120).await;
    assert_eq!(world.asks_in(CHANNEL, MONA_CHAT, &format!("retry {}", first.id)).await, 3);
}
