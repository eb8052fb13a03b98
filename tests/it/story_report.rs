//! Telling: one living comment, edited in place, found again when an answer was lost, left alone when somebody deleted
//! it; one write at a time; and a report that cannot be told never touches its task.

use std::time::Duration;

use taskbridge::domain::task::State;
use taskbridge::github::AppSettings;
use taskbridge::pipeline::{report, start_task};
use taskbridge::sandbox::{AppSpec, CommentSpec, Fault, FaultKind, Outcome};
use taskbridge::secret::Secret;
use taskbridge::store::reports::ReportKind;

use crate::support::stories::MONA;
use crate::support::world::{LABEL_RULE, MONA_TOKEN, World};

const COMMENTS: &str = "/repos/acme/widgets/issues/42/comments";
const LABELS: &str = "/repos/acme/widgets/issues/42/labels";

/// A rule that shows the state in labels too.
const LABELS_RULE: &str = "
rules:
  - name: fix-labelled-issues
    on: { label: copilot-fix }
    prompt: Fix it.
    report: { labels: { running: agent-runs, done: agent-done, failed: agent-failed } }
";

fn labels(world: &World) -> Vec<String> {
    world.control().labels("acme/widgets", 42).unwrap()
}

/// Case 39.
#[tokio::test]
async fn a_comment_whose_answer_was_lost_is_found_by_its_footer() {
    let world = World::new(LABEL_RULE).await;
    world.control().inject(Fault::new(FaultKind::DropAfter).on("POST", COMMENTS).times(1));
    let task = world.wish(MONA, 1).await;
    world.settle().await;
    assert_eq!(world.comments().len(), 1, "written, though nobody heard");
    world.live_for(90).await;
    assert_eq!(world.comments().len(), 1);
    assert!(world.comments()[0].contains("✅ **Done**"), "{:?}", world.comments());
    assert_eq!(world.state(task.id).await, State::Completed);
}

/// Another worker may have the report by then, and have written the comment or newer news.
///
/// Cases 39, 41.
#[tokio::test]
async fn a_worker_that_slept_until_its_lease_was_about_to_end_says_nothing() {
    let adjust = |settings: &mut taskbridge::pipeline::Settings| {
        (settings.lease, settings.call_timeout) = (Duration::from_secs(3), Duration::from_secs(2));
    };
    let world = World::with(LABEL_RULE, adjust, |_| {}).await;
    world.control().inject(Fault::new(FaultKind::DropAfter).on("POST", COMMENTS).times(1));
    world.wish(MONA, 1).await;
    world.settle().await;
    world.advance(10);
    world.control().inject(Fault::new(FaultKind::Delay { ms: 1_200 }).on("GET", COMMENTS).times(1));
    report::report_batch(&world.bridge).await.unwrap();
    let edits = || world.control().count_calls("PATCH", "/repos/acme/widgets/issues/comments");
    assert_eq!(world.control().faults(), [], "it looked for its comment, and that took long");
    assert_eq!(edits(), 0);
    world.live_for(90).await;
    assert!(edits() > 0);
    assert_eq!(world.comments().len(), 1);
    assert!(world.comments()[0].contains("✅ **Done**"), "{:?}", world.comments());
}

#[tokio::test]
async fn a_comment_that_somebody_copied_is_not_taken_for_ours() {
    let world = World::new(LABEL_RULE).await;
    world.let_otto_in().await;
    world.control().inject(Fault::new(FaultKind::DropAfter).on("POST", COMMENTS).times(1));
    world.wish(MONA, 1).await;
    world.settle().await;
    let body = world.comments().remove(0);
    let own = world.control().comments("acme/widgets", 42).unwrap()[0].id;
    delete_comment(&world, own).await;
    let spec = CommentSpec { repo: "acme/widgets".to_owned(), number: 42, author: "otto".to_owned(), body, path: None };
    let copy = world.control().add_comment(spec.clone()).unwrap();
    world.live_for(90).await;
    let comments = world.control().comments("acme/widgets", 42).unwrap();
    assert_eq!(comments.iter().find(|comment| comment.id == copy).unwrap().body, spec.body, "otto's is left alone");
    assert!(comments.iter().any(|comment| comment.author == "mona" && comment.body.contains("✅ **Done**")));
}

async fn delete_comment(world: &World, id: i64) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/repos/acme/widgets/issues/comments/{id}", world.sandbox.url());
    let answer = client.delete(url).header("user-agent", "somebody").bearer_auth(MONA_TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), 204);
}

#[tokio::test]
async fn a_comment_that_somebody_deleted_is_not_written_again() {
    let world = World::new(LABEL_RULE).await;
    let task = world.wish(MONA, 1).await;
    world.settle().await;
    delete_comment(&world, world.control().comments("acme/widgets", 42).unwrap()[0].id).await;
    world.live_for(90).await;
    assert_eq!(world.comments(), Vec::<String>::new());
    assert_eq!(world.state(task.id).await, State::Completed);
    let told = world.bridge.store.reports_of_task(task.id).await.unwrap();
    assert!(told.iter().all(|report| report.state == "sent"), "{told:?}");
}

#[tokio::test]
async fn one_label_shows_the_state_and_the_others_are_taken_off() {
    let world = World::new(LABELS_RULE).await;
    world.wish(MONA, 1).await;
    world.settle().await;
    assert_eq!(labels(&world), ["agent-runs"]);
    world.live_for(60).await;
    assert_eq!(labels(&world), ["agent-done"]);
    world.control().script_next(Outcome::TimedOut);
    world.wish(MONA, 1).await;
    world.live_for(60).await;
    assert!(labels(&world).contains(&"agent-failed".to_owned()), "{:?}", labels(&world));
}

#[tokio::test]
async fn a_label_whose_answer_was_lost_does_not_stay_for_ever() {
    let world = World::new(LABELS_RULE).await;
    world.control().inject(Fault::new(FaultKind::DropAfter).on("POST", LABELS).times(1));
    world.control().script_next(Outcome::Failed { message: "No.".to_owned() });
    world.wish(MONA, 1).await;
    world.settle().await;
    assert_eq!(labels(&world), ["agent-runs"], "put on, though nobody heard");
    // Nothing is told until it is over.
    let mute = world.control().inject(Fault::new(FaultKind::StatusBefore { status: 500 }).on("POST", "/repos"));
    world.live_for(60).await;
    world.control().remove_fault(mute);
    world.live_in_steps(10, 300).await;
    assert_eq!(labels(&world), ["agent-failed"]);
}

#[tokio::test]
async fn one_token_writes_one_thing_at_a_time_with_a_pause_between() {
    let spaced = |settings: &mut taskbridge::pipeline::Settings| settings.write_spacing = Duration::from_secs(1);
    let world = World::with(LABELS_RULE, spaced, |_| {}).await;
    let other = world.replica(spaced, |_| {}).await;
    world.wish(MONA, 3).await;
    world.control().inject(Fault::new(FaultKind::Delay { ms: 20 }).on("POST", "/"));
    for _ in 0..60 {
        let (a, b, c) = tokio::join!(
            report::report_batch(&world.bridge),
            report::report_batch(&other),
            start_task::start_batch(&other)
        );
        a.unwrap();
        b.unwrap();
        c.unwrap();
        world.clock.advance(Duration::from_millis(600));
    }
    let at: Vec<_> = world.writes().into_iter().map(|call| call.at).collect();
    assert!(at.len() >= 12, "three starts, and three things told of each: {}", at.len());
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= chrono::TimeDelta::seconds(1)), "{at:#?}");
    assert_eq!(world.comments().len(), 3);
}

#[tokio::test]
async fn a_secondary_limit_on_comments_is_waited_out() {
    let world = World::new(LABEL_RULE).await;
    let limit = FaultKind::SecondaryLimit { status: 403, retry_after: Some("90".to_owned()) };
    world.control().inject(Fault::new(limit).on("POST", COMMENTS).times(1));
    let task = world.wish(MONA, 1).await;
    world.settle().await;
    assert_eq!(world.comments().len(), 0);
    world.control().clear_calls();
    world.live_for(80).await;
    assert_eq!(world.writes().len(), 0, "silence while limited");
    world.live_in_steps(6, 60).await;
    assert_eq!(world.comments().len(), 1);
    assert_eq!(world.state(task.id).await, State::Completed);
}

#[tokio::test]
async fn what_cannot_be_told_fails_with_its_reason_and_leaves_the_task_alone() {
    let world = World::new(LABEL_RULE).await;
    let message = "Resource not accessible by personal access token".to_owned();
    world.control().inject(Fault::new(FaultKind::Forbidden { message: message.clone() }).on("POST", "/repos"));
    let task = world.wish(MONA, 1).await;
    world.live_for(90).await;
    assert_eq!(world.state(task.id).await, State::Completed);
    let told = world.bridge.store.reports_of_task(task.id).await.unwrap();
    let comment = told.iter().find(|report| report.kind == ReportKind::Comment).unwrap();
    assert_eq!(comment.state, "failed");
    assert!(comment.trouble.as_ref().unwrap().contains(&message), "{comment:?}");

    world.control().clear_faults();
    world.control().revoke_token(MONA_TOKEN).unwrap();
    let task = world.wish(MONA, 1).await;
    world.settle().await;
    let told = world.bridge.store.reports_of_task(task.id).await.unwrap();
    let comment = told.iter().find(|report| report.kind == ReportKind::Comment).unwrap();
    assert!(comment.trouble.as_ref().unwrap().contains("no App is installed there"), "{comment:?}");
    assert_eq!(world.token_state(1001).await, "reauth_required", "whoever finds out marks it");
}

#[tokio::test]
async fn with_an_app_it_speaks_as_the_app_even_of_a_dead_token() {
    let key = include_str!("../fixtures/test-only-github-app-pkcs8.pem");
    let world = World::with(
        LABEL_RULE,
        |_| {},
        move |github| {
            github.app = Some(AppSettings { id: 12345, private_key_pem: Secret::new(key) });
        },
    )
    .await;
    let spec = AppSpec { id: 12345, slug: "bridge".to_owned(), client_id: String::new(), public_key: None };
    world.control().set_app(spec).unwrap();
    let done = world.wish(MONA, 1).await;
    world.live_for(60).await;
    let comments = world.control().comments("acme/widgets", 42).unwrap();
    assert!(comments.iter().all(|comment| comment.by_app && comment.author == "bridge[bot]"), "{comments:?}");
    assert_eq!(world.state(done.id).await, State::Completed);
    world.control().revoke_token(MONA_TOKEN).unwrap();
    let held = world.wish(MONA, 1).await;
    world.settle().await;
    assert_eq!(world.state(held.id).await, State::Held);
    let told = world.control().comments("acme/widgets", 42).unwrap();
    assert!(told.last().unwrap().body.contains("⏸️ **This waits for a person**: GitHub does not accept the token"));
}

#[tokio::test]
async fn the_last_comment_reads_like_this() {
    let world = World::new(LABEL_RULE).await;
    let task = world.wish(MONA, 1).await;
    world.live_for(80).await;
    let text = world.comments().remove(0);
    let (text, footer) = text.split_once("<!-- ").unwrap();
    assert!(footer.starts_with("taskbridge-report ") && !footer.contains('\n'));
    let remote = world.task_now(task.id).await.remote_id.unwrap();
    let text = text.replace(&task.id.to_string(), "<task>").replace(world.sandbox.url(), "https://github.example");
    insta::assert_snapshot!("last_comment", text.replace(&remote, "<remote>").trim_end());
}
