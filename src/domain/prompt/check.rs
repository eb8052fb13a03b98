//! Faults of a template that can be known before any event comes.

use std::collections::BTreeSet;

use minijinja::{ErrorKind, UndefinedBehavior};

use super::super::view::NAMES;
use super::{NAME, TemplateFault};

/// Functions of the template language, which are looked up like names.
const FUNCTIONS: [&str; 4] = ["range", "dict", "namespace", "loop"];

/// Every name must be one that events can have.
pub(super) fn names(text: &str, names: &BTreeSet<String>) -> Result<(), TemplateFault> {
    let unknown = names.iter().find(|name| !NAMES.contains(&name.as_str()) && !FUNCTIONS.contains(&name.as_str()));
    let Some(name) = unknown else {
        return Ok(());
    };
    let line = text.lines().position(|line| mentions(line, name)).map(|index| index + 1);
    Err(TemplateFault { message: unknown_name(name), line })
}

/// The sentence for a name that no event has, with the nearest one that exists.
pub(in super::super) fn unknown_name(name: &str) -> String {
    let near = NAMES
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    let name = super::super::trust::clean_line(name, 60);
    match near {
        Some((_, known)) => format!("there is no `{name}` in an event; did you mean `{known}`?"),
        None => format!("there is no `{name}` in an event; there is {}", NAMES.join(", ")),
    }
}

/// Unknown filters, tests and functions are found only by running, so the text is run once on nothing.
pub(super) fn filters(text: &str) -> Result<(), TemplateFault> {
    let environment = super::environment(UndefinedBehavior::Chainable);
    match environment.render_named_str(NAME, text, ()) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction
            ) =>
        {
            Err(fault(&error))
        }
        _ => Ok(()),
    }
}

pub(super) fn fault(error: &minijinja::Error) -> TemplateFault {
    TemplateFault { message: sentence(error), line: error.line() }
}

/// The engine's words, bounded.
pub(super) fn sentence(error: &minijinja::Error) -> String {
    let detail = error.detail().map_or_else(String::new, |detail| format!(": {detail}"));
    super::super::trust::clean_line(&format!("{}{detail}", error.kind()), 300)
}

fn mentions(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        !line[..at].ends_with(word) && !line[at + name.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}
