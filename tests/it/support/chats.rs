//! What the stories in Discord, Mattermost and Teams share: worlds with a simulated chat, and its requests sent through the
//! real door.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use taskbridge::domain::identity::Identity;
use taskbridge::ids::PersonId;
use taskbridge::sandbox::chats::{DISCORD_BOT_TOKEN, MATTERMOST_BOT_TOKEN, MATTERMOST_TOKEN, public_key};
use taskbridge::sandbox::{ChatMessage, ChatRequest, Sandbox};

use super::world::{Answer, World};

/// The key of an outgoing webhook of Teams.
pub(crate) const TEAMS_TOKEN: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The secrets of the chats, by the variables that hold them.
pub(crate) const SECRETS: [(&str, &str); 5] = [
    ("OLD_TEAMS_TOKEN", "dGhlIHRva2VuIGJlZm9yZSB0aGlzIG9uZSwgY2FuYXJ5"),
    ("DISCORD_BOT_TOKEN", DISCORD_BOT_TOKEN),
    ("MATTERMOST_TOKEN", MATTERMOST_TOKEN),
    ("MATTERMOST_BOT_TOKEN", MATTERMOST_BOT_TOKEN),
    ("TEAMS_TOKEN", TEAMS_TOKEN),
];
/// What lets its reader answer in our name.
const ANSWER_SECRETS: [&str; 2] = ["aW50ZXJhY3Rpb24-secret_", "/hooks/commands/"];

/// The rules with the addresses of the simulated chats, whose secrets may be logged and answered no more.
pub(crate) fn addressed(rules: &str, sandbox: &Sandbox) -> String {
    super::canary::listen(&SECRETS.map(|(_, secret)| secret));
    super::canary::listen(&ANSWER_SECRETS);
    let rules = rules.replace("SLACK_API", &sandbox.slack().api_url());
    let rules = rules.replace("DISCORD_API", &sandbox.discord().api_url());
    rules.replace("DISCORD_KEY", &public_key()).replace("MATTERMOST_URL", &sandbox.mattermost().server_url())
}

pub(crate) const MONA: PersonId = PersonId(1001);

pub(crate) const DISCORD_RULE: &str = "
sources:
  discord:
    type: discord
    application_id: \"845027738276462632\"
    public_key: DISCORD_KEY
    bot_token: \"${DISCORD_BOT_TOKEN}\"
    api_url: DISCORD_API
    channels: { \"645027906669510667\": { repo: acme/widgets } }
rules:
  - name: chat
    on: { slash: /copilot }
    prompt: \"{{ command.text }}\"
";
pub(crate) const DISCORD_CHANNEL: &str = "645027906669510667";
pub(crate) const DISCORD_MONA: &str = "53908232506183680";

pub(crate) const MATTERMOST_RULE: &str = "
sources:
  mattermost:
    type: mattermost
    server_url: MATTERMOST_URL
    tokens: \"${MATTERMOST_TOKEN}\"
    bot_token: \"${MATTERMOST_BOT_TOKEN}\"
    channels: { channel0000000000000000001: { repo: acme/widgets } }
rules:
  - name: chat
    on: { slash: /copilot }
    prompt: \"{{ command.text }}\"
";
pub(crate) const MATTERMOST_CHANNEL: &str = "channel0000000000000000001";
pub(crate) const MATTERMOST_MONA: &str = "mona0000000000000000000001";

pub(crate) const TEAMS_RULE: &str = "
sources:
  teams:
    type: teams
    secrets: \"${TEAMS_TOKEN}\"
    channels: { \"19:dev@thread.tacv2\": { repo: acme/widgets } }
rules:
  - name: chat
    on: { slash: /copilot }
    prompt: \"{{ command.text }}\"
";
pub(crate) const TEAMS_MONA: &str = "7f2a1c9e-0000-4000-8000-00000000a0a0";
pub(crate) const TENANT: &str = "11111111-0000-4000-8000-000000000001";

pub(crate) fn on_discord(account: &str) -> Identity {
    Identity::new("discord", "discord.com", account).unwrap()
}

pub(crate) fn on_mattermost(account: &str) -> Identity {
    Identity::new("mattermost", "team00000000000000000000mm@mattermost", account).unwrap()
}

pub(crate) fn on_teams(account: &str) -> Identity {
    Identity::new("teams", TENANT, account).unwrap().vouched_by("teams").unwrap()
}

/// A message to the webhook in Teams, said now.
pub(crate) fn teams_activity(world: &World, id: &str, account: &str, text: &str) -> Value {
    json!({
        "type": "message", "id": id, "timestamp": teams_stamp(world.bridge.ground.now()), "text": format!("<div><at>Bridge</at>&nbsp;{text}</div>"),
        "from": { "id": "29:1xxx", "name": "Mona", "aadObjectId": account },
        "conversation": { "id": "19:dev@thread.tacv2;messageid=1485983194839", "isGroup": true },
        "channelData": { "tenant": { "id": TENANT }, "channel": { "id": "19:dev@thread.tacv2" } },
    })
}

/// As Teams writes a time.
pub(crate) fn teams_stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Signed as Teams signs.
pub(crate) fn teams_signed(body: &str) -> ChatRequest {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(TEAMS_TOKEN).unwrap()).unwrap();
    mac.update(body.as_bytes());
    let shown = format!("HMAC {}", STANDARD.encode(mac.finalize().into_bytes()));
    let headers =
        vec![("content-type".into(), "application/json; charset=utf-8".into()), ("authorization".into(), shown)];
    ChatRequest { headers, body: body.to_owned() }
}

/// The only message that all see and that stands under no other.
pub(crate) fn only_living(messages: Vec<ChatMessage>) -> ChatMessage {
    let all: Vec<_> = messages.into_iter().filter(|message| message.under.is_none()).collect();
    assert_eq!(all.len(), 1, "one living message: {all:#?}");
    all.into_iter().next().unwrap()
}

impl World {
    /// Sends a request of a chat through the real door.
    pub(crate) async fn chat_says(&self, source: &str, request: &ChatRequest) -> Answer {
        let mut built = Request::post(format!("/hooks/{source}"));
        for (name, value) in &request.headers {
            built = built.header(name.as_str(), value.as_str());
        }
        self.send(built.body(Body::from(request.body.clone())).unwrap()).await
    }

    /// A command in Discord, and all that follows from it at once.
    pub(crate) async fn discord_command(&self, account: &str, words: &str) {
        let request = self.sandbox.discord().command(account, DISCORD_CHANNEL, Some(words));
        let answer = self.chat_says("discord", &request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body, json!({ "type": 5, "data": { "flags": 64 } }));
        self.settle().await;
    }

    /// A command in Mattermost, and all that follows from it at once.
    pub(crate) async fn mattermost_command(&self, account: &str, words: &str) {
        let request = self.sandbox.mattermost().slash(account, MATTERMOST_CHANNEL, words);
        let answer = self.chat_says("mattermost", &request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body["response_type"], "ephemeral");
        self.settle().await;
    }
}
