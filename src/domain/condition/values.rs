//! The view as CEL sees it. The engine asks for the longest dotted name first, so only the value that a
//! condition really looks at is converted, however large the payload is.

use std::collections::HashMap;
use std::sync::Arc;

use cel::Value;
use cel::common::types::CelString;
use cel::common::value::CowVal;
use cel::context::VariableResolver;

use super::super::view::{LIST_LIMIT, NAMES, View};

/// Longest string, in bytes, and the most values and levels of one converted tree.
const STRING_LIMIT: usize = 64 * 1024;
const NODES: usize = 2_000;
const DEPTH: usize = 16;

pub(super) struct Names<'a>(pub(super) &'a View);

impl VariableResolver for Names<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match self.0.raw_path(variable) {
            Some(serde_json::Value::String(text)) => Some(CowVal::owned(CelString::from(head(text)))),
            // What our own objects leave empty is absent, so that `has()` answers; a payload's null is a null.
            Some(serde_json::Value::Null) if !variable.starts_with("payload") => None,
            Some(value) => {
                let keep_null = variable.starts_with("payload");
                convert(value, keep_null, &mut NODES.clone(), DEPTH).try_into().ok().map(CowVal::Owned)
            }
            // A thing this event does not have is an empty one: `has(label.name)` is then false, not an error.
            None if NAMES.contains(&variable) => {
                Value::from(HashMap::<String, Value>::new()).try_into().ok().map(CowVal::Owned)
            }
            None => None,
        }
    }
}

fn convert(value: &serde_json::Value, keep_null: bool, nodes: &mut usize, depth: usize) -> Value {
    use serde_json::Value as Json;
    let Some(left) = nodes.checked_sub(1).filter(|_| depth > 0) else {
        return Value::Null;
    };
    *nodes = left;
    match value {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(int)) => Value::UInt(int),
            (None, None) => number.as_f64().map_or(Value::Null, Value::Float),
        },
        Json::String(text) => Value::from(head(text)),
        Json::Array(items) => Value::List(Arc::new(
            items.iter().take(LIST_LIMIT).map(|item| convert(item, keep_null, nodes, depth - 1)).collect(),
        )),
        Json::Object(fields) => {
            let fields: HashMap<String, Value> = fields
                .iter()
                .filter(|(_, value)| keep_null || !value.is_null())
                .take(NODES)
                .map(|(key, value)| (key.clone(), convert(value, keep_null, nodes, depth - 1)))
                .collect();
            Value::from(fields)
        }
    }
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(STRING_LIMIT)]
}
