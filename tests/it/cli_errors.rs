//! What a person at the terminal is told when something is wrong: one sentence, what to do, and a status.

use std::time::{Duration, Instant};

use crate::support::postgres::TestDatabase;
use crate::support::program::Folder;

const SECRET: (&str, &str) = ("GITHUB_WEBHOOK_SECRET", "a secret that is long enough");
const RULES: &str = "
rules:
  - name: fix
    on: { label: copilot-fix }
    prompt: \"Fix #{{ issue.number }}\"
";
const KEY: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// Case 77.
#[test]
fn every_fault_of_a_configuration_is_told_with_its_place() {
    let folder = Folder::new();
    folder.write(
        "taskbridge.yaml",
        "server: { lissten: \"127.0.0.1:0\" }\nrules:\n  - name: fix\n    on: { label: copilot-fix }\n    prompt: \"{{ isue.title }}\"\n",
    );
    for command in ["check", "serve"] {
        let ended = folder.run(&[command], &[SECRET]);
        ended.is(2, &["taskbridge.yaml:1:11", "lissten", "listen", "taskbridge.yaml:5:"]);
    }
    folder.run(&["--config", "nowhere.yaml", "check"], &[SECRET]).is(2, &["nowhere.yaml", "--config FILE"]);
    folder.write("taskbridge.yaml", RULES);
    folder.run(&["check"], &[]).is(2, &["there is no source", "GITHUB_WEBHOOK_SECRET"]);
    folder.run(&["check"], &[SECRET]).is(
        0,
        &["taskbridge.yaml: good. 1 rule (version ", "/hooks/github", "rule `fix` listens to the label `copilot-fix`"],
    );
}

#[test]
fn a_port_in_use_is_said_before_anything_is_touched() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", RULES);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    folder
        .run(&["serve", "--listen", &address], &[SECRET])
        .is(1, &[&address, "is in use", "set `server.listen` to another address"]);
    assert!(!folder.path().join(".taskbridge").exists(), "no database was made");
    folder.run(&["sandbox", "--listen", &address], &[]).is(1, &["is the port taken?"]);
}

#[test]
fn a_data_folder_that_cannot_be_written_is_said() {
    let folder = Folder::new();
    // A file in its place: no right of any user makes a folder of it.
    folder.write("data", "");
    folder.write("taskbridge.yaml", &format!("data_dir: data/deep\n{RULES}"));
    let ended = folder.run(&["serve", "--listen", "127.0.0.1:0"], &[SECRET]);
    ended.is(1, &["the data folder", "cannot be written", "set data_dir to another folder"]);
}

#[test]
fn a_database_that_is_away_is_waited_for_and_then_given_up() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", &format!("database: {{ connect_wait: 1s }}\n{RULES}"));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://nobody:canary-pw-77@{closed}/none");
    let env = [SECRET, ("DATABASE_URL", &url), ("TASKBRIDGE_SEALING_KEY", KEY)];
    let begun = Instant::now();
    let ended = folder.run(&["serve", "--listen", "127.0.0.1:0"], &env);
    ended.is(1, &["waiting for the database", "refused", "could not be reached within 1 s"]);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(!ended.text.contains("canary-pw-77"), "{}", ended.text);

    // A signal ends the wait at once.
    folder.write("taskbridge.yaml", &format!("database: {{ connect_wait: 1m }}\n{RULES}"));
    let mut waiting = folder.start(&["serve", "--listen", "127.0.0.1:0"], &env);
    waiting.says("waiting for the database");
    waiting.signal("TERM");
    assert_eq!(waiting.ended(Duration::from_secs(3)).code(), Some(130), "{}", waiting.text());
    assert!(waiting.text().contains("stopped before it was done"), "{}", waiting.text());
}

/// Case 60.
#[tokio::test(flavor = "multi_thread")]
async fn another_sealing_key_than_that_of_the_database_is_refused() {
    let database = TestDatabase::create().await;
    let folder = Folder::new();
    folder.write("taskbridge.yaml", RULES);
    let with = |key: &'static str| [SECRET, ("DATABASE_URL", database.url.as_str()), ("TASKBRIDGE_SEALING_KEY", key)];
    folder.run(&["people", "list"], &with(KEY)).is(0, &["There is nobody."]);
    let other = "1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e";
    let ended = folder.run(&["people", "list"], &with(other));
    ended.is(1, &["give the old key back"]);
    assert!(!ended.text.contains(other), "{}", ended.text);
    let none = [SECRET, ("DATABASE_URL", database.url.as_str())];
    folder.run(&["people", "list"], &none).is(1, &["there is no sealing key"]);
}

/// Case 60.
#[test]
fn a_sealing_key_that_is_gone_is_asked_for_and_not_replaced() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", RULES);
    folder.run(&["api-keys", "create", "first", "--scope", "read"], &[SECRET]).is(0, &["made a sealing key"]);
    let key = folder.path().join(".taskbridge/sealing.key");
    std::fs::remove_file(&key).unwrap();
    folder.run(&["people", "list"], &[SECRET]).is(1, &["sealing.key is missing", "put it back from your backup"]);
    assert!(!key.exists(), "another key would open nothing");
}

#[test]
fn what_is_asked_of_a_database_that_is_not_there_makes_none() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", RULES);
    for command in [&["people", "list"][..], &["people", "remove", "mona"], &["api-keys", "list"], &["keys", "reseal"]]
    {
        let ended = folder.run(command, &[]);
        ended.is(1, &["there is no database yet in", ".taskbridge", "`taskbridge serve` makes it"]);
    }
    assert!(!folder.path().join(".taskbridge").exists(), "nothing was made");
}

/// The commands beside the service take in no webhook, so they do not ask for its secret.
#[tokio::test(flavor = "multi_thread")]
async fn short_commands_need_no_hook_secret() {
    let database = TestDatabase::create().await;
    let folder = Folder::new();
    let env = [("DATABASE_URL", database.url.as_str()), ("TASKBRIDGE_SEALING_KEY", KEY)];
    let sources = "sources: { hub: { type: github, secrets: [\"${HUB}\", { file: nowhere }] } }\n";
    for text in [RULES.to_owned(), format!("{sources}{RULES}")] {
        folder.write("taskbridge.yaml", &text);
        folder.run(&["people", "list"], &env).is(0, &["There is nobody."]);
        folder.run(&["api-keys", "create", "a key", "--scope", "read"], &env).is(0, &["tb_"]);
        folder.run(&["keys", "reseal"], &env).is(0, &["0 stored tokens"]);
        folder.run(&["serve", "--listen", "127.0.0.1:0"], &env).is(2, &["sources"]);
    }
}

/// What lists, pauses, explains or asks whether the service is ready sends GitHub nothing.
#[tokio::test(flavor = "multi_thread")]
async fn commands_that_ask_github_nothing_need_no_secret_for_it() {
    let database = TestDatabase::create().await;
    let folder = Folder::new();
    let env = [("DATABASE_URL", database.url.as_str()), ("TASKBRIDGE_SEALING_KEY", KEY)];
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let own = format!(
        "server: {{ listen: \"{closed}\", public_url: \"https://b.example\" }}
github:
  sign_in: {{ client_id: Iv1.abc, client_secret: \"${{GITHUB_CLIENT_SECRET}}\" }}
  app: {{ id: 7, private_key: {{ file: nowhere.pem }} }}
{RULES}"
    );
    folder.write("taskbridge.yaml", &own);
    let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    folder.write("payload.json", &crate::support::world::labelled("copilot-fix", (1001, "mona"), at).to_string());
    folder.run(&["explain", "payload.json"], &[]).is(0, &["1. fix: would be selected"]);
    folder.run(&["health"], &[]).is(1, &["not ready"]);
    folder.run(&["pause", "--list"], &env).is(0, &["Nothing is paused."]);
    folder.run(&["pause", "--rule", "fx", "--reason", "r"], &env).is(1, &["did you mean `fix`?"]);
    let ended = folder.run(&["pause", "--rule", "write-tests", "--reason", "r"], &env);
    ended.is(1, &["there is no rule `write-tests`; `taskbridge check` lists"]);
    // These end old tokens at GitHub, or ask for new ones.
    folder.run(&["people", "connect"], &env).is(2, &["GITHUB_CLIENT_SECRET"]);
    folder.write("taskbridge.yaml", "rulez: []\n");
    folder.run(&["health"], &[]).is(1, &["rulez"]);
}

/// Where nobody can sign in no database is made for it.
#[test]
fn a_sign_in_that_is_not_configured_is_told_before_anything_is_made() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", "sources: { github: { type: github, secrets: \"${HOOK_SECRET}\" } }\nrules: []\n");
    folder.run(&["people", "connect"], &[]).is(1, &["set `github.sign_in` in the configuration"]);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["taskbridge.yaml"], "nothing was made");
}

#[test]
fn something_said_in_a_chat_is_tried_as_the_chat_sends_it() {
    let folder = Folder::new();
    let chats = "
sources:
  slack: { type: slack, signing_secret: \"${S}\", bot_token: \"${B}\" }
  teams: { type: teams, secrets: \"${T}\" }
rules:
  - name: from-chat
    on: { slash: /copilot }
    prompt: \"{{ command.text }}\"
";
    folder.write("taskbridge.yaml", chats);
    folder.write("help", "team_id=T1&channel_id=C1&user_id=U1&command=%2Fcopilot&text=help");
    folder.run(&["explain", "help", "--source", "slack"], &[]).is(0, &["the one who said it would be answered"]);
    folder.write("odd.json", "{}");
    for source in ["slack", "teams"] {
        let ended = folder.run(&["explain", "odd.json", "--source", source], &[]);
        ended.is(0, &["the file holds the body of a request as the chat sends it"]);
        assert!(!ended.text.contains("--event"), "{}", ended.text);
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = Folder::new();
    for command in ["openapi", "schema"] {
        let mut child = folder.command(&[command], &[]).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success() && ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
}

#[test]
fn a_token_on_the_command_line_is_refused() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", RULES);
    for args in [&["people", "add", "mona", "--token", "canary-tok"][..], &["people", "add", "mona"]] {
        let ended = folder.run(args, &[SECRET]);
        ended.is(1, &["on standard input, with `--token-stdin`"]);
        assert!(!ended.text.contains("canary-tok"), "{}", ended.text);
    }
    let ended = folder.run_with(&["people", "add", "mona", "--token-stdin"], &[SECRET], "  \n");
    ended.is(1, &["no token on standard input"]);
    let ended = folder.run_with(&["people", "add", "mona", "--token-stdin"], &[SECRET], "two words\n");
    ended.is(1, &["is not one token"]);
    assert!(!folder.path().join(".taskbridge").exists(), "no database was made");
}

#[test]
fn a_payload_file_is_tried_without_a_database() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", RULES);
    let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let payload = crate::support::world::labelled("copilot-fix", (1001, "mona"), at);
    folder.write("payload.json", &payload.to_string());
    folder.run(&["explain", "payload.json"], &[]).is(0, &["A dry run", "1. fix: would be selected", "| Fix #42"]);
    let json = folder.run(&["explain", "payload.json", "--json"], &[SECRET]);
    json.is(0, &["\"answer\": \"selected\""]);
    folder
        .run(&["explain", "payload.json", "--source", "x"], &[SECRET])
        .is(1, &["there is no source `x`; configured: `github`"]);
    let missing = ["no id of a delivery, and no file that can be read", "X-GitHub-Delivery"];
    folder.run(&["explain", "missing.json"], &[]).is(1, &missing);
    folder.write("odd.json", "{}");
    folder.run(&["explain", "odd.json"], &[SECRET]).is(1, &["--event"]);
    assert!(!folder.path().join(".taskbridge").exists(), "no database was made");
}

#[test]
fn a_generated_key_seals() {
    let folder = Folder::new();
    let ended = folder.run(&["keys", "generate"], &[]);
    ended.is(0, &[]);
    assert_eq!(ended.text.trim().len(), 64);
    assert!(hex::decode(ended.text.trim()).is_ok());
    assert_ne!(folder.run(&["keys", "generate"], &[]).text, ended.text);
}
