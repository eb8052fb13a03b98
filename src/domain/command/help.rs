//! The answer to `help`: only what can be written here.

use std::fmt::Write as _;

use super::{Grammar, OwnWord};
use crate::domain::chat::Address;

const AT_THE_START: &str = "What you can write here, at the start of a line:";

/// What can be written under this grammar in a chat where one turns to us so, as Markdown: these commands for work, and our own
/// words.
#[must_use]
pub fn chat_help(grammar: &Grammar, commands: &[String], address: Address) -> String {
    match address {
        Address::Command => text_of(grammar, OwnWord::in_chat, AT_THE_START, commands, false),
        // All commands are one there: that which a mention counts as.
        Address::Mention => {
            let grammar = Grammar { prefix: String::new(), ..grammar.clone() };
            let commands: Vec<String> = commands.iter().take(1).map(|_| String::new()).collect();
            text_of(&grammar, OwnWord::in_chat, "What you can write here, behind a mention of me:", &commands, false)
        }
    }
}

/// What can be written under this grammar in the comments of an issue or pull request, as Markdown. With `approves` also how
/// tasks are approved where our own commands are not in force.
#[must_use]
pub fn thread_help(grammar: &Grammar, approves: bool) -> String {
    let nothing = grammar.names.is_empty() && !grammar.free_text && grammar.own.is_empty();
    let lead = if nothing { "No rule takes commands here." } else { AT_THE_START };
    text_of(grammar, OwnWord::in_thread, lead, &[], approves)
}

fn text_of(
    grammar: &Grammar,
    form: fn(OwnWord) -> (&'static str, &'static str),
    lead: &str,
    commands: &[String],
    approves: bool,
) -> String {
    let prefix = &grammar.prefix;
    let behind = |prefix: &str| if prefix.is_empty() { String::new() } else { format!("{prefix} ") };
    let before = behind(prefix);
    let mut text = format!("{lead}\n\n");
    for name in &grammar.names {
        let _ = writeln!(text, "- `{before}{name} [options] [text]`");
    }
    for command in commands.iter().chain(grammar.free_text.then_some(prefix)) {
        let _ = writeln!(text, "- `{}[options] what to do`", behind(command));
    }
    let approve = Some(OwnWord::Approve).filter(|word| approves && !grammar.own.contains(word));
    for own in grammar.own.iter().copied().chain(approve) {
        let (form, what) = form(own);
        let _ = writeln!(text, "- `{before}{form}`: {what}");
    }
    let _ = writeln!(text, "- `{before}help`");
    if !grammar.names.is_empty() || grammar.free_text || !commands.is_empty() {
        text.push_str(
            "\nOptions stand before the text: `--model NAME`, `--base BRANCH`, `--agent NAME`, `--pr` or `--no-pr`. \
             A value with spaces needs quotes; `--` ends the options. The lines below the command belong to its text.\n",
        );
    }
    text
}
