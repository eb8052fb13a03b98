//! Comments with command lines. An input is a comment; its first byte chooses which words rules have declared.
//!
//! Promises: a command's text is taken as it was written and is bounded, as are its options; the same comment quoted, as
//! a code block or inside an HTML comment is no command; what is said back is bounded and on one line.

use taskbridge::domain::chat::Address;
use taskbridge::domain::command::{Command, Grammar, Parsed, TEXT_LIMIT, VALUE_LIMIT, chat_help, parse};

use super::Target;

pub(crate) const COMMAND: Target = Target {
    name: "command",
    check,
    words: &[
        "/copilot",
        "/COPILOT ",
        "\n/copilot ",
        "fix",
        "review",
        "help",
        "retry",
        "approve #1",
        "--model",
        "--model=",
        "--base ",
        "--agent ",
        "--pr",
        "--no-pr",
        "--",
        "\u{2014}model ",
        "'",
        "\"",
        "\\",
        "\n",
        "\r\n",
        "```",
        "~~~",
        "<!--",
        "-->",
        "> ",
        "    ",
        "\t",
        "/do",
        " ",
        "=",
        "release/1.0",
        "..",
        "@{",
        "\u{200b}",
    ],
    slowest_ms: 1_000,
};

fn check(data: &[u8]) {
    let Some((which, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let grammar = match which % 4 {
        0 => Grammar {
            prefix: "/copilot".to_owned(),
            names: names(&["fix", "review"]),
            free_text: true,
            own: Vec::new(),
        },
        1 => Grammar {
            prefix: "/copilot".to_owned(),
            names: names(&["fix", "review"]),
            free_text: false,
            own: Vec::new(),
        },
        2 => Grammar { prefix: "/do".to_owned(), names: Vec::new(), free_text: true, own: Vec::new() },
        _ => Grammar {
            prefix: "/copilot".to_owned(),
            names: names(&["review-it", "Fix"]),
            free_text: false,
            own: Vec::new(),
        },
    };
    match parse(&text, &grammar) {
        Parsed::None | Parsed::Approve(_) => {}
        Parsed::Help => assert!(chat_help(&grammar, &[], Address::Command).chars().count() < 2_000),
        Parsed::Bad { message } => {
            assert!(!message.is_empty() && message.chars().count() < 1_000, "{message:?}");
            assert!(!message.contains(char::is_control), "{message:?}");
        }
        Parsed::Own(own) => panic!("{own:?} is for chats"),
        Parsed::Command(command) => well_formed(&command, &grammar, &text),
    }
    if !text.to_ascii_lowercase().contains(&grammar.prefix) {
        assert_eq!(parse(&text, &grammar), Parsed::None, "nothing of ours is in it");
    }
    for hidden in [quoted(&text, "> "), quoted(&text, "    "), fenced(&text), commented(&text)] {
        assert_eq!(parse(&hidden, &grammar), Parsed::None, "{hidden:?}");
    }
}

fn well_formed(command: &Command, grammar: &Grammar, text: &str) {
    let Command { name, text: told, model, base, agent, .. } = command;
    assert!(grammar.names.contains(name) || name.is_empty() && grammar.free_text, "{command:?}");
    assert!(!name.is_empty() || !told.trim().is_empty(), "{command:?}");
    assert!(told.chars().count() <= TEXT_LIMIT);
    for line in told.split('\n') {
        assert!(text.contains(line), "not as it was written: {line:?}");
    }
    for value in [model, base, agent].into_iter().flatten() {
        assert!(!value.trim().is_empty() && value.chars().count() <= VALUE_LIMIT, "{command:?}");
        assert!(!value.contains(char::is_control) && !value.contains('\u{200b}'), "{command:?}");
    }
    if let Some(base) = base {
        assert!(
            !base.contains(' ') && !base.contains("..") && !base.contains("@{") && !base.starts_with(['-', '/']),
            "{base:?}"
        );
    }
    if let Some(agent) = agent {
        assert!(!agent.contains(['/', '\\']) && !agent.starts_with('.'), "{agent:?}");
    }
}

fn quoted(text: &str, mark: &str) -> String {
    text.split('\n').map(|line| format!("{mark}{line}\n")).collect()
}

fn fenced(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{text}\n{fence}\n")
}

fn commented(text: &str) -> String {
    // What would end the comment is taken out, also what only appears when something inside it is gone.
    format!("<!--\n{}\n-->\n", text.replace("--", ""))
}
