//! The OpenAPI document says what the router does.

use axum::http::{Method, StatusCode};
use serde_json::Value;
use taskbridge::http::api::openapi;
use taskbridge::store::api_keys::Scope;

use crate::api_kit::Caller;
use crate::support::world::{LABEL_RULE, World};

fn document() -> Value {
    serde_json::to_value(openapi()).unwrap()
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    all.collect()
}

#[test]
fn the_list_of_operations() {
    let mut lines = String::new();
    for (method, path, operation) in operations(&document()) {
        let names = |array: &Value| -> Vec<String> {
            let items = array.as_array().into_iter().flatten();
            items.map(|item| item["name"].as_str().unwrap_or_default().to_owned()).collect()
        };
        let statuses: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
        let scope = &operation["security"][0]["key"][0];
        let (name, parameters) = (&operation["operationId"], names(&operation["parameters"]).join(" "));
        lines += &format!("{method} {path} {name} {scope} ({parameters}) {statuses:?}\n");
    }
    insta::assert_snapshot!(lines);
}

#[test]
fn every_reference_resolves_and_every_operation_and_field_is_told_in_words() {
    let document = document();
    fn walk(document: &Value, value: &Value, found: &mut usize) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(reference)) = map.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                    *found += 1;
                }
                map.values().for_each(|value| walk(document, value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(document, value, found)),
            _ => {}
        }
    }
    let mut found = 0;
    walk(&document, &document, &mut found);
    assert!(found > 50, "{found}");
    for (method, path, operation) in operations(&document) {
        assert!(operation["summary"].is_string(), "{method} {path}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, told) in schema["properties"].as_object().into_iter().flatten() {
            let words = &told["description"];
            assert!(words.is_string() || told["oneOf"][0]["description"].is_string(), "{name}.{field}: {told}");
        }
    }
}

/// The methods that the router takes at each described address are those that are described, and no other
/// address below `/api/` exists in the code.
/// Case 70.
#[tokio::test]
async fn the_router_takes_what_is_described() {
    let world = World::new(LABEL_RULE).await;
    let admin = Caller::new(&world, "root", Scope::Admin).await;
    let operations = operations(&document());
    let mut paths: Vec<&String> = operations.iter().map(|(_, path, _)| path).collect();
    paths.dedup();
    for path in paths {
        let concrete = path.replace("{id}", "0199d1c8-8f6e-7cc1-9bb2-3f4a5b6c7d8e");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let described = operations.iter().any(|(m, p, _)| m == method.as_str() && p == path);
            let answer = admin.call(method.clone(), &concrete, None).await;
            assert_eq!(answer.status != StatusCode::METHOD_NOT_ALLOWED, described, "{method} {path}");
            assert_ne!(answer.body["type"], "urn:taskbridge:problem:no-route", "{method} {path}");
        }
    }
}
