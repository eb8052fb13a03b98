//! The words of a chat: commands that rules declare for it, what help shows to whom, and how tasks are told apart.

use taskbridge::ids::PersonId;
use taskbridge::pipeline::explain::{self, Answer};
use taskbridge::sandbox::Role;

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT, OTTO_CHAT, chat_world};
use crate::support::payloads::MONA;
use crate::support::world::{OTTO_TOKEN, Setup, World};

const DECLARED: &str = "  - name: fix
    sources: [github, slack]
    on: { command: [fix, mend] }
    prompt: \"FIX {{ command.name }}: {{ command.text }}\"
  - name: comments
    on: { command: tests }
    prompt: Write tests.
";

#[tokio::test]
async fn a_command_that_a_rule_declares_for_the_chat_is_one_there_too() {
    let world = World::of(Setup { app: true, ..Setup::new(&format!("{CHAT_RULE}{DECLARED}")) }).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.slash(MONA_CHAT, "fix --model m-1 the test").await;
    let task = world.task().await;
    assert_eq!(
        (task.rule.as_str(), task.prompt.as_str(), task.model.as_deref()),
        ("fix", "FIX fix: the test", Some("m-1"))
    );
    let said = world.slack().mention("Ev1", MONA_CHAT, CHANNEL, "1515449522.000016", "--base main MEND the other");
    world.slack_says(&said).await;
    world.settle().await;
    // What no rule has declared for this chat is text, as ever.
    world.slash(MONA_CHAT, "tests are slow").await;
    world.slash(MONA_CHAT, "tests --model m-1").await;
    assert!(world.whispered(MONA_CHAT).contains("before the text"), "{}", world.whispered(MONA_CHAT));
    // The same words in a comment.
    world.say(900, "/copilot fix it", MONA, "d-1").await;
    let mut tasks: Vec<_> = world.tasks().await.into_iter().map(|task| (task.rule, task.prompt)).collect();
    tasks.sort();
    let told = [
        ("chat", "tests are slow"),
        ("fix", "FIX fix: it"),
        ("fix", "FIX fix: the test"),
        ("fix", "FIX mend: the other"),
    ];
    assert_eq!(tasks, told.map(|(rule, prompt)| (rule.to_owned(), prompt.to_owned())));
    // A channel's own rule has all that is said there.
    let own = CHAT_RULE.replace("{ repo: acme/widgets }", "{ repo: acme/widgets, rule: chat }");
    world.reload(&format!("{own}{DECLARED}"));
    world.advance(1);
    world.slash(MONA_CHAT, "fix the door").await;
    assert_eq!(world.tasks().await.pop().unwrap().prompt, "fix the door");
}

#[tokio::test]
async fn free_text_that_is_for_a_chat_alone_is_no_command_in_a_comment() {
    let any = "  - name: any
    sources: slack
    on: { command: \"*\" }
    prompt: \"ANY {{ command.text }}\"
";
    let rules = format!("{}{DECLARED}{any}", CHAT_RULE.replace("slash: /copilot", "slash: /other"));
    let world = World::of(Setup { app: true, ..Setup::new(&rules) }).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.slash(MONA_CHAT, "write it").await;
    assert_eq!(world.task().await.prompt, "ANY write it");
    world.say(900, "/copilot write it", MONA, "d-1").await;
    world.live_for(10).await;
    assert!(world.comments().concat().contains("there is no command `write`"), "{:?}", world.comments());
    assert_eq!(world.tasks().await.len(), 1);
}

#[tokio::test]
async fn help_and_explain_know_the_commands_that_are_declared_for_the_chat() {
    let world = World::of(Setup { app: true, ..Setup::new(&format!("{CHAT_RULE}{DECLARED}")) }).await;
    let (live, now) = (world.bridge.live(), world.bridge.ground.now());
    world.bridge.store.keep_rule_version(&live.rules.version, &live.rules.source_json, now).await.unwrap();
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    world.slash(MONA_CHAT, "help").await;
    let help = world.whispered(MONA_CHAT);
    assert!(help.contains("`/copilot fix [options] [text]`") && help.contains("`/copilot [options] what"), "{help}");
    assert!(!help.contains("tests"), "{help}");
    world.slash(OTTO_CHAT, "help").await;
    assert!(!world.whispered(OTTO_CHAT).contains("fix ["), "he only reads: {}", world.whispered(OTTO_CHAT));
    for (text, answers) in [
        ("fix it", [Answer::NotListening, Answer::Matched, Answer::NotListening]),
        ("write it", [Answer::Matched, Answer::NotListening, Answer::NotListening]),
    ] {
        let before = world.tasks().await.len();
        world.advance(1);
        world.slash(MONA_CHAT, text).await;
        let task = world.tasks().await.split_off(before).pop().unwrap();
        let told = explain::of_delivery(&world.bridge, task.delivery_id).await.unwrap().unwrap();
        assert_eq!(told.rules.iter().map(|rule| rule.answer).collect::<Vec<_>>(), answers, "{}", told.text());
    }
}

#[tokio::test]
async fn help_shows_retry_and_cancel_to_those_who_have_something_to_retry_or_cancel() {
    let world = World::of(Setup { app: true, ..Setup::new(CHAT_RULE) }).await;
    world.link(MONA_CHAT, PersonId(1001)).await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    let shown = async |account: &str| {
        world.slash(account, "help").await;
        let told = world.whispered(account);
        ["/copilot retry", "/copilot cancel", "/copilot why", "/copilot list"].map(|word| told.contains(word))
    };
    assert_eq!(shown(MONA_CHAT).await, [false, true, true, true], "who may write may call off others' tasks");
    assert_eq!(shown(OTTO_CHAT).await, [false, false, true, true]);
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.slash(OTTO_CHAT, "fix it").await;
    world.control().grant("acme/widgets", "otto", Role::Read).unwrap();
    assert_eq!(shown(OTTO_CHAT).await, [true, true, true, true], "what runs as him is his");
}

#[tokio::test]
async fn a_list_tells_tasks_apart_by_their_words_and_their_age() {
    let world = chat_world().await;
    world
        .slash(MONA_CHAT, "fix the `login` button in the header of every page that we have and more\nAnd so on.")
        .await;
    world.advance(3 * 3600);
    world.slash(MONA_CHAT, "write a test").await;
    world.advance(120);
    world.slash(MONA_CHAT, "list").await;
    let list = world.whispered(MONA_CHAT);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 2, "{list}");
    assert!(lines[0].contains("`write a test`") && lines[0].contains(" 2 min ago"), "{list}");
    assert!(lines[1].contains("`fix the 'login' button") && lines[1].contains(" 3 h ago"), "{list}");
    assert!(!list.contains("and more") && !list.contains("And so on"), "short: {list}");
}

#[tokio::test]
async fn status_of_a_task_is_about_that_task() {
    let world = chat_world().await;
    world.slash(MONA_CHAT, "the first").await;
    world.advance(5);
    world.slash(MONA_CHAT, "the second").await;
    let ids: Vec<String> = world.tasks().await.iter().map(|task| task.id.to_string()).collect();
    world.slash(MONA_CHAT, &format!("status {}", ids[0])).await;
    let told = world.whispered(MONA_CHAT);
    assert!(told.contains(&ids[0]) && !told.contains(&ids[1]), "{told}");
    world.add_person("otto", OTTO_TOKEN).await;
    world.link(OTTO_CHAT, PersonId(1002)).await;
    world.slash(OTTO_CHAT, &format!("status {}", ids[0])).await;
    assert!(world.whispered(OTTO_CHAT).contains("not yours to see"), "{}", world.whispered(OTTO_CHAT));
}
