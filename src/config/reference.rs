//! `docs/configuration.md`, made from the schema, so that it cannot say something else than the
//! loader does. Only the lead-in is written by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::schema::{choices, kinds, resolve, schema, words};

/// Written by hand: what no table can say.
const LEAD_IN: &str = include_str!("reference_lead_in.md");

/// Where the schema tells what a secret is.
const SECRET: &str = "#/$defs/Secret";

/// The configuration reference as Markdown.
#[must_use]
pub fn reference() -> String {
    let root = schema();
    let mut out = LEAD_IN.to_owned();
    let none = Map::new();
    let sections = root.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let mut sections: Vec<(&String, &Value)> = sections.iter().collect();
    sections.sort_by_key(|(key, _)| *key);
    let (tables, plain): (Vec<_>, Vec<_>) = sections.into_iter().partition(|(key, section)| {
        matches!(key.as_str(), "rules" | "outgoing") || kinds(&root, section) == ["object"]
    });

    out.push_str("\n## At the top\n\n");
    let mut table = Table { root: &root, out: &mut out, told: BTreeMap::new() };
    table.head();
    for (key, section) in plain {
        table.row(key, section, false, None, "");
    }
    for (key, section) in tables {
        let text = description(section);
        let _ = write!(out, "\n## {key}\n\n{text}\n\n");
        let mut table = Table { root: &root, out: &mut out, told: BTreeMap::new() };
        table.head();
        table.below("", section.get("items").unwrap_or(section));
    }
    out
}

struct Table<'a> {
    root: &'a Value,
    out: &'a mut String,
    /// The definitions that have been told in full, and under which key.
    told: BTreeMap<String, String>,
}

impl Table<'_> {
    fn head(&mut self) {
        self.out.push_str("| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    }

    /// The rows of what stands below a mapping; the word that tells it from its alternatives first, then required keys.
    fn below(&mut self, prefix: &str, schema: &Value) {
        let schema = resolve(self.root, schema);
        for choice in choices(schema).into_iter().flatten() {
            self.below(prefix, choice);
        }
        if let Some(each @ Value::Object(_)) = schema.get("additionalProperties") {
            self.below(&format!("{prefix}<name>."), each);
        }
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut keys: Vec<(&String, &Value)> = properties.iter().collect();
        keys.sort_by_key(|(key, property)| (property.get("const").is_none(), !required.contains(&key.as_str()), *key));
        for (key, property) in keys {
            let needed = required.contains(&key.as_str());
            let key = format!("{prefix}{key}");
            let definition = property.get("$ref").and_then(Value::as_str).unwrap_or_default();
            let told = self.told.get(definition).cloned();
            // The `type` that tells alternatives apart has no words of its own.
            let fallback = if property.get("const").is_some() { description(schema) } else { "" };
            self.row(&key, property, needed, told.as_deref(), fallback);
            if told.is_none() && !is_secret(self.root, property) {
                if !definition.is_empty() {
                    self.told.insert(definition.to_owned(), key.clone());
                }
                self.below(&format!("{key}."), property);
            }
        }
    }

    fn row(&mut self, key: &str, property: &Value, required: bool, told: Option<&str>, fallback: &str) {
        let resolved = resolve(self.root, property);
        let default = match property.get("default") {
            _ if required => "*required*".to_owned(),
            Some(Value::String(text)) if text.is_empty() => String::new(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => format!("`{value}`"),
            Some(Value::Object(map)) if !is_told_below(map, resolved) => format!("`{}`", flow(map)),
            _ => String::new(),
        };
        let texts = [description(property), description(resolved), fallback];
        let mut meaning = texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned();
        for choice in choices(resolved).into_iter().flatten() {
            if let (Some(word), text) = (choice.get("const").and_then(Value::as_str), description(choice)) {
                let _ = write!(meaning, " `{word}`: {text}");
            }
        }
        if let (Some(first), true) = (told, resolved.get("properties").is_some()) {
            let _ = write!(meaning, " Its keys are those of `{first}`.");
        }
        let kind = self.kind(property);
        let cells = [format!("`{key}`"), kind, default, meaning].map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(self.out, "| {} |", cells.join(" | "));
    }

    fn kind(&self, schema: &Value) -> String {
        if schema.get("$ref").is_some_and(|name| name == SECRET) {
            return "secret".to_owned();
        }
        let schema = resolve(self.root, schema);
        if let Some(words) = words(schema) {
            return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        }
        if let Some(choices) = choices(schema) {
            let one_or_many = |choice: &&Value| choice.get("type").is_some_and(|kind| kind == "array");
            return match choices.iter().position(|choice| one_or_many(&choice)) {
                Some(_) => format!("{}, or a list of them", self.kind(&choices[0])),
                None => choices.iter().map(|choice| self.kind(choice)).collect::<Vec<_>>().join(" or "),
            };
        }
        let kind = kinds(self.root, schema).first().copied().unwrap_or_default();
        match (kind, schema.get("format").and_then(Value::as_str)) {
            ("string", Some(format)) => format.to_owned(),
            ("string", None) => "text".to_owned(),
            ("integer", _) => format!("whole number{}", range(schema)),
            ("boolean", _) if schema.get("const").is_some() => format!("`{}`", schema["const"]),
            ("boolean", _) => "`true`, `false`".to_owned(),
            ("array", _) => format!("list of {}", schema.get("items").map_or_else(String::new, |each| self.kind(each))),
            (kind, _) => kind.replace("object", "mapping"),
        }
    }
}

fn range(schema: &Value) -> String {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        _ => String::new(),
    }
}

/// Whether this is a secret or a list of them: the reference tells once, at its top, how to write one.
fn is_secret(root: &Value, schema: &Value) -> bool {
    let is = |schema: &Value| schema.get("$ref").is_some_and(|name| name == SECRET);
    is(schema) || choices(resolve(root, schema)).is_some_and(|all| all.iter().any(is))
}

/// Whether the rows below a mapping show its default already, key by key.
fn is_told_below(default: &Map<String, Value>, schema: &Value) -> bool {
    default.iter().all(|(key, value)| {
        schema.get("properties").and_then(|below| below.get(key)).and_then(|below| below.get("default")) == Some(value)
    })
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// A mapping the way YAML writes it on one line.
fn flow(map: &Map<String, Value>) -> String {
    let each = map.iter().map(|(key, value)| match value {
        Value::Object(map) => format!("{key}: {}", flow(map)),
        Value::String(text) => format!("{key}: {text}"),
        other => format!("{key}: {other}"),
    });
    format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
}
