//! A login is a name that can change hands. Whose tasks are shown and with whose token a rule runs hangs on the account, and
//! not on what it is called.

use taskbridge::ids::PersonId;
use taskbridge::sandbox::{RepoSpec, Role, UserSpec};
use taskbridge::store::decisions::{Decision, Verdict};

use crate::connect_kit::{Browser, open, setup};
use crate::support::payloads::OTTO;
use crate::support::world::{LABEL_RULE, MONA_TOKEN, Setup, World, labelled};

const NEWCOMER: PersonId = PersonId(1003);
const NEWCOMER_TOKEN: &str = "sandbox-newcomer-token";

/// Whoever has the login gives it up, and somebody else takes it.
fn change_hands(world: &World, login: &str) {
    world.control().rename_person(login, &format!("{login}-before")).unwrap();
    world.control().add_user(UserSpec::person(NEWCOMER.0, login, NEWCOMER_TOKEN)).unwrap();
}

/// A label of otto's; what the rule decided.
async fn asked(world: &World, id: &str) -> Decision {
    world.advance(60);
    world.hook("issues", id, &labelled("copilot-fix", OTTO, world.bridge.ground.now())).await;
    world.settle().await;
    world.decision(id).await
}

#[tokio::test]
async fn a_rule_that_runs_as_somebody_does_not_run_as_whoever_took_over_their_login() {
    let rules = "
rules:
  - name: as-mona
    on: { label: copilot-fix }
    prompt: Fix it
    run_as: 'person:mona'
    task: { repo: acme/gadgets }
    allow: { permission: read }
";
    let world = World::with_app(rules).await;
    world.control().add_repo(RepoSpec::private(5002, "acme", "gadgets")).unwrap();
    world.control().grant("acme/gadgets", "mona", Role::Write).unwrap();
    world.mona_consents(&["as-mona"]).await;
    change_hands(&world, "mona");
    world.control().grant("acme/gadgets", "mona", Role::Write).unwrap();
    world.advance(60);
    world.add_person("mona", NEWCOMER_TOKEN).await;
    // Nobody has seen yet that the first owner is called otherwise now.
    let refused = asked(&world, "d-1").await;
    assert_eq!(refused.verdict, Verdict::Refused);
    assert!(refused.cause.starts_with("run_as: "), "{}", refused.cause);
    world.add_person("mona-before", MONA_TOKEN).await;
    let refused = asked(&world, "d-2").await;
    assert_eq!(refused.verdict, Verdict::Refused);
    assert!(refused.cause.starts_with("run_as: @mona has not agreed"), "{}", refused.cause);
    assert!(world.tasks().await.is_empty() && world.control().tasks().is_empty());
    // Agreed by themselves.
    world.bridge.store.give_consent(NEWCOMER, "as-mona", world.bridge.ground.now()).await.unwrap();
    assert_eq!(asked(&world, "d-3").await.verdict, Verdict::Matched);
    assert_eq!(world.task().await.person_id, NEWCOMER);
    assert_eq!(world.control().tasks()[0].creator, "mona", "the one who has the login now");
}

#[tokio::test]
async fn the_page_lists_the_tasks_of_its_account_and_nobody_elses() {
    let second = "  - name: of-mona\n    on: { label: copilot-too }\n    prompt: Fix it too\n";
    let world = open(Setup { rules: format!("{LABEL_RULE}{second}"), ..setup() }).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, world.bridge.ground.now())).await;
    world.settle().await;
    world.advance(1);
    world.label("copilot-too", "d-2").await;
    assert_eq!(world.tasks().await.len(), 2);
    let (of_otto, of_mona, any) = ("fix-labelled-issues", "of-mona", "<span class=\"state\">");
    for (login, own, other) in [("otto", of_otto, of_mona), ("mona", of_mona, of_otto)] {
        let page = Browser::new(&world).sign_in(&world, login).await;
        assert_eq!(page.text.matches(any).count(), 1, "{login}: {}", page.text);
        assert!(page.text.contains(own) && !page.text.contains(other), "{login}: {}", page.text);
    }
    change_hands(&world, "otto");
    let page = Browser::new(&world).sign_in(&world, "otto").await;
    assert!(page.text.contains(&NEWCOMER.to_string()), "{}", page.text);
    assert_eq!(page.text.matches(any).count(), 0, "what another did under this name: {}", page.text);
    assert!(!page.text.contains(of_otto) && page.text.contains("<h2>Your tasks</h2><p>None yet.</p>"), "{}", page.text);
}
