//! Walks a file along the schema and collects every fault with its place. It knows the part of JSON
//! Schema that our structs make: types, properties, lists, words, alternatives, bounds and formats.

use serde_json::Value;

use super::fault::Fault;
use super::findings::Findings;
use super::node::{Document, Entry, Kind, Node};
use super::place::Path;
use super::schema::{choices, kinds, resolve, words};
use super::{form, suggest};

/// Checks `node`, which stands at `path`, against `schema`, whose references are found in `root`.
pub(super) fn check(root: &Value, schema: &Value, document: &Document, node: &Node, path: &Path, found: &mut Findings) {
    Walk { root, document, found }.value(schema, node, path);
}

struct Walk<'a> {
    root: &'a Value,
    document: &'a Document,
    found: &'a mut Findings,
}

impl<'a> Walk<'a> {
    fn value(&mut self, schema: &'a Value, node: &Node, path: &Path) {
        let schema = resolve(self.root, schema);
        let wanted = kinds(self.root, schema);
        if !wanted.is_empty() && !wanted.iter().any(|kind| is_kind(node, kind)) {
            return self.wrong_kind(schema, &wanted, node, path);
        }
        if let Some(words) = words(schema) {
            return self.word(&words, node, path);
        }
        if let Some(choices) = choices(schema) {
            if let Some(choice) = self.choice(choices, node, path) {
                self.value(choice, node, path);
            }
            return;
        }
        match &node.kind {
            Kind::Map(entries) => self.map(schema, node, entries, path),
            Kind::List(items) => {
                if items.is_empty() && schema.get("minItems").is_some() {
                    self.fault(node, path, "the list is empty".to_owned());
                }
                for (nth, item) in items.iter().enumerate() {
                    if let Some(each) = schema.get("items") {
                        self.value(each, item, &path.index(nth));
                    }
                }
            }
            Kind::Text(text) => self.text(schema, text, node, path),
            Kind::Number(number, _) => self.number(schema, number, node, path),
            Kind::Null | Kind::Bool(_) => {}
        }
    }

    fn text(&mut self, schema: &Value, text: &str, node: &Node, path: &Path) {
        if text.is_empty() && schema.get("minLength").is_some() {
            self.fault(node, path, "must not be empty".to_owned());
        }
        let form = schema.get("format").and_then(Value::as_str).and_then(form::reader);
        if let Some(Err(message)) = form.map(|read| read(text)) {
            self.fault(node, path, message);
        }
    }

    fn number(&mut self, schema: &Value, number: &serde_json::Number, node: &Node, path: &Path) {
        let value = number.as_f64().unwrap_or(f64::NAN);
        let bound = |key: &str| schema.get(key).filter(|bound| bound.is_number());
        if let Some(least) = bound("minimum").filter(|least| least.as_f64().is_some_and(|least| value < least)) {
            self.fault(node, path, format!("must be at least {least}"));
        }
        if let Some(most) = bound("maximum").filter(|most| most.as_f64().is_some_and(|most| value > most)) {
            self.fault(node, path, format!("must be at most {most}"));
        }
    }

    fn word(&mut self, words: &[&str], node: &Node, path: &Path) {
        let Some(text) = node.text().filter(|text| !words.contains(text)) else { return };
        let message = format!("`{}` is not one of {}", suggest::short(text), suggest::list(words));
        let fault = self.document.fault_at(node.at, path, message);
        self.push(fault, suggest::nearest(text, words.iter().copied()).map(|word| format!("did you mean `{word}`?")));
    }

    /// The alternative that this value is meant to be: by its kind, and mappings by their `type`.
    fn choice(&mut self, choices: &'a [Value], node: &Node, path: &Path) -> Option<&'a Value> {
        let root = self.root;
        let fits: Vec<&Value> =
            choices.iter().filter(|choice| kinds(root, choice).iter().any(|kind| is_kind(node, kind))).collect();
        let tag = |choice: &&'a Value| resolve(root, choice).pointer("/properties/type/const").and_then(Value::as_str);
        let tags: Vec<&str> = fits.iter().filter_map(tag).collect();
        if tags.is_empty() {
            return fits.first().copied();
        }
        let Some(entry) = node.entry("type") else {
            let message = format!("`type` is missing: one of {}", suggest::list(&tags));
            self.fault(node, path, message);
            return None;
        };
        let chosen = entry.value.text().and_then(|text| fits.iter().find(|choice| tag(choice) == Some(text)));
        if chosen.is_none() {
            let path = path.key("type");
            match entry.value.kind {
                Kind::Text(_) => self.word(&tags, &entry.value, &path),
                _ => self.fault(&entry.value, &path, format!("wanted one of {}", suggest::list(&tags))),
            }
        }
        chosen.copied()
    }

    fn map(&mut self, schema: &'a Value, node: &Node, entries: &[Entry], path: &Path) {
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for entry in entries {
            let below = path.key(&entry.key);
            match (known.and_then(|known| known.get(&entry.key)), others) {
                (Some(schema), _) => self.value(schema, &entry.value, &below),
                (None, Some(Value::Object(_))) => {
                    self.value(others.unwrap_or(&Value::Null), &entry.value, &below);
                }
                (None, Some(Value::Bool(false))) => {
                    let fault = self.document.fault_at(
                        entry.key_at,
                        &below,
                        format!("unknown key `{}`", suggest::short(&entry.key)),
                    );
                    let hint = known.map(|known| self.key_hint(known, &entry.key));
                    self.push(fault, hint);
                }
                (None, _) => {}
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for key in required.filter_map(Value::as_str).filter(|key| node.entry(key).is_none()) {
            self.fault(node, path, format!("`{key}` is missing"));
        }
    }

    /// What an unknown key may have been meant to be: a near one here, or this one a level down.
    fn key_hint(&self, known: &'a serde_json::Map<String, Value>, key: &str) -> String {
        if let Some(near) = suggest::nearest(key, known.keys().map(String::as_str)) {
            return format!("did you mean `{near}`?");
        }
        let below = known.iter().find(|(_, schema)| {
            resolve(self.root, schema).pointer("/properties").and_then(|below| below.get(key)).is_some()
        });
        match below {
            Some((parent, _)) => format!("it belongs under `{parent}`"),
            None => {
                let keys: Vec<&str> = known.keys().map(String::as_str).collect();
                format!("known here: {}", suggest::list(&keys))
            }
        }
    }

    fn wrong_kind(&mut self, schema: &'a Value, wanted: &[&str], node: &Node, path: &Path) {
        let mut message = format!("wanted {}, found {}", self.in_words(schema, wanted), found_kind(node));
        let mut hint = None;
        match &node.kind {
            Kind::Null => hint = Some("give it a value, or remove the key".to_owned()),
            Kind::Number(_, raw) if wanted.contains(&"string") => match self.reads(schema, raw) {
                // The form's own sentence says best what is wanted (and never repeats a secret).
                Some(Err(wanted)) => message = wanted,
                Some(Ok(())) => hint = Some(format!("write it in quotes: \"{}\"", suggest::short(raw))),
                None => {}
            },
            Kind::Bool(value) if self.reads(schema, &value.to_string()) == Some(Ok(())) => {
                hint = Some(format!("write it in quotes: \"{value}\""));
            }
            _ => {}
        }
        let fault = self.document.fault_at(node.at, path, message);
        self.push(fault, hint);
    }

    /// What a text would be to this schema: good, bad with the reason, or `None` where it takes none of it.
    fn reads(&self, schema: &'a Value, text: &str) -> Option<Result<(), String>> {
        let schema = resolve(self.root, schema);
        if let Some(words) = words(schema) {
            return words.contains(&text).then_some(Ok(()));
        }
        if let Some(choices) = choices(schema) {
            return choices.iter().find_map(|choice| self.reads(choice, text));
        }
        if schema.get("type").and_then(Value::as_str) != Some("string") {
            return None;
        }
        let form = schema.get("format").and_then(Value::as_str).and_then(form::reader);
        Some(form.map_or(Ok(()), |read| read(text)))
    }

    fn in_words(&self, schema: &Value, wanted: &[&str]) -> String {
        let schema = resolve(self.root, schema);
        if let Some(words) = words(schema) {
            return format!("one of {}", suggest::list(&words));
        }
        match choices(schema) {
            Some(choices) => {
                let each = choices.iter().map(|choice| self.in_words(choice, &kinds(self.root, choice)));
                each.collect::<Vec<_>>().join(" or ")
            }
            None => wanted.iter().map(|kind| kind_in_words(kind)).collect::<Vec<_>>().join(" or "),
        }
    }

    fn fault(&mut self, node: &Node, path: &Path, message: String) {
        self.found.faults.push(self.document.fault_at(node.at, path, message));
    }

    fn push(&mut self, fault: Fault, hint: Option<String>) {
        self.found.faults.push(Fault { hint, ..fault });
    }
}

fn is_kind(node: &Node, kind: &str) -> bool {
    match &node.kind {
        Kind::Null => kind == "null",
        Kind::Bool(_) => kind == "boolean",
        Kind::Number(number, _) => kind == "number" || (kind == "integer" && !number.is_f64()),
        Kind::Text(_) => kind == "string",
        Kind::List(_) => kind == "array",
        Kind::Map(_) => kind == "object",
    }
}

fn kind_in_words(kind: &str) -> &str {
    match kind {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    }
}

fn found_kind(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Null => "nothing",
        Kind::Bool(true) => "true",
        Kind::Bool(false) => "false",
        Kind::Number(number, _) if number.is_f64() => "a number with a point",
        Kind::Number(..) => "a number",
        Kind::Text(_) => "a text",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a mapping",
    }
}
