//! A simulated Mattermost server: posts, posts that one account alone sees, and the addresses for answers of its commands,
//! each good for five uses within half an hour.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::super::Shared;
use super::super::call::{Answer, Call};
use super::{ChatFault, ChatMessage, ChatRequest, Faults, fault, refused, text};
use crate::clock::Ground;

/// The bot token that it takes.
pub const MATTERMOST_BOT_TOKEN: &str = "a-bot-token-of-the-simulated-mattermost";
/// The token that its command shows.
pub const MATTERMOST_TOKEN: &str = "token0of0the0simulated0mm0";
const TEAM: &str = "team00000000000000000000mm";

/// All that the server knows.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct MattermostWorld {
    messages: Vec<ChatMessage>,
    faults: Faults,
    /// Addresses for answers: who asked, how often used, and since when there.
    answers: BTreeMap<String, (String, u32, DateTime<Utc>)>,
    /// Channels in which the bot is not.
    closed: Vec<String>,
    made: u64,
}

/// A handle on the simulated server.
#[derive(Clone)]
pub struct MattermostControl {
    shared: Arc<Shared>,
    url: String,
}

impl std::fmt::Debug for MattermostControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MattermostControl")
    }
}

impl MattermostControl {
    pub(in crate::sandbox) fn new(shared: Arc<Shared>, url: &str) -> Self {
        Self { shared, url: url.to_owned() }
    }

    fn server(&self) -> MutexGuard<'_, MattermostWorld> {
        self.shared.mattermost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ground(&self) -> Ground {
        self.shared.world().ground.clone()
    }

    /// What `server_url` of a source is to be.
    #[must_use]
    pub fn server_url(&self) -> String {
        format!("{}/mattermost", self.url)
    }

    /// What was said to all, oldest first, as it reads now.
    #[must_use]
    pub fn messages(&self) -> Vec<ChatMessage> {
        self.server().messages.iter().filter(|message| message.only.is_none()).cloned().collect()
    }

    /// What one account alone was told, oldest first.
    #[must_use]
    pub fn whispers(&self, account: &str) -> Vec<ChatMessage> {
        let only = |message: &&ChatMessage| message.only.as_deref() == Some(account);
        self.server().messages.iter().filter(only).cloned().collect()
    }

    /// The next call of this kind (`post`, `edit`, `whisper`, `answer`, `user`) goes wrong.
    pub fn fail(&self, kind: &str, fault: ChatFault) {
        self.server().faults.entry(kind.to_owned()).or_default().push_back(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.server().faults.clear();
    }

    /// The bot is not in this channel.
    pub fn close(&self, channel: &str) {
        self.server().closed.push(channel.to_owned());
    }

    /// Somebody deletes a post.
    pub fn delete(&self, id: &str) {
        self.server().messages.retain(|message| message.id != id);
    }

    /// A command by `account` in `channel`.
    #[must_use]
    pub fn slash(&self, account: &str, channel: &str, words: &str) -> ChatRequest {
        let now = self.ground().now();
        let key = {
            let mut server = self.server();
            server.made += 1;
            let key = format!("answers{}", server.made);
            server.answers.insert(key.clone(), (account.to_owned(), 0, now));
            key
        };
        let address = format!("{}/hooks/commands/{key}", self.server_url());
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("channel_id", channel),
            ("channel_name", "dev"),
            ("command", "/copilot"),
            ("response_url", &address),
            ("team_domain", "acme"),
            ("team_id", TEAM),
            ("text", words),
            ("token", MATTERMOST_TOKEN),
            ("trigger_id", &format!("trigger-{key}")),
            ("user_id", account),
            ("user_name", "whoever"),
        ] {
            form.append_pair(name, value);
        }
        let shown = format!("Token {MATTERMOST_TOKEN}");
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", shown.as_str())];
        ChatRequest::new(&headers, form.finish())
    }
}

/// One call below `/mattermost`.
pub(in crate::sandbox) fn answer(call: &Call, shared: &Shared) -> Answer {
    let now = shared.world().ground.now();
    let mut server = shared.mattermost.lock().unwrap_or_else(PoisonError::into_inner);
    let fields: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let parts = call.segments();
    let parts: Vec<&str> = parts.iter().skip(1).map(String::as_str).collect();
    let kind = match (call.method.as_str(), &parts[..]) {
        ("POST", ["api", "v4", "posts"]) => "post",
        ("POST", ["api", "v4", "posts", "ephemeral"]) => "whisper",
        ("PUT", ["api", "v4", "posts", _, "patch"]) => "edit",
        ("GET", ["api", "v4", "users", _]) => "user",
        ("POST", ["hooks", "commands", _]) => "answer",
        _ => return refused(404, 0),
    };
    let due = fault(&mut server.faults, kind);
    if let Some((answer, false)) = due {
        return answer;
    }
    let bot = format!("Bearer {MATTERMOST_BOT_TOKEN}");
    if kind != "answer" && call.header("authorization") != Some(&bot) {
        return refused(401, 0);
    }
    let done = match (kind, parts.last()) {
        ("post", _) => server.post(&fields, None),
        ("whisper", _) => server.post(&fields["post"], Some(text(&fields, "user_id"))),
        ("edit", _) => server.edit(parts.get(3).copied().unwrap_or_default(), &fields),
        ("user", Some(id)) => Answer::ok(json!({ "id": id, "username": format!("name-of-{id}") })),
        (_, Some(key)) => server.answered(key, &fields, now),
        _ => refused(404, 0),
    };
    due.map_or(done, |(answer, _)| answer)
}

impl MattermostWorld {
    /// All that was said, to all and to one.
    pub(in crate::sandbox) fn said(&self) -> &[ChatMessage] {
        &self.messages
    }

    fn add(&mut self, channel: &str, under: Option<String>, text: String, only: Option<String>) -> String {
        self.made += 1;
        let id = format!("post{:022}", self.made);
        let words = text.split(|c: char| c.is_whitespace()).filter_map(|word| word.strip_prefix('@'));
        let called = words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphanumeric())).map(str::to_owned);
        let called = called.collect();
        let channel = channel.to_owned();
        self.messages.push(ChatMessage { id: id.clone(), channel, under, text, called, only, edits: 0 });
        id
    }

    fn post(&mut self, fields: &Value, only: Option<String>) -> Answer {
        let channel = text(fields, "channel_id");
        if self.closed.contains(&channel) {
            return refused(403, 0);
        }
        let under = Some(text(fields, "root_id")).filter(|id| !id.is_empty());
        let id = self.add(&channel, under, text(fields, "message"), only);
        Answer::json(201, json!({ "id": id, "channel_id": channel }))
    }

    fn edit(&mut self, id: &str, fields: &Value) -> Answer {
        let own = |message: &&mut ChatMessage| message.id == id && message.only.is_none();
        let Some(message) = self.messages.iter_mut().find(own) else { return refused(404, 0) };
        message.text = text(fields, "message");
        message.edits += 1;
        Answer::ok(json!({ "id": id }))
    }

    fn answered(&mut self, key: &str, fields: &Value, now: DateTime<Utc>) -> Answer {
        let Some((account, used, born)) = self.answers.get_mut(key) else { return refused(404, 0) };
        if *used >= 5 || now - *born > TimeDelta::minutes(30) {
            return refused(404, 0);
        }
        *used += 1;
        let only = Some(account.clone()).filter(|_| fields["response_type"] != "in_channel");
        self.add("", None, text(fields, "text"), only);
        Answer::ok(json!({}))
    }
}
