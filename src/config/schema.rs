//! The JSON Schema of the configuration, for editors, for the check of a file and for the reference:
//! one thing made once from the structs in [`super::sections`].

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::sections::{Config, IncludedRules};

/// The JSON Schema (draft 2020-12) of the main file.
#[must_use]
pub fn schema() -> Value {
    of::<Config>()
}

/// The JSON Schema of a file that `rules_from` names.
pub(super) fn included() -> Value {
    of::<IncludedRules>()
}

fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with_transform(tidy);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// A setting that may be left out is left out, not set to `null`: so no schema here offers `null`. And doc comments
/// lose the line breaks that only the source needs.
fn tidy(schema: &mut Schema) {
    schemars::transform::transform_subschemas(&mut tidy, schema);
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else { return };
    let before = choices.len();
    choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
    if choices.len() < before && choices.len() == 1 {
        let only = choices.remove(0);
        object.remove("anyOf");
        if let Value::Object(only) = only {
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
}

/// Follows `$ref` to the definition it names.
pub(super) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    // A chain of references is short; the bound only keeps a loop from turning for ever.
    for _ in 0..8 {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

/// The alternatives of `anyOf` or `oneOf`.
pub(super) fn choices(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
}

/// The values of a setting that takes one of a few words: `enum`, or `oneOf` nothing but `const`.
pub(super) fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(Value::as_str).collect();
    }
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![word]);
    }
    let nested: Option<Vec<Vec<&str>>> = choices(schema)?.iter().map(words).collect();
    nested.map(|nested| nested.concat())
}

/// The kinds of value that a schema takes, in the words of JSON Schema.
pub(super) fn kinds<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a str> {
    let schema = resolve(root, schema);
    match schema.get("type") {
        Some(Value::String(kind)) => return vec![kind],
        Some(Value::Array(kinds)) => return kinds.iter().filter_map(Value::as_str).collect(),
        _ => {}
    }
    if words(schema).is_some() {
        return vec!["string"];
    }
    let mut kinds: Vec<&str> = choices(schema).into_iter().flatten().flat_map(|choice| kinds(root, choice)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
