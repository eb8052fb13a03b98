//! A simulated Slack beside the simulated GitHub: it keeps what was posted, edited, whispered and opened, refuses what Slack
//! refuses in the way Slack does it (200 and `ok: false`), and signs requests as Slack would send them.

/// The app, as its manifest makes it.
mod app;
mod requests;
/// Tokens that end and are renewed.
pub mod rotation;
pub(in crate::sandbox) mod socket;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Shared;
use super::call::{Answer, Call};
use crate::clock::Ground;

pub use app::SlackWay;
pub use requests::SlackRequest;
pub use socket::APP_TOKEN;

/// The bot token that the simulated Slack takes.
pub const BOT_TOKEN: &str = "xoxb-sandbox-bot-token";
/// The secret that it signs with.
pub const SIGNING_SECRET: &str = "a-signing-secret-of-the-sandbox";

/// A message as it stands now.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SlackMessage {
    /// Slack's name of it.
    pub ts: String,
    /// The channel.
    pub channel: String,
    /// The message whose thread it is in, if it is.
    pub thread: Option<String>,
    /// All its text, a section a line, and its buttons as `[name]`.
    pub text: String,
    /// The account that alone sees it, if it is one.
    pub only: Option<String>,
    /// How often it was edited.
    pub edits: u32,
    /// Whether it came by the address for answers of a request.
    pub answered: bool,
    /// Whether it is shown to nobody, although it was taken.
    pub hidden: bool,
}

/// An address at which one request is answered.
#[derive(Debug)]
struct AnswerWay {
    used: u32,
    born: DateTime<Utc>,
    account: String,
    channel: String,
}

/// What goes wrong next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlackFault {
    /// 200 with this error.
    Error(String),
    /// 429, and how long to wait.
    Limited(u64),
    /// 503, and nothing was done.
    Away,
    /// It was done, and 503.
    AwayAfter,
}

/// All that Slack knows.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct SlackWorld {
    messages: Vec<SlackMessage>,
    opened: Vec<Value>,
    /// By method.
    faults: BTreeMap<String, VecDeque<SlackFault>>,
    /// Addresses for answers.
    answers: BTreeMap<u64, AnswerWay>,
    /// Messages in whose threads people have replied, by channel and name.
    replied: BTreeSet<(String, String)>,
    /// What opens a form: since when there; gone when used.
    triggers: BTreeMap<String, DateTime<Utc>>,
    /// Channels in which the app is not.
    closed: Vec<String>,
    /// Whether the app was uninstalled.
    gone: bool,
    /// What the app was made from; it may all without.
    app: Option<app::App>,
    sockets: socket::Sockets,
    rotation: rotation::Rotation,
    made: u64,
}

/// A handle on the simulated Slack.
#[derive(Clone)]
pub struct SlackControl {
    shared: Arc<Shared>,
    url: String,
}

impl std::fmt::Debug for SlackControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SlackControl")
    }
}

impl SlackControl {
    pub(in crate::sandbox) fn new(shared: Arc<Shared>, url: &str) -> Self {
        Self { shared, url: url.to_owned() }
    }

    fn slack(&self) -> MutexGuard<'_, SlackWorld> {
        self.shared.slack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ground(&self) -> Ground {
        self.shared.world().ground.clone()
    }

    /// What `api_url` of a source is to be.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}/slack/api", self.url)
    }

    /// What was said to all, oldest first, as it reads now.
    #[must_use]
    pub fn messages(&self) -> Vec<SlackMessage> {
        self.slack().messages.iter().filter(|message| message.only.is_none()).cloned().collect()
    }

    /// What one account alone was shown, oldest first.
    #[must_use]
    pub fn whispers(&self, account: &str) -> Vec<SlackMessage> {
        let only = |message: &&SlackMessage| message.only.as_deref() == Some(account) && !message.hidden;
        self.slack().messages.iter().filter(only).cloned().collect()
    }

    /// What was taken and is shown to nobody, oldest first.
    #[must_use]
    pub fn hidden(&self) -> Vec<SlackMessage> {
        self.slack().messages.iter().filter(|message| message.hidden).cloned().collect()
    }

    /// Somebody replies to a message, in its thread.
    pub fn reply(&self, channel: &str, ts: &str) {
        self.slack().replied.insert((channel.to_owned(), ts.to_owned()));
    }

    /// The forms that were opened.
    #[must_use]
    pub fn opened(&self) -> Vec<Value> {
        self.slack().opened.clone()
    }

    /// The next call of this method goes wrong. `hooks` is an address for answers, which is then away.
    pub fn fail(&self, method: &str, fault: SlackFault) {
        self.slack().faults.entry(method.to_owned()).or_default().push_back(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.slack().faults.clear();
    }

    /// The app is not in this channel.
    pub fn close(&self, channel: &str) {
        self.slack().closed.push(channel.to_owned());
    }

    /// The app is uninstalled, or installed again.
    pub fn uninstall(&self, gone: bool) {
        self.slack().gone = gone;
    }

    /// Somebody deletes a message.
    pub fn delete(&self, ts: &str) {
        self.slack().messages.retain(|message| message.ts != ts);
    }
}

/// One call: `/slack/api/METHOD` or `/slack/hooks/NUMBER`.
pub(in crate::sandbox) fn answer(call: &Call, shared: &Shared) -> Answer {
    let ground = shared.world().ground.clone();
    let now = ground.now();
    let mut slack = shared.slack.lock().unwrap_or_else(PoisonError::into_inner);
    let parts = call.segments();
    let parsed = serde_json::from_slice::<Value>(&call.body).ok().filter(Value::is_object);
    let is_form = parts.last().is_some_and(|method| method == "oauth.v2.access");
    let Some(fields) = parsed.or(is_form.then_some(Value::Null)) else { return refused("invalid_json") };
    match parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["slack", "api", method] => {
            match slack.faults.get_mut(method).and_then(VecDeque::pop_front) {
                Some(SlackFault::Error(error)) => return refused(&error),
                Some(SlackFault::Limited(seconds)) => {
                    let mut answer = Answer::json(429, json!({ "ok": false, "error": "ratelimited" }));
                    answer.headers.push(("retry-after", seconds.to_string()));
                    return answer;
                }
                Some(SlackFault::Away) => return away(),
                Some(SlackFault::AwayAfter) => {
                    slack.one(call, method, &fields, &ground);
                    return away();
                }
                None => {}
            }
            slack.one(call, method, &fields, &ground)
        }
        ["slack", "hooks", number] => match slack.faults.get_mut("hooks").and_then(VecDeque::pop_front) {
            Some(_) => away(),
            None => slack.hook(number.parse().unwrap_or_default(), &fields, now),
        },
        _ => refused("unknown_method"),
    }
}

fn away() -> Answer {
    Answer::json(503, json!({ "ok": false, "error": "fatal_error" }))
}

fn refused(error: &str) -> Answer {
    Answer::ok(json!({ "ok": false, "error": error }))
}

fn text_of(fields: &Value) -> String {
    let blocks = fields["blocks"].as_array().cloned().unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    for block in &blocks {
        if let Some(text) = block["text"]["text"].as_str() {
            lines.push(text.to_owned());
        }
        let buttons = block["elements"].as_array().into_iter().flatten();
        lines.extend(buttons.filter_map(|button| Some(format!("[{}]", button["action_id"].as_str()?))));
    }
    if lines.is_empty() { fields["text"].as_str().unwrap_or_default().to_owned() } else { lines.join("\n") }
}

impl SlackWorld {
    /// All that was said, to all and to one.
    pub(in crate::sandbox) fn said(&self) -> &[SlackMessage] {
        &self.messages
    }

    /// The forms that were opened.
    pub(in crate::sandbox) fn forms(&self) -> &[Value] {
        &self.opened
    }

    fn next(&mut self, now: DateTime<Utc>) -> String {
        self.made += 1;
        format!("{}.{:06}", now.timestamp(), self.made)
    }

    /// One method, by whoever may.
    fn one(&mut self, call: &Call, method: &str, fields: &Value, ground: &Ground) -> Answer {
        let (bearer, now) = (call.header("authorization"), ground.now());
        if method == "apps.connections.open" {
            return self.sockets.address(call.header("host").unwrap_or_default(), bearer);
        }
        if self.gone {
            return refused("account_inactive");
        }
        if method == "oauth.v2.access" {
            return self.rotation.answer(call, ground);
        }
        let fixed = || if bearer == Some(&format!("Bearer {BOT_TOKEN}")) { Ok(()) } else { Err("invalid_auth") };
        if let Err(error) = self.rotation.check(bearer, now).unwrap_or_else(fixed) {
            return refused(error);
        }
        if self.app.as_mut().is_some_and(|app| !app.may(method)) {
            return refused("missing_scope");
        }
        self.call(method, fields, now)
    }

    fn call(&mut self, method: &str, fields: &Value, now: DateTime<Utc>) -> Answer {
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        let channel = text("channel");
        match method {
            "views.open" => {
                let born = self.triggers.remove(&text("trigger_id"));
                if born.is_none_or(|born| now - born > TimeDelta::seconds(3)) {
                    return refused("expired_trigger_id");
                }
                self.opened.push(fields["view"].clone());
                return Answer::ok(json!({ "ok": true, "view": { "id": "V1" } }));
            }
            "auth.test" => return Answer::ok(json!({ "ok": true, "bot_id": "B1", "user_id": "U0BOT" })),
            _ if channel.is_empty() => return refused("channel_not_found"),
            _ if self.closed.contains(&channel) => return refused("not_in_channel"),
            _ => {}
        }
        match method {
            "chat.postMessage" | "chat.postEphemeral" => {
                let only = Some(text("user")).filter(|_| method == "chat.postEphemeral");
                let ts = self.next(now);
                let thread = fields["thread_ts"].as_str().map(str::to_owned);
                let hidden = only.is_some() && (channel.starts_with('D') || self.is_new(&channel, thread.as_deref()));
                self.messages.push(SlackMessage {
                    ts: ts.clone(),
                    channel: channel.clone(),
                    thread,
                    text: text_of(fields),
                    only,
                    edits: 0,
                    answered: false,
                    hidden,
                });
                Answer::ok(json!({ "ok": true, "channel": channel, "ts": ts }))
            }
            "chat.update" => {
                let ts = text("ts");
                let own = |message: &&mut SlackMessage| message.ts == ts && message.only.is_none();
                let Some(message) = self.messages.iter_mut().find(own) else { return refused("message_not_found") };
                message.text = text_of(fields);
                message.edits += 1;
                Answer::ok(json!({ "ok": true, "channel": channel, "ts": ts }))
            }
            _ => refused("unknown_method"),
        }
    }

    /// Whether this is a thread in which nobody has replied: there no message for one account alone is shown.
    fn is_new(&self, channel: &str, thread: Option<&str>) -> bool {
        thread.is_some_and(|thread| !self.stands(channel, thread))
    }

    fn stands(&self, channel: &str, ts: &str) -> bool {
        let reply = |message: &SlackMessage| {
            message.channel == channel && message.only.is_none() && message.thread.as_deref() == Some(ts)
        };
        self.replied.contains(&(channel.to_owned(), ts.to_owned())) || self.messages.iter().any(reply)
    }

    /// A message as requests name it: with its thread if it is in one, or has one of its own.
    fn named(&self, channel: &str, ts: &str, text: &str) -> Value {
        let mut named = json!({ "ts": ts, "text": text, "user": "U0OTHER" });
        let own = self.messages.iter().find(|message| message.channel == channel && message.ts == ts);
        match own.and_then(|message| message.thread.clone()) {
            Some(thread) => named["thread_ts"] = thread.into(),
            None if self.stands(channel, ts) => named["thread_ts"] = ts.into(),
            None => {}
        }
        named
    }

    /// An address for answers works five times within half an hour.
    fn hook(&mut self, number: u64, fields: &Value, now: DateTime<Utc>) -> Answer {
        let ts = self.next(now);
        let Some(way) = self.answers.get_mut(&number) else { return refused("expired_url") };
        if way.used >= 5 || now - way.born > TimeDelta::minutes(30) {
            return Answer::json(404, json!({ "ok": false, "error": "expired_url" }));
        }
        way.used += 1;
        let (account, channel) = (way.account.clone(), way.channel.clone());
        let only = Some(account).filter(|_| fields["response_type"] != "in_channel");
        let thread = fields["thread_ts"].as_str().map(str::to_owned);
        let hidden = only.is_some() && self.is_new(&channel, thread.as_deref());
        let text = text_of(fields);
        self.messages.push(SlackMessage { ts, channel, thread, text, only, edits: 0, answered: true, hidden });
        Answer::ok(json!({ "ok": true }))
    }
}
