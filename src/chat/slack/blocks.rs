//! A message in Slack's form. Slack reads `&`, `<` and `>` as marks: what is not ours is escaped first, so that no text can
//! call the whole channel or hide where a link leads.

use serde_json::{Value, json};

use super::super::{Button, Message};

/// Longest text of a section, in characters.
const SECTION: usize = 2900;
/// Most sections of one message.
const SECTIONS: usize = 10;
/// Longest text that stands for the blocks in a notification.
const SUMMARY: usize = 300;
/// Most buttons in a row, and the longest that one may carry.
const BUTTONS: usize = 25;
const VALUE: usize = 2000;

/// The fields `text` and `blocks`.
pub(super) fn fields(message: &Message) -> serde_json::Map<String, Value> {
    let mut text = mrkdwn(&message.text);
    if let Some(account) = message.mention.as_deref().filter(|id| is_id(id)) {
        text = format!("<@{account}> {text}");
    }
    let mut blocks: Vec<Value> = sections(&text)
        .into_iter()
        .map(|part| json!({ "type": "section", "text": { "type": "mrkdwn", "text": part } }))
        .collect();
    let buttons: Vec<Value> = message.buttons.iter().take(BUTTONS).map(button).collect();
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": buttons }));
    }
    let summary: String = text.lines().next().unwrap_or_default().chars().take(SUMMARY).collect();
    let mut fields = serde_json::Map::new();
    fields.insert("text".to_owned(), summary.into());
    fields.insert("blocks".to_owned(), blocks.into());
    fields.insert("unfurl_links".to_owned(), false.into());
    fields
}

fn button(button: &Button) -> Value {
    let value: String = button.value.chars().take(VALUE).collect();
    let mut element = json!({
        "type": "button", "action_id": button.name, "value": value,
        "text": { "type": "plain_text", "text": button.label },
    });
    if let Some(url) = &button.url {
        element["url"] = url.as_str().into();
    }
    element
}

/// Ids of accounts are capitals and digits; anything else could be a mark of another kind.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Lines together, as many as a section holds.
fn sections(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in text.lines() {
        let line: String = line.chars().take(SECTION).collect();
        match parts.last_mut() {
            Some(last) if last.chars().count() + line.chars().count() < SECTION => {
                last.push('\n');
                last.push_str(&line);
            }
            _ => parts.push(line),
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts.truncate(SECTIONS);
    if parts.is_empty() {
        parts.push(" ".to_owned());
    }
    parts
}

/// Markdown as we write it, in Slack's own dialect.
fn mrkdwn(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace("**", "*");
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped.as_str();
    while let Some(at) = rest.find('[') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match link(rest) {
            Some((shown, url, after)) => {
                out.push_str(&format!("<{url}|{shown}>"));
                rest = after;
            }
            None => {
                out.push('[');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// `[shown](url)` at the start.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (shown, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (url, after) = rest.split_once(')')?;
    let plain = url.bytes().all(|b| b.is_ascii_graphic() && b != b'|') && !shown.contains(['[', '\n', '|']);
    (plain && (url.starts_with("https://") || url.starts_with("http://"))).then_some((shown, url, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &Message) -> String {
        fields(message)["blocks"][0]["text"]["text"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn our_markdown_becomes_slacks_and_what_is_not_ours_marks_nothing() {
        let message = |text: &str| Message { text: text.to_owned(), ..Message::default() };
        assert_eq!(
            text(&message("**Done**: [pull request #7](https://x.example/7?a=1&b).")),
            "*Done*: <https://x.example/7?a=1&amp;b|pull request #7>."
        );
        assert_eq!(
            text(&message("<!channel> <@U1> a > b & [x](javascript:1)")),
            "&lt;!channel&gt; &lt;@U1&gt; a &gt; b &amp; [x](javascript:1)"
        );
        let called = Message { text: "done".into(), mention: Some("U123".into()), ..Message::default() };
        assert_eq!(text(&called), "<@U123> done");
        let forged = Message { text: "done".into(), mention: Some("!channel".into()), ..Message::default() };
        assert_eq!(text(&forged), "done");
    }

    #[test]
    fn a_message_keeps_slacks_bounds() {
        let long = Message { text: "0123456789\n".repeat(20_000), ..Message::default() };
        let blocks = fields(&long)["blocks"].as_array().cloned().unwrap_or_default();
        assert_eq!(blocks.len(), SECTIONS);
        assert!(
            blocks.iter().all(|block| block["text"]["text"].as_str().is_some_and(|text| text.chars().count() <= 3000))
        );
        let empty = fields(&Message::default());
        assert_eq!(empty["blocks"][0]["text"]["text"], " ");
    }
}
