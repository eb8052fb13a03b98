//! What several commands say to the person at the terminal.

use super::CliError;
use crate::config::nearest;
use crate::domain::rule_set::RuleSet;

/// Prints a long text; a reader that has seen enough (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    use std::io::Write as _;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::Said(format!("the text cannot be printed: {error}")))
        }
        _ => Ok(()),
    }
}

/// Tells the person at the terminal something beside the output. Who does not listen is told nothing, and stops nothing.
pub(super) fn tell(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The sentence for a rule that is not there, with one that is if it is near.
pub(super) fn no_such_rule(rules: &RuleSet, asked: &str) -> String {
    match nearest(asked, rules.rules.iter().map(|rule| rule.name.as_str())) {
        Some(name) => format!("there is no rule `{asked}`; did you mean `{name}`?"),
        None if rules.rules.is_empty() => format!("there is no rule `{asked}`; there are no rules at all"),
        None => format!("there is no rule `{asked}`; `taskbridge check` lists those that there are"),
    }
}
