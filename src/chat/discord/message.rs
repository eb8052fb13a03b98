//! A message in Discord's form. Only the account that is called can be notified by it, whatever its text says.

use serde_json::{Value, json};

use super::super::http::{cut, is_id};
use super::super::{Button, Message};

/// Longest text, in characters.
const CONTENT: usize = 2000;
/// Most buttons in a row, and the longest that one carries.
const BUTTONS: usize = 5;
const CUSTOM_ID: usize = 100;
const URL: usize = 512;
/// What the ids of our buttons begin with.
pub(super) const OURS: &str = "tb:";
/// Links are not shown with pictures of what is behind them.
const NO_EMBEDS: u64 = 1 << 2;
/// Longest mark by which Discord knows a message that comes twice.
const NONCE: usize = 25;

/// The message, as an answer under `replies_to` if there is one.
pub(super) fn fields(message: &Message, replies_to: Option<&str>) -> Value {
    let called = message.mention.as_deref().filter(|id| is_id(id));
    // Behind a `<` of ours stands nothing that Discord would read as a mark.
    let text = message.text.replace('<', "<\u{200b}");
    let text = called.map_or_else(|| text.clone(), |id| format!("<@{id}> {text}"));
    let text = if text.trim().is_empty() { "…".to_owned() } else { text };
    let mut fields = json!({
        "content": cut(&text, CONTENT),
        "allowed_mentions": { "parse": [], "users": called.into_iter().collect::<Vec<_>>(), "replied_user": false },
        "components": rows(&message.buttons),
        "flags": NO_EMBEDS,
    });
    if let Some(id) = replies_to.filter(|id| is_id(id)) {
        fields["message_reference"] = json!({ "message_id": id, "fail_if_not_exists": false });
    }
    fields
}

/// The same for a new message, with what lets Discord see that it has it already.
pub(super) fn new_fields(message: &Message, replies_to: Option<&str>) -> Value {
    let mut fields = fields(message, replies_to);
    if let Some(key) = &message.key {
        let mark: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        fields["nonce"] = mark[mark.len().saturating_sub(NONCE)..].into();
        fields["enforce_nonce"] = true.into();
    }
    fields
}

fn rows(buttons: &[Button]) -> Value {
    let row: Vec<Value> = buttons.iter().filter_map(button).take(BUTTONS).collect();
    if row.is_empty() { json!([]) } else { json!([{ "type": 1, "components": row }]) }
}

fn button(button: &Button) -> Option<Value> {
    if let Some(url) = &button.url {
        return (url.len() <= URL).then(|| json!({ "type": 2, "style": 5, "label": button.label, "url": url }));
    }
    let id = format!("{OURS}{}:{}", button.name, button.value);
    (id.len() <= CUSTOM_ID).then(|| json!({ "type": 2, "style": 2, "label": button.label, "custom_id": id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_the_one_who_is_called_is_notified() {
        let message =
            Message { text: "@everyone <@1> **done**".into(), mention: Some("2".into()), ..Message::default() };
        let fields = fields(&message, None);
        assert_eq!(fields["content"], "<@2> @everyone <\u{200b}@1> **done**");
        assert_eq!(fields["allowed_mentions"], json!({ "parse": [], "users": ["2"], "replied_user": false }));
        let forged = Message { text: "x".into(), mention: Some("&everyone".into()), ..Message::default() };
        assert_eq!(super::fields(&forged, None)["allowed_mentions"]["users"], json!([]));
    }

    #[test]
    fn a_message_keeps_discords_bounds() {
        let button = |value: &str, url: Option<String>| Button { name: "why", label: "Why", value: value.into(), url };
        let buttons = vec![button("1", None), button(&"1".repeat(99), None), button("", Some("https://x".repeat(99)))];
        let message = Message { text: "é".repeat(5000), buttons, key: Some("k".repeat(40)), ..Message::default() };
        let fields = new_fields(&message, None);
        assert_eq!(fields["content"].as_str().unwrap_or_default().chars().count(), CONTENT);
        assert_eq!(fields["components"][0]["components"].as_array().map(Vec::len), Some(1));
        assert_eq!(fields["nonce"].as_str().map(str::len), Some(NONCE));
        assert_eq!(super::fields(&Message::default(), None)["components"], json!([]), "what stood there is taken off");
    }
}
