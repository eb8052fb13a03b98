//! A whole installation as processes: a simulated GitHub, the service on a private PostgreSQL, and the short
//! commands beside it.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use crate::support::program::{Folder, Program, processes_with};
use crate::support::world::{HOOK_SECRET, labelled, signature};

const ENV: [(&str, &str); 1] = [("HOOK_SECRET", HOOK_SECRET)];

fn configuration(github: &str, label: &str) -> String {
    format!(
        "data_dir: data
github: {{ api_url: \"{github}\", web_url: \"{github}\", write_spacing: 100ms }}
sources:
  github: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}
rules:
  - name: fix
    on: {{ label: {label} }}
    prompt: \"Fix #{{{{ issue.number }}}}\"
"
    )
}

/// Sends a webhook over a real connection; answers the delivery's id.
pub(crate) fn send(address: &str, guid: &str, body: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!(
        "POST /hooks/github HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-github-event: issues\r\nx-github-delivery: {guid}\r\nx-hub-signature-256: {}\r\ncontent-length: {}\r\n\r\n{body}",
        signature(HOOK_SECRET, body.as_bytes()),
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let (_, json) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str::<serde_json::Value>(json).unwrap()["delivery"].as_str().unwrap().to_owned()
}

/// Case 68.
#[test]
fn an_installation_from_its_first_start_to_its_end() {
    let folder = Folder::new();
    let mut sandbox = folder.start(&["sandbox", "--listen", "127.0.0.1:0", "--seed"], &[]);
    sandbox.says("Ctrl-C ends it.");
    let line = sandbox.says("A simulated GitHub is at");
    let github = line.split(' ').find(|word| word.starts_with("http://")).unwrap().to_owned();
    folder.write("taskbridge.yaml", &configuration(&github, "copilot-fix"));

    let mut serve = folder.start(&["serve", "--listen", "127.0.0.1:0"], &ENV);
    let line = serve.says("taskbridge serves");
    let address = line.split(' ').find_map(|word| word.strip_prefix("address=")).unwrap().to_owned();

    let key = std::fs::metadata(folder.path().join("data/sealing.key")).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o7777,
        0o600,
        "the key is its owner's only"
    );

    let second = folder.run(&["serve", "--listen", "127.0.0.1:0"], &ENV);
    second.is(1, &["another taskbridge (process ", "is running on the data folder", "stop it first"]);

    let same_address = folder.run(&["serve", "--listen", &address], &ENV);
    same_address.is(1, &["another taskbridge (process ", "is running on the data folder"]);

    short_commands(&folder);

    let body = labelled("copilot-fix", (1001, "mona"), now());
    let guid = "5e0c1a70-c3a1-11f0-8a3b-0242ac120002";
    let id = send(&address, guid, &body.to_string());
    serve.says("a task was made");
    folder.run(&["explain", &id], &ENV).is(0, &[&id, "1. fix: matched", "as @mona", "@mona has write on acme/widgets"]);
    let unknown = "01a3185c-5000-7456-8b43-5fd8d00f8942";
    folder.run(&["explain", guid], &[]).is(0, &[&id, "1. fix: matched"]);
    let again = send(&address, "hook.17", &body.to_string());
    folder.run(&["explain", "hook.17"], &[]).is(0, &[&again, "the same body came before"]);
    folder
        .run(&["explain", "hook.18"], &ENV)
        .is(1, &["there is no delivery hook.18, neither by our id nor by its sender's"]);
    folder.run(&["explain", unknown], &ENV).is(1, &["there is no delivery"]);

    // A good file is put in force, a bad one changes nothing.
    folder.write("taskbridge.yaml", &configuration(&github, "copilot-other"));
    serve.signal("HUP");
    serve.says("rules and sources were reloaded");
    assert!(!serve.text().contains("take effect with the next one only"), "nothing else has changed");
    folder.write("taskbridge.yaml", &configuration(&github, "copilot-fix").replace("prompt", "promt"));
    serve.signal("HUP");
    serve.says("the configuration was not reloaded, the old rules stay in force");
    serve.says("taskbridge.yaml:8:5");
    // Payloads tell whole seconds: the same label in the same second would be the same wish.
    let body = labelled("copilot-other", (1001, "mona"), now() + chrono::TimeDelta::seconds(5));
    send(&address, "d-2", &body.to_string());
    says_twice(&serve, "a task was made");
    // A change of the file is enough. What of it is not in force now is named.
    let more = "limits: { per_person: { live: 7 } }\nretention: { bodies: 8d }\n";
    folder.write("taskbridge.yaml", &format!("{more}{}", configuration(&github, "copilot-third")));
    says_twice(&serve, "rules and sources were reloaded");
    let named = serve.says("have changed since the start and take effect with the next one only");
    assert!(named.contains("sections=\"retention, limits\""), "{named}");

    serve.signal("TERM");
    assert!(serve.ended(Duration::from_secs(10)).success(), "{}", serve.text());
    assert!(!serve.text().contains("sandbox-mona-token"), "no token in the log");
    sandbox.signal("TERM");
    assert!(sandbox.ended(Duration::from_secs(5)).success());
    assert_eq!(processes_with(folder.path()), Vec::<String>::new());
}

fn says_twice(serve: &Program, part: &str) {
    let begun = Instant::now();
    while serve.text().matches(part).count() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(15), "never said {part:?} again:\n{}", serve.text());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[expect(clippy::disallowed_methods, reason = "the process under test has the real clock")]
pub(crate) fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// All of them beside the running service.
fn short_commands(folder: &Folder) {
    let token = "sandbox-mona-token\n";
    let other = folder.run_with(&["people", "add", "otto", "--token-stdin"], &ENV, token);
    other.is(1, &["this token belongs to @mona (account 1001), not to @otto: nothing was stored"]);
    folder.run(&["people", "list"], &ENV).is(0, &["There is nobody."]);
    folder
        .run_with(&["people", "add", "mona", "--token-stdin"], &ENV, "wrong\n")
        .is(1, &["nothing was stored: GitHub does not accept the token"]);
    let added = folder.run_with(&["people", "add", "mona", "--token-stdin"], &ENV, token);
    added.is(0, &["The token is that of @mona (account 1001)", "No task waited for it."]);
    folder.run(&["people", "consent", "mona", "--rule", "fxi"], &ENV).is(1, &["did you mean `fix`?"]);
    folder.run(&["people", "consent", "mona", "--rule", "fix"], &ENV).is(0, &["agrees that the rule `fix`"]);
    folder.run(&["people", "list"], &ENV).is(0, &["@mona (account 1001): token good, agreed to fix"]);
    folder.run(&["people", "remove", "nobody"], &ENV).is(1, &["there is nobody called `nobody`"]);

    let made = folder.run(&["api-keys", "create", "for tests", "--scope", "read"], &ENV);
    made.is(0, &["tb_", "it is not shown again"]);
    let key = made.text.lines().find(|line| line.starts_with("tb_")).unwrap();
    let listed = folder.run(&["api-keys", "list"], &ENV);
    listed.is(0, &["for tests (read)"]);
    assert!(!listed.text.contains(key));
    let id = listed.text.split(' ').next().unwrap();
    folder.run(&["api-keys", "revoke", id], &ENV).is(0, &["is revoked"]);
    folder.run(&["api-keys", "revoke", id], &ENV).is(1, &["there is no live key"]);

    folder.run(&["pause", "--rule", "nix", "--reason", "x"], &ENV).is(1, &["there is no rule `nix`"]);
    folder
        .run(&["pause", "--repo", "Acme/Gears", "--reason", "a trial"], &ENV)
        .is(0, &["Paused the repository acme/gears"]);
    folder.run(&["pause", "--list"], &ENV).is(0, &["the repository acme/gears since", "a trial"]);
    folder.run(&["resume"], &ENV).is(1, &["everything is not paused"]);
    folder.run(&["resume", "--repo", "acme/gears"], &ENV).is(0, &["Resumed the repository acme/gears"]);
    folder.run(&["keys", "reseal"], &ENV).is(0, &["0 stored tokens were sealed anew"]);
}
