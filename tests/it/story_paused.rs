//! The switch: what is paused is kept, and starts when the pause is lifted.

use taskbridge::domain::task::State;
use taskbridge::sandbox::{RepoSpec, Role};
use taskbridge::store::pauses::{Pause, PauseScope};

use crate::support::payloads::MONA;
use crate::support::world::{World, labelled};

const RULES: &str = "
rules:
  - name: here
    on: { label: copilot-fix }
    prompt: Fix it
  - name: there
    on: { label: copilot-elsewhere }
    prompt: Fix it
    task: { repo: acme/gadgets }
";

async fn label(world: &World, label: &str, delivery: &str) {
    world.advance(1);
    let now = world.bridge.ground.now();
    world.hook("issues", delivery, &labelled(label, MONA, now)).await;
    world.live_for(10).await;
}

#[tokio::test]
async fn a_pause_keeps_what_it_covers_and_lets_the_rest_go_on() {
    let cases = [
        (PauseScope::All, "", false),
        (PauseScope::Source, "github", false),
        (PauseScope::Rule, "here", true),
        (PauseScope::Repo, "acme/widgets", true),
        (PauseScope::Repo, "Acme/Widgets", true),
    ];
    for (scope, name, other_goes_on) in cases {
        let world = World::new(RULES).await;
        world.control().add_repo(RepoSpec::private(5002, "acme", "gadgets")).unwrap();
        world.control().grant("acme/gadgets", "mona", Role::Write).unwrap();
        let paused_at = world.bridge.ground.now();
        let (reason, paused_by) = ("a freeze".to_owned(), "ops".to_owned());
        let pause = Pause { scope, name: name.to_owned(), reason, paused_by, paused_at };
        world.bridge.store.pause(&pause).await.unwrap();
        label(&world, "copilot-fix", "d-1").await;
        label(&world, "copilot-elsewhere", "d-2").await;
        let tasks = world.tasks().await;
        assert_eq!(tasks[0].state, State::Pending, "{scope:?} {name}");
        assert_eq!(tasks[1].remote_id.is_some(), other_goes_on, "{scope:?} {name}");
        assert!(world.bridge.store.resume(scope, name).await.unwrap());
        world.live_for(10).await;
        assert!(world.tasks().await.iter().all(|task| task.remote_id.is_some()), "{scope:?} {name}");
    }
}
