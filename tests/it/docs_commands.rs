//! Every `taskbridge …` that a page shows is a command that exists, with options that exist.

use std::collections::BTreeMap;
use std::process::Command;

use crate::docs_pages::{code, pages};

/// The binary's own help, asked for once a command.
#[derive(Default)]
struct Helps(BTreeMap<String, Option<String>>);

impl Helps {
    fn of(&mut self, command: &[&str]) -> Option<&str> {
        let ask = || {
            let mut binary = Command::new(env!("CARGO_BIN_EXE_taskbridge"));
            let output = binary.args(command).arg("--help").output().unwrap();
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        };
        self.0.entry(command.join(" ")).or_insert_with(ask).as_deref()
    }

    fn has_commands_below(&mut self, command: &[&str]) -> bool {
        self.of(command).is_some_and(|help| help.contains("\nCommands:\n"))
    }
}

/// What stands after the name of the program, if it is called with a command there.
fn calls(code: &str) -> Vec<Vec<&str>> {
    let words: Vec<&str> = code.split_whitespace().collect();
    let starts = words.iter().enumerate().filter_map(|(at, word)| {
        let program = word.rsplit(['/', '=']).next() == Some("taskbridge");
        let through_cargo = *word == "--" && at >= 2 && words[at - 1] == "run" && words[at - 2] == "cargo";
        (program || through_cargo).then_some(at + 1)
    });
    let is_command = |word: &&str| *word != "taskbridge" && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    starts
        .filter(|&at| words.get(at).filter(|word| !word.starts_with('-')).is_some_and(is_command))
        .map(|at| {
            words[at..].iter().copied().take_while(|word| !["|", ">", "<", "&&", ";", "#"].contains(word)).collect()
        })
        .collect()
}

#[test]
fn every_command_that_a_page_shows_exists() {
    let mut helps = Helps::default();
    let mut wrong = Vec::new();
    let mut tried = 0;
    for page in pages() {
        for code in code(&page.text) {
            for call in calls(&code) {
                tried += 1;
                let mut depth = 1;
                while helps.has_commands_below(&call[..depth]) && depth < call.len() {
                    depth += 1;
                }
                let known = helps.of(&call[..depth]);
                let unknown_option = |help: &str| {
                    let options = call.iter().filter(|word| word.starts_with("--"));
                    options.map(|word| word.split('=').next().unwrap_or(word)).find(|option| !help.contains(option))
                };
                match known {
                    None => wrong.push(format!("{}: `{code}`: no such command", page.path.display())),
                    Some(help) => wrong.extend(
                        unknown_option(help)
                            .map(|option| format!("{}: `{code}`: no option {option}", page.path.display())),
                    ),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 20, "{tried}");
}

#[test]
fn the_check_itself_sees_commands_where_they_stand() {
    assert_eq!(calls("taskbridge check --config a.yaml"), [["check", "--config", "a.yaml"]]);
    assert_eq!(calls("ExecStart=/usr/local/bin/taskbridge serve --log json"), [["serve", "--log", "json"]]);
    assert_eq!(calls("docker compose exec taskbridge taskbridge check"), [["check"]]);
    assert_eq!(calls("cargo run -- demo"), [["demo"]]);
    assert_eq!(calls("taskbridge schema --markdown > docs/configuration.md"), [["schema", "--markdown"]]);
    assert!(calls("pg_dump -U taskbridge taskbridge > taskbridge.sql").is_empty());
    assert!(Helps::default().of(&["no-such-command"]).is_none());
}
