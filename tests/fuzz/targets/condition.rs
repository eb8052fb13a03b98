//! Conditions of rules. An input is the text of a condition.
//!
//! Promises: it is refused with a place inside it, or has an answer within its bounds, the same each time; its negation
//! has the opposite answer; what it says it saw is short, on one line, and shows no secret of the payload.

use serde_json::json;
use taskbridge::domain::condition::{Condition, Outcome};
use taskbridge::domain::view::{Texts, View};

use super::Target;
use super::prompt::event;

pub(crate) const CONDITION: Target = Target {
    name: "condition",
    check,
    words: &[
        "issue.title",
        "issue.body",
        "issue.labels",
        "issue['title']",
        "issue.author",
        "issue.number",
        ".contains('a', 1)",
        "lenght(",
        "payload.token",
        "payload.list",
        "payload.text",
        "payload",
        "actor.login",
        "repo.private",
        "event",
        " && ",
        " || ",
        "!",
        " == ",
        " != ",
        " < ",
        " in ",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        "?",
        ":",
        ",",
        "'a'",
        "\"b\"",
        "r'\\d'",
        "b'x'",
        "1",
        "1.5",
        "1u",
        "9223372036854775807",
        "-9223372036854775808",
        "0x",
        "1e308",
        "true",
        "null",
        "has(",
        ".all(x, ",
        ".exists(x, ",
        ".map(x, ",
        ".filter(x, ",
        ".exists_one(x, ",
        ".matches('(a+)+$')",
        ".matches('",
        "matches(",
        ".startsWith(",
        ".contains(",
        ".size()",
        "size(",
        "string(",
        "int(",
        "double(",
        "timestamp(",
        "duration(",
        "'1h'",
        "type(",
        "dyn(",
        " + ",
        " * ",
        " / 0",
        " % 0",
        " - ",
        "\n",
        "// ",
        "cel.bind(x, 1, ",
        "x",
        "@",
        "`",
        "\\u0000",
        "bytes(",
        "payload.deep.er",
        "payload['token']",
        "min(",
        "max(",
        ".getFullYear()",
        "optional.of(",
        "?.",
        "\u{1f600}",
    ],
    slowest_ms: 3_000,
};

/// What must not be shown.
const CANARY: &str = "ghp_cAnArY0123456789abcdefghijklmnopqrst";

fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let condition = match Condition::parse(text) {
        Ok(condition) => condition,
        Err(fault) => {
            let line = text.split('\n').nth(fault.line.wrapping_sub(1));
            let length = line.unwrap_or_else(|| panic!("{fault:?} is not in {text:?}")).chars().count();
            assert!((1..=length + 1).contains(&fault.column), "{fault:?} is not in {text:?}");
            assert!(!fault.message.is_empty() && fault.message.chars().count() <= 1_000, "{fault:?}");
            assert!(!fault.message.contains('\n'), "{fault:?}");
            return;
        }
    };
    assert_eq!(condition.source(), text);
    let body = "a".repeat(2_000);
    let event = event("A title with CAPITALS", &body, "c", "eve");
    let payload = json!({
        "token": CANARY, "list": (0..100).collect::<Vec<_>>(), "text": CANARY, "deep": { "er": [null, true, 1.5, CANARY] },
    });
    for payload in [Some(payload), None] {
        let view = View::new(&event, None, payload, Texts::plain());
        let answer = condition.evaluate(&view);
        assert_eq!(condition.evaluate(&view), answer, "the same each time");
        match &answer {
            Ok(Outcome { holds, saw }) => {
                assert!(saw.len() <= 5 && (!holds || saw.is_empty()), "{saw:?}");
                saw.iter().for_each(|(_, value)| shown(value, text));
            }
            Err(error) => shown(&error.message, text),
        }
        if let (Ok(Outcome { holds, .. }), Ok(other)) = (&answer, Condition::parse(&format!("!({text}\n)"))) {
            assert_eq!(other.evaluate(&view).map(|outcome| outcome.holds), Ok(!holds), "{text:?}");
        }
    }
}

fn shown(value: &str, text: &str) {
    assert!(value.chars().count() <= 300 && !value.contains('\n'), "{value:?}");
    // What the rule itself says is no secret.
    assert!(!value.contains("cAnArY") || text.contains("cAnArY"), "{value:?}");
}
