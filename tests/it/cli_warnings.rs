//! What an installation is refused for, or warned about, before it does harm: shown with the real binary, by its line
//! in the file and its status.

use taskbridge::ids::PersonId;

use crate::cli_serve::now;
use crate::support::install::{Install, SEALING_KEY};
use crate::support::postgres::TestDatabase;
use crate::support::program::Folder;

const GOOD: &str = "a secret that is long enough";

fn rules(before: &str) -> String {
    format!(
        "{before}sources:\n  github: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}\n\
         rules:\n  - name: fix\n    on: {{ label: copilot-fix }}\n    prompt: Fix it\n"
    )
}

/// Case 20.
#[test]
fn an_empty_hook_secret_keeps_it_from_starting_and_a_short_one_is_said_loudly() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", &rules(""));
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"]] {
        for empty in ["", "   "] {
            folder.run(command, &[("HOOK_SECRET", empty)]).is(2, &["taskbridge.yaml:2:", "the secret is empty"]);
        }
        folder.run(command, &[]).is(2, &["taskbridge.yaml:2:", "`HOOK_SECRET` is not set"]);
    }
    assert!(!folder.path().join(".taskbridge").exists(), "no database was made");
    folder.run(&["check"], &[("HOOK_SECRET", "fifteen-bytes-x")]).is(0, &["warning", "shorter than 16 bytes"]);
    // No database is needed to hear it.
    let env = [("HOOK_SECRET", "fifteen-bytes-x"), ("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none")];
    let mut serve = folder.start(&["serve", "--listen", "127.0.0.1:0"], &env);
    assert!(serve.says("shorter than 16 bytes").starts_with("warning: taskbridge.yaml:2:"), "{}", serve.text());
}

/// Each of them ends with one clear error at its place and status 2, and takes no time.
///
/// Case 77.
#[test]
fn files_that_are_wrong_or_made_to_harm_end_with_status_2_and_a_place() {
    let folder = Folder::new();
    let deep = format!("sources: {}\n", "[".repeat(100_000));
    let bomb = "x: &a [1, 1, 1, 1, 1, 1, 1, 1]\ny: &b [*a, *a, *a, *a, *a, *a, *a]\nz: [*b, *b, *b, *b, *b]\n";
    for (text, place, says) in [
        (rules("servre: {}\n"), "taskbridge.yaml:1:1:", "did you mean `server`"),
        (rules("server: {}\nserver: {}\n"), "taskbridge.yaml:2:1:", "a second time"),
        (rules("server: { max_connections: many }\n"), "taskbridge.yaml:1:28:", "max_connections"),
        (rules("").replace("HOOK_SECRET", "NOT_SET"), "taskbridge.yaml:2:", "`NOT_SET` is not set"),
        (bomb.to_owned(), "taskbridge.yaml:1:4:", "anchors and aliases"),
        (deep, "taskbridge.yaml:1:", "recursion limit exceeded"),
        ("a: [\n".to_owned(), "taskbridge.yaml:", "not readable"),
    ] {
        folder.write("taskbridge.yaml", &text);
        let begun = std::time::Instant::now();
        let ended = folder.run(&["serve", "--listen", "127.0.0.1:0"], &[("HOOK_SECRET", GOOD)]);
        ended.is(2, &[place, says]);
        assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
        assert!(!ended.text.contains("panicked"), "{}", ended.text);
    }
}

/// A secret that all can read and a GitHub without TLS are warned about; the admin API on every address has no way in
/// without a key.
///
/// Case 78.
#[tokio::test(flavor = "multi_thread")]
async fn open_doors_are_warned_about_or_are_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let open = rules("github: { api_url: \"http://ghe.example.com/api/v3\" }\n");
    folder.write("taskbridge.yaml", &open.replace("\"${HOOK_SECRET}\"", "{ file: hook }"));
    folder.write("hook", GOOD);
    for (mode, warned) in [(0o600, false), (0o644, true)] {
        let hook = folder.path().join("hook");
        std::fs::set_permissions(hook, std::fs::Permissions::from_mode(mode)).unwrap();
        let ended = folder.run(&["check"], &[]);
        ended.is(0, &["taskbridge.yaml:1:20:", "plain http"]);
        assert_eq!(ended.text.contains("can read"), warned, "{mode:o}: {}", ended.text);
    }
    folder.write("taskbridge.yaml", &rules(""));
    let database = TestDatabase::create().await;
    let env = [("HOOK_SECRET", GOOD), ("DATABASE_URL", &database.url), ("TASKBRIDGE_SEALING_KEY", SEALING_KEY)];
    let mut serve = folder.start(&["serve", "--listen", "0.0.0.0:0"], &env);
    let line = serve.says("taskbridge serves");
    let port = line.split(' ').find_map(|word| word.strip_prefix("address=0.0.0.0:")).unwrap().to_owned();
    for path in ["/api/v1/status", "/api/v1/tasks", "/api/v1/people"] {
        assert!(status(&port, path).starts_with("HTTP/1.1 401"), "{path}");
    }
}

/// An operator who has mistyped the secret sees why nothing comes in; whoever sends a thousand makes no thousand lines.
///
/// Case 16.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_turned_away_is_said_in_a_line_a_second_with_source_reason_and_count() {
    let folder = Folder::new();
    folder.write("taskbridge.yaml", &rules(""));
    let database = TestDatabase::create().await;
    let env = [("HOOK_SECRET", GOOD), ("DATABASE_URL", &database.url), ("TASKBRIDGE_SEALING_KEY", SEALING_KEY)];
    let mut serve = folder.start(&["serve", "--listen", "127.0.0.1:0"], &env);
    let line = serve.says("taskbridge serves");
    let port = line.split(' ').find_map(|word| word.strip_prefix("address=127.0.0.1:")).unwrap().to_owned();
    let begun = std::time::Instant::now();
    for nth in 0..50 {
        let source = if nth % 5 == 0 { "canary-made-up-name" } else { "github" };
        assert!(ask(&port, "POST", &format!("/hooks/{source}")).starts_with("HTTP/1.1 40"));
    }
    serve.says("webhooks were turned away");
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    // The rest is said with the counts, which are written down every few seconds.
    let told = || {
        let text = serve.text();
        let lines: Vec<String> =
            text.lines().filter(|line| line.contains("webhooks were turned away")).map(str::to_owned).collect();
        let counts = lines.iter().flat_map(|line| line.split("signature_missing ").skip(1));
        let digits = counts.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        (lines.clone(), digits.map(|count| count.parse::<usize>().unwrap()).sum::<usize>())
    };
    while told().1 < 40 {
        assert!(begun.elapsed().as_secs() < 15, "{:?}", told());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (lines, _) = told();
    assert!(lines.len() <= seconds + 3, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("WARN") && !line.contains("made-up")), "{lines:?}");
}

fn status(port: &str, path: &str) -> String {
    ask(port, "GET", path)
}

fn ask(port: &str, method: &str, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// `check`, the start and a reload look whether those agreed, and gave a token, as whom rules run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_cannot_run_yet_as_the_person_it_names_is_told_before_an_event_comes() {
    let install = Install::new("", "").await;
    let path = install.folder.path().join("taskbridge.yaml");
    let lends = "    run_as: person:mona\n    allow: { permission: write }\n    task: { repo: acme/widgets }\n";
    let text = std::fs::read_to_string(&path).unwrap() + lends;
    install.folder.write("taskbridge.yaml", &text);
    let check = |env: &[(&str, &str)]| install.folder.run(&["check"], env);
    check(&[("HOOK_SECRET", GOOD)]).is(0, &["was not looked up: no database runs"]);
    let nowhere = ("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none");
    check(&[("HOOK_SECRET", GOOD), nowhere]).is(0, &["could not be looked up"]);
    check(&install.env()).is(0, &["not yet: the rule `fix-labelled-issues` starts nothing", "does not know @mona"]);
    let mut replica = install.replica();
    replica.program.says("does not know @mona");

    install.person(1001, "mona").await;
    check(&install.env()).is(0, &["@mona has not agreed", "taskbridge people consent mona --rule fix-labelled-issues"]);
    install.folder.write("taskbridge.yaml", &format!("# changed\n{text}"));
    replica.program.says("@mona has not agreed");
    let (store, mona) = (&install.bridge.store, PersonId(1001));
    store.give_consent(mona, "fix-labelled-issues", now()).await.unwrap();
    let good = check(&install.env());
    assert!(!good.text.contains("not yet") && !good.text.contains("looked up"), "{}", good.text);
    let person = store.person(mona).await.unwrap().unwrap();
    store.end_token(mona, person.token_version, "revoked").await.unwrap();
    check(&install.env()).is(0, &["not yet", "no usable token", "its tasks wait"]);
}
