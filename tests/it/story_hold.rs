//! `hold: approval`: nothing starts until somebody who may write approves, in a comment or through the admin API; then
//! rights and limits are looked at once more.

use taskbridge::domain::task::State;
use taskbridge::pipeline::steer;
use taskbridge::sandbox::Role;
use taskbridge::store::tasks::Hold;

use crate::support::payloads::{MONA, OTTO};
use crate::support::world::{LABEL_RULE, OTTO_TOKEN, World, labelled};

fn held(more: &str) -> String {
    format!("{LABEL_RULE}    hold: approval\n{more}")
}

#[tokio::test]
async fn a_rule_can_demand_that_a_writer_approves_in_a_comment() {
    let world = World::with_app(&held("")).await;
    world.label("copilot-fix", "d-1").await;
    let task = world.task().await;
    assert_eq!((task.state, task.hold), (State::Held, Some(Hold::Approval)));
    assert!(world.comments()[0].contains("write `/copilot approve` here"), "{:?}", world.comments());
    assert!(world.comments()[0].contains("approval, which needs write on the repository"), "{:?}", world.comments());
    world.live_for(60).await;
    assert!(world.control().tasks().is_empty(), "nothing starts by itself");

    world.say(901, "/copilot approve", OTTO, "d-2").await;
    assert_eq!(world.task().await.state, State::Held, "otto may only read");
    assert!(world.delivery("d-2").await.reason.unwrap_or_default().contains("only people who can write get an answer"));
    world.say(902, "/copilot approve 0198-no-such-task", MONA, "d-3").await;
    assert_eq!(world.task().await.state, State::Held);

    world.say(903, &format!("/copilot approve {}", task.id), MONA, "d-4").await;
    world.live_for(30).await;
    assert!(world.task().await.remote_id.is_some());
    assert!(world.story(task.id).await.contains("approved by @mona"), "{}", world.story(task.id).await);
    let answers: Vec<String> = world.comments().into_iter().filter(|text| text.starts_with("@mona")).collect();
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(answers[0].starts_with("@mona: nothing here waits for approval."), "{answers:?}");
    assert!(answers[1].starts_with(&format!("@mona: task {} is approved.", task.id)), "{answers:?}");
    world.assert_nothing_twice().await;
}

/// Who reads "it waits" must learn whom to ask: whom this rule lets approve, and not whoever may write.
#[tokio::test]
async fn it_says_whom_the_rule_lets_approve() {
    for (allow, needs) in [
        ("{ people: [mona] }", "write on the repository together with being named in allow.people"),
        ("{ permission: none }", "write on the repository"),
        (
            "{ permission: maintain, teams: [acme/leads], people: [mona] }",
            "write on the repository together with maintain on the repository, or membership of acme/leads, or being named in allow.people",
        ),
    ] {
        let world = World::with_app(&held(&format!("    allow: {allow}\n"))).await;
        world.label("copilot-fix", "d-1").await;
        let reason = world.task().await.reason;
        assert!(reason.contains(&format!("it waits for approval, which needs {needs}, because")), "{reason}");
        assert!(world.comments()[0].contains(needs), "{:?}", world.comments());
    }
}

/// Else the approval that a rule demands of what anybody may ask for would be no more than a second comment.
#[tokio::test]
async fn who_may_only_ask_does_not_approve_for_themselves() {
    for allow in ["{ permission: none }", "{ people: [otto], permission: write }", "{ people: [otto, mona] }"] {
        let world = World::with_app(&held(&format!("    allow: {allow}\n"))).await;
        world.add_person("otto", OTTO_TOKEN).await;
        world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, world.bridge.ground.now())).await;
        world.settle().await;
        let id = world.task().await.id;
        let refused = world.ask(901, "/copilot approve", OTTO).await;
        assert!(refused.contains("the rule does not let you approve"), "{allow}: {refused}");
        assert_eq!(world.task().await.state, State::Held);
        let done = world.ask(902, "/copilot approve", MONA).await;
        assert!(done.contains(&format!("task {id} is approved")), "{allow}: {done}");
    }
}

#[tokio::test]
async fn rights_are_looked_up_again_when_it_goes_on() {
    let world = World::with_app(&held("")).await;
    world.label("copilot-fix", "d-1").await;
    world.control().grant("acme/widgets", "mona", Role::Read).unwrap();
    let id = world.task().await.id;
    steer::approve(&world.bridge, id, "vera").await.unwrap();
    world.live_for(30).await;
    let task = world.task().await;
    assert_eq!(task.state, State::StartFailed, "{}", task.reason);
    assert!(task.reason.contains("allow: @mona needs write"), "{}", task.reason);
    assert!(world.control().creations().is_empty());
}

#[tokio::test]
async fn a_limit_that_has_become_narrower_keeps_it_waiting() {
    let world = World::with_app(&held("")).await;
    world.label("copilot-fix", "d-1").await;
    world.advance(10);
    world.label("copilot-fix", "d-2").await;
    let [first, second] = &world.tasks().await[..] else { panic!("two wishes") };
    world.reload(&held("    limits: { per_rule: { live: 1 } }\n"));
    world.say(901, "/copilot approve", MONA, "d-3").await;
    world.live_for(10).await;
    assert!(world.task_now(first.id).await.remote_id.is_some(), "the older one goes on");
    let waits = world.task_now(second.id).await;
    assert_eq!((waits.state, waits.hold), (State::Held, Some(Hold::Limit)));
    let answer = world.comments().into_iter().find(|text| text.starts_with("@mona")).unwrap();
    assert!(answer.contains("waits still: approved by @mona") && answer.contains("per_rule.live is 1"), "{answer}");
    let told = world.comments().concat();
    assert!(
        told.contains("⏸️ **This waits**: approved by @mona, and it goes on by itself when there is room"),
        "{told}"
    );
    world.live_for(60).await;
    assert!(world.control().tasks().len() == 1 || world.task_now(first.id).await.state.is_end());
    world.live_for(240).await;
    assert!(world.task_now(second.id).await.remote_id.is_some(), "{}", world.story(second.id).await);
    assert_eq!(world.story(second.id).await.matches("when there is room").count(), 1, "said once");
}
