//! The answer to `help`: only what can be written here.

use std::fmt::Write as _;

use super::Grammar;

/// What can be written under this grammar, as Markdown.
#[must_use]
pub fn help_text(grammar: &Grammar) -> String {
    let prefix = &grammar.prefix;
    let mut text = String::from("What you can write here, at the start of a line:\n\n");
    for name in &grammar.names {
        let _ = writeln!(text, "- `{prefix} {name} [options] [text]`");
    }
    if grammar.free_text {
        let _ = writeln!(text, "- `{prefix} [options] what to do`");
    }
    for own in &grammar.own {
        let (form, what) = own.help();
        let _ = writeln!(text, "- `{prefix} {form}`: {what}");
    }
    if grammar.names.is_empty() && !grammar.free_text && grammar.own.is_empty() {
        text = String::from("No rule takes commands here.\n\n");
    }
    let _ = writeln!(text, "- `{prefix} approve`: what waits here for approval may go on");
    let _ = writeln!(text, "- `{prefix} help`");
    if grammar.names.is_empty() && !grammar.free_text && !grammar.own.is_empty() {
        return text;
    }
    text.push_str(
        "\nOptions stand before the text: `--model NAME`, `--base BRANCH`, `--agent NAME`, `--pr` or `--no-pr`. \
         A value with spaces needs quotes; `--` ends the options. The lines below the command belong to its text.\n",
    );
    text
}
