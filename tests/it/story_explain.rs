//! Every delivery can be explained, rule by rule, also the rules that nobody asked.

use serde_json::Value;
use taskbridge::cli::live_of;
use taskbridge::pipeline::explain::{self, Answer, Explanation};
use taskbridge::store::Page;
use taskbridge::store::deliveries::DeliveryFilter;

use crate::support::chat::{MONA_CHAT, OTTO_CHAT, chat_world};
use crate::support::world::{OTTO_TOKEN, World, commented, configuration, labelled};

const MONA: (i64, &str) = (1001, "mona");
const OTTO: (i64, &str) = (1002, "otto");

const RULES: &str = r#"
rules:
  - name: docs-only
    on: { label: [docs, copilot-fix] }
    when: subject.title.startsWith("Docs")
    prompt: "Write docs for #{{ issue.number }}."
  - name: other-label
    on: { label: copilot-docs }
    prompt: "Write docs for #{{ issue.number }}."
  - name: fix
    on: { label: copilot-fix }
    prompt: "Fix #{{ issue.number }}: {{ issue.title }}\n\n{{ issue.body }}"
  - name: below
    on: { event: issues }
    prompt: "Look at #{{ issue.number }}."
  - name: tests
    on: { command: tests }
    prompt: "Write tests."
"#;

/// A world that has kept the version of its rules, as the service does at its start.
async fn world() -> World {
    let world = World::new(RULES).await;
    let (live, now) = (world.bridge.live(), world.bridge.ground.now());
    world.bridge.store.keep_rule_version(&live.rules.version, &live.rules.source_json, now).await.unwrap();
    world
}

async fn explained(world: &World, answer: &Value) -> Explanation {
    let id = answer["delivery"].as_str().or(answer["id"].as_str()).unwrap().parse().unwrap();
    explain::of_delivery(&world.bridge, id).await.unwrap().unwrap()
}

fn answers(told: &Explanation) -> Vec<(&str, Answer)> {
    told.rules.iter().map(|rule| (rule.rule.as_str(), rule.answer)).collect()
}

#[tokio::test]
async fn each_rule_says_why_it_did_or_did_not() {
    let world = world().await;
    let hook = world.hook("issues", "d-1", &labelled("copilot-fix", MONA, world.bridge.ground.now())).await;
    let waiting = explained(&world, &hook.body).await;
    assert!(waiting.outcome.starts_with("it waits"), "{}", waiting.outcome);
    assert!(waiting.rules.is_empty(), "nothing is said before it is decided");

    world.settle().await;
    let told = explained(&world, &hook.body).await;
    assert_eq!(
        answers(&told),
        [
            ("docs-only", Answer::NotMatched),
            ("other-label", Answer::NotListening),
            ("fix", Answer::Matched),
            ("below", Answer::NotReached),
            ("tests", Answer::NotListening),
        ]
    );
    let task = told.rules[2].task.as_ref().unwrap();
    assert_eq!(task.id, world.task().await.id);
    let text = told.text();
    for part in [
        "issues.labeled from `github` by @mona in acme/widgets, received 2027-01-15",
        "the label put on: `copilot-fix`",
        "It became a task.",
        "when is false: subject.title.startsWith(\"Docs\")",
        "subject.title = \"It leaks\"",
        "listens to the label `copilot-docs`, and this one was `copilot-fix`",
        "@mona has write on acme/widgets",
        "not asked: `fix` above had the delivery",
        "listens to the command `tests`, and `issues.labeled` is no new comment",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn what_nobody_listens_to_and_what_a_guard_refused_is_explained_too() {
    let world = world().await;
    world.add_person("otto", OTTO_TOKEN).await;
    let now = world.bridge.ground.now();
    let quiet = world.hook("issue_comment", "d-1", &commented(7, "thanks!", MONA, now)).await;
    let refused = world.hook("issues", "d-2", &labelled("copilot-fix", OTTO, now)).await;
    world.settle().await;

    let told = explained(&world, &quiet.body).await;
    assert!(told.rules.iter().all(|rule| rule.answer == Answer::NotListening), "{:#?}", told.rules);
    assert!(
        told.outcome.starts_with("nothing was started: the comment holds no command, and no rule listens"),
        "{}",
        told.outcome
    );

    let told = explained(&world, &refused.body).await;
    let fix = told.rules.iter().find(|rule| rule.answer == Answer::Refused).unwrap();
    assert!(fix.why.starts_with("allow: "), "{}", fix.why);
    assert_eq!(told.outcome, "rules looked at it, and none started a task");
}

#[tokio::test]
async fn what_is_said_in_a_chat_and_started_nothing_is_explained_as_what_it_is() {
    let world = chat_world().await;
    let (live, now) = (world.bridge.live(), world.bridge.ground.now());
    world.bridge.store.keep_rule_version(&live.rules.version, &live.rules.source_json, now).await.unwrap();
    let mut seen = Vec::new();
    for (account, said, outcome, answer, why) in [
        (MONA_CHAT, "help", "answered: help", Answer::NotListening, "taskbridge answers it itself"),
        (MONA_CHAT, "why", "answered: why", Answer::NotListening, "no rule sees it"),
        (MONA_CHAT, "unlink", "answered: unlink", Answer::NotListening, "taskbridge answers it itself"),
        (
            OTTO_CHAT,
            "fix the login",
            "it waits until the slack account",
            Answer::NotReached,
            "it waits until the slack",
        ),
    ] {
        world.slash(account, said).await;
        let page = Page { before: None, limit: 100 };
        let all = world.bridge.store.deliveries(&DeliveryFilter::default(), page).await.unwrap();
        let newest = all.iter().map(|delivery| delivery.id).find(|id| !seen.contains(id)).expect("it is recorded");
        seen.push(newest);
        let told = explain::of_delivery(&world.bridge, newest).await.unwrap().unwrap();
        assert!(told.outcome.starts_with(&format!("nothing was started: {outcome}")), "{said}: {}", told.outcome);
        assert_eq!(answers(&told), [("chat", answer)], "{said}");
        assert!(told.rules[0].why.contains(why), "{said}: {}", told.rules[0].why);
    }
}

#[tokio::test]
async fn a_later_change_of_the_rules_does_not_change_an_old_explanation() {
    let world = world().await;
    let hook = world.hook("issues", "d-1", &labelled("copilot-docs", MONA, world.bridge.ground.now())).await;
    world.settle().await;
    world.reload("\nrules:\n  - name: new\n    on: { label: new }\n    prompt: \"New.\"\n");
    let told = explained(&world, &hook.body).await;
    assert_eq!(told.rules.len(), 5);
    assert_eq!(told.rules[1].answer, Answer::Matched);
    assert_eq!(told.rules[0].why, "listens to the label `docs` or `copilot-fix`, and this one was `copilot-docs`");
}

#[test]
fn a_dry_run_shows_the_prompt_and_says_who_was_not_asked() {
    let loaded = configuration(RULES);
    let live = live_of(&loaded, "github.com");
    let settings = taskbridge::cli::settings_of(&loaded.config);
    let dry = |event: &str, body: &Value| {
        let body = body.to_string();
        explain::of_payload(&live, &settings, "github", event, "application/json", body.as_bytes())
    };
    let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();

    let told = dry("issues", &labelled("copilot-fix", MONA, at));
    assert_eq!(told.rules[2].answer, Answer::Selected);
    assert_eq!(told.rules[2].prompt.as_deref(), Some("Fix #42: It leaks\n\nUnder load."));
    assert_eq!(told.rules[3].answer, Answer::NotReached);
    assert!(told.text().contains("GitHub and the database were not asked"), "{}", told.text());

    let told = dry("issues", &labelled("copilot-fix", OTTO, at));
    let prompt = told.rules[2].prompt.clone().unwrap();
    assert!(prompt.contains("Under load."), "{prompt}");
    assert_ne!(prompt, "Fix #42: It leaks\n\nUnder load.", "a stranger's text is quoted");

    let told = dry("issue_comment", &commented(7, "/copilot tests now", MONA, at));
    assert_eq!(told.command.as_deref(), Some("tests"));
    assert_eq!(told.rules[4].answer, Answer::Selected);

    let told = explain::of_payload(&live, &settings, "nobody", "issues", "application/json", b"{}");
    assert!(told.outcome.contains("there is no source `nobody`; configured: `github`"), "{}", told.outcome);
    let told = explain::of_payload(&live, &settings, "github", "issues", "application/json", b"{");
    assert!(told.outcome.starts_with("it would fail: unreadable"), "{}", told.outcome);
}

#[test]
fn a_name_cannot_write_on_the_terminal() {
    let loaded = configuration(RULES);
    let live = live_of(&loaded, "github.com");
    let settings = taskbridge::cli::settings_of(&loaded.config);
    let at = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let body = labelled("evil\u{1b}[2J\nDelivery ok", MONA, at).to_string();
    let told = explain::of_payload(&live, &settings, "github", "issues", "application/json", body.as_bytes());
    let text = told.text();
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(!text.contains("\nDelivery ok"), "{text:?}");
}
