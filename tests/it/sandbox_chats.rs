//! The simulated chats: how strict they are, and what can be done to them from outside the process.

use reqwest::Method;
use serde_json::{Value, json};
use taskbridge::sandbox::slack::BOT_TOKEN;

use crate::sandbox_world::Place;

impl Place {
    async fn control_says(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let response = self.bare(method, path).body(body.to_string()).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// A call of Slack's by the app.
    async fn slack_call(&self, method: &str, body: &Value) -> (u16, Value) {
        let call = self.bare(Method::POST, &format!("/slack/api/{method}")).bearer_auth(BOT_TOKEN);
        let response = call.body(body.to_string()).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn said(&self) -> Vec<Value> {
        let (_, said) = self.control_says(Method::GET, "/_sandbox/chats", &Value::Null).await;
        said["slack"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_passing_message_in_a_thread_without_replies_is_taken_and_shown_to_nobody() {
    let place = Place::new().await;
    let whisper = |channel: &str, thread: Option<&str>| json!({ "channel": channel, "user": "U0MONA", "text": "psst", "thread_ts": thread });
    let hidden = async |body: Value| {
        assert_eq!(place.slack_call("chat.postEphemeral", &body).await.1["ok"], true);
        place.said().await.pop().unwrap()["hidden"] == true
    };
    assert!(!hidden(whisper("C1", None)).await);
    assert!(hidden(whisper("C1", Some("1.1"))).await);
    assert!(hidden(whisper("C1", Some("1.1"))).await, "one of these is no reply");
    let reply = json!({ "channel": "C1", "text": "a reply", "thread_ts": "1.1" });
    assert_eq!(place.slack_call("chat.postMessage", &reply).await.1["ok"], true);
    assert!(!hidden(whisper("C1", Some("1.1"))).await);
    assert!(hidden(whisper("C2", Some("1.1"))).await, "another channel");
    place.control_says(Method::POST, "/_sandbox/chats/replies", &json!({ "channel": "C2", "ts": "1.1" })).await;
    assert!(!hidden(whisper("C2", Some("1.1"))).await, "somebody replied");
    assert!(hidden(whisper("D1", None)).await, "a conversation with the app");
}

/// A form is opened with a trigger of a request that was made here, and seen from outside.
#[tokio::test]
async fn what_was_opened_is_seen_from_outside() {
    let place = Place::new().await;
    let typed =
        json!({ "chat": "slack", "account": "U0MONA", "channel": "C1", "text": "", "to": "http://127.0.0.1:9/" });
    let line = place.bare(Method::POST, "/_sandbox/chats/says").body(typed.to_string()).send().await.unwrap();
    let line = line.text().await.unwrap();
    let (_, trigger) = line.split_once("trigger_id=").unwrap();
    let trigger = trigger.split(['&', '\'']).next().unwrap();
    let open = json!({ "trigger_id": trigger, "view": { "type": "modal", "callback_id": "a-form" } });
    assert_eq!(place.slack_call("views.open", &open).await.1["ok"], true);
    let (_, said) = place.control_says(Method::GET, "/_sandbox/chats", &Value::Null).await;
    assert_eq!(said["slack_forms"][0]["callback_id"], "a-form");
}

#[tokio::test]
async fn what_goes_wrong_in_a_chat_is_set_over_http_as_often_as_is_said() {
    let place = Place::new().await;
    let fault =
        |call: &str, times: u32, kind: Value| json!({ "chat": "slack", "call": call, "times": times, "kind": kind });
    let set = async |body: Value| place.control_says(Method::POST, "/_sandbox/chats/faults", &body).await;
    let post = json!({ "channel": "C1", "text": "hello" });
    let posted = async || place.slack_call("chat.postMessage", &post).await;
    assert_eq!(set(fault("chat.postMessage", 2, json!({ "kind": "error", "error": "is_archived" }))).await.0, 200);
    assert_eq!(set(fault("chat.postMessage", 1, json!({ "kind": "limited", "seconds": 7 }))).await.0, 200);
    assert_eq!(set(fault("chat.postMessage", 1, json!({ "kind": "away_after" }))).await.0, 200);
    for expected in [(200, "is_archived"), (200, "is_archived"), (429, "ratelimited"), (503, "fatal_error")] {
        let (status, answer) = posted().await;
        assert_eq!((status, answer["error"].as_str().unwrap()), expected);
    }
    assert_eq!(place.said().await.len(), 1, "the last one was done");
    assert_eq!(posted().await.1["ok"], true);
    set(fault("chat.postMessage", 9, json!({ "kind": "away" }))).await;
    assert_eq!(place.control_says(Method::DELETE, "/_sandbox/chats/faults", &Value::Null).await.0, 200);
    assert_eq!(posted().await.1["ok"], true);
    place.control_says(Method::POST, "/_sandbox/chats/closed", &json!({ "chat": "slack", "channel": "C1" })).await;
    assert_eq!(posted().await.1["error"], "not_in_channel");
    place.control_says(Method::POST, "/_sandbox/chats/app", &json!({ "installed": false })).await;
    assert_eq!(posted().await.1["error"], "account_inactive");
    // What cannot be meant is said.
    let (status, answer) = set(fault("chat.delete", 1, json!({ "kind": "away" }))).await;
    assert!(status == 400 && answer["error"].as_str().unwrap().contains("chat.postMessage"), "{answer}");
    for (chat, call, kind) in [
        ("slack", "hooks", json!({ "kind": "refused", "status": 403 })),
        ("discord", "post", json!({ "kind": "error", "error": "x" })),
        ("teams", "post", json!({ "kind": "away" })),
        ("mattermost", "post", json!({ "kind": "gone" })),
    ] {
        let body = json!({ "chat": chat, "call": call, "kind": kind });
        assert_eq!(set(body).await.0, 400, "{chat} {call}");
    }
    for (chat, call) in [("discord", "answer"), ("mattermost", "whisper")] {
        let body = json!({ "chat": chat, "call": call, "kind": { "kind": "refused", "status": 403, "code": 50_001 } });
        assert_eq!(set(body).await.0, 200, "{chat}");
    }
}
