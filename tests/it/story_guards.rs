//! Who may: looked up live, by account number, and refused when in doubt. Who works there is told, a stranger is not.

use taskbridge::sandbox::{Fault, FaultKind, Role, UserSpec};
use taskbridge::store::decisions::Verdict;
use taskbridge::store::deliveries::DeliveryState;

use crate::support::payloads::{MONA, OTTO, commented};
use crate::support::world::{LABEL_RULE, OTTO_TOKEN, World, labelled};

const PERMISSION: &str = "/repos/acme/widgets/collaborators";

fn allowing(allow: &str) -> String {
    format!("{LABEL_RULE}    allow: {allow}\n")
}

async fn label_by(world: &World, actor: (i64, &str), delivery: &str) {
    let now = world.bridge.ground.now();
    world.hook("issues", delivery, &labelled("copilot-fix", actor, now)).await;
    world.settle().await;
}

/// However many rules and texts need the same right, GitHub is asked once a delivery; and anew for the next one.
#[tokio::test]
async fn a_right_is_asked_for_once_a_delivery_and_never_remembered_for_the_next() {
    let rule = |name: &str, allow: &str| {
        format!(
            "  - {{ name: {name}, on: {{ label: copilot-fix }}, continue: true, allow: {{ {allow} }}, prompt: '{{{{ issue.body }}}}' }}\n"
        )
    };
    let rules =
        [rule("one", "permission: write"), rule("two", "permission: triage"), rule("three", "permission: maintain")];
    let world = World::with_app(&format!("rules:\n{}", rules.concat())).await;
    let asked = || {
        let calls = world.control().calls();
        calls.iter().filter(|call| call.path.ends_with("/collaborators/mona/permission")).count()
    };
    world.label("copilot-fix", "d-1").await;
    assert_eq!(world.tasks().await.len(), 2, "mona may write, and no more");
    assert_eq!(asked(), 1);
    world.control().grant("acme/widgets", "mona", Role::Read).unwrap();
    let at = world.bridge.ground.now() + chrono::TimeDelta::seconds(1);
    world.hook("issues", "d-2", &labelled("copilot-fix", MONA, at)).await;
    world.settle().await;
    assert_eq!((world.tasks().await.len(), asked()), (2, 2), "the right is gone at once");
}

#[tokio::test]
async fn a_reader_is_refused_with_what_is_needed_and_what_was_seen() {
    let world = World::with_app(LABEL_RULE).await;
    label_by(&world, OTTO, "d-1").await;
    let decision = world.decision("d-1").await;
    assert_eq!(decision.verdict, Verdict::Refused);
    assert_eq!(decision.cause, "allow: @otto needs write on the repository");
    assert_eq!(decision.saw, "@otto has read on acme/widgets");
    assert!(world.tasks().await.is_empty());
    assert!(world.comments().is_empty(), "who does not work there gets no answer");
}

#[tokio::test]
async fn someone_who_can_triage_is_told_why_nothing_started() {
    let world = World::with_app(LABEL_RULE).await;
    world.control().grant("acme/widgets", "otto", Role::Triage).unwrap();
    label_by(&world, OTTO, "d-1").await;
    let comments = world.comments();
    assert_eq!(comments.len(), 1);
    assert!(
        comments[0].contains("@otto, the rule `fix-labelled-issues` did not start a task: allow: @otto needs write"),
        "{}",
        comments[0]
    );
}

#[tokio::test]
async fn a_team_or_a_name_is_another_way_in() {
    let world = World::with_app(&allowing("{ teams: [acme/makers], people: [vera] }")).await;
    world.control().add_user(UserSpec::person(1003, "vera", "vera-token")).unwrap();
    label_by(&world, MONA, "d-1").await;
    assert!(world.decision("d-1").await.cause.contains("@mona is in the team acme/makers"));
    world.advance(60);
    label_by(&world, (1003, "vera"), "d-2").await;
    assert_eq!(world.decision("d-2").await.cause, "@vera is named in allow.people");
    world.advance(60);
    world.control().add_team_member("acme", "makers", "otto", "pending").unwrap();
    label_by(&world, OTTO, "d-3").await;
    let refused = world.decision("d-3").await;
    assert_eq!(refused.cause, "allow: @otto needs membership of acme/makers, or being named in allow.people");
    assert!(refused.saw.contains("@otto is not in the team acme/makers"), "an invitation is none: {}", refused.saw);
}

#[tokio::test]
async fn a_login_that_is_now_another_account_opens_no_door() {
    let former_mona = (666, "mona");
    for allow in ["{ permission: write }", "{ teams: [acme/makers] }", "{ people: [mona] }"] {
        let world = World::with_app(&allowing(allow)).await;
        label_by(&world, former_mona, "d-1").await;
        let decision = world.decision("d-1").await;
        assert_eq!(decision.verdict, Verdict::Refused, "{allow}: {decision:?}");
        assert!(world.tasks().await.is_empty(), "{allow}");
    }
}

#[tokio::test]
async fn a_pinned_person_is_the_account_whatever_it_is_called() {
    let world = World::with_app(&allowing("{ people: vera#1003 }")).await;
    label_by(&world, (666, "vera"), "d-1").await;
    assert_eq!(world.decision("d-1").await.verdict, Verdict::Refused);
    assert!(world.tasks().await.is_empty());
    world.advance(60);
    label_by(&world, (1003, "vera-renamed"), "d-2").await;
    assert_eq!(world.decision("d-2").await.cause, "@vera-renamed is named in allow.people by account number");
}

#[tokio::test]
async fn while_the_right_cannot_be_read_the_delivery_waits_and_is_decided_later() {
    let world = World::with_app(LABEL_RULE).await;
    world.control().inject(Fault::new(FaultKind::StatusBefore { status: 500 }).on("GET", PERMISSION).times(3));
    label_by(&world, MONA, "d-1").await;
    let waiting = world.delivery("d-1").await;
    assert_eq!(waiting.state, DeliveryState::Received);
    assert!(waiting.reason.is_some_and(|reason| !reason.is_empty()), "it says why it waits");
    assert!(world.tasks().await.is_empty());
    world.live_for(120).await;
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Processed);
    world.task().await;
}

/// Case 49.
#[tokio::test]
async fn a_dead_token_of_the_app_is_replaced_and_refuses_nobody() {
    let world = World::with_app("rules:\n  - name: fix\n    on: { command: fix }\n    prompt: x\n").await;
    world.control().inject(Fault::new(FaultKind::StatusBefore { status: 401 }).on("GET", PERMISSION).times(1));
    world.control().clear_calls();
    world.say(900, "/copilot fix", MONA, "d-1").await;
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Received, "it waits");
    world.live_for(120).await;
    world.task().await;
    let calls = world.control().calls();
    assert_eq!(
        calls.iter().filter(|call| call.path.ends_with("/access_tokens")).count(),
        2,
        "a new token was asked for"
    );
}

#[tokio::test]
async fn a_right_that_stays_unreadable_is_refused_after_a_day_and_nobody_is_told() {
    let world = World::with_app(LABEL_RULE).await;
    world.control().inject(Fault::new(FaultKind::StatusBefore { status: 500 }).on("GET", PERMISSION));
    label_by(&world, MONA, "d-1").await;
    for _ in 0..23 {
        world.advance(3600);
        world.settle().await;
    }
    let waiting = world.delivery("d-1").await;
    assert_eq!((waiting.state, waiting.tries), (DeliveryState::Received, 0), "waiting is no failure");
    world.advance(3600);
    world.settle().await;
    let decision = world.decision("d-1").await;
    assert_eq!(decision.verdict, Verdict::Refused);
    assert!(decision.cause.contains("could not be looked up"), "{}", decision.cause);
    assert!(world.tasks().await.is_empty());
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Processed);
    world.live_for(10).await;
    assert!(world.comments().is_empty(), "whether the actor works there was never known");
}

#[tokio::test]
async fn when_github_names_a_time_it_is_kept() {
    let world = World::with_app(LABEL_RULE).await;
    let limit = FaultKind::SecondaryLimit { status: 403, retry_after: Some("1800".to_owned()) };
    world.control().inject(Fault::new(limit).on("GET", PERMISSION).times(1));
    label_by(&world, MONA, "d-1").await;
    for _ in 0..17 {
        world.advance(100);
        assert_eq!(world.round().await, 0, "nothing is tried before the time");
    }
    assert_eq!(world.delivery("d-1").await.state, DeliveryState::Received);
    world.advance(110);
    world.settle().await;
    world.task().await;
}

/// Case 63.
#[tokio::test]
async fn without_app_and_token_a_strangers_comment_is_refused_and_asks_nothing_of_github() {
    let rules = "rules:\n  - name: fix\n    on: { command: fix }\n    prompt: x\n";
    let world = World::new(rules).await;
    let now = world.bridge.ground.now();
    world.control().clear_calls();
    let mut payload = commented(900, "/copilot fix", (4711, "stranger"), now);
    payload["comment"]["author_association"] = "NONE".into();
    world.hook("issue_comment", "d-1", &payload).await;
    world.settle().await;
    let decision = world.decision("d-1").await;
    assert_eq!(decision.verdict, Verdict::Refused);
    assert!(decision.cause.contains("the right of @stranger cannot be looked up"), "{}", decision.cause);
    assert!(world.control().calls().is_empty());
    assert!(world.tasks().await.is_empty());
}

#[tokio::test]
async fn one_token_of_a_reader_is_enough_to_be_refused_by() {
    let world = World::new(LABEL_RULE).await;
    world.add_person("otto", OTTO_TOKEN).await;
    label_by(&world, OTTO, "d-1").await;
    assert_eq!(world.decision("d-1").await.verdict, Verdict::Refused);
    assert!(world.tasks().await.is_empty());
}
