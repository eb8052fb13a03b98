//! What a reload cannot put in force is named, and nothing else.

use std::path::Path;

use taskbridge::config::{Config, Reader, load, needs_restart};

const ENV: [(&str, &str); 2] =
    [("HOOK", "a-secret-that-is-long-enough"), ("BOARD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
const BEFORE: &str = "sources: { hub: { type: github, secrets: \"${HOOK}\" } }
vault: { keys: { file: key } }
rules: [{ name: a, on: { label: x }, prompt: p }]\n";
const KEY: &str = "0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d";

fn read(text: &str, key: &str) -> Config {
    let files = [("etc/t.yaml", text), ("etc/key", key)];
    load(Path::new("etc/t.yaml"), &Reader::fixed(&ENV, &files)).unwrap_or_else(|faults| panic!("{faults}")).config
}

#[test]
fn each_section_that_takes_effect_with_the_next_start_is_named_when_it_changes() {
    let before = read(BEFORE, KEY);
    assert!(needs_restart(&before, &read(BEFORE, KEY)).is_empty());
    let changes = [
        ("data_dir", "data_dir: elsewhere"),
        ("server", "server: { body_timeout: 14s }"),
        ("database", "database: { worker_connections: 9 }"),
        ("github", "github: { timeout: 19s }"),
        ("tasks", "tasks: { uncertain_grace: 11m }"),
        ("sweep", "sweep: { overlap: 6m }"),
        ("retention", "retention: { bodies: 8d }"),
        ("limits", "limits: { per_person: { live: 7 } }"),
    ];
    let mut all = String::from(BEFORE);
    for (name, change) in changes {
        assert_eq!(needs_restart(&before, &read(&format!("{change}\n{BEFORE}"), KEY)), [name]);
        all = format!("{change}\n{all}");
    }
    let named = needs_restart(&before, &read(&all, KEY));
    assert_eq!(named, changes.map(|(name, _)| name));
}

#[test]
fn another_secret_behind_the_same_name_is_a_change_and_what_a_reload_swaps_is_none() {
    let before = read(BEFORE, KEY);
    assert_eq!(needs_restart(&before, &read(BEFORE, &KEY.replace("0d", "0e"))), ["vault"]);
    let swapped = format!(
        "{}outgoing: [{{ name: board, url: \"https://board.example/hook\", secrets: \"${{BOARD}}\" }}]\n",
        BEFORE.replace("hub:", "other:").replace("label: x", "label: y")
    );
    assert!(needs_restart(&before, &read(&swapped, KEY)).is_empty());
}
