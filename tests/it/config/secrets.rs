//! Secrets: named in the file, fetched from elsewhere, shown nowhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use taskbridge::config::{FileText, Loaded, Reader, load};

const GOOD: &str = "a-secret-that-is-long-enough";
const RULE: &str = "rules: [{ name: a, on: { label: x }, prompt: p }]\n";

fn run(config: &str, env: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Loaded, String> {
    let config = format!("{config}{RULE}");
    let files: Vec<(&str, &str)> = [("etc/t.yaml", config.as_str())].into_iter().chain(files.iter().copied()).collect();
    load(Path::new("etc/t.yaml"), &Reader::fixed(env, &files)).map_err(|faults| faults.to_string())
}

fn source(secrets: &str) -> String {
    format!("sources:\n  hub:\n    type: github\n    secrets: {secrets}\n")
}

#[test]
fn secrets_come_from_the_environment_or_from_files_beside_the_configuration() {
    let text = source("[ \"${HOOK}\", { file: keys/hook } ]");
    let loaded = run(&text, &[("HOOK", GOOD)], &[("etc/keys/hook", "another-long-secret-text\r\n")]).expect("good");
    let secrets: Vec<&str> = loaded.config.sources["hub"].secrets().iter().map(|s| s.value().expose()).collect();
    assert_eq!(secrets, [GOOD, "another-long-secret-text"]);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn a_literal_secret_is_refused_and_never_repeated() {
    for literal in ["hunter2-hunter2-hunter2", "\"x${HOOK}\"", "1234567890123456789", "\"${HOOK} \"", "\"${}\"", "true"]
    {
        let fault = run(&source(literal), &[("HOOK", GOOD)], &[]).expect_err(literal);
        assert!(fault.starts_with("etc/t.yaml:4:14: sources.hub.secrets: "), "{fault}");
        assert!(!fault.contains("hunter2") && !fault.contains("12345678"), "{fault}");
    }
    let fault = run(&source("hunter2"), &[], &[]).expect_err("literal");
    assert!(fault.contains("say where it is, as `${NAME}` or `{file: path}`"), "{fault}");
}

#[test]
fn both_ways_at_once_and_other_keys_are_refused() {
    let fault = run(&source("{ file: a, env: B }"), &[], &[]).expect_err("two ways");
    assert!(fault.contains("unknown key `env`"), "{fault}");
    let fault = run(&source("[]"), &[], &[]).expect_err("no secret");
    assert!(fault.contains("the list is empty"), "{fault}");
}

/// Case 20.
#[test]
fn what_is_missing_or_empty_is_refused_and_what_is_short_warned_about() {
    let fault = run(&source("${HOOK}"), &[], &[]).expect_err("unset");
    assert_eq!(fault, "etc/t.yaml:4:14: sources.hub.secrets: `HOOK` is not set in the environment");
    let fault = run(&source("{ file: nowhere }"), &[], &[]).expect_err("no file");
    assert!(fault.contains("the secret in `nowhere`: there is no such file"), "{fault}");
    for empty in ["", "  \n"] {
        let fault = run(&source("${HOOK}"), &[("HOOK", empty)], &[]).expect_err("empty");
        assert!(fault.ends_with("the secret is empty"), "{fault}");
    }
    let loaded = run(&source("${HOOK}"), &[("HOOK", "fifteen-bytes-x")], &[]).expect("short is allowed");
    assert!(loaded.warnings.len() == 1 && loaded.warnings[0].message.contains("shorter than 16 bytes"));
}

/// Case 78.
#[test]
fn a_secret_file_that_everyone_can_read_is_warned_about() {
    let config = format!("{}{RULE}", source("{ file: hook }"));
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        let file = |text: &str, mode| FileText { bytes: text.as_bytes().to_vec(), mode: Some(mode) };
        let files: BTreeMap<PathBuf, FileText> =
            [("t.yaml".into(), file(&config, 0o644)), ("hook".into(), file(GOOD, mode))].into();
        let loaded = load(Path::new("t.yaml"), &Reader::of(BTreeMap::new(), files)).expect("good");
        assert_eq!(loaded.warnings.iter().any(|warning| warning.message.contains("can read")), warned, "{mode:o}");
    }
}

#[test]
fn a_database_address_of_another_kind_is_refused_without_showing_it() {
    let text = format!("database: {{ url: \"${{URL}}\" }}\n{}", source("${HOOK}"));
    let fault = run(&text, &[("HOOK", GOOD), ("URL", "mysql://me:pass@db/x")], &[]).expect_err("mysql");
    assert_eq!(fault, "etc/t.yaml:1:18: database.url: the address must start with `postgres://`");
}

#[test]
fn no_secret_is_shown_by_debug_json_or_rules() {
    let text = format!("database: {{ url: \"${{URL}}\" }}\nvault: {{ keys: {{ file: key }} }}\n{}", source("${HOOK}"));
    let env = [("HOOK", "canary-hook-canary-hook"), ("URL", "postgres://u:canary-url@db/x")];
    let loaded = run(&text, &env, &[("etc/key", "canary-key-canary-key")]).expect("good");
    let json = serde_json::to_string(&loaded.config).expect("serialises");
    for shown in [format!("{loaded:?}"), json.clone(), loaded.rules.source_json.to_string()] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    assert!(json.contains("\"${HOOK}\"") && json.contains("{\"file\":\"key\"}"), "{json}");
}
