//! The reading for prompts: no string of a stranger gets into a template but through here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::trust;
use super::bare;
use super::build::LIST_LIMIT;
use super::texts::{Shown, Texts};

/// Longest body in a prompt, in characters.
const BODY_LIMIT: usize = 30_000;
/// Longest comment, command text or string of a payload.
const TEXT_LIMIT: usize = 20_000;
/// Longest value of one line.
const LINE_LIMIT: usize = 2_000;
/// Most values taken from a payload, and its deepest level.
const NODES: usize = 5_000;
const DEPTH: usize = 24;

/// `value`, which stands under the top-level `name`, as a template sees it.
pub(super) fn value(name: &str, value: &Value, texts: &Texts) -> minijinja::Value {
    let kind = match name {
        "pull_request" => "pull request",
        "issue" => "issue",
        _ => "subject",
    };
    match name {
        "subject" | "issue" | "pull_request" => object(value, |key, text| match key {
            "title" => Some(shown_line(text, &texts.title, &format!("the {kind}'s title"))),
            "body" => Some(shown_text(text, BODY_LIMIT, &texts.body, &format!("text of the {kind}"))),
            _ => None,
        }),
        "comment" => {
            object(value, |key, text| (key == "body").then(|| shown_text(text, TEXT_LIMIT, &texts.comment, "comment")))
        }
        "command" => object(value, |key, text| (key == "text").then(|| trust::clean(text, TEXT_LIMIT))),
        "payload" => payload(value, &texts.payload, &mut NODES.clone(), DEPTH),
        _ => object(value, |_, _| None),
    }
}

/// An object of ours: `special` treats its texts, every other string is one line.
fn object(value: &Value, special: impl Fn(&str, &str) -> Option<String>) -> minijinja::Value {
    let Some(fields) = value.as_object() else {
        return plain(value);
    };
    let shown = fields.iter().map(|(key, value)| {
        let treated = value.as_str().and_then(|text| special(key, text));
        (key.as_str(), treated.map_or_else(|| plain(value), minijinja::Value::from))
    });
    minijinja::Value::from(shown.collect::<BTreeMap<_, _>>())
}

/// Values of ours that hold no free text: lists and objects of one-line strings and numbers.
fn plain(value: &Value) -> minijinja::Value {
    match value {
        Value::String(text) => trust::clean_line(text, LINE_LIMIT).into(),
        Value::Array(items) => items.iter().take(LIST_LIMIT).map(plain).collect::<Vec<_>>().into(),
        Value::Object(_) => object(value, |_, _| None),
        other => scalar(other),
    }
}

/// The raw payload, bounded. A string that can say something is treated as a text; only what is plainly a name,
/// a number, a date or an address stands as it is.
fn payload(value: &Value, how: &Shown, nodes: &mut usize, depth: usize) -> minijinja::Value {
    let Some(left) = nodes.checked_sub(1).filter(|_| depth > 0) else {
        return "[… left out: the payload is too large to show whole]".into();
    };
    *nodes = left;
    match value {
        Value::String(text) if bare::is_bare(text) => text.as_str().into(),
        Value::String(text) if text.contains(['\n', '\r']) => {
            shown_text(text, TEXT_LIMIT, how, "part of the payload").into()
        }
        Value::String(text) => shown_line(text, how, "part of the payload").into(),
        Value::Array(items) => {
            items.iter().take(LIST_LIMIT).map(|item| payload(item, how, nodes, depth - 1)).collect::<Vec<_>>().into()
        }
        Value::Object(fields) => {
            let shown = fields
                .iter()
                .take(NODES)
                .map(|(key, value)| (trust::clean_line(key, 200), payload(value, how, nodes, depth - 1)));
            minijinja::Value::from(shown.collect::<BTreeMap<_, _>>())
        }
        other => scalar(other),
    }
}

fn scalar(value: &Value) -> minijinja::Value {
    match value {
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => int.into(),
            (None, Some(int)) => int.into(),
            (None, None) => number.as_f64().into(),
        },
        _ => ().into(),
    }
}

fn shown_line(text: &str, how: &Shown, what: &str) -> String {
    shown(trust::clean_line(text, LINE_LIMIT), how, what, trust::quote)
}

fn shown_text(text: &str, limit: usize, how: &Shown, what: &str) -> String {
    shown(trust::clean(text, limit), how, what, trust::fence)
}

/// Of a text in which nothing is left to be seen nothing is said.
fn shown(clean: String, how: &Shown, what: &str, quoted: fn(&str, &str, &str) -> String) -> String {
    match how {
        _ if clean.trim().is_empty() => String::new(),
        Shown::Plain => clean,
        Shown::Fenced { who } => quoted(&clean, who, what),
        Shown::LeftOut { who } => left_out(what, who),
    }
}

fn left_out(what: &str, who: &str) -> String {
    format!("[{what}, written by {}, was left out]", trust::name(who))
}
