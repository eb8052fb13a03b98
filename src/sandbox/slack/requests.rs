//! Requests as Slack sends them, signed over their raw bytes, for a test to hand to a door or to send; and whether and where an
//! app is sent them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::app::{App, SlackWay};
use super::{AnswerWay, BOT_TOKEN, SIGNING_SECRET, SlackControl};

const TEAM: &str = "T0001";
const APP: &str = "A0001";
/// The account of the app.
const BOT: &str = "U0BOT";

/// A signed request: headers and raw body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackRequest {
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: String,
}

impl SlackControl {
    /// A slash command by `account` in `channel`.
    #[must_use]
    pub fn slash(&self, account: &str, channel: &str, command: &str, text: &str) -> SlackRequest {
        let (trigger, answers) = self.new_ways(account, channel);
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("token", "deprecated"),
            ("team_id", TEAM),
            ("channel_id", channel),
            ("user_id", account),
            ("user_name", "whoever"),
            ("command", command),
            ("text", text),
            ("api_app_id", APP),
            ("response_url", &answers),
            ("trigger_id", &trigger),
        ] {
            form.append_pair(name, value);
        }
        self.signed("application/x-www-form-urlencoded", form.finish())
    }

    /// A message that mentions the app.
    #[must_use]
    pub fn mention(&self, id: &str, account: &str, channel: &str, ts: &str, text: &str) -> SlackRequest {
        self.signed("application/json", self.mentioned(id, account, channel, ts, text).to_string())
    }

    /// The same in the thread of another message.
    #[must_use]
    pub fn mention_in(
        &self,
        thread: &str,
        id: &str,
        account: &str,
        channel: &str,
        ts: &str,
        text: &str,
    ) -> SlackRequest {
        self.reply(channel, thread);
        let mut body = self.mentioned(id, account, channel, ts, text);
        body["event"]["thread_ts"] = thread.into();
        self.signed("application/json", body.to_string())
    }

    /// Something that happened, as the app is told of it.
    #[must_use]
    pub fn event(&self, id: &str, event: &Value) -> SlackRequest {
        self.signed("application/json", self.told(id, event).to_string())
    }

    fn mentioned(&self, id: &str, account: &str, channel: &str, ts: &str, text: &str) -> Value {
        let text = format!("<@{BOT}> {text}");
        self.told(id, &json!({ "type": "app_mention", "user": account, "channel": channel, "ts": ts, "text": text }))
    }

    fn told(&self, id: &str, event: &Value) -> Value {
        json!({
            "type": "event_callback", "team_id": TEAM, "api_app_id": APP, "event_id": id,
            "event_time": self.ground().now().timestamp(),
            "authorizations": [{ "team_id": TEAM, "user_id": BOT, "is_bot": true }],
            "event": event,
        })
    }

    /// A button pressed under a message.
    #[must_use]
    pub fn press(&self, account: &str, channel: &str, ts: &str, name: &str, value: &str) -> SlackRequest {
        self.interaction(json!({
            "type": "block_actions", "user": { "id": account, "team_id": TEAM }, "channel": { "id": channel },
            "message": self.slack().named(channel, ts, ""), "actions": [{ "action_id": name, "value": value }],
        }))
    }

    /// The newest opened form, sent with these fields filled in, or emptied, and all others as they stand.
    #[must_use]
    pub fn submit(&self, account: &str, fields: &[(&str, &str)]) -> SlackRequest {
        let opened = self.opened().pop().unwrap_or_default();
        let blocks = opened["blocks"].as_array().cloned().unwrap_or_default();
        let values: serde_json::Map<String, Value> = blocks
            .iter()
            .filter_map(|block| {
                let id = block["block_id"].as_str()?;
                let typed = fields.iter().find(|(field, _)| *field == id).map(|(_, value)| *value);
                Some((id.to_owned(), json!({ "value": filled(&block["element"], typed) })))
            })
            .collect();
        self.interaction(json!({
            "type": "view_submission", "user": { "id": account, "team_id": TEAM },
            "view": {
                "id": "V1", "hash": "1.2", "callback_id": opened["callback_id"],
                "private_metadata": opened["private_metadata"], "state": { "values": values },
            },
        }))
    }

    /// A message chosen to become a task.
    #[must_use]
    pub fn choose(&self, account: &str, channel: &str, ts: &str, text: &str) -> SlackRequest {
        self.interaction(json!({
            "type": "message_action", "callback_id": "taskbridge_from_message",
            "user": { "id": account, "team_id": TEAM }, "channel": { "id": channel },
            "message": self.slack().named(channel, ts, text),
        }))
    }

    /// The shortcut that is pressed in no channel.
    #[must_use]
    pub fn shortcut(&self, account: &str) -> SlackRequest {
        self.interaction(json!({
            "type": "shortcut", "callback_id": "taskbridge_new", "user": { "id": account, "team_id": TEAM },
        }))
    }

    fn interaction(&self, mut payload: Value) -> SlackRequest {
        let text = |at: &str| payload.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let chosen = text("/view/state/values/channel/value/selected_conversation");
        let (kind, account, channel) = (text("/type"), text("/user/id"), text("/channel/id"));
        let (trigger, answers) = self.new_ways(&account, if channel.is_empty() { &chosen } else { &channel });
        payload["team"] = json!({ "id": TEAM });
        payload["api_app_id"] = APP.into();
        payload["trigger_id"] = trigger.into();
        match kind.as_str() {
            "block_actions" | "message_action" => payload["response_url"] = answers.into(),
            "view_submission" if chosen.is_empty() => payload["response_urls"] = json!([]),
            "view_submission" => {
                payload["response_urls"] =
                    json!([{ "block_id": "channel", "channel_id": chosen, "response_url": answers }]);
            }
            _ => {}
        }
        let body =
            form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
        self.signed("application/x-www-form-urlencoded", body)
    }

    /// A fresh trigger and a fresh address at which this account is answered.
    fn new_ways(&self, account: &str, channel: &str) -> (String, String) {
        let ground = self.ground();
        let now = ground.now();
        let mut slack = self.slack();
        slack.made += 1;
        let number = slack.made;
        // No other Slack has the same, also not the next one before the same database.
        let trigger = format!("{number}.trigger.{}", hex::encode(ground.bytes::<8>()));
        slack.triggers.insert(trigger.clone(), now);
        let way = AnswerWay { used: 0, born: now, account: account.to_owned(), channel: channel.to_owned() };
        slack.answers.insert(number, way);
        (trigger, format!("{}/slack/hooks/{number}", self.url))
    }

    /// Any body, signed now.
    #[must_use]
    pub fn signed(&self, content_type: &str, body: String) -> SlackRequest {
        let stamp = self.ground().now().timestamp().to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).expect("any key");
        mac.update(format!("v0:{stamp}:{body}").as_bytes());
        let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
        let headers =
            [("content-type", content_type), ("x-slack-request-timestamp", &stamp), ("x-slack-signature", &signature)];
        SlackRequest { headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(), body }
    }
}

impl SlackControl {
    /// *Create New App → From a manifest*. From now on the app is what the manifest says, and nothing else.
    ///
    /// # Errors
    /// What Slack would not take.
    pub fn create_app(&self, manifest: &Value) -> Result<(), String> {
        self.slack().app = Some(App::read(manifest)?);
        Ok(())
    }

    /// *Install to Workspace*: the token that Slack shows then, to act with or, where tokens rotate, to renew it with.
    #[must_use]
    pub fn install_app(&self) -> String {
        let rotates = self.slack().app.as_ref().is_some_and(|app| app.rotates);
        if rotates { self.install_rotating() } else { BOT_TOKEN.to_owned() }
    }

    /// How a request is sent, if the app was made for it.
    ///
    /// # Errors
    /// Why it is not sent.
    pub fn way(&self, request: &SlackRequest) -> Result<SlackWay, String> {
        self.slack().app.as_mut().ok_or("there is no app")?.way(&request.body)
    }

    /// The scopes that the manifest asks for and nothing has needed so far.
    #[must_use]
    pub fn unused_scopes(&self) -> Vec<String> {
        self.slack().app.as_ref().map(App::unused).unwrap_or_default()
    }
}

/// A field of a form as it is sent: as it was typed or chosen, or as it stood.
fn filled(element: &Value, typed: Option<&str>) -> Value {
    let kind = &element["type"];
    match kind.as_str() {
        Some("conversations_select") => json!({ "type": kind, "selected_conversation": typed }),
        Some("radio_buttons") => {
            let options = element["options"].as_array().cloned().unwrap_or_default();
            let chosen = options.into_iter().find(|option| typed.is_some_and(|typed| option["value"] == typed));
            json!({ "type": kind, "selected_option": chosen.unwrap_or_else(|| element["initial_option"].clone()) })
        }
        _ => {
            let stands = element["initial_value"].as_str();
            json!({ "type": kind, "value": typed.or(stands).filter(|text| !text.is_empty()) })
        }
    }
}
