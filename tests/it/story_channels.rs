//! What holds in a channel of a chat when nothing else is said: its repository, its rule, its model and its branch.

use axum::http::StatusCode;
use taskbridge::ids::PersonId;

use crate::support::chat::{CHAT_RULE, MONA_CHAT};
use crate::support::world::{Setup, World};

#[tokio::test]
async fn what_a_channel_says_holds_at_github_unless_somebody_says_otherwise() {
    let channels = "channels:
      C0001: { repo: acme/widgets, rule: of-the-channel, model: m-7, base_ref: next }
      C0002: { repo: acme/widgets }";
    let rules = CHAT_RULE.replace("channels: { C0001: { repo: acme/widgets } }", channels);
    assert_ne!(rules, CHAT_RULE);
    let second = "  - name: of-the-channel\n    on: { slash: /another }\n    prompt: \"Here: {{ command.text }}\"\n";
    let world = World::of(Setup::new(&format!("{rules}{second}"))).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    for (channel, words) in [("C0001", "fix one"), ("C0001", "--model m-8 --base main fix two"), ("C0002", "fix three")]
    {
        let answer = world.slack_says(&world.slack().slash(MONA_CHAT, channel, "/copilot", words)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        world.live_for(10).await;
    }
    let rules: Vec<String> = world.tasks().await.into_iter().map(|task| task.rule).collect();
    assert_eq!(rules, ["of-the-channel", "of-the-channel", "chat"]);
    let mut got: Vec<_> = world.control().tasks().into_iter().collect();
    let place = |prompt: &str| ["fix one", "fix two", "fix three"].iter().position(|words| prompt.contains(words));
    got.sort_by_key(|task| place(&task.prompt));
    let asked: Vec<_> =
        got.iter().map(|task| (task.repo.as_str(), task.model.as_deref(), task.base_ref.as_str())).collect();
    let there = "acme/widgets";
    assert_eq!(asked, [(there, Some("m-7"), "next"), (there, Some("m-8"), "main"), (there, None, "main")]);
    assert!(got[0].prompt.contains("Here: ") && !got[2].prompt.contains("Here: "), "{got:#?}");
}
