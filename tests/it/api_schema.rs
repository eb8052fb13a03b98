//! As much of JSON Schema as the description of the admin API uses, to hold what is sent and what is answered against.

use serde_json::Value;

/// Follows references.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolved(document, document.pointer(&reference[1..]).expect("a reference leads somewhere")),
        None => schema,
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("a type that is not known: {name}"),
    }
}

/// Which properties an object of this schema may have; `None` is any.
fn known<'a>(document: &'a Value, schema: &'a Value) -> Option<Vec<&'a str>> {
    let schema = resolved(document, schema);
    if schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false)) {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        names.extend(known(document, part)?);
    }
    names.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()));
    (!names.is_empty()).then_some(names)
}

/// Whether `value` is what `schema` says; an object has no property that is not described.
pub(crate) fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    shape(document, schema, value)?;
    if let (Some(known), Some(object)) = (known(document, schema), value.as_object())
        && let Some(strange) = object.keys().find(|name| !known.contains(&name.as_str()))
    {
        return Err(format!("`{strange}` is not described"));
    }
    Ok(())
}

fn shape(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolved(document, schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        shape(document, part, value)?;
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        let fitting = ways.iter().filter(|way| fits(document, way, value).is_ok()).count();
        if fitting != 1 {
            return Err(format!("{fitting} of the ways fit {value}"));
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_of_type(value, name)) {
        return Err(format!("{value} is not of type {types:?}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Err(format!("{value} is none of the words"));
    }
    if let Some(text) = value.as_str() {
        string(schema, text)?;
    }
    if let Some(number) = value.as_i64() {
        let (least, most) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            return Err(format!("{number} is out of bounds"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        if let Some(of) = schema.get("items") {
            fits(document, of, item)?;
        }
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                return Err(format!("`{name}` is missing"));
            }
        }
        for (name, of) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(inner) = object.get(name) {
                fits(document, of, inner).map_err(|why| format!("{name}: {why}"))?;
            }
        }
    }
    Ok(())
}

fn string(schema: &Value, text: &str) -> Result<(), String> {
    if schema["maxLength"].as_u64().is_some_and(|most| text.chars().count() as u64 > most) {
        return Err("too long".to_owned());
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && !regex::Regex::new(pattern).unwrap().is_match(text)
    {
        return Err(format!("{text:?} does not look like {pattern}"));
    }
    let right = match schema["format"].as_str() {
        Some("uuid") => uuid::Uuid::try_parse(text).is_ok(),
        Some("date-time") => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        _ => true,
    };
    if right { Ok(()) } else { Err(format!("{text:?} is no {}", schema["format"])) }
}

/// What a text in a path or query stands for.
pub(crate) fn said(document: &Value, schema: &Value, text: &str) -> Value {
    let numeric = resolved(document, schema)["type"] == "integer";
    match text.parse::<i64>() {
        Ok(number) if numeric => Value::from(number),
        _ => Value::from(text),
    }
}

#[test]
fn the_check_itself_sees_what_does_not_fit() {
    let document = serde_json::json!({ "x": { "type": "object", "required": ["a"],
        "properties": { "a": { "type": ["integer", "null"], "maximum": 5 }, "b": { "type": "string", "pattern": "^b" } } } });
    let schema = serde_json::json!({ "$ref": "#/x" });
    let tried = |value: Value| fits(&document, &schema, &value);
    tried(serde_json::json!({ "a": 5, "b": "b1" })).unwrap();
    tried(serde_json::json!({ "a": null })).unwrap();
    for wrong in [r#"{}"#, r#"{"a":6}"#, r#"{"a":"5"}"#, r#"{"a":1,"b":"a"}"#, r#"{"a":1,"c":1}"#, "[]"] {
        assert!(tried(serde_json::from_str(wrong).unwrap()).is_err(), "{wrong}");
    }
}
