//! What is made from the structs, and the example that users start from.

use std::path::Path;

use serde_json::Value;
use taskbridge::config::{Reader, load, reference, schema};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_reference_in_the_repository_is_the_one_the_schema_makes() {
    let committed = std::fs::read_to_string(repository().join("docs/configuration.md")).unwrap_or_default();
    assert!(
        committed == reference(),
        "docs/configuration.md is not what the structs say; make it anew: taskbridge schema --markdown > docs/configuration.md"
    );
}

#[test]
fn the_example_loads_without_a_warning_and_has_a_rule_of_each_kind() {
    let text = std::fs::read_to_string(repository().join("examples/taskbridge.yaml")).expect("the example exists");
    let reader = Reader::fixed(&[("GITHUB_WEBHOOK_SECRET", super::HOOK_SECRET)], &[("taskbridge.yaml", &text)]);
    let loaded = load(Path::new("taskbridge.yaml"), &reader).expect("the example is good");
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let found =
        |event, name, label, command| !loaded.rules.candidates("github", event, name, label, command).is_empty();
    assert!(found("issues.labeled", "issues", Some("Copilot-Fix"), None));
    assert!(found("issue_comment.created", "issue_comment", None, Some("tests please")));
    assert!(found("workflow_run.completed", "workflow_run", None, None));
}

#[test]
fn the_yaml_shown_in_the_reference_loads() {
    let text = reference();
    let blocks: Vec<&str> = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 4);
    let env = ["GITHUB_WEBHOOK_SECRET", "DATABASE_URL", "OLD_KEY", "HOOK_SECRET", "OLD_HOOK_SECRET"];
    let env = env.map(|name| (name, "postgres://a-long-enough-secret"));
    let rules = "rules: [{ name: b, on: { label: b }, prompt: p }]\n";
    for block in blocks {
        let files = [
            ("t.yaml", block),
            ("keys/2026.key", "a-long-enough-secret"),
            ("rules/common.yaml", rules),
            ("rules/teams/a.yaml", "rules: []\n"),
        ];
        if let Err(faults) = load(Path::new("t.yaml"), &Reader::fixed(&env, &files)) {
            panic!("{block}\n{faults}");
        }
    }
}

#[test]
fn every_key_of_the_schema_is_explained_and_nothing_is_left_open() {
    fn walk(value: &Value, path: &str, silent: &mut Vec<String>) {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            if value.get("additionalProperties") != Some(&Value::Bool(false)) {
                silent.push(format!("{path} takes unknown keys"));
            }
            for (key, property) in properties {
                let explained = property.get("description").is_some() || property.get("const").is_some();
                if !explained {
                    silent.push(format!("{path}.{key} has no description"));
                }
            }
        }
        match value {
            Value::Object(map) => map.iter().for_each(|(key, below)| walk(below, &format!("{path}/{key}"), silent)),
            Value::Array(items) => items.iter().for_each(|below| walk(below, path, silent)),
            _ => {}
        }
    }
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], "taskbridge configuration");
    let mut silent = Vec::new();
    walk(&schema, "", &mut silent);
    assert!(silent.is_empty(), "{silent:#?}");
}
