//! Reading JSON of a preview API: a field of an unexpected shape counts as absent, it does not spoil the rest.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// A text; a number is taken as its digits (an id may change from one to the other).
pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A text that is not empty.
pub(super) fn filled(value: &Value, key: &str) -> Option<String> {
    text(value, key).filter(|text| !text.is_empty())
}

/// A whole number.
pub(super) fn int(value: &Value, key: &str) -> Option<i64> {
    value.get(key)?.as_i64()
}

/// The `id` of an object under `key`.
pub(super) fn id_of(value: &Value, key: &str) -> Option<i64> {
    int(value.get(key)?, "id")
}

/// A moment in ISO 8601.
pub(super) fn time(value: &Value, key: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(value.get(key)?.as_str()?).ok()?.to_utc())
}

/// The items of a list; empty when there is none.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
