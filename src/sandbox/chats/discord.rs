//! A simulated Discord: channels with their messages, requests signed with a key of its own, and the tokens of requests,
//! each good for fifteen minutes and only for the one who asked.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::super::Shared;
use super::super::call::{Answer, Call};
use super::discord_app::App;
use super::{ChatFault, ChatMessage, ChatRequest, Faults, fault, refused, text};
use crate::clock::Ground;

/// The bot token that it takes.
pub const DISCORD_BOT_TOKEN: &str = "a-bot-token-of-the-simulated-discord";
/// The application.
pub const APPLICATION: &str = "845027738276462632";
const GUILD: &str = "290926798626357999";
/// In which its channels stand.
const CATEGORY: &str = "290926798626358000";
const UNKNOWN_CHANNEL: u64 = 10_003;
const UNKNOWN_MESSAGE: u64 = 10_008;
const UNKNOWN_WEBHOOK: u64 = 10_015;
const MISSING_ACCESS: u64 = 50_001;
const PUBLIC_THREAD: u64 = 11;

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any seed is a key")
}

/// The key that the application's requests are signed with.
#[must_use]
pub fn public_key() -> String {
    hex::encode(pair().public_key().as_ref())
}

/// All that Discord knows.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct DiscordWorld {
    messages: Vec<ChatMessage>,
    faults: Faults,
    /// Tokens of requests: who asked, and when.
    tokens: BTreeMap<String, (String, DateTime<Utc>)>,
    /// What was posted under which mark.
    nonces: BTreeMap<String, String>,
    /// Channels that the bot does not see.
    closed: Vec<String>,
    app: App,
    made: u64,
}

/// A handle on the simulated Discord.
#[derive(Clone)]
pub struct DiscordControl {
    shared: Arc<Shared>,
    url: String,
}

impl std::fmt::Debug for DiscordControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DiscordControl")
    }
}

impl DiscordControl {
    pub(in crate::sandbox) fn new(shared: Arc<Shared>, url: &str) -> Self {
        Self { shared, url: url.to_owned() }
    }

    fn discord(&self) -> MutexGuard<'_, DiscordWorld> {
        self.shared.discord.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ground(&self) -> Ground {
        self.shared.world().ground.clone()
    }

    /// What `api_url` of a source is to be.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}/discord/api", self.url)
    }

    /// What was said to all, oldest first, as it reads now.
    #[must_use]
    pub fn messages(&self) -> Vec<ChatMessage> {
        self.discord().messages.iter().filter(|message| message.only.is_none()).cloned().collect()
    }

    /// What one account alone was told, oldest first.
    #[must_use]
    pub fn whispers(&self, account: &str) -> Vec<ChatMessage> {
        let only = |message: &&ChatMessage| message.only.as_deref() == Some(account);
        self.discord().messages.iter().filter(only).cloned().collect()
    }

    /// The next call of this kind (`post`, `edit`, `answer`, `follow`) goes wrong.
    pub fn fail(&self, kind: &str, fault: ChatFault) {
        self.discord().faults.entry(kind.to_owned()).or_default().push_back(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.discord().faults.clear();
    }

    /// The bot does not see this channel.
    pub fn close(&self, channel: &str) {
        self.discord().closed.push(channel.to_owned());
    }

    /// Somebody deletes a message.
    pub fn delete(&self, id: &str) {
        self.discord().messages.retain(|message| message.id != id);
    }

    /// A command by `account` in `channel`.
    #[must_use]
    pub fn command(&self, account: &str, channel: &str, words: Option<&str>) -> ChatRequest {
        let options: Vec<Value> =
            words.iter().map(|words| json!({ "name": "text", "type": 3, "value": words })).collect();
        let data = json!({ "id": "1", "name": "copilot", "type": 1, "options": options });
        self.interaction(2, account, channel, data)
    }

    /// A request as it is when it was made in a public thread of `channel`. (With `channel.parent_id`, as Discord's threads have
    /// it; that interactions carry it is not confirmed.)
    #[must_use]
    pub fn in_thread(&self, request: &ChatRequest, thread: &str) -> ChatRequest {
        let mut body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let parent = body["channel_id"].take();
        self.discord().app.threads.insert(thread.to_owned());
        body["channel_id"] = thread.into();
        body["channel"] = json!({ "id": thread, "type": PUBLIC_THREAD, "parent_id": parent });
        self.signed(&body.to_string())
    }

    /// A button pressed under a message.
    #[must_use]
    pub fn press(&self, account: &str, channel: &str, custom_id: &str) -> ChatRequest {
        self.interaction(3, account, channel, json!({ "component_type": 2, "custom_id": custom_id }))
    }

    /// The look whether we are there.
    #[must_use]
    pub fn ping(&self) -> ChatRequest {
        self.signed(&json!({ "type": 1, "id": "2", "application_id": APPLICATION, "token": "t" }).to_string())
    }

    /// A request of some type.
    #[must_use]
    pub fn interaction(&self, kind: u64, account: &str, channel: &str, data: Value) -> ChatRequest {
        let now = self.ground().now();
        let (id, token) = {
            let mut discord = self.discord();
            discord.made += 1;
            let (id, token) =
                (8_464_622_391_346_000 + discord.made, format!("aW50ZXJhY3Rpb24-secret_{}", discord.made));
            discord.tokens.insert(token.clone(), (account.to_owned(), now));
            (id.to_string(), token)
        };
        let body = json!({
            "type": kind, "id": id, "application_id": APPLICATION, "token": token, "version": 1,
            "guild_id": GUILD, "channel_id": channel, "channel": { "id": channel, "type": 0, "parent_id": CATEGORY },
            "data": data,
            "member": { "user": { "id": account, "username": "whoever" } },
        });
        self.signed(&body.to_string())
    }

    /// Opens the link that installs the application in the server.
    ///
    /// # Errors
    /// When Discord would not install it.
    pub fn install(&self, link: &str) -> Result<(), String> {
        self.discord().app.install(APPLICATION, link)
    }

    /// *Interactions Endpoint URL*, saved.
    pub fn set_endpoint(&self, url: &str) {
        self.discord().app.endpoint = Some(url.to_owned());
    }

    /// Where a request is sent, if the application was made for it.
    ///
    /// # Errors
    /// Why it is not sent.
    pub fn way(&self, request: &ChatRequest) -> Result<String, String> {
        self.discord().app.way(request)
    }

    /// The permissions that the link asked for and no call has needed so far.
    #[must_use]
    pub fn unused_permissions(&self) -> u64 {
        self.discord().app.unused()
    }

    /// Any body, signed now.
    #[must_use]
    pub fn signed(&self, body: &str) -> ChatRequest {
        let stamp = self.ground().now().timestamp().to_string();
        let signature = hex::encode(pair().sign(format!("{stamp}{body}").as_bytes()));
        let headers = [
            ("content-type", "application/json"),
            ("x-signature-timestamp", stamp.as_str()),
            ("x-signature-ed25519", signature.as_str()),
        ];
        ChatRequest::new(&headers, body.to_owned())
    }
}

/// One call below `/discord/api`.
pub(in crate::sandbox) fn answer(call: &Call, shared: &Shared) -> Answer {
    let now = shared.world().ground.now();
    let mut discord = shared.discord.lock().unwrap_or_else(PoisonError::into_inner);
    let fields: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let parts = call.segments();
    let parts: Vec<&str> = parts.iter().skip(2).map(String::as_str).collect();
    let kind = match (call.method.as_str(), &parts[..]) {
        ("POST", ["channels", _, "messages"]) => "post",
        ("PATCH", ["channels", _, "messages", _]) => "edit",
        ("PATCH", ["webhooks", APPLICATION, _, "messages", "@original"]) => "answer",
        ("POST", ["webhooks", APPLICATION, _]) => "follow",
        ("POST", ["applications", APPLICATION, "commands"]) => "register",
        _ => return refused(404, 0),
    };
    let due = fault(&mut discord.faults, kind);
    if let Some((answer, false)) = due {
        return answer;
    }
    if matches!(kind, "post" | "edit" | "register")
        && call.header("authorization") != Some(&format!("Bot {DISCORD_BOT_TOKEN}"))
    {
        return refused(401, 0);
    }
    let done = match (kind, &parts[..]) {
        ("post", [_, channel, ..]) => discord.post(channel, &fields),
        ("edit", [_, channel, _, id]) => discord.edit(channel, id, &fields),
        ("register", _) => discord.app.register(&fields),
        ("answer", [_, _, token, ..]) => discord.answered(token, true, &fields, now),
        (_, [_, _, token, ..]) => discord.answered(token, false, &fields, now),
        _ => refused(404, 0),
    };
    due.map_or(done, |(answer, _)| answer)
}

/// Longer texts, and more than five buttons in a row, are refused.
fn is_form(fields: &Value) -> bool {
    let content = fields["content"].as_str().unwrap_or_default();
    let rows = fields["components"].as_array().cloned().unwrap_or_default();
    (1..=2000).contains(&content.chars().count())
        && rows.iter().all(|row| row["components"].as_array().is_some_and(|row| (1..=5).contains(&row.len())))
}

fn shown(fields: &Value) -> (String, Vec<String>) {
    let mut lines = vec![text(fields, "content")];
    for row in fields["components"].as_array().into_iter().flatten() {
        let buttons = row["components"].as_array().into_iter().flatten();
        lines.extend(buttons.map(|button| match button["custom_id"].as_str() {
            Some(id) => format!("[{}]", id.split(':').nth(1).unwrap_or_default()),
            None => "[open]".to_owned(),
        }));
    }
    let allowed = fields["allowed_mentions"]["users"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let content = text(fields, "content");
    let called = allowed.filter(|id| content.contains(&format!("<@{id}>"))).map(str::to_owned).collect();
    (lines.join("\n"), called)
}

impl DiscordWorld {
    /// All that was said, to all and to one.
    pub(in crate::sandbox) fn said(&self) -> &[ChatMessage] {
        &self.messages
    }

    fn post(&mut self, channel: &str, fields: &Value) -> Answer {
        if self.closed.iter().any(|closed| closed == channel) {
            return refused(403, MISSING_ACCESS);
        }
        if !channel.bytes().all(|b| b.is_ascii_digit()) {
            return refused(404, UNKNOWN_CHANNEL);
        }
        if let Some(answer) = self.app.refuses(channel, fields["message_reference"].is_object()) {
            return answer;
        }
        if !is_form(fields) {
            return refused(400, 50_035);
        }
        let nonce = text(fields, "nonce");
        if let Some(id) = self.nonces.get(&nonce).filter(|_| fields["enforce_nonce"] == true) {
            return Answer::ok(json!({ "id": id, "channel_id": channel }));
        }
        let id = self.add(channel, fields, None);
        if !nonce.is_empty() {
            self.nonces.insert(nonce, id.clone());
        }
        Answer::ok(json!({ "id": id, "channel_id": channel }))
    }

    fn add(&mut self, channel: &str, fields: &Value, only: Option<String>) -> String {
        self.made += 1;
        let id = (9_000_000_000_000_000 + self.made).to_string();
        let (text, called) = shown(fields);
        self.messages.push(ChatMessage {
            id: id.clone(),
            channel: channel.to_owned(),
            under: fields["message_reference"]["message_id"].as_str().map(str::to_owned),
            text,
            called,
            only,
            edits: 0,
        });
        id
    }

    fn edit(&mut self, channel: &str, id: &str, fields: &Value) -> Answer {
        let own = |message: &&mut ChatMessage| message.id == id && message.channel == channel;
        let Some(message) = self.messages.iter_mut().find(own) else { return refused(404, UNKNOWN_MESSAGE) };
        if !is_form(fields) {
            return refused(400, 50_035);
        }
        message.text = shown(fields).0;
        message.edits += 1;
        Answer::ok(json!({ "id": id }))
    }

    /// The first answer to a request takes the place of the wait; later ones take the place of the first.
    fn answered(&mut self, token: &str, original: bool, fields: &Value, now: DateTime<Utc>) -> Answer {
        let known = self.tokens.get(token).filter(|(_, born)| now - *born <= TimeDelta::minutes(15)).cloned();
        let Some((account, _)) = known else { return refused(404, UNKNOWN_WEBHOOK) };
        if !is_form(fields) {
            return refused(400, 50_035);
        }
        if !original {
            let id = self.add("", fields, None);
            return Answer::ok(json!({ "id": id }));
        }
        let id = format!("original {token}");
        match self.messages.iter_mut().find(|message| message.id == id) {
            Some(message) => {
                message.text = shown(fields).0;
                message.edits += 1;
            }
            None => {
                self.add("", fields, Some(account));
                if let Some(last) = self.messages.last_mut() {
                    last.id.clone_from(&id);
                }
            }
        }
        Answer::ok(json!({ "id": "1" }))
    }
}
