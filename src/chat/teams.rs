//! What an outgoing webhook of Microsoft Teams is answered: one message, at once, in the thread where it was asked, seen by
//! all who are there. There is no other way to say anything.
//! Facts from MicrosoftDocs/msteams-docs, `add-outgoing-webhook.md`.

use serde_json::json;

use super::http::cut;

/// The platform's name in identities.
pub const NAME: &str = "teams";
/// Longest text, in characters; a message has at most some 28 KB.
const TEXT: usize = 6000;

/// The answer with this text. Teams reads a text as Markdown with HTML in it, of which none is ours, and sees a new line only
/// where one is left empty.
#[must_use]
pub fn answer(text: &str) -> String {
    let text = cut(text, TEXT).replace('&', "&amp;").replace('<', "&lt;");
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let text = lines.join("\n\n");
    json!({ "type": "message", "text": text }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_mark_and_lines_stay_lines() {
        assert_eq!(answer("a:\n\n- b\n- c\n\nd\n"), r#"{"text":"a:\n\n- b\n\n- c\n\nd","type":"message"}"#);
        assert_eq!(answer("<at>all</at> a & b"), r#"{"text":"&lt;at>all&lt;/at> a &amp; b","type":"message"}"#);
    }
}
