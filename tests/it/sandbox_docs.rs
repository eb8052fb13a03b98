//! The page about the sandbox is tried out: every example in it must work as it stands.

use reqwest::Method;

use axum::http::StatusCode;
use taskbridge::ids::PersonId;
use taskbridge::sandbox::ChatRequest;
use taskbridge::sandbox::chats::{APPLICATION, public_key};

use crate::sandbox_world::Place;
use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT};
use crate::support::chats::{
    DISCORD_CHANNEL, DISCORD_MONA, DISCORD_RULE, MATTERMOST_CHANNEL, MATTERMOST_MONA, MATTERMOST_RULE, on_discord,
    on_mattermost,
};
use crate::support::world::World;

#[tokio::test]
async fn every_example_of_the_control_works_in_the_order_given() {
    let place = Place::new().await;
    let page = include_str!("../../docs/sandbox.md");
    let mut tried = 0;
    for line in page.lines().filter_map(|line| line.strip_prefix("    curl http://127.0.0.1:4000")) {
        let (path, body) = line.split_once(" --json ").unwrap_or((line, ""));
        let method = if body.is_empty() { Method::GET } else { Method::POST };
        let body = body.trim_end_matches(" | sh");
        let call = place.bare(method, path).body(body.trim_matches('\'').to_owned());
        let response = call.send().await.unwrap();
        let status = response.status();
        assert_eq!(status, 200, "{line}: {}", response.text().await.unwrap());
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
}

/// The shell line that the control answers is what the chat would send: a service with the page's keys takes it.
#[tokio::test]
async fn what_is_typed_in_a_chat_by_hand_is_signed_and_can_be_answered() {
    let page = include_str!("../../docs/sandbox.md");
    let key = public_key();
    assert!(page.contains(&key) && page.contains(APPLICATION), "{key}");
    for (chat, rules, account, channel) in [
        ("slack", CHAT_RULE, MONA_CHAT, CHANNEL),
        ("discord", DISCORD_RULE, DISCORD_MONA, DISCORD_CHANNEL),
        ("mattermost", MATTERMOST_RULE, MATTERMOST_MONA, MATTERMOST_CHANNEL),
    ] {
        let world = World::new(rules).await;
        match chat {
            "slack" => world.link(account, PersonId(1001)).await,
            "discord" => world.link_as(&on_discord(account), PersonId(1001)).await,
            _ => world.link_as(&on_mattermost(account), PersonId(1001)).await,
        }
        let to = format!("http://127.0.0.1:8080/hooks/{chat}");
        let body = serde_json::json!({ "chat": chat, "account": account, "channel": channel, "text": "don't break it", "to": to });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/_sandbox/chats/says", world.sandbox.url());
        let answer = client.post(url).body(body.to_string()).send().await.unwrap();
        let line = answer.text().await.unwrap();
        let line = line.strip_prefix(&format!("curl '{to}'")).unwrap_or_else(|| panic!("{line}"));
        // As a shell reads it.
        let printed =
            std::process::Command::new("sh").args(["-c", &format!("printf '%s\\n' {line}")]).output().unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        let words: Vec<&str> = printed.lines().collect();
        let headers = words.iter().zip(&words[1..]).filter(|(flag, _)| **flag == "-H");
        let headers = headers
            .map(|(_, header)| header.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let request = ChatRequest { headers: headers.collect(), body: (*words.last().unwrap()).to_owned() };
        assert_eq!(world.chat_says(chat, &request).await.status, StatusCode::OK, "{chat}");
        world.settle().await;
        assert_eq!(world.task().await.prompt, "don't break it", "{chat}");
    }
}
