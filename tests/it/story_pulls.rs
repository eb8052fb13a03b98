//! Commands on a pull request: the agent works on its branch as it is now, or says why it cannot.

use serde_json::{Value, json};
use taskbridge::domain::task::State;
use taskbridge::sandbox::{CommentSpec, Fault, FaultKind, IssueSpec, PullSpec, RepoSpec};
use taskbridge::store::decisions::Verdict;

use crate::support::payloads::{MONA, account, commented_on_pull, repository, stamp};
use crate::support::world::{LABEL_RULE, World};

const RULES: &str = "
rules:
  - name: fix
    on: { command: fix }
    prompt: \"Fix #{{ pull_request.number }}\"
";

/// The list that a pull request is looked up in.
const PULLS: &str = "/repos/*/*/pulls$";

fn pull(number: i64, head_ref: &str) -> PullSpec {
    let (repo, author, title) = ("acme/widgets".to_owned(), "mona".to_owned(), "A change".to_owned());
    let issue = IssueSpec { repo, number: Some(number), author, title, ..IssueSpec::default() };
    PullSpec { issue, head_ref: head_ref.to_owned(), ..PullSpec::default() }
}

async fn say(world: &World, number: i64, text: &str) {
    let now = world.bridge.ground.now();
    world.hook("issue_comment", "d-1", &commented_on_pull(number, 900, text, now)).await;
    world.settle().await;
}

#[tokio::test]
async fn a_command_on_a_pull_request_works_on_its_branch_and_opens_no_other() {
    let world = World::new(RULES).await;
    let base_ref = Some("release".to_owned());
    world.control().add_pull(PullSpec { base_ref, ..pull(7, "feature") }).unwrap();
    say(&world, 7, "/copilot fix").await;
    let task = world.task().await;
    let branches = (task.base_ref.as_deref(), task.head_ref.as_deref());
    assert_eq!((branches, task.create_pull_request), ((Some("release"), Some("feature")), false));
    let remote = &world.control().tasks()[0];
    assert_eq!((remote.base_ref.as_str(), remote.head_ref.as_deref()), ("release", Some("feature")));
    assert!(!remote.create_pull_request);
    assert!(remote.prompt.starts_with("Fix #7"), "{}", remote.prompt);
}

#[tokio::test]
async fn what_cannot_be_worked_on_is_refused_in_words_where_it_was_asked() {
    type Arrange = fn(&World);
    let cases: [(&str, Arrange, &str); 6] = [
        (
            "/copilot fix",
            |world| {
                world.control().add_repo(RepoSpec::private(5009, "vera", "widgets")).unwrap();
                let head_repo = Some(Some("vera/widgets".to_owned()));
                world.control().add_pull(PullSpec { head_repo, ..pull(7, "feature") }).unwrap();
            },
            "comes from a fork",
        ),
        (
            "/copilot fix",
            |world| {
                world.control().add_pull(PullSpec { head_repo: Some(None), ..pull(7, "feature") }).unwrap();
            },
            "its repository was deleted",
        ),
        (
            "/copilot fix",
            |world| {
                let base_ref = Some("release".to_owned());
                world.control().add_pull(PullSpec { base_ref, ..pull(7, "main") }).unwrap();
            },
            "is the default branch",
        ),
        (
            "/copilot fix",
            |world| {
                world.control().add_pull(pull(7, "feature")).unwrap();
                world.control().set_open("acme/widgets", 7, false, true).unwrap();
            },
            "this pull request is closed",
        ),
        (
            "/copilot fix --base release",
            |world| {
                world.control().add_pull(pull(7, "feature")).unwrap();
            },
            "`--base` cannot be used here",
        ),
        ("/copilot fix", |_| {}, "the pull request cannot be read"),
    ];
    for (text, arrange, says) in cases {
        let world = World::new(RULES).await;
        arrange(&world);
        say(&world, 7, text).await;
        let decision = world.decision("d-1").await;
        assert_eq!(decision.verdict, Verdict::Refused, "{says}");
        assert!(decision.cause.contains(says), "{says}: {}", decision.cause);
        assert!(world.tasks().await.is_empty(), "{says}");
        world.live_for(10).await;
        let comments = world.control().comments("acme/widgets", 7).unwrap();
        let told = comments.iter().any(|comment| comment.body.contains(says));
        assert!(told || says.contains("cannot be read"), "{says}: {comments:?}");
    }
}

#[tokio::test]
async fn a_pull_request_that_could_not_be_looked_up_at_the_end_is_looked_up_later() {
    let world = World::new(LABEL_RULE).await;
    let away = world.control().inject(Fault::new(FaultKind::StatusBefore { status: 502 }).on("GET", PULLS));
    let task = world.wish(MONA, 1).await;
    world.live_for(120).await;
    let now = world.task_now(task.id).await;
    assert_eq!((now.state, now.pull_number), (State::Completed, None));
    world.control().remove_fault(away);
    world.live_in_steps(10, 60).await;
    let now = world.task_now(task.id).await;
    let number = now.pull_number.expect("it is looked up again");
    assert_eq!(now.look_at, None, "and then it is left alone");
    assert!(world.comments()[0].contains(&format!("/pull/{number}")), "{:?}", world.comments());
}

#[tokio::test]
async fn a_pull_request_that_cannot_be_looked_up_is_given_up_after_some_tries() {
    let world = World::new(LABEL_RULE).await;
    world.control().inject(Fault::new(FaultKind::StatusBefore { status: 502 }).on("GET", PULLS));
    let task = world.wish(MONA, 1).await;
    world.live_in_steps(120, 60).await;
    assert_eq!(world.task_now(task.id).await.look_at, None);
    let asked = world.control().count_calls("GET", "/repos/acme/widgets/pulls");
    assert!((5..=20).contains(&asked), "{asked} calls");
}

/// An event on the pull request 7 of this branch of this repository.
fn on_pull(world: &World, action: &str, branch: &str, head_repo: i64) -> Value {
    let at = stamp(world.bridge.ground.now());
    json!({
        "action": action, "repository": repository(), "sender": account(MONA),
        "pull_request": {
            "id": 700, "number": 7, "title": "A change", "state": "open", "user": account(MONA), "updated_at": at,
            "html_url": "https://github.com/acme/widgets/pull/7", "author_association": "MEMBER",
            "head": { "ref": branch, "repo": { "id": head_repo } }, "base": { "ref": "main", "repo": { "id": 5001 } }
        }
    })
}

#[tokio::test]
async fn a_command_on_a_line_of_a_diff_works_on_the_branch_and_is_answered_there() {
    let world = World::new(RULES).await;
    world.control().add_pull(pull(7, "feature")).unwrap();
    let (repo, author, body) = ("acme/widgets".to_owned(), "mona".to_owned(), "/copilot fix this line".to_owned());
    let path = Some("src/lib.rs".to_owned());
    let comment = world.control().add_comment(CommentSpec { repo, number: 7, author, body, path }).unwrap();
    let mut payload = on_pull(&world, "created", "feature", 5001);
    let at = stamp(world.bridge.ground.now());
    payload["comment"] = json!({
        "id": comment, "body": "/copilot fix this line", "user": account(MONA), "author_association": "MEMBER",
        "html_url": "https://github.com/acme/widgets/pull/7#discussion_r1", "created_at": at, "updated_at": at
    });
    world.hook("pull_request_review_comment", "d-1", &payload).await;
    world.live_for(10).await;
    let task = world.task().await;
    assert_eq!((task.head_ref.as_deref(), task.create_pull_request), (Some("feature"), false));
    let remote = &world.control().tasks()[0];
    assert_eq!(remote.head_ref.as_deref(), Some("feature"));
    assert!(remote.prompt.starts_with("Fix #7"), "{}", remote.prompt);
    assert_eq!(world.control().comment_reactions(comment), [("mona".to_owned(), "eyes".to_owned())]);
    let on_pull = world.control().reactions("acme/widgets", 7).unwrap();
    assert!(on_pull.is_empty(), "the reaction is on the comment, not on the pull request: {on_pull:?}");
}

#[tokio::test]
async fn news_of_the_branch_of_a_task_is_asked_for_but_not_that_of_a_fork() {
    let world = World::new(LABEL_RULE).await;
    world.label("copilot-fix", "d-1").await;
    world.live_for(60).await;
    let branch = world.task().await.branch.expect("the agent has a branch");
    world.control().clear_calls();
    world.hook("pull_request", "d-2", &on_pull(&world, "synchronize", &branch, 6006)).await;
    world.settle().await;
    let reason = world.delivery("d-2").await.reason.unwrap();
    assert!(!reason.contains("news of the branch"), "{reason}");
    assert_eq!(world.control().calls(), []);
    world.advance(1);
    world.hook("pull_request", "d-3", &on_pull(&world, "synchronize", &branch, 5001)).await;
    world.settle().await;
    let reason = world.delivery("d-3").await.reason.unwrap();
    assert!(reason.contains("news of the branch"), "{reason}");
    assert!(!world.control().calls().is_empty(), "GitHub is asked");
}
