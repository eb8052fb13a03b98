//! Faults of a template that can be known before any event comes.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object};
use minijinja::{ErrorKind, UndefinedBehavior, Value};

use super::super::nearest::nearest;
use super::super::view::{NAMES, unknown_path};
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

/// So must every path below them.
pub(super) fn paths(text: &str, paths: &[String]) -> Result<(), TemplateFault> {
    let unknown = |path: &String| Some((path.clone(), unknown_path(path)?));
    let Some((path, message)) = paths.iter().find_map(unknown) else { return Ok(()) };
    let line = text.lines().position(|line| mentions(line, &path)).map(|index| index + 1);
    Err(TemplateFault { message, line })
}

/// The sentence for a name that no event has, with the nearest one that exists.
pub(in super::super) fn unknown_name(name: &str) -> String {
    let near = nearest(name, NAMES.into_iter());
    let name = super::super::trust::clean_line(name, 60);
    match near {
        Some(known) => format!("there is no `{name}` in an event; did you mean `{known}`?"),
        None => format!("there is no `{name}` in an event; there is {}", NAMES.join(", ")),
    }
}

/// Filters and tests of the template language, to say what was meant.
const WORDS: [&str; 40] = [
    "abs",
    "attr",
    "batch",
    "capitalize",
    "count",
    "default",
    "defined",
    "dictsort",
    "endingwith",
    "escape",
    "even",
    "first",
    "float",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "odd",
    "reject",
    "replace",
    "reverse",
    "round",
    "select",
    "slice",
    "sort",
    "split",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
];

/// What has every part, so many levels deep, is true and holds one of itself: with it the other branches are run. It has an end,
/// because it is also printed.
#[derive(Debug)]
struct Anything(u8);

impl Object for Anything {
    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(self.0.checked_sub(1).map_or_else(|| Value::from("it"), |less| Value::from_object(Self(less))))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(vec![Value::from("it")])
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}

/// Unknown filters, tests and functions are found only by running, so the text is run on nothing and on anything.
pub(super) fn filters(text: &str) -> Result<(), TemplateFault> {
    let environment = super::environment(UndefinedBehavior::Chainable);
    for root in [Value::UNDEFINED, Value::from_object(Anything(6))] {
        if let Err(error) = environment.render_named_str(NAME, text, root)
            && matches!(error.kind(), ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction)
        {
            let mut fault = fault(&error);
            let word = error.detail().and_then(|detail| detail.split(' ').nth(1)).unwrap_or_default();
            if let Some(near) = nearest(word, WORDS.into_iter()) {
                fault.message.push_str(&format!("; did you mean `{near}`?"));
            }
            return Err(fault);
        }
    }
    Ok(())
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
