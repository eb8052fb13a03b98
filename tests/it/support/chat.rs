//! What the stories in a chat share: a world with a simulated Slack, and requests of Slack sent through the real door.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use taskbridge::domain::identity::Identity;
use taskbridge::ids::PersonId;
use taskbridge::sandbox::{SlackControl, SlackRequest};

use super::world::{Answer, Setup, World};

/// The channel with a repository of its own.
pub(crate) const CHANNEL: &str = "C0001";
/// Mona's account in the chat, and a stranger's.
pub(crate) const MONA_CHAT: &str = "U0MONA";
pub(crate) const OTTO_CHAT: &str = "U0OTTO";
const MONA: PersonId = PersonId(1001);

/// One rule for what is said in the chat.
pub(crate) const CHAT_RULE: &str = "
sources:
  github: { type: github, secrets: \"${HOOK_SECRET}\" }
  slack:
    type: slack
    signing_secret: \"${SLACK_SIGNING_SECRET}\"
    bot_token: \"${SLACK_BOT_TOKEN}\"
    app_id: A0001
    api_url: SLACK_API
    channels: { C0001: { repo: acme/widgets } }
rules:
  - name: chat
    on: { slash: /copilot }
    prompt: \"{{ command.text }}\"
";

pub(crate) fn identity(account: &str) -> Identity {
    Identity::new("slack", "T0001@slack", account).unwrap()
}

/// A world with a chat, where mona's account is linked to her.
pub(crate) async fn chat_world() -> World {
    let world = World::of(Setup::new(CHAT_RULE)).await;
    world.link(MONA_CHAT, MONA).await;
    world
}

impl World {
    pub(crate) fn slack(&self) -> &SlackControl {
        self.sandbox.slack()
    }

    pub(crate) async fn link(&self, account: &str, person: PersonId) {
        self.link_as(&identity(account), person).await;
    }

    /// Links an account of any chat.
    pub(crate) async fn link_as(&self, who: &Identity, person: PersonId) {
        let (store, now) = (&self.bridge.store, self.bridge.ground.now());
        let (link, code, end) = ([1; 32], [2; 32], now + chrono::TimeDelta::minutes(1));
        store.put_link(who, &link, now, end).await.unwrap();
        store.take_link(&link, now).await.unwrap();
        store.put_code(who, person, &code, end).await.unwrap();
        let bound = store.check_code(who, &[code.to_vec()], 5, now).await.unwrap();
        assert_eq!(bound, taskbridge::store::links::CodeCheck::Bound(person));
    }

    /// Sends a request of Slack through the real door.
    pub(crate) async fn slack_says(&self, request: &SlackRequest) -> Answer {
        self.slack_says_to("slack", request).await
    }

    /// The same to another source.
    pub(crate) async fn slack_says_to(&self, source: &str, request: &SlackRequest) -> Answer {
        let mut built = Request::post(format!("/hooks/{source}"));
        for (name, value) in &request.headers {
            built = built.header(name.as_str(), value.as_str());
        }
        self.send(built.body(Body::from(request.body.clone())).unwrap()).await
    }

    /// A slash command, and all that follows from it at once.
    pub(crate) async fn slash(&self, account: &str, text: &str) {
        let answer = self.slack_says(&self.slack().slash(account, CHANNEL, "/copilot", text)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        self.settle().await;
    }

    /// The only message that all see and that is in no thread.
    pub(crate) fn living(&self) -> taskbridge::sandbox::SlackMessage {
        let all: Vec<_> = self.slack().messages().into_iter().filter(|message| message.thread.is_none()).collect();
        assert_eq!(all.len(), 1, "one living message: {all:#?}");
        all.into_iter().next().unwrap()
    }

    /// What this account was last told alone.
    pub(crate) fn whispered(&self, account: &str) -> String {
        self.slack().whispers(account).pop().map(|message| message.text).unwrap_or_default()
    }
}
