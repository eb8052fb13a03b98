//! What of the values that a condition saw must not be shown: decisions are kept, logged and read by people who may
//! see the decision but not every secret in a payload.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// What stands in a secret's place.
pub(super) const SECRET: &str = "(secret)";
/// Most bytes of one text that are looked through; what is shown of it is far shorter.
const LOOKED_AT: usize = 4096;
/// Most entries of a list that are shown.
const ITEMS: usize = 20;
/// Most levels of lists and objects that are shown.
const DEPTH: usize = 8;

/// GitHub's tokens (<https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>),
/// keys of our own admin API, and what stands in an `Authorization` header.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^A-Za-z0-9])(?:gh[pousr]_|github_pat_|tb_)[A-Za-z0-9_-]{8,}|(?i:\bbearer\s+\S{8,})")
        .expect("a constant pattern that the tests compile")
});

/// Whether a segment of a dotted path says that what is there is secret.
pub(super) fn names_secret(path: &str) -> bool {
    path.split('.').any(|segment| words(segment).iter().any(|word| is_secret_word(word)))
}

/// Whether a text holds what looks like a token.
pub(super) fn holds_secret(text: &str) -> bool {
    TOKEN.is_match(&text[..text.floor_char_boundary(LOOKED_AT)])
}

/// The items of a list, with what is secret in them replaced.
pub(super) fn items(items: &[Value]) -> Value {
    list(items, DEPTH)
}

fn list(items: &[Value], depth: usize) -> Value {
    Value::Array(items.iter().take(ITEMS).map(|item| masked(item, depth)).collect())
}

fn masked(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) if holds_secret(text) => SECRET.into(),
        Value::Array(_) | Value::Object(_) if depth == 0 => "…".into(),
        Value::Array(items) => list(items, depth - 1),
        Value::Object(fields) => fields
            .iter()
            .take(ITEMS)
            .map(|(name, value)| {
                let value = if names_secret(name) { SECRET.into() } else { masked(value, depth - 1) };
                (name.clone(), value)
            })
            .collect(),
        other => other.clone(),
    }
}

fn is_secret_word(word: &str) -> bool {
    let word = word.strip_suffix('s').unwrap_or(word);
    matches!(word, "secret" | "token" | "password" | "passwd" | "key" | "apikey" | "authorization" | "credential")
}

/// The words of `access_token`, `api-key` or `accessToken`, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && after_small) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        after_small = c.is_lowercase() || c.is_numeric();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_name_a_secret_are_known_by_whole_words() {
        for path in [
            "payload.secret",
            "payload.hook.config.Token",
            "payload.access_token",
            "payload.api_key.value",
            "payload.apiKey",
            "payload.api-key",
            "payload.headers.Authorization",
            "payload.passwd",
            "payload.db_password",
            "payload.credentials",
        ] {
            assert!(names_secret(path), "{path}");
        }
        for path in ["payload.keyboard", "payload.monkey", "issue.title", "payload.tokenizer", "actor.login"] {
            assert!(!names_secret(path), "{path}");
        }
    }

    #[test]
    fn texts_that_hold_a_token_are_known() {
        for prefix in ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "tb_"] {
            assert!(holds_secret(&format!("{prefix}0123456789abcdefABCDEF")), "{prefix}");
            assert!(holds_secret(&format!("clone https://x:{prefix}0123456789abcdef@github.com/a/b")), "{prefix}");
        }
        assert!(holds_secret("Bearer abcdef.0123456") && holds_secret("authorization: bearer abcdef.0123456"));
        for text in ["ghp_", "the tb_ prefix", "a bearer of news", "stb_0123456789", "github_patience"] {
            assert!(!holds_secret(text), "{text}");
        }
    }

    #[test]
    fn what_lists_hold_is_masked_too() {
        let list = serde_json::json!([
            { "api_key": "canary", "name": "n", "deep": [{ "password": { "old": "canary" } }] },
            "ghp_canary0123456789",
            [["plain"]]
        ]);
        let shown = items(list.as_array().unwrap()).to_string();
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("plain") && shown.contains("\"name\":\"n\""), "{shown}");
    }
}
