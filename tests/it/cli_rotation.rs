//! What an operator changes with the commands beside the service: the sealing key, the people, the version of
//! GitHub's API; shown by the real binary on a database of its own.

use std::time::Duration;

use crate::cli_serve::{now, send};
use crate::github_kit::{Mock, reply};
use crate::support::postgres::TestDatabase;
use crate::support::program::{Folder, Program};
use crate::support::world::{HOOK_SECRET, labelled};

const A: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
const B: &str = "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2";
const TOKEN: &str = "sandbox-mona-token\n";

fn configuration(github: &str, keys: &str) -> String {
    format!(
        "vault: {{ keys: [{keys}] }}
github: {{ api_url: \"{github}\", web_url: \"{github}\", write_spacing: 100ms, api_version: \"2026-03-10\" }}
sources:
  github: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}
rules:
  - name: fix
    on: {{ label: copilot-fix }}
    prompt: \"Fix #{{{{ issue.number }}}}\"
"
    )
}

fn sandbox(folder: &Folder) -> (Program, String) {
    let mut sandbox = folder.start(&["sandbox", "--listen", "127.0.0.1:0", "--seed"], &[]);
    sandbox.says("Ctrl-C ends it.");
    let line = sandbox.says("A simulated GitHub is at");
    let github = line.split(' ').find(|word| word.starts_with("http://")).unwrap().to_owned();
    (sandbox, github)
}

/// Mona puts the label on, now.
fn label(serving: &mut Program) {
    let line = serving.says("taskbridge serves");
    let address = line.split(' ').find_map(|word| word.strip_prefix("address=")).unwrap();
    send(address, "d-1", &labelled("copilot-fix", (1001, "mona"), now()).to_string());
}

/// Case 60.
#[tokio::test(flavor = "multi_thread")]
async fn a_sealing_key_is_rotated_away_and_what_it_sealed_goes_on() {
    let database = TestDatabase::create().await;
    let folder = Folder::new();
    let (_sandbox, github) = sandbox(&folder);
    let env = [("HOOK_SECRET", HOOK_SECRET), ("DATABASE_URL", database.url.as_str()), ("OLD_KEY", A), ("NEW_KEY", B)];
    let with = |keys: &str| folder.write("taskbridge.yaml", &configuration(&github, keys));

    with("\"${OLD_KEY}\"");
    folder.run_with(&["people", "add", "mona", "--token-stdin"], &env, TOKEN).is(0, &["is that of @mona"]);
    with("\"${NEW_KEY}\"");
    folder.run(&["people", "list"], &env).is(1, &["give the old key back"]);
    with("\"${NEW_KEY}\", \"${OLD_KEY}\"");
    folder.run(&["keys", "reseal"], &env).is(0, &["1 stored token was sealed anew"]);
    folder.run(&["keys", "reseal"], &env).is(0, &["0 stored tokens were sealed anew"]);

    with("\"${NEW_KEY}\"");
    let mut serving = folder.start(&["serve", "--listen", "127.0.0.1:0"], &env);
    label(&mut serving);
    serving.says("a task was started");
    serving.signal("TERM");
    assert!(serving.ended(Duration::from_secs(10)).success(), "{}", serving.text());
    with("\"${OLD_KEY}\"");
    folder.run(&["people", "list"], &env).is(1, &["give the old key back"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_removed_is_gone_with_token_and_consents_and_tasks_wait() {
    let database = TestDatabase::create().await;
    let folder = Folder::new();
    let (_sandbox, github) = sandbox(&folder);
    let env = [("HOOK_SECRET", HOOK_SECRET), ("DATABASE_URL", database.url.as_str()), ("OLD_KEY", A)];
    folder.write("taskbridge.yaml", &configuration(&github, "\"${OLD_KEY}\""));
    let add = || folder.run_with(&["people", "add", "mona", "--token-stdin"], &env, TOKEN).is(0, &["is that of @mona"]);
    add();
    folder
        .run(&["people", "consent", "mona", "--rule", "fix", "--rule", "fix"], &env)
        .is(0, &["agrees", "It runs as whoever asks, so this changes nothing until it says `run_as: person:mona`"]);
    folder.run(&["people", "list"], &env).is(0, &["agreed to fix"]);
    let consent =
        |more: &[&str]| folder.run(&[&["people", "consent", "mona", "--rule", "fix"][..], more].concat(), &env);
    consent(&["--withdraw"]).is(0, &["Withdrawn: the rule `fix` runs with the token of @mona (account 1001) no more."]);
    consent(&["--withdraw"]).is(0, &["@mona (account 1001) has not agreed to the rule `fix`."]);
    consent(&[]).is(0, &["agrees"]);
    folder.run(&["people", "remove", "@mona"], &env).is(
        0,
        &[
            "@mona (account 1001) was removed",
            "They had agreed to fix: a rule that runs as them starts nothing any more.",
        ],
    );
    folder.run(&["people", "list"], &env).is(0, &["There is nobody."]);
    add();
    let listed = folder.run(&["people", "list"], &env);
    listed.is(0, &["@mona (account 1001): token good"]);
    assert!(!listed.text.contains("agreed"), "the consent is gone: {}", listed.text);
    folder.run(&["people", "remove", "1001"], &env).is(0, &["was removed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_of_the_api_that_is_configured_is_the_one_that_is_sent() {
    let database = TestDatabase::create().await;
    let folder = Folder::new();
    let mock = Mock::start(|_| reply(401, "{}")).await;
    let env = [("HOOK_SECRET", HOOK_SECRET), ("DATABASE_URL", database.url.as_str()), ("OLD_KEY", A)];
    folder.write("taskbridge.yaml", &configuration(&mock.url, "\"${OLD_KEY}\""));
    folder
        .run_with(&["people", "add", "mona", "--token-stdin"], &env, TOKEN)
        .is(1, &["nothing was stored: GitHub does not accept the token"]);
    let seen = mock.seen();
    assert!(!seen.is_empty());
    for call in seen {
        assert_eq!(call.header("x-github-api-version"), "2026-03-10", "{}", call.path);
    }
}
