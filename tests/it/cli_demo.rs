//! The demo works on a bare machine, and nothing of it is left behind.

use std::time::{Duration, Instant};

use crate::support::program::{Folder, processes_with};

#[test]
fn the_demo_walks_the_whole_way_and_leaves_nothing_running() {
    let folder = Folder::new();
    let begun = Instant::now();
    // What stands in the environment is not for the demo.
    let elsewhere = [("DATABASE_URL", "postgres://127.0.0.1:1/none"), ("TASKBRIDGE_SEALING_KEY", "not a key")];
    let ended = folder.run(&["demo", "--exit"], &elsewhere);
    let steps = ["verified", "recorded", "answered 202", "not matched", "matched", "prompt", "queued", "in progress"];
    ended.is(0, &steps);
    ended.is(0, &["it saw subject.title = ", "pull request #43", "completed", "Done: pull request #43"]);
    ended.is(0, &["And in a chat", "otto, who gave no token, types", "asked back", "Sign in with GitHub: the link is"]);
    ended.is(0, &["signed in", "linked to otto on GitHub now", "goes on", "with otto's own token", "pull request #44"]);
    let (_, chat) = ended.text.split_once("And in a chat").unwrap();
    assert!(chat.contains("Done: pull request #44") && !chat.contains("/connect/"), "the link is his alone:\n{chat}");
    for line in ended.text.lines().filter(|line| !line.contains("http") && !line.contains("preparing")) {
        assert!(line.chars().count() <= 100, "too wide: {line}");
    }
    assert!(!ended.text.contains('\u{1b}'), "no colour in a pipe:\n{}", ended.text);
    assert!(!ended.text.contains("WARN") && !ended.text.contains("ERROR"), "{}", ended.text);
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(processes_with(folder.path()), Vec::<String>::new());

    // Again on the same folder, ended in the middle: by Ctrl-C, and by the terminal that is closed.
    for (signal, after) in [("INT", "queued"), ("HUP", "One webhook")] {
        let mut demo = folder.start(&["demo"], &[]);
        demo.says(after);
        demo.signal(signal);
        assert_eq!(demo.ended(Duration::from_secs(10)).code(), Some(130), "{}", demo.text());
        assert_eq!(processes_with(folder.path()), Vec::<String>::new());
    }

    // Seen to its end, it says where to look around.
    let mut demo = folder.start(&["demo"], &[]);
    demo.says("Ctrl-C ends the demo");
    let text = demo.text();
    let (_, around) = text.split_once("Look around").expect("the demo invites");
    let issue = around.lines().find(|line| line.contains("the issue")).unwrap_or_default();
    assert!(issue.contains("http://127.0.0.1:") && issue.ends_with("/acme/widgets/issues/42"), "{around}");
    let api = around.lines().find(|line| line.contains("the API, described")).unwrap_or_default();
    assert!(api.contains("http://127.0.0.1:") && api.ends_with("/openapi.json"), "{around}");
    assert!(around.contains("curl --oauth2-bearer tb_") && around.contains("/api/v1/tasks"), "{around}");
    demo.signal("INT");
    demo.ended(Duration::from_secs(10));
    assert_eq!(processes_with(folder.path()), Vec::<String>::new());
}
