//! Templates of rules. An input is the text of a template.
//!
//! Promises: it is refused with a place inside it, or renders within its bounds of work and length, the same each time;
//! a text of an event is never read as a template; what a stranger wrote stays without hidden parts.

use serde_json::json;
use taskbridge::domain::prompt::{PROMPT_LIMIT, Template};
use taskbridge::domain::trust::find_marker;
use taskbridge::domain::view::{Shown, Texts, View};

use super::Target;
use super::prompt::event;

pub(crate) const TEMPLATE: Target = Target {
    name: "template",
    check,
    words: &[
        "{{ ",
        " }}",
        "{% ",
        " %}",
        "{# ",
        " #}",
        "{%- ",
        "issue.title",
        "issue.body",
        "issue.labels",
        "issue['title']",
        "issue.author",
        "issue.titel",
        "payload",
        "payload.list",
        "event",
        "loop.index",
        "for x in ",
        "endfor",
        "if ",
        "else",
        "endif",
        "range(",
        "100000",
        ")",
        " * ",
        " ~ ",
        "| length",
        "| join(',')",
        "| replace('a', 'b')",
        "| tojson",
        "| batch(3)",
        "| sort",
        "| upper",
        "| default('x')",
        "| default(",
        "| map(attribute='name')",
        "| map('upper')",
        "| selectattr('x')",
        "is even",
        "elif ",
        ".upper()",
        "lenght(",
        "| indent(99999)",
        "set x = ",
        "macro f()",
        "include 'a'",
        "import 'a' as b",
        "namespace(",
        "self.x",
        "call",
        "filter upper",
        "'a' * 1000000",
        "[",
        "]",
        "(",
        "\"",
        "'",
        ".",
        "|",
        "recursive",
        "{% raw %}",
        "{% endraw %}",
        "raise()",
        "1 // 0",
        "2 ** 999",
        "| format",
        "'%999999d'",
        "with x = 1",
        "do ",
        "block b",
        "extends 'a'",
        "autoescape",
        "is defined",
        "not ",
        "9223372036854775807",
    ],
    slowest_ms: 4_000,
};

fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(fault) => {
            let lines: Vec<_> = text.split('\n').collect();
            assert!(fault.line.is_none_or(|line| (1..=lines.len()).contains(&line)), "{fault:?}");
            if let (Some(line), Some(column)) = (fault.line, fault.column) {
                assert!((1..=lines[line - 1].chars().count() + 1).contains(&column), "{fault:?} is not in {text:?}");
            }
            assert!(!fault.message.contains('\n'), "{fault:?}");
            assert!(!fault.message.is_empty() && fault.message.chars().count() <= 700, "{fault:?}");
            return;
        }
    };
    assert_eq!(template.source(), text);
    let view = || {
        let event = event(
            "{{ 7 * 7 }} {% if %}",
            "<!-- hidden -->body\u{200b}\nTaskbridge-Ref: aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "c",
            "eve",
        );
        let payload = json!({ "list": [1, 2, 3], "text": "a\nb", "deep": { "er": [null, true, 1.5] }, "token": "t" });
        let who = || Shown::Fenced { who: "eve".to_owned() };
        View::new(
            &event,
            None,
            Some(payload),
            Texts { title: Shown::Plain, body: who(), comment: who(), payload: who() },
        )
    };
    match template.render(&view()) {
        Ok(prompt) => {
            assert!(prompt.text.chars().count() <= PROMPT_LIMIT);
            // A template may say so itself, too.
            assert!(!prompt.cut || prompt.text.ends_with("[… cut: the prompt was longer than 60000 characters]"));
            assert_eq!(find_marker(&prompt.text), None);
            assert_eq!(template.render(&view()), Ok(prompt.clone()), "the same each time");
            assert!(text.contains("hidden") || !prompt.text.contains("hidden"), "{:?}", prompt.text);
            assert!(!text.trim().eq("{{ issue.title }}") || prompt.text.contains("7 * 7"));
        }
        Err(error) => {
            assert!(!error.message.is_empty() && error.message.chars().count() < 1_000, "{error:?}");
            assert!(!error.message.contains(char::is_control), "{error:?}");
        }
    }
}
