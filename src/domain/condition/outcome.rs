//! What a decision says when a condition was false or could not be answered: the paths it looked at and
//! the values it saw, so that nobody has to guess.

use cel::common::ast::{Expr, IdedExpr};
use cel::{ExecutionError, Value};

use super::super::trust;
use super::super::view::{NAMES, View};
use super::expression::{children, path};
use super::redact;

/// One part of a condition.
pub(super) struct Part {
    pub(super) expression: IdedExpr,
    /// What it looks at.
    pub(super) paths: Vec<String>,
}

/// What a condition says of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it holds.
    pub holds: bool,
    /// When it does not: the paths in the part that failed, and the values they had (at most five, each short).
    pub saw: Vec<(String, String)>,
}

/// Why a condition has no answer for an event. Trying again changes nothing; the rule refuses the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What is missing or does not fit.
    pub message: String,
}

const PATHS: usize = 5;
const VALUE_LIMIT: usize = 120;

/// The dotted paths that start at a name of the view, in the order they are written.
pub(super) fn paths(expression: &IdedExpr) -> Vec<String> {
    let mut paths = Vec::new();
    collect(expression, "", &mut paths);
    paths
}

/// `bound` is the variable of the macro around the expression, which is no name of the view.
fn collect(expression: &IdedExpr, bound: &str, into: &mut Vec<String>) {
    if let Some(path) = path(expression) {
        let top = path.split('.').next().unwrap_or("");
        if NAMES.contains(&top) && top != bound && !into.contains(&path) {
            into.push(path);
        }
        return;
    }
    let bound = match &expression.expr {
        Expr::Comprehension(comprehension) => comprehension.iter_var.as_str(),
        _ => bound,
    };
    children(expression, &mut |child| collect(child, bound, into));
}

/// The values at `paths`, short and on one line, without secrets.
pub(super) fn saw(paths: &[String], view: &View) -> Vec<(String, String)> {
    let value = |path: &String| match view.raw_path(path) {
        None => "absent".to_owned(),
        // That there is one is no secret: `has()` is a usual question.
        Some(serde_json::Value::Null) => "null".to_owned(),
        Some(_) if redact::names_secret(path) => redact::SECRET.to_owned(),
        Some(value) => short_value(value),
    };
    paths.iter().take(PATHS).map(|path| (path.clone(), value(path))).collect()
}

fn short_value(value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::String(text) if redact::holds_secret(text) => redact::SECRET.to_owned(),
        serde_json::Value::String(text) => format!("{:?}", head(text)),
        serde_json::Value::Array(items) => redact::items(items).to_string(),
        serde_json::Value::Object(fields) => format!("an object with {} fields", fields.len()),
        other => other.to_string(),
    };
    short(&text)
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(VALUE_LIMIT * 4)]
}

/// At most 120 visible characters on one line.
pub(super) fn short(text: &str) -> String {
    trust::clean_line(text, VALUE_LIMIT)
}

/// The engine's error in the words of the rule.
pub(super) fn explain(error: &ExecutionError, part: &Part, view: &View) -> ConditionError {
    let message = match error {
        ExecutionError::NoSuchKey(field) => match part.paths.iter().find_map(|path| absent(path, field, view)) {
            Some(path) => format!("this event has no `{0}`; ask `has({0})` first", short(path)),
            None => format!("this event has no field `{}`; ask `has()` first", short(field)),
        },
        ExecutionError::UndeclaredReference(name) => format!("there is no `{}`", short(name)),
        // The engine's words may hold the values that it could not compare.
        other => match in_words(other) {
            text if redact::holds_secret(&text) || part.paths.iter().any(|path| redact::names_secret(path)) => {
                "it could not be evaluated; what it saw is secret".to_owned()
            }
            text => short(&text),
        },
    };
    ConditionError { message }
}

/// What the engine says, without the insides of maps and lists: they are long, and in another order each time.
fn in_words(error: &ExecutionError) -> String {
    let a = |value: &Value| match value {
        Value::Map(_) | Value::List(_) => format!("a {}", value.type_of()),
        scalar => format!("{scalar:?}"),
    };
    match error {
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("`{operator}` is not possible with {} and {}", a(left), a(right))
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} can not be compared to {}", a(left), a(right))
        }
        ExecutionError::UnsupportedIndex(index, value) => format!("{} cannot be an index of {}", a(index), a(value)),
        ExecutionError::NotSupportedAsMethod { method, target } => {
            format!("`{method}` is not possible on {}", a(target))
        }
        ExecutionError::UnsupportedTargetType { target } => format!("not possible on {}", a(target)),
        ExecutionError::UnsupportedKeyType(key) => format!("{} cannot be a key", a(key)),
        ExecutionError::DuplicateKey(key) => format!("the key {} stands twice", a(key)),
        // Either the name of a type or, with brackets, the value itself.
        ExecutionError::UnexpectedType { got, want } if got.contains(['(', '{', '[']) => {
            format!("a {want} is needed, and this is something else")
        }
        other => other.to_string(),
    }
}

/// The beginning of `path` up to `field`, if that is what the event lacks.
fn absent<'a>(path: &'a str, field: &str, view: &View) -> Option<&'a str> {
    let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
    let lacks = |start: &&str| view.raw_path(start).is_none_or(serde_json::Value::is_null);
    let first = ends.map(|end| &path[..end]).skip(1).find(lacks)?;
    (first.rsplit('.').next() == Some(field)).then_some(first)
}
