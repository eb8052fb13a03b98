//! The help of every command, as a person reads it.

use crate::support::program::Folder;

#[test]
fn every_command_has_a_help_that_is_looked_at() {
    let folder = Folder::new();
    let commands: &[&[&str]] = &[
        &[],
        &["serve"],
        &["demo"],
        &["check"],
        &["explain"],
        &["people"],
        &["people", "add"],
        &["people", "list"],
        &["people", "remove"],
        &["people", "consent"],
        &["api-keys"],
        &["api-keys", "create"],
        &["api-keys", "list"],
        &["api-keys", "revoke"],
        &["keys"],
        &["keys", "generate"],
        &["keys", "reseal"],
        &["pause"],
        &["resume"],
        &["sandbox"],
        &["health"],
        &["openapi"],
        &["schema"],
        &["manifest"],
        &["manifest", "github"],
        &["manifest", "slack"],
        &["manifest", "discord"],
    ];
    let mut all = String::new();
    for command in commands {
        let mut args = command.to_vec();
        args.push("--help");
        let ended = folder.run(&args, &[]);
        assert_eq!(ended.code, Some(0));
        all.push_str(&format!("$ taskbridge {}\n{}\n", args.join(" "), ended.text.trim_end()));
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_wrong_option_is_told_with_status_2() {
    let folder = Folder::new();
    folder.run(&["serv"], &[]).is(2, &["serve"]);
    folder.run(&["pause"], &[]).is(2, &["--reason"]);
    folder.run(&["api-keys", "create", "x", "--scope", "all"], &[]).is(2, &["read", "operate", "admin"]);
}
