//! Work that is asked for in Mattermost: from the command with its token to the pull request, with a bot and without one.

use axum::http::StatusCode;
use taskbridge::domain::task::State;
use taskbridge::sandbox::{ChatFault, ChatRequest};

use crate::support::chats::{MATTERMOST_CHANNEL, MATTERMOST_MONA, MATTERMOST_RULE, MONA, on_mattermost, only_living};
use crate::support::world::{Setup, World};

async fn world_of(rules: &str) -> World {
    let world = World::of(Setup::new(rules)).await;
    world.link_as(&on_mattermost(MATTERMOST_MONA), MONA).await;
    world
}

fn whispered(world: &World) -> String {
    world.sandbox.mattermost().whispers(MATTERMOST_MONA).pop().map(|message| message.text).unwrap_or_default()
}

fn without_bot() -> String {
    MATTERMOST_RULE.replace("    bot_token: \"${MATTERMOST_BOT_TOKEN}\"\n", "")
}

#[tokio::test]
async fn a_command_becomes_a_task_and_one_living_message_that_calls_the_one_who_asked() {
    let world = world_of(MATTERMOST_RULE).await;
    world.mattermost_command(MATTERMOST_MONA, "fix the login button").await;
    let task = world.task().await;
    assert_eq!((task.prompt.as_str(), task.person_login.as_str()), ("fix the login button", "mona"));
    let first = only_living(world.sandbox.mattermost().messages());
    assert_eq!(first.channel, MATTERMOST_CHANNEL);
    assert!(!first.text.contains("login button"), "a channel has other readers: {}", first.text);
    assert!(first.text.contains(&format!("`/copilot why {}`", task.id)), "words in place of buttons: {}", first.text);
    world.live_for(120).await;
    assert_eq!(world.task().await.state, State::Completed);
    let last = only_living(world.sandbox.mattermost().messages());
    assert_eq!(last.id, first.id, "it is edited");
    assert!(last.edits > 0 && last.text.contains("**Done**: [pull request"), "{}", last.text);
    let calls: Vec<_> = world.sandbox.mattermost().messages().into_iter().filter(|m| m.under.is_some()).collect();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert_eq!(calls[0].under.as_deref(), Some(first.id.as_str()));
    assert_eq!(calls[0].called, [format!("name-of-{MATTERMOST_MONA}")]);
    assert!(last.called.is_empty());
    world.mattermost_command(MATTERMOST_MONA, "list").await;
    assert!(whispered(&world).contains("completed"), "{}", whispered(&world));
}

#[tokio::test]
async fn without_a_bot_the_start_is_said_once_at_the_address_for_answers() {
    let world = world_of(&without_bot()).await;
    world.mattermost_command(MATTERMOST_MONA, "list").await;
    assert_eq!(whispered(&world), "You have no tasks yet.");
    world.mattermost_command(MATTERMOST_MONA, "fix it").await;
    let said = only_living(world.sandbox.mattermost().messages());
    assert!(said.channel.is_empty() && said.text.contains("Queued at GitHub"), "{said:?}");
    world.live_for(120).await;
    assert_eq!(world.task().await.state, State::Completed);
    assert_eq!(only_living(world.sandbox.mattermost().messages()).edits, 0);
}

#[tokio::test]
async fn only_our_own_tokens_are_taken_and_what_comes_again_starts_nothing_again() {
    let world = world_of(MATTERMOST_RULE).await;
    let right = world.sandbox.mattermost().slash(MATTERMOST_MONA, MATTERMOST_CHANNEL, "fix it");
    let shown = |value: &str| {
        let mut other = right.clone();
        other.headers[1].1 = value.to_owned();
        other
    };
    let body = |from: &str, to: &str| ChatRequest { body: right.body.replace(from, to), ..right.clone() };
    let mut unsigned = right.clone();
    unsigned.headers.truncate(1);
    let mut doubled = right.clone();
    doubled.headers.push(doubled.headers[1].clone());
    for bad in [
        unsigned,
        doubled,
        shown("Token token0of0the0simulated0mm1"),
        shown("Bearer token0of0the0simulated0mm0"),
        shown("Token "),
        body("token=token0of0the0simulated0mm0", "token=another"),
        body("team_domain=acme", "token=token0of0the0simulated0mm0"),
    ] {
        assert_eq!(world.chat_says("mattermost", &bad).await.status, StatusCode::UNAUTHORIZED, "{bad:?}");
    }
    assert_eq!(world.delivery_count().await, 0);
    for _ in 0..2 {
        assert_eq!(world.chat_says("mattermost", &right).await.status, StatusCode::OK);
    }
    world.settle().await;
    assert_eq!(world.delivery_count().await, 1);
    assert_eq!(world.task().await.prompt, "fix it");
}

/// Whoever could name the address would be told what is meant for one person.
#[tokio::test]
async fn an_address_for_answers_that_is_not_the_servers_is_not_used() {
    let world = world_of(&without_bot()).await;
    let right = world.sandbox.mattermost().slash(MATTERMOST_MONA, MATTERMOST_CHANNEL, "list");
    let body = right.body.replace("http%3A%2F%2F127.0.0.1", "http%3A%2F%2Flocalhost");
    assert_ne!(body, right.body);
    world.chat_says("mattermost", &ChatRequest { body, ..right }).await;
    world.live_for(60).await;
    assert!(world.sandbox.mattermost().whispers(MATTERMOST_MONA).is_empty());
    assert!(world.sandbox.mattermost().messages().is_empty());
}

/// What fails counts too: the server counts what it was asked, whatever became of it.
#[tokio::test]
async fn an_address_for_answers_is_used_five_times_and_no_more() {
    for (failing, told) in [(4, 1), (5, 0)] {
        let world = world_of(&without_bot()).await;
        for _ in 0..failing {
            world.sandbox.mattermost().fail("answer", ChatFault::Refused(503, 0));
        }
        world.mattermost_command(MATTERMOST_MONA, "list").await;
        world.live_in_steps(28, 60).await;
        let whispers = world.sandbox.mattermost().whispers(MATTERMOST_MONA);
        assert_eq!(whispers.len(), told, "after {failing} that failed: {whispers:#?}");
    }
}

#[tokio::test]
async fn an_address_for_answers_is_used_within_half_an_hour() {
    let world = world_of(&without_bot()).await;
    let late = world.sandbox.mattermost().slash(MATTERMOST_MONA, MATTERMOST_CHANNEL, "list");
    world.chat_says("mattermost", &late).await;
    world.advance(31 * 60);
    world.live_for(60).await;
    assert!(world.sandbox.mattermost().whispers(MATTERMOST_MONA).is_empty());
    // With a bot the one who asked is called then, without what is for them alone.
    let world = world_of(MATTERMOST_RULE).await;
    world.sandbox.mattermost().fail("whisper", ChatFault::Refused(403, 0));
    // It would be tried again, were it tried at all.
    world.sandbox.mattermost().fail("answer", ChatFault::Refused(503, 0));
    let late = world.sandbox.mattermost().slash(MATTERMOST_MONA, MATTERMOST_CHANNEL, "list");
    world.chat_says("mattermost", &late).await;
    world.advance(31 * 60);
    world.live_for(60).await;
    let said = only_living(world.sandbox.mattermost().messages());
    assert!(said.text.contains("ask once more") && !said.text.contains("tasks"), "{}", said.text);
    assert_eq!(said.called.len(), 1);
}

#[tokio::test]
async fn what_the_server_refuses_is_waited_for_or_said_another_way() {
    let world = world_of(MATTERMOST_RULE).await;
    let server = world.sandbox.mattermost();
    server.fail("post", ChatFault::Limited(30.0));
    world.mattermost_command(MATTERMOST_MONA, "fix it").await;
    assert!(server.messages().is_empty());
    world.live_for(40).await;
    let first = only_living(server.messages());
    server.delete(&first.id);
    world.live_for(120).await;
    assert!(server.messages().iter().all(|message| message.under.is_some()), "{:#?}", server.messages());
    let world = world_of(MATTERMOST_RULE).await;
    let server = world.sandbox.mattermost();
    server.close(MATTERMOST_CHANNEL);
    world.mattermost_command(MATTERMOST_MONA, "list").await;
    assert_eq!(whispered(&world), "You have no tasks yet.", "the request's own address will do");
}

/// Newer servers say in which thread a command stood; from older ones it counts as said in the channel.
#[tokio::test]
async fn a_command_in_the_thread_of_a_task_is_a_word_to_its_agent() {
    let world = world_of(MATTERMOST_RULE).await;
    let says = async |root: Option<&str>, account: &str, words: &str| {
        let mut request = world.sandbox.mattermost().slash(account, MATTERMOST_CHANNEL, words);
        request.body.push_str(&format!("&root_id={}", root.unwrap_or_default()));
        assert_eq!(world.chat_says("mattermost", &request).await.status, StatusCode::OK);
        world.settle().await;
        world.live_in_steps(4, 1).await;
        request
    };
    says(None, MATTERMOST_MONA, "fix it").await;
    let living = only_living(world.sandbox.mattermost().messages());
    let thread = Some(living.id.as_str());
    says(thread, MATTERMOST_MONA, "status").await;
    assert!(
        whispered(&world).contains("fix it") || whispered(&world).contains("acme/widgets"),
        "{}",
        whispered(&world)
    );
    let pull = world.pull_comes().await;
    let said = says(thread, MATTERMOST_MONA, "also rename it").await;
    let on_pull = || world.control().comments("acme/widgets", pull).unwrap();
    assert_eq!(on_pull().len(), 1, "{:#?}", on_pull());
    assert_eq!(on_pull()[0].author, "mona");
    assert!(on_pull()[0].body.starts_with("@copilot also rename it"), "{}", on_pull()[0].body);
    let told = world.sandbox.mattermost().messages().pop().unwrap();
    assert_eq!(told.under, Some(living.id.clone()));
    assert!(told.text.contains(&format!("pull request #{pull}")), "{}", told.text);
    // It comes again, and a stranger says something.
    world.chat_says("mattermost", &said).await;
    says(thread, "other000000000000000000001", "delete it").await;
    assert_eq!((on_pull().len(), world.tasks().await.len()), (1, 1));
    // A task of its own, there and in the channel.
    says(thread, MATTERMOST_MONA, "new: write a test").await;
    says(None, MATTERMOST_MONA, "write another test").await;
    assert_eq!((on_pull().len(), world.tasks().await.len()), (1, 3));
}
