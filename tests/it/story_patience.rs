//! Chats give up after three seconds (Teams after five) and show the person a failure. Whatever the database does, they are answered before,
//! and only what is recorded is said to be.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use taskbridge::sandbox::ChatRequest;

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT};
use crate::support::chats::{
    DISCORD_CHANNEL, DISCORD_MONA, DISCORD_RULE, MATTERMOST_CHANNEL, MATTERMOST_MONA, MATTERMOST_RULE, TEAMS_MONA,
    TEAMS_RULE, teams_activity, teams_signed,
};
use crate::support::cut::{Cut, Line};
use crate::support::world::{Setup, World};

/// How long a chat waits.
const WAITS: Duration = Duration::from_secs(3);
/// How long Teams waits, to which the answer itself is told at once.
const TEAMS_WAITS: Duration = Duration::from_secs(5);

fn said(world: &World, source: &str, words: &str) -> ChatRequest {
    match source {
        "slack" => {
            let request = world.slack().slash(MONA_CHAT, CHANNEL, "/copilot", words);
            ChatRequest { headers: request.headers, body: request.body }
        }
        "discord" => world.sandbox.discord().command(DISCORD_MONA, DISCORD_CHANNEL, Some(words)),
        "teams" => teams_signed(&teams_activity(world, words, TEAMS_MONA, words).to_string()),
        _ => world.sandbox.mattermost().slash(MATTERMOST_MONA, MATTERMOST_CHANNEL, words),
    }
}

async fn a_slow_database(source: &str, rules: &str, waits: Duration) {
    let line = Cut::new();
    let world = World::of(Setup { cut: Some(line.clone()), ..Setup::new(rules) }).await;
    let timed = async |request: &ChatRequest| {
        let begun = Instant::now();
        let answer = world.chat_says(source, request).await;
        (answer, begun.elapsed())
    };
    assert_eq!(timed(&said(&world, source, "first")).await.0.status, StatusCode::OK);
    line.set(Line::Slow(Duration::from_millis(50)));
    let (answer, took) = timed(&said(&world, source, "second")).await;
    assert_eq!(answer.status, StatusCode::OK, "{source}, slow, and still in time: {took:?}");
    assert!(took < waits, "{source}: {took:?}");
    line.set(Line::Slow(WAITS + Duration::from_millis(500)));
    let third = said(&world, source, "third");
    let (answer, took) = timed(&third).await;
    assert!(took < waits, "{source}: {took:?}");
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{source}: nothing is promised: {}", answer.text);
    assert!(answer.headers.contains_key("retry-after") && answer.text.contains("Send it again"), "{}", answer.text);
    // The answer came before the commit; what was sent is kept all the same, and counts once when it is said again.
    line.set(Line::Open);
    let begun = Instant::now();
    // Of Teams, whose door has waited for the answer, the connection was idle for so long that it is looked at first; that
    // takes too long as well, and nothing is kept.
    while source != "teams" && world.delivery_count().await < 3 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{source}: it is written when the database has got to it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(timed(&third).await.0.status, StatusCode::OK, "{source}");
    assert_eq!(world.delivery_count().await, 3, "{source}");
}

#[tokio::test]
async fn slack_is_answered_in_time_also_when_the_database_is_slow() {
    a_slow_database("slack", CHAT_RULE, WAITS).await;
}

#[tokio::test]
async fn discord_is_answered_in_time_also_when_the_database_is_slow() {
    a_slow_database("discord", DISCORD_RULE, WAITS).await;
}

#[tokio::test]
async fn mattermost_is_answered_in_time_also_when_the_database_is_slow() {
    a_slow_database("mattermost", MATTERMOST_RULE, WAITS).await;
}

#[tokio::test]
async fn teams_is_answered_in_time_also_when_the_database_is_slow() {
    a_slow_database("teams", TEAMS_RULE, TEAMS_WAITS).await;
}
