//! It never talks to itself: what it, its App or the agent did starts nothing, and nobody can borrow that mark.

use serde_json::json;
use taskbridge::store::deliveries::DeliveryState;

use crate::support::payloads::{MONA, OTTO, commented, labelled};
use crate::support::world::{APP_ID, World};

const RULES: &str = "
rules:
  - name: fix
    on: { command: fix }
    prompt: Fix it
    report: { labels: { running: copilot-runs } }
  - name: any-label
    on: { event: issues.labeled }
    prompt: Look at it
";

/// The world after mona has asked once, with the living comment as GitHub keeps it.
async fn world() -> (World, String) {
    let world = World::new(RULES).await;
    world.say(900, "/copilot fix", MONA, "d-1").await;
    world.live_for(10).await;
    let comments = world.comments();
    assert_eq!(comments.len(), 1);
    let comment = comments.into_iter().next().unwrap();
    (world, comment)
}

async fn is_ignored(world: &World, delivery: &str, says: &str) {
    let delivery = world.delivery(delivery).await;
    assert_eq!(delivery.state, DeliveryState::Ignored);
    let reason = delivery.reason.unwrap();
    assert!(reason.contains("our own doing starts nothing") && reason.contains(says), "{reason}");
    world.task().await;
}

/// Case 69.
#[tokio::test]
async fn our_living_comment_starts_nothing_though_a_person_wrote_it_and_a_command_stands_in_it() {
    let (world, comment) = world().await;
    let text = format!("/copilot fix\n\n{comment}");
    world.say(901, &text, MONA, "d-2").await;
    is_ignored(&world, "d-2", "the footer of this installation").await;
}

/// Case 69.
#[tokio::test]
async fn a_comment_of_our_app_starts_nothing() {
    let world = World::with_app(RULES).await;
    world.say(900, "/copilot fix", MONA, "d-1").await;
    let now = world.bridge.ground.now();
    let mut payload = commented(901, "/copilot fix", MONA, now);
    payload["comment"]["performed_via_github_app"] = json!({ "id": APP_ID, "slug": "taskbridge" });
    world.hook("issue_comment", "d-2", &payload).await;
    world.settle().await;
    is_ignored(&world, "d-2", "this installation's App").await;
    payload["comment"]["performed_via_github_app"] = json!({ "id": APP_ID + 1, "slug": "another" });
    payload["comment"]["id"] = 902.into();
    world.hook("issue_comment", "d-3", &payload).await;
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 2, "another App in mona's name is mona");
}

/// Case 69.
#[tokio::test]
async fn what_the_agent_does_starts_nothing_by_its_number_and_not_by_its_name() {
    let world = World::with_app(RULES).await;
    let agent = world.bridge.settings.agent_ids[0];
    let now = world.bridge.ground.now();
    world.hook("issues", "d-1", &labelled("anything", (agent, "Copilot"), now)).await;
    world.settle().await;
    let delivery = world.delivery("d-1").await;
    assert_eq!(delivery.state, DeliveryState::Ignored);
    assert!(delivery.reason.unwrap().contains("is the agent itself"));
    world.advance(60);
    let now = world.bridge.ground.now();
    world.hook("issues", "d-2", &labelled("anything", (666, "copilot[bot]"), now)).await;
    world.settle().await;
    assert!(world.decision("d-2").await.cause.contains("needs write"), "it is weighed like anybody");
}

/// Case 69.
#[tokio::test]
async fn a_label_that_we_set_starts_nothing_and_another_one_does() {
    let (world, _) = world().await;
    assert_eq!(world.control().labels("acme/widgets", 42).unwrap(), ["copilot-runs"]);
    world.label("copilot-runs", "d-2").await;
    is_ignored(&world, "d-2", "is one that this installation sets").await;
    world.label("urgent", "d-3").await;
    assert_eq!(world.tasks().await.len(), 2);
}

#[tokio::test]
async fn a_forged_footer_is_only_text() {
    let (world, comment) = world().await;
    let (before, tag) = comment.trim_end().trim_end_matches(" -->").rsplit_once(' ').unwrap();
    let flipped = if tag.starts_with('0') { "1" } else { "0" };
    let forged = format!("/copilot fix\n{}\n{before} {flipped}{} -->", "words", &tag[1..]);
    world.say(901, &forged, MONA, "d-2").await;
    assert_eq!(world.tasks().await.len(), 2, "mona may, footer or not");
    world.say(902, &forged, OTTO, "d-3").await;
    assert!(world.delivery("d-3").await.state == DeliveryState::Processed);
    assert_eq!(world.tasks().await.iter().filter(|task| task.actor_login == "mona").count(), 2);
}
