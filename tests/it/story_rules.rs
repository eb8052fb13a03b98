//! Which rule has a delivery, why, and what a change of the rules changes.

use taskbridge::store::api_keys::Scope;
use taskbridge::store::decisions::Verdict;
use taskbridge::store::deliveries::DeliveryState;

use crate::api_kit::Caller;
use crate::support::payloads::{MONA, OTTO, labelled, workflow_run};
use crate::support::world::{LABEL_RULE, World};

/// Rules that listen to the label `copilot-fix`, with what each says besides.
fn rules(parts: &[(&str, &str)]) -> String {
    let rule = |(name, more): &(&str, &str)| {
        let prompt = if more.contains("prompt:") { "" } else { "\n    prompt: \"Fix it\"" };
        format!("  - name: {name}\n    on: {{ label: copilot-fix }}{prompt}\n    {more}\n")
    };
    format!("rules:\n{}", parts.iter().map(rule).collect::<String>())
}

async fn world_after_label(parts: &[(&str, &str)]) -> World {
    let world = World::new(&rules(parts)).await;
    world.label("copilot-fix", "d-1").await;
    world
}

#[tokio::test]
async fn a_condition_that_is_false_says_what_it_saw_and_lets_the_next_rule_see() {
    let world = world_after_label(&[
        ("closed-ones", "when: issue.state == 'closed' && issue.number > 0"),
        ("open-ones", "when: issue.state == 'open'"),
    ])
    .await;
    let decisions = world.decisions("d-1").await;
    assert_eq!(decisions[0].verdict, Verdict::NotMatched);
    assert!(decisions[0].cause.contains("when is false"), "{}", decisions[0].cause);
    assert_eq!(decisions[0].saw, "issue.state = \"open\"");
    assert_eq!(decisions[1].verdict, Verdict::Matched);
    assert_eq!(world.task().await.rule, "open-ones");
}

/// Case 66.
#[tokio::test]
async fn a_condition_that_cannot_be_answered_refuses_and_a_looser_rule_below_is_not_asked() {
    let world = world_after_label(&[("strict", "when: comment.body == 'yes'"), ("loose", "when: 'true'")]).await;
    let decision = world.decision("d-1").await;
    assert_eq!((decision.rule.as_str(), decision.verdict), ("strict", Verdict::Failed));
    assert!(decision.cause.contains("when could not be evaluated: "), "{}", decision.cause);
    assert!(world.tasks().await.is_empty());
}

/// Case 65.
#[tokio::test]
async fn a_template_that_misses_something_refuses_and_says_so_to_the_one_who_asked() {
    let world = world_after_label(&[("strict", "prompt: \"{{ comment.body }}\""), ("loose", "when: 'true'")]).await;
    let decision = world.decision("d-1").await;
    assert_eq!(decision.verdict, Verdict::Failed);
    assert!(decision.cause.contains("this event has no `comment"), "{}", decision.cause);
    assert!(world.tasks().await.is_empty());
    let comments = world.comments();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].contains("@mona, the rule `strict` did not start a task"), "{}", comments[0]);
}

#[tokio::test]
async fn the_first_selected_rule_has_the_delivery_unless_it_says_continue() {
    let world = world_after_label(&[("first", "when: 'true'"), ("second", "when: 'true'")]).await;
    assert_eq!(world.task().await.rule, "first");
    assert_eq!(world.decisions("d-1").await.len(), 1);

    let world = world_after_label(&[("first", "continue: true"), ("second", "when: 'true'")]).await;
    let mut names: Vec<String> = world.tasks().await.into_iter().map(|task| task.rule).collect();
    names.sort();
    assert_eq!(names, ["first", "second"]);
    world.live_for(10).await;
    assert_eq!(world.control().tasks().len(), 2);
}

#[tokio::test]
async fn one_who_is_denied_never_reaches_a_looser_rule() {
    let world =
        world_after_label(&[("strict", "allow: { permission: admin }"), ("loose", "allow: { permission: none }")])
            .await;
    let decision = world.decision("d-1").await;
    assert_eq!((decision.rule.as_str(), decision.verdict), ("strict", Verdict::Refused));
    assert_eq!(decision.cause, "allow: @mona needs admin on the repository");
    assert_eq!(decision.saw, "@mona has write on acme/widgets");
    assert!(world.tasks().await.is_empty());
}

#[tokio::test]
async fn labels_are_compared_without_case() {
    let world = World::new(LABEL_RULE).await;
    world.label("Copilot-FIX", "d-1").await;
    assert_eq!(world.task().await.label_name.as_deref(), Some("Copilot-FIX"));
    world.label("copilot-fixed", "d-2").await;
    let delivery = world.delivery("d-2").await;
    assert_eq!(delivery.state, DeliveryState::Ignored);
    assert_eq!(delivery.reason.unwrap(), "no rule listens to the label `copilot-fixed` on the source github");
}

#[tokio::test]
async fn a_rule_on_an_event_can_look_into_the_payload() {
    let rules = "
rules:
  - name: mend-build
    on: { event: workflow_run.completed }
    when: payload.workflow_run.conclusion == 'failure' && payload.workflow_run.run_attempt == 1
    prompt: 'The build {{ payload.workflow_run.name }} fails on {{ payload.workflow_run.head_branch }}.'
    task: { base_ref: '{{ payload.workflow_run.head_branch }}' }
";
    let world = World::new(rules).await;
    let now = world.bridge.ground.now();
    world.hook("workflow_run", "d-1", &workflow_run("success", "main", now)).await;
    world.hook("workflow_run", "d-2", &workflow_run("failure", "release", now)).await;
    world.settle().await;
    let refused = world.decision("d-1").await;
    assert_eq!(refused.saw, "payload.workflow_run.conclusion = \"success\"");
    let task = world.task().await;
    assert_eq!(task.base_ref.as_deref(), Some("release"));
    let remote = &world.control().tasks()[0];
    assert!(remote.prompt.starts_with("The build build fails on release."), "{}", remote.prompt);
    assert_eq!(remote.base_ref, "release");
}

/// Case 68.
#[tokio::test]
async fn other_rules_decide_about_new_deliveries_while_old_tasks_keep_their_version() {
    let world = World::new(LABEL_RULE).await;
    let first_version = world.bridge.live().rules.version.clone();
    world.label("copilot-fix", "d-1").await;
    world.reload(&rules(&[("other-words", "prompt: \"Do it otherwise\"")]));
    world.advance(60);
    world.label("copilot-fix", "d-2").await;
    let tasks = world.tasks().await;
    assert_eq!(tasks[0].rule_version, first_version);
    assert_eq!(tasks[1].rule, "other-words");
    assert_ne!(tasks[1].rule_version, first_version);
    assert_eq!(world.delivery("d-2").await.rule_version, Some(tasks[1].rule_version.clone()));
}

#[tokio::test]
async fn a_delivery_without_a_repository_or_an_actor_is_refused_in_words() {
    let rules = "rules:\n  - name: any\n    on: { event: issues.opened }\n    prompt: x\n";
    let world = World::new(rules).await;
    let now = world.bridge.ground.now();
    let mut payload = labelled("copilot-fix", OTTO, now);
    payload["action"] = "opened".into();
    payload.as_object_mut().unwrap().remove("repository");
    world.hook("issues", "d-1", &payload).await;
    let mut payload = labelled("copilot-fix", MONA, now);
    payload["action"] = "opened".into();
    payload.as_object_mut().unwrap().remove("sender");
    world.hook("issues", "d-2", &payload).await;
    world.settle().await;
    for delivery in ["d-1", "d-2"] {
        assert!(world.decision(delivery).await.cause.contains("names no repository, or nobody"));
    }
    assert!(world.tasks().await.is_empty());
}

#[tokio::test]
async fn what_a_condition_saw_is_told_without_the_secrets_in_it() {
    let rules = "
rules:
  - name: fix
    on: { label: copilot-fix }
    when: payload.hook.access_token == 'x' || payload.issue.title == 'x' || payload.keyboard == 'x'
    prompt: Fix it.
";
    let world = World::new(rules).await;
    let mut payload = labelled("copilot-fix", MONA, world.bridge.ground.now());
    payload["hook"] = serde_json::json!({ "access_token": "canary-plain-4711" });
    payload["issue"]["title"] = "See ghp_canary0123456789ABCDEF".into();
    payload["keyboard"] = "qwerty".into();
    world.hook("issues", "d-1", &payload).await;
    world.settle().await;
    let id = world.delivery("d-1").await.id;
    let reader = Caller::new(&world, "dashboards", Scope::Read).await;
    let shown = reader.get(&format!("/api/v1/deliveries/{id}")).await.body;
    assert_eq!(
        shown["decisions"][0]["saw"],
        "payload.hook.access_token = (secret), payload.issue.title = (secret), payload.keyboard = \"qwerty\""
    );
    let decisions = shown["decisions"].to_string() + &shown["explanation"].to_string();
    assert!(!decisions.contains("canary-plain") && !decisions.contains("ghp_"), "{decisions}");
}
