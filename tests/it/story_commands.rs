//! Commands in comments: what was typed is what is started, and what is wrong is answered to those who may write.

use taskbridge::domain::task::State;
use taskbridge::store::decisions::Verdict;
use taskbridge::store::deliveries::DeliveryState;

use crate::support::payloads::{MONA, OTTO, commented, unlabelled};
use crate::support::world::{LABEL_RULE, World, labelled};

const RULES: &str = "
rules:
  - name: fix
    on: { command: fix }
    prompt: \"Fix #{{ issue.number }}. {{ command.text }}\"
    task: { model: usual-model }
";

#[tokio::test]
async fn a_command_says_model_branch_agent_and_text() {
    let world = World::new(RULES).await;
    let text =
        "Hello.\n\n/copilot fix --model \"big one\" --base release/2 --agent tester --no-pr don't break it\nand test";
    world.say(900, text, MONA, "d-1").await;
    let remote = &world.control().tasks()[0];
    assert_eq!(remote.model.as_deref(), Some("big one"));
    assert_eq!(remote.base_ref, "release/2");
    assert_eq!(remote.custom_agent.as_deref(), Some("tester"));
    assert!(!remote.create_pull_request);
    assert!(remote.prompt.starts_with("Fix #42. don't break it\nand test"), "{}", remote.prompt);
    assert_eq!(world.control().comment_reactions(900), []);
}

#[tokio::test]
async fn without_options_the_rule_decides() {
    let world = World::new(RULES).await;
    world.say(900, "/COPILOT Fix", MONA, "d-1").await;
    let remote = &world.control().tasks()[0];
    assert_eq!((remote.model.as_deref(), remote.base_ref.as_str()), (Some("usual-model"), "main"));
    assert!(remote.create_pull_request);
}

#[tokio::test]
async fn quoted_or_shown_commands_start_nothing() {
    let world = World::new(RULES).await;
    for (id, text) in [(900, "> /copilot fix"), (901, "```\n/copilot fix\n```"), (902, "<!--\n/copilot fix\n-->")] {
        world.say(id, text, MONA, &format!("d-{id}")).await;
        assert_eq!(world.delivery(&format!("d-{id}")).await.state, DeliveryState::Ignored);
    }
    assert!(world.tasks().await.is_empty());
}

#[tokio::test]
async fn help_is_answered_to_writers_only() {
    let world = World::with_app(RULES).await;
    world.say(900, "/copilot help", OTTO, "d-1").await;
    assert!(world.comments().is_empty());
    assert!(world.delivery("d-1").await.reason.unwrap().contains("only people who can write get an answer"));
    world.say(901, "/copilot help", MONA, "d-2").await;
    let comments = world.comments();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].starts_with("@mona: What you can write here"), "{}", comments[0]);
    assert!(comments[0].contains("- `/copilot fix [options] [text]`"), "{}", comments[0]);
    assert!(world.tasks().await.is_empty());
}

#[tokio::test]
async fn a_wrong_command_is_answered_with_the_right_form() {
    let world = World::with_app(RULES).await;
    for (id, text, says) in [
        (900, "/copilot fix --modle x", "--model"),
        (901, "/copilot fxi it", "did you mean `/copilot fix`?"),
        (902, "/copilot fix it --model x", "write `--model` before the text"),
        (903, "/copilot fix --model", "`--model` needs a value"),
        (904, "/copilot fix --model 'x", "a quotation mark is not closed"),
    ] {
        world.say(id, text, MONA, &format!("d-{id}")).await;
        let answer = world.comments().pop().unwrap();
        assert!(answer.starts_with("@mona: ") && answer.contains(says), "{text}: {answer}");
    }
    assert!(world.tasks().await.is_empty());
    assert_eq!(world.comments().len(), 5);
}

#[tokio::test]
async fn an_answer_is_given_once_however_often_the_comment_comes() {
    let world = World::with_app(RULES).await;
    let now = world.bridge.ground.now();
    let mut payload = commented(900, "/copilot help", MONA, now);
    world.hook("issue_comment", "guid", &payload).await;
    payload["installation"] = serde_json::json!({ "id": 8001 });
    let mut request = crate::support::world::signed("issue_comment", "guid", payload.to_string().as_bytes());
    request.headers_mut().insert("x-github-hook-id", axum::http::HeaderValue::from_static("88"));
    world.send(request).await;
    world.live_for(10).await;
    assert_eq!(world.comments().len(), 1, "two hooks told of one comment");
}

#[tokio::test]
async fn taking_the_label_off_cancels_what_has_not_started_and_says_so() {
    let world = World::with_app(LABEL_RULE).await;
    world.control().grant("acme/widgets", "otto", taskbridge::sandbox::Role::Write).unwrap();
    let now = world.bridge.ground.now();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, now)).await;
    world.live_for(10).await;
    assert_eq!(world.task().await.state, State::Held, "otto has given no token");
    let now = world.bridge.ground.now();
    world.hook("issues", "d-2", &unlabelled("Copilot-Fix", MONA, now)).await;
    world.live_for(10).await;
    let task = world.task().await;
    assert_eq!(task.state, State::Cancelled);
    assert_eq!(task.reason, "the label `Copilot-Fix` was taken off by @mona before the start");
    let reason = world.delivery("d-2").await.reason.unwrap();
    assert!(reason.contains("1 task(s) that had not started were cancelled"), "{reason}");
    let comments = world.comments();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].contains("🚫 **Cancelled**: the label `Copilot-Fix` was taken off"), "{}", comments[0]);
}

#[tokio::test]
async fn taking_the_label_off_leaves_a_started_task_alone() {
    let world = World::new(LABEL_RULE).await;
    world.label("copilot-fix", "d-1").await;
    world.advance(5);
    let now = world.bridge.ground.now();
    world.hook("issues", "d-2", &unlabelled("copilot-fix", MONA, now)).await;
    world.settle().await;
    assert_eq!(world.task().await.state, State::Queued);
    let reason = world.delivery("d-2").await.reason.unwrap();
    assert_eq!(reason, "no rule listens to issues.unlabeled on the source github");
}

#[tokio::test]
async fn a_label_taken_off_before_its_wish_is_matched_starts_nothing() {
    let world = World::new(LABEL_RULE).await;
    let put_on = world.bridge.ground.now();
    world.advance(3);
    world.hook("issues", "d-off", &unlabelled("Copilot-Fix", MONA, world.bridge.ground.now())).await;
    world.settle().await;
    // The news of the label comes, or is matched, only now.
    world.hook("issues", "d-on", &labelled("copilot-fix", MONA, put_on)).await;
    world.live_for(10).await;
    let decision = world.decision("d-on").await;
    assert_eq!(decision.verdict, Verdict::Refused);
    assert_eq!(decision.cause, "the label was taken off before the task was made");
    assert!(world.tasks().await.is_empty());
    assert!(world.comments().is_empty(), "who took it off knows");
    world.label("copilot-fix", "d-again").await;
    world.task().await;
}

#[tokio::test]
async fn taking_the_label_off_spares_a_task_of_a_label_put_on_later() {
    let world = World::with_app(LABEL_RULE).await;
    world.control().grant("acme/widgets", "otto", taskbridge::sandbox::Role::Write).unwrap();
    let off = world.bridge.ground.now();
    world.advance(3);
    world.hook("issues", "d-on", &labelled("copilot-fix", OTTO, world.bridge.ground.now())).await;
    world.settle().await;
    world.hook("issues", "d-off", &unlabelled("copilot-fix", MONA, off)).await;
    world.settle().await;
    assert_eq!(world.task().await.state, State::Held, "it waits for a token, and is not cancelled");
}

#[tokio::test]
async fn a_reader_cannot_take_the_command_and_learns_nothing() {
    let world = World::with_app(RULES).await;
    world.say(900, "/copilot fix", OTTO, "d-1").await;
    assert_eq!(world.decision("d-1").await.verdict, Verdict::Refused);
    assert!(world.comments().is_empty());
}

#[tokio::test]
async fn another_prefix_takes_the_place_of_the_usual_one() {
    let source = "sources:\n  github: { type: github, secrets: \"${HOOK_SECRET}\", command_prefix: /bot }\n";
    let world = World::new(&format!("{source}{RULES}")).await;
    world.say(900, "/copilot fix", MONA, "d-1").await;
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Ignored);
    assert!(world.tasks().await.is_empty());
    world.say(901, "/bot fix", MONA, "d-2").await;
    world.task().await;
    assert_eq!(world.control().tasks().len(), 1);
}
