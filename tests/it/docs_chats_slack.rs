//! What the page of Slack shows works as it stands there, in each of its variants: with an address, without one, and with tokens
//! that rotate. The app is made from the manifest that the page's own command prints.

use std::process::Command;

use axum::http::StatusCode;
use serde_json::{Value, json};
use taskbridge::domain::task::State;
use taskbridge::pipeline::chat::rotation::rotate_batch;
use taskbridge::sandbox::slack::rotation::{CLIENT_ID, CLIENT_SECRET};
use taskbridge::sandbox::{SlackRequest, SlackWay};

use crate::docs_chats::{HERE, block, page, run};
use crate::docs_pages::code;
use crate::story_socket::{Replica, until};
use crate::support::chat::{MONA_CHAT, identity};
use crate::support::chats::MONA;
use crate::support::world::{Answer, LABEL_RULE, World};

/// The channel that the page names.
const SLACK_CHANNEL: &str = "C0123ABCDEF";

impl World {
    /// Slack sends something to where the app says, and all follows from it.
    async fn slack_sends(&self, request: &SlackRequest) -> Answer {
        self.advance(1);
        let SlackWay::To(url) = self.slack().way(request).unwrap() else { panic!("it is told to no address") };
        let answer = self.called(&url, &request.headers, &request.body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        self.settle().await;
        answer
    }

    /// The message of a channel that tells of the first task, at its end.
    async fn told_in_slack(&self) {
        self.live_for(120).await;
        let first = self.tasks().await.remove(0);
        assert_eq!(first.state, State::Completed);
        let living = self.slack().messages().into_iter().find(|message| message.channel == SLACK_CHANNEL).unwrap();
        assert!(living.edits > 0 && living.text.contains("pull request"), "{living:?}");
    }
}

/// The configuration of Slack's page under the addresses of the simulated one.
fn slack_configuration(page: &str) -> String {
    let block = block(page, "## Here");
    assert!(block.contains("app_id: A0123ABCDEF") && block.contains(SLACK_CHANNEL));
    block.replace("A0123ABCDEF", "A0001").replace("    type: slack\n", "    type: slack\n    api_url: SLACK_API\n")
}

async fn world_with_slack(manifest: &Value) -> (World, String) {
    let world = World::new(LABEL_RULE).await;
    world.link_as(&identity(MONA_CHAT), MONA).await;
    world.slack().create_app(manifest).unwrap();
    let token = world.slack().install_app();
    (world, token)
}

#[tokio::test]
async fn slack_s_page_leads_to_a_task_by_every_way_that_it_names() {
    let page = page("slack");
    let (manifest, _) = run(&page, "taskbridge manifest slack --url", "");
    let (world, token) = world_with_slack(&manifest).await;
    world.follow(&slack_configuration(&page), &[("SLACK_BOT_TOKEN", &token)]);
    let slack = world.slack();
    // *Request URL → Retry*.
    let look =
        slack.signed("application/json", json!({ "type": "url_verification", "challenge": "3eZbrw1a" }).to_string());
    assert!(world.slack_sends(&look).await.text.contains("3eZbrw1a"));

    world.slack_sends(&slack.slash(MONA_CHAT, SLACK_CHANNEL, "/copilot", "fix the login button")).await;
    let task = world.newest("fix the login button").await;
    let living = world.living();
    assert!(living.channel == SLACK_CHANNEL && !living.text.contains("login"), "{living:?}");
    world.slack_sends(&slack.press(MONA_CHAT, SLACK_CHANNEL, &living.ts, "why", &task.id.to_string())).await;
    assert!(world.whispered(MONA_CHAT).contains("made by the rule from-chat"), "{}", world.whispered(MONA_CHAT));
    world.told_in_slack().await;

    world.slack_sends(&slack.mention("Ev1", MONA_CHAT, SLACK_CHANNEL, "1515449522.000016", "fix it")).await;
    world.newest("fix it").await;
    let said = json!({ "type": "message", "channel_type": "im", "user": MONA_CHAT, "channel": "D0001",
                       "ts": "1515449523.000016", "text": "repo:acme/widgets fix it too" });
    world.slack_sends(&slack.event("Ev2", &said)).await;
    world.newest("fix it too").await;
    world.slack_sends(&slack.slash(MONA_CHAT, SLACK_CHANNEL, "/copilot", "")).await;
    world.slack_sends(&slack.submit(MONA_CHAT, &[("prompt", "fix it by the form")])).await;
    world.newest("fix it by the form").await;
    world.slack_sends(&slack.choose(MONA_CHAT, SLACK_CHANNEL, "1515449524.000016", "it is broken")).await;
    world.slack_sends(&slack.submit(MONA_CHAT, &[("prompt", "fix what is said")])).await;
    world.newest("fix what is said").await;
    world.slack_sends(&slack.shortcut(MONA_CHAT)).await;
    let fields = [("repo", "acme/widgets"), ("prompt", "fix it from anywhere"), ("channel", SLACK_CHANNEL)];
    world.slack_sends(&slack.submit(MONA_CHAT, &fields)).await;
    world.newest("fix it from anywhere").await;
    assert_eq!(world.tasks().await.len(), 6);

    assert_eq!(slack.unused_scopes(), Vec::<String>::new(), "asked for, and used by nothing");
    for other in [
        slack.slash(MONA_CHAT, SLACK_CHANNEL, "/other", "fix it"),
        slack.event("Ev3", &json!({ "type": "reaction_added", "user": MONA_CHAT })),
        slack.event("Ev4", &json!({ "type": "message", "channel_type": "channel", "channel": SLACK_CHANNEL })),
    ] {
        let way = slack.way(&other);
        assert!(way.is_err(), "{way:?}");
    }
    // The app is told when it is taken out.
    world.slack_sends(&slack.event("Ev5", &json!({ "type": "app_uninstalled" }))).await;
}

#[tokio::test]
async fn each_scope_of_slack_s_manifest_is_needed() {
    let (manifest, _) = run(&page("slack"), "taskbridge manifest slack --url", "");
    let scopes = manifest["oauth_config"]["scopes"]["bot"].as_array().unwrap().clone();
    for missing in &scopes {
        let mut manifest = manifest.clone();
        let left: Vec<&Value> = scopes.iter().filter(|scope| *scope != missing).collect();
        manifest["oauth_config"]["scopes"]["bot"] = json!(left);
        let world = World::new(LABEL_RULE).await;
        let made = world.slack().create_app(&manifest);
        if missing != "chat:write" {
            assert!(made.is_err_and(|why| why.contains(missing.as_str().unwrap())), "{missing}");
            continue;
        }
        made.unwrap();
        world.link_as(&identity(MONA_CHAT), MONA).await;
        let token = world.slack().install_app();
        world.follow(&slack_configuration(&page("slack")), &[("SLACK_BOT_TOKEN", &token)]);
        world.slack_sends(&world.slack().slash(MONA_CHAT, SLACK_CHANNEL, "/copilot", "fix it")).await;
        world.newest("fix it").await;
        world.live_for(60).await;
        assert!(world.slack().messages().iter().all(|message| message.answered), "{:?}", world.slack().messages());
    }
}

#[tokio::test]
async fn slack_s_page_works_without_an_address() {
    let page = page("slack");
    let (manifest, _) = run(&page, "taskbridge manifest slack --socket-mode", "");
    let (world, token) = world_with_slack(&manifest).await;
    let told = "app_token: \"${SLACK_APP_TOKEN}\"";
    let flat: String = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&format!("`{told}` stands instead of `signing_secret`")));
    let configuration = slack_configuration(&page);
    let socket = configuration.replace("signing_secret: \"${SLACK_SIGNING_SECRET}\"", told);
    assert_ne!(socket, configuration);
    world.follow(&socket, &[("SLACK_BOT_TOKEN", &token)]);
    let slack = world.slack();
    let replica = Replica::of(&world);
    until(|| slack.sockets() == 1).await;
    let request = slack.slash(MONA_CHAT, SLACK_CHANNEL, "/copilot", "fix the login button");
    assert_eq!(slack.way(&request), Ok(SlackWay::Socket));
    let id = slack.push(&request);
    until(|| slack.acks(&id).len() == 1).await;
    world.settle().await;
    world.newest("fix the login button").await;
    world.told_in_slack().await;
    replica.stop().await;
}

#[tokio::test]
async fn slack_s_page_works_with_tokens_that_rotate() {
    let page = page("slack");
    let (mut manifest, _) = run(&page, "taskbridge manifest slack --url", "");
    assert!(code(&page).contains(&"--token-rotation".to_owned()));
    let rotating = ["manifest", "slack", "--url", HERE, "--token-rotation"];
    let output = Command::new(env!("CARGO_BIN_EXE_taskbridge")).args(rotating).output().unwrap();
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    manifest["settings"]["token_rotation_enabled"] = true.into();
    assert_eq!(printed, manifest, "nothing else is different");
    let (world, token) = world_with_slack(&printed).await;
    // `rotation` takes the place of `bot_token`.
    let rotation = block(&page, "**Token rotation.**");
    let (_, rotation) = rotation.split_once("    rotation:\n").unwrap();
    let configuration = slack_configuration(&page);
    let rotating =
        configuration.replace("    bot_token: \"${SLACK_BOT_TOKEN}\"\n", &format!("    rotation:\n{rotation}"));
    assert_ne!(rotating, configuration);
    let rotating = rotating.replace("1234567890.1234567890", CLIENT_ID);
    world.follow(&rotating, &[("SLACK_CLIENT_SECRET", CLIENT_SECRET), ("SLACK_REFRESH_TOKEN", &token)]);
    assert_eq!(rotate_batch(&world.bridge).await.unwrap(), 1);
    world.slack_sends(&world.slack().slash(MONA_CHAT, SLACK_CHANNEL, "/copilot", "fix the login button")).await;
    world.newest("fix the login button").await;
    world.told_in_slack().await;
    // Half a day later the first token has ended.
    world.advance(43_200);
    assert_eq!(rotate_batch(&world.bridge).await.unwrap(), 1);
    world.slack_sends(&world.slack().slash(MONA_CHAT, SLACK_CHANNEL, "/copilot", "and test it")).await;
    world.newest("and test it").await;
    assert_eq!(world.slack().unused_scopes(), ["app_mentions:read", "im:history"]);
    let living: Vec<_> = world.slack().messages().into_iter().filter(|message| message.thread.is_none()).collect();
    assert_eq!(living.len(), 2, "{living:#?}");
}
