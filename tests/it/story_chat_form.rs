//! What a channel and its rule say, and what somebody says in the form or behind the command: the one who asks has the last
//! word where they say one, and none where they say nothing.

use taskbridge::sandbox::{RepoSpec, Role};
use taskbridge::store::tasks::Task;

use crate::support::chat::{CHANNEL, CHAT_RULE, MONA_CHAT};
use crate::support::world::{Setup, World};

/// A channel whose work starts from another branch, with a rule that opens no pull request.
async fn world() -> World {
    let rules = CHAT_RULE
        .replace("{ repo: acme/widgets }", "{ repo: acme/widgets, base_ref: develop, model: m-1 }")
        .replace("prompt: ", "task: { create_pull_request: false }\n    prompt: ");
    let world = World::of(Setup::new(&rules)).await;
    world.link(MONA_CHAT, taskbridge::ids::PersonId(1001)).await;
    world.control().add_repo(RepoSpec::private(5002, "acme", "gears")).unwrap();
    world.control().grant("acme/gears", "mona", Role::Write).unwrap();
    world
}

impl World {
    async fn filled_in(&self, fields: &[(&str, &str)]) -> Task {
        // So that the tasks come one after the other.
        self.advance(1);
        self.slash(MONA_CHAT, "").await;
        self.slack_says(&self.slack().submit(MONA_CHAT, fields)).await;
        self.settle().await;
        self.tasks().await.pop().unwrap()
    }
}

fn terms(task: &Task) -> (Option<&str>, Option<&str>, bool) {
    (task.base_ref.as_deref(), task.model.as_deref(), task.create_pull_request)
}

#[tokio::test]
async fn a_form_that_is_left_as_it_stands_overrides_nothing() {
    let world = world().await;
    let task = world.filled_in(&[("prompt", "fix it")]).await;
    assert_eq!(terms(&task), (Some("develop"), Some("m-1"), false));
    let task = world.filled_in(&[("prompt", "fix it so"), ("pull_request", "yes")]).await;
    assert!(task.create_pull_request, "what is said holds");
}

#[tokio::test]
async fn what_is_emptied_in_a_form_stays_empty() {
    let world = world().await;
    let task = world.filled_in(&[("prompt", "fix it"), ("base", ""), ("model", "")]).await;
    assert_eq!(terms(&task), (Some("main"), None, false), "the default branch, and GitHub's own choice");
    // Pressed nowhere, the form shows no branch: then nobody has taken one out, and what the chosen channel says holds.
    world.advance(1);
    world.slack_says(&world.slack().shortcut(MONA_CHAT)).await;
    world.settle().await;
    let fields = [("repo", "acme/widgets"), ("prompt", "fix it again"), ("channel", CHANNEL)];
    world.slack_says(&world.slack().submit(MONA_CHAT, &fields)).await;
    world.settle().await;
    assert_eq!(terms(&world.tasks().await.pop().unwrap()), (Some("develop"), Some("m-1"), false));
}

#[tokio::test]
async fn a_channel_s_branch_is_one_of_its_own_repository() {
    let world = world().await;
    for (text, base) in [
        ("fix it", Some("develop")),
        ("repo:Acme/Widgets fix it too", Some("develop")),
        ("repo:acme/gears fix it", None),
        ("repo:acme/gears --base next fix it", Some("next")),
    ] {
        world.advance(1);
        world.slash(MONA_CHAT, text).await;
        let task = world.tasks().await.pop().unwrap();
        assert_eq!((task.base_ref.as_deref(), task.model.as_deref()), (base, Some("m-1")), "{text}");
    }
    assert_eq!(world.tasks().await.len(), 4);
    let task = world.filled_in(&[("repo", "acme/gears"), ("prompt", "fix it once more")]).await;
    assert_eq!(terms(&task), (None, Some("m-1"), false), "it stood in the form, and is none of this repository");
}
