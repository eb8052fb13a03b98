//! Work that is asked for in Discord: from the signed command to the pull request; what only the one who asked sees, what a
//! token of a request is good for, and for how long.

use axum::http::StatusCode;
use serde_json::json;
use taskbridge::domain::task::State;
use taskbridge::sandbox::{ChatFault, ChatRequest, Outcome};

use crate::support::chats::{DISCORD_CHANNEL, DISCORD_MONA, DISCORD_RULE, MONA, on_discord, only_living};
use crate::support::world::{Setup, World};

async fn discord_world() -> World {
    let world = World::of(Setup::new(DISCORD_RULE)).await;
    world.link_as(&on_discord(DISCORD_MONA), MONA).await;
    world
}

fn whispered(world: &World) -> String {
    world.sandbox.discord().whispers(DISCORD_MONA).pop().map(|message| message.text).unwrap_or_default()
}

#[tokio::test]
async fn a_command_becomes_a_task_and_one_living_message_that_calls_the_one_who_asked() {
    let world = discord_world().await;
    world.discord_command(DISCORD_MONA, "fix the login button").await;
    let task = world.task().await;
    assert_eq!((task.prompt.as_str(), task.person_login.as_str()), ("fix the login button", "mona"));
    let first = only_living(world.sandbox.discord().messages());
    assert_eq!(first.channel, DISCORD_CHANNEL);
    assert!(!first.text.contains("login button"), "a channel has other readers: {}", first.text);
    assert!(whispered(&world).contains("taken up"), "nobody is left waiting: {}", whispered(&world));
    world.live_for(120).await;
    assert_eq!(world.task().await.state, State::Completed);
    let last = only_living(world.sandbox.discord().messages());
    assert_eq!(last.id, first.id, "it is edited");
    assert!(last.edits > 0 && last.text.contains("**Done**: [pull request"), "{}", last.text);
    assert!(last.text.contains("[why]") && last.text.contains("[open]") && !last.text.contains("[retry]"));
    let calls: Vec<_> = world.sandbox.discord().messages().into_iter().filter(|m| m.under.is_some()).collect();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(calls[0].under.as_deref(), Some(first.id.as_str()));
    assert_eq!(calls[0].called, [DISCORD_MONA]);
    assert!(first.called.is_empty() && last.called.is_empty());
}

/// Case 23.
#[tokio::test]
async fn a_ping_is_answered_and_what_is_not_signed_for_now_is_turned_away() {
    let world = discord_world().await;
    let ping = world.sandbox.discord().ping();
    let answer = world.chat_says("discord", &ping).await;
    assert_eq!((answer.status, &answer.body), (StatusCode::OK, &json!({ "type": 1 })));
    assert_eq!(answer.headers["content-type"], "application/json");
    let with = |nth: usize, value: &str| {
        let mut other = ping.clone();
        other.headers[nth].1 = value.to_owned();
        other
    };
    let forged = ChatRequest { body: ping.body.replace("\"t\"", "\"u\""), ..ping.clone() };
    for bad in [forged, with(2, &"0".repeat(128)), with(2, "00"), with(1, "0"), with(1, "-1"), with(1, "x")] {
        assert_eq!(world.chat_says("discord", &bad).await.status, StatusCode::UNAUTHORIZED, "{bad:?}");
    }
    let mut unsigned = ping.clone();
    unsigned.headers.truncate(2);
    assert_eq!(world.chat_says("discord", &unsigned).await.status, StatusCode::UNAUTHORIZED);
    world.advance(301);
    assert_eq!(world.chat_says("discord", &ping).await.status, StatusCode::UNAUTHORIZED, "of another time");
    assert_eq!(world.delivery_count().await, 0);
}

#[tokio::test]
async fn what_comes_again_starts_nothing_again() {
    let world = discord_world().await;
    let request = world.sandbox.discord().command(DISCORD_MONA, DISCORD_CHANNEL, Some("fix it"));
    for _ in 0..3 {
        let answer = world.chat_says("discord", &request).await;
        assert_eq!((answer.status, &answer.body["type"]), (StatusCode::OK, &json!(5)));
    }
    world.settle().await;
    assert_eq!(world.delivery_count().await, 1);
    assert_eq!(world.task().await.prompt, "fix it");
}

/// The match step takes as long as GitHub does; Discord is answered before it.
#[tokio::test]
async fn it_is_answered_before_anything_is_looked_up() {
    let world = discord_world().await;
    let begun = std::time::Instant::now();
    let request = world.sandbox.discord().command(DISCORD_MONA, DISCORD_CHANNEL, Some("fix it"));
    let answer = world.chat_says("discord", &request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(begun.elapsed() < std::time::Duration::from_secs(3));
    assert!(world.tasks().await.is_empty(), "nothing was matched yet");
    // It is matched so late that the request's own token is worth nothing any more.
    world.advance(16 * 60);
    world.settle().await;
    assert_eq!(world.task().await.prompt, "fix it");
    only_living(world.sandbox.discord().messages());
    assert!(world.sandbox.discord().whispers(DISCORD_MONA).is_empty());
}

#[tokio::test]
async fn an_answer_for_one_alone_is_not_told_to_the_channel_when_it_comes_too_late() {
    let world = discord_world().await;
    let request = world.sandbox.discord().command(DISCORD_MONA, DISCORD_CHANNEL, Some("list"));
    world.chat_says("discord", &request).await;
    world.advance(16 * 60);
    world.live_for(60).await;
    let said = only_living(world.sandbox.discord().messages());
    assert!(said.text.contains("ask once more") && !said.text.contains("tasks"), "{}", said.text);
    assert_eq!(said.called, [DISCORD_MONA]);
    // In time it is for one alone.
    world.discord_command(DISCORD_MONA, "list").await;
    assert_eq!(whispered(&world), "You have no tasks yet.");
    assert_eq!(world.sandbox.discord().messages().len(), 1);
}

#[tokio::test]
async fn an_account_that_is_linked_to_nobody_is_asked_alone_and_its_wish_waits() {
    let world = World::of(Setup::new(DISCORD_RULE)).await;
    world.discord_command(DISCORD_MONA, "fix it").await;
    assert!(world.tasks().await.is_empty() && world.sandbox.discord().messages().is_empty());
    assert!(whispered(&world).contains("not linked to a GitHub account"), "{}", whispered(&world));
    world.link_as(&on_discord(DISCORD_MONA), MONA).await;
    world.settle().await;
    assert_eq!(world.task().await.prompt, "fix it");
}

#[tokio::test]
async fn buttons_do_what_they_say_and_what_is_not_ours_is_answered_too() {
    let world = discord_world().await;
    world.control().script_next(Outcome::Failed { message: "no way".into() });
    world.discord_command(DISCORD_MONA, "fix it").await;
    world.live_for(120).await;
    let task = world.task().await;
    assert!(only_living(world.sandbox.discord().messages()).text.contains("[retry]"));
    let press = world.sandbox.discord().press(DISCORD_MONA, DISCORD_CHANNEL, &format!("tb:retry:{}", task.id));
    assert_eq!(world.chat_says("discord", &press).await.body["type"], 5);
    world.live_for(120).await;
    assert!(whispered(&world).contains("tried again as task"), "{}", whispered(&world));
    assert_eq!(world.tasks().await.len(), 2);
    // Nothing typed: the help, as there is no form.
    let empty = world.sandbox.discord().command(DISCORD_MONA, DISCORD_CHANNEL, None);
    world.chat_says("discord", &empty).await;
    world.settle().await;
    assert!(whispered(&world).contains("`/copilot [options] what to do`"), "{}", whispered(&world));
    for (kind, data) in
        [(3, json!({ "custom_id": "another" })), (5, json!({})), (2, json!({ "type": 3 })), (77, json!({}))]
    {
        let other = world.sandbox.discord().interaction(kind, DISCORD_MONA, DISCORD_CHANNEL, data);
        let answer = world.chat_says("discord", &other).await;
        assert_eq!((answer.status, &answer.body["type"]), (StatusCode::OK, &json!(4)), "{kind}");
    }
    let choices = world.sandbox.discord().interaction(4, DISCORD_MONA, DISCORD_CHANNEL, json!({ "name": "copilot" }));
    assert_eq!(world.chat_says("discord", &choices).await.body, json!({ "type": 8, "data": { "choices": [] } }));
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 2);
}

#[tokio::test]
async fn what_discord_refuses_is_waited_for_or_said_another_way() {
    let world = discord_world().await;
    let discord = world.sandbox.discord();
    discord.fail("post", ChatFault::Limited(30.5));
    world.discord_command(DISCORD_MONA, "fix it").await;
    assert!(discord.messages().is_empty());
    world.advance(25);
    world.settle().await;
    assert!(discord.messages().is_empty(), "not before the time that was named");
    world.live_for(20).await;
    let first = only_living(discord.messages());
    // Somebody deletes it: they do not want it.
    discord.delete(&first.id);
    world.live_for(120).await;
    assert!(discord.messages().iter().all(|message| message.under.is_some()), "{:#?}", discord.messages());

    // An answer that is lost is said again, and is there once.
    let world = discord_world().await;
    let discord = world.sandbox.discord();
    discord.fail("post", ChatFault::Lost);
    discord.fail("answer", ChatFault::Lost);
    world.discord_command(DISCORD_MONA, "fix it").await;
    world.live_for(30).await;
    only_living(discord.messages());

    // Where the bot is not, the request itself is answered, once and for all.
    let world = discord_world().await;
    let discord = world.sandbox.discord();
    discord.close(DISCORD_CHANNEL);
    world.discord_command(DISCORD_MONA, "fix it").await;
    let said = only_living(discord.messages());
    assert!(said.channel.is_empty() && said.text.contains("Queued at GitHub"), "{said:?}");
    world.live_for(120).await;
    assert_eq!(only_living(discord.messages()).edits, 0);
}

/// Discord knows a request's token only once it has our first answer, which may be slower than the match step.
#[tokio::test]
async fn an_answer_that_overtakes_the_first_is_said_again() {
    let world = discord_world().await;
    for _ in 0..2 {
        world.sandbox.discord().fail("answer", ChatFault::Refused(404, 10_015));
    }
    world.discord_command(DISCORD_MONA, "list").await;
    world.live_for(30).await;
    assert_eq!(whispered(&world), "You have no tasks yet.");
    assert!(world.sandbox.discord().messages().is_empty());
}

/// An account of Discord is the same everywhere. Another account in the same server is nobody.
#[tokio::test]
async fn who_linked_once_is_known_in_every_server_and_in_direct_messages() {
    let rules = DISCORD_RULE.replace(
        "prompt: \"{{ command.text }}\"",
        "when: chat.team != \"333333333333333333\"\n    prompt: \"{{ command.text }}, said in {{ chat.team }}\"",
    );
    let world = World::of(Setup::new(&rules)).await;
    world.link_as(&on_discord(DISCORD_MONA), MONA).await;
    let said = |account: &str, server: Option<&str>| {
        let request = world.sandbox.discord().command(account, DISCORD_CHANNEL, Some("fix it"));
        let mut body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        match server {
            Some(server) => body["guild_id"] = json!(server),
            None => {
                body["user"] = body["member"]["user"].take();
                let fields = body.as_object_mut().unwrap();
                fields.retain(|name, _| name != "member" && name != "guild_id");
            }
        }
        world.sandbox.discord().signed(&body.to_string())
    };
    for server in [Some("111111111111111111"), Some("222222222222222222"), Some("333333333333333333"), None] {
        assert_eq!(world.chat_says("discord", &said(DISCORD_MONA, server)).await.status, StatusCode::OK);
        world.settle().await;
    }
    let mut prompts: Vec<_> = world.tasks().await.into_iter().map(|task| (task.person_login, task.prompt)).collect();
    prompts.sort();
    let told = ["fix it, said in 111111111111111111", "fix it, said in 222222222222222222", "fix it, said in dm"];
    assert_eq!(prompts, told.map(|prompt| ("mona".to_owned(), prompt.to_owned())));
    world.chat_says("discord", &said("53908232506183681", Some("111111111111111111"))).await;
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 3, "another account, in the same server");
}

/// A thread is a channel of its own to Discord. To those who set something for its channel it is a part of that.
#[tokio::test]
async fn in_a_thread_what_is_set_for_its_channel_holds_and_its_limits_count() {
    const THREAD: &str = "645027906669519999";
    let rules = DISCORD_RULE
        .replace("{ repo: acme/widgets }", "{ repo: acme/widgets, limits: { per_channel: { live: 1 } } }")
        .replace("prompt: \"{{ command.text }}\"", "prompt: \"{{ command.text }} for {{ chat.channel }}\"");
    let world = World::of(Setup::new(&rules)).await;
    world.link_as(&on_discord(DISCORD_MONA), MONA).await;
    let discord = world.sandbox.discord();
    let asks = |text: &str| discord.command(DISCORD_MONA, DISCORD_CHANNEL, Some(text));
    world.chat_says("discord", &discord.in_thread(&asks("fix one"), THREAD)).await;
    world.settle().await;
    let task = world.task().await;
    assert_eq!(
        (task.repo_full_name().as_str(), task.prompt.as_str()),
        ("acme/widgets", "fix one for 645027906669510667")
    );
    assert_eq!(only_living(discord.messages()).channel, THREAD, "it is answered where it was said");

    let full = "the channel's limit per_channel.live is 1 for 645027906669510667";
    world.discord_command(DISCORD_MONA, "fix two").await;
    assert!(whispered(&world).contains(full), "{}", whispered(&world));
    world.chat_says("discord", &discord.in_thread(&asks("fix three"), "645027906669518888")).await;
    world.settle().await;
    assert!(whispered(&world).contains(full), "{}", whispered(&world));
    world.live_for(120).await;
    assert_eq!(world.task().await.state, State::Completed);
    let said = discord.messages();
    assert!(said.iter().all(|message| message.channel == THREAD), "{said:#?}");

    // Without a word of the channel that it is in, a thread is a channel in which nothing is set.
    let mut bare: serde_json::Value = serde_json::from_str(&discord.in_thread(&asks("fix four"), THREAD).body).unwrap();
    bare["channel"].as_object_mut().unwrap().remove("parent_id");
    world.chat_says("discord", &discord.signed(&bare.to_string())).await;
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 1);
    assert!(whispered(&world).contains("repo"), "{}", whispered(&world));
}

/// A thread that is started from a message has that message's id. What is said in it is meant for the agent.
#[tokio::test]
async fn a_command_in_the_thread_of_the_living_message_is_a_word_to_its_agent() {
    let world = discord_world().await;
    let discord = world.sandbox.discord();
    world.discord_command(DISCORD_MONA, "fix it").await;
    let living = only_living(discord.messages());
    let says = async |thread: &str, words: &str| {
        let request = discord.in_thread(&discord.command(DISCORD_MONA, DISCORD_CHANNEL, Some(words)), thread);
        assert_eq!(world.chat_says("discord", &request).await.status, StatusCode::OK);
        world.settle().await;
        world.live_in_steps(4, 1).await;
    };
    let pull = world.pull_comes().await;
    says(&living.id, "also rename it").await;
    let on_pull = || world.control().comments("acme/widgets", pull).unwrap();
    assert_eq!(on_pull().len(), 1, "{:#?}", on_pull());
    assert!(on_pull()[0].body.starts_with("@copilot also rename it"), "{}", on_pull()[0].body);
    assert_eq!(on_pull()[0].author, "mona");
    let told = discord.messages().pop().unwrap();
    assert_eq!(told.channel, living.id, "{told:?}");
    assert!(told.text.contains(&format!("pull request #{pull}")), "{}", told.text);
    assert_eq!(world.tasks().await.len(), 1);
    says(&living.id, "why").await;
    assert!(whispered(&world).contains(&world.task().await.id.to_string()), "{}", whispered(&world));
    // A task of its own there, and words in a thread of something else.
    says(&living.id, "new: write a test").await;
    says("645027906669519999", "write another").await;
    let prompts: Vec<_> = world.tasks().await.into_iter().map(|task| task.prompt).collect();
    assert_eq!(prompts, ["fix it", "write a test", "write another"]);
    assert_eq!(on_pull().len(), 1);
}
