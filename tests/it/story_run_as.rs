//! As whom, and where: a named person's token only with that person's recorded consent.

use sqlx::Connection as _;
use taskbridge::ids::PersonId;
use taskbridge::sandbox::{RepoSpec, Role};
use taskbridge::store::decisions::Verdict;

use crate::support::payloads::OTTO;
use crate::support::world::{OTTO_TOKEN, World, labelled};

const RULES: &str = "
rules:
  - name: as-mona
    on: { label: copilot-fix }
    prompt: Fix it
    run_as: 'person:mona'
    task: { repo: acme/gadgets }
    allow: { permission: read }
";

async fn world() -> World {
    let world = World::with_app(RULES).await;
    world.control().add_repo(RepoSpec::private(5002, "acme", "gadgets")).unwrap();
    world.control().grant("acme/gadgets", "mona", Role::Write).unwrap();
    world
}

#[tokio::test]
async fn without_consent_a_rule_does_not_run_as_somebody_and_with_it_it_does() {
    let world = world().await;
    let now = world.bridge.ground.now();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, now)).await;
    world.settle().await;
    let refused = world.decision("d-1").await;
    assert_eq!(refused.verdict, Verdict::Refused);
    assert_eq!(
        refused.cause,
        "run_as: @mona has not agreed that this rule runs with their token; record it with `taskbridge people consent mona --rule as-mona`"
    );
    assert!(world.tasks().await.is_empty());

    world.bridge.store.give_consent(PersonId(1001), "as-mona", now).await.unwrap();
    world.advance(60);
    let now = world.bridge.ground.now();
    world.hook("issues", "d-2", &labelled("copilot-fix", OTTO, now)).await;
    world.settle().await;
    let task = world.task().await;
    assert_eq!((task.actor_login.as_str(), task.person_login.as_str()), ("otto", "mona"));
    let remote = &world.control().tasks()[0];
    assert_eq!((remote.creator.as_str(), remote.repo.as_str()), ("mona", "acme/gadgets"));
    world.live_for(10).await;
    let told = world.comments();
    assert!(told.last().unwrap().contains("| Runs as | `mona` |"), "it is told where it was asked: {told:?}");
}

#[tokio::test]
async fn consent_to_one_rule_is_none_to_another() {
    let world = world().await;
    let now = world.bridge.ground.now();
    world.bridge.store.give_consent(PersonId(1001), "another-rule", now).await.unwrap();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, now)).await;
    world.settle().await;
    assert!(world.decision("d-1").await.cause.contains("has not agreed"));
}

#[tokio::test]
async fn a_person_whom_nobody_added_is_named_with_the_way_to_add_them() {
    let world = World::with_app(&RULES.replace("person:mona", "person:vera")).await;
    let now = world.bridge.ground.now();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, now)).await;
    world.settle().await;
    let cause = world.decision("d-1").await.cause;
    assert!(cause.contains("add the person with `taskbridge people add vera`"), "{cause}");
}

/// A label of otto's; what the rule decided.
async fn asked(world: &World, id: &str) -> taskbridge::store::decisions::Decision {
    world.advance(60);
    let now = world.bridge.ground.now();
    world.hook("issues", id, &labelled("copilot-fix", OTTO, now)).await;
    world.settle().await;
    world.decision(id).await
}

#[tokio::test]
async fn a_login_that_changed_hands_lends_nobody_s_token_until_it_is_said_who_is_meant() {
    let world = world().await;
    world.add_person("otto", OTTO_TOKEN).await;
    world.bridge.store.give_consent(PersonId(1001), "as-mona", world.bridge.ground.now()).await.unwrap();
    let mut database = sqlx::PgConnection::connect(&world.database.url).await.unwrap();
    // Somebody else is seen with the login before its first owner is seen without it.
    sqlx::query("UPDATE people SET login = 'Mona' WHERE id = 1002").execute(&mut database).await.unwrap();
    let refused = asked(&world, "d-1").await;
    assert_eq!(refused.verdict, Verdict::Refused);
    assert!(refused.cause.contains("1001") && refused.cause.contains("1002"), "{}", refused.cause);
    assert!(refused.cause.contains("`run_as: person:mona#NUMBER`"), "{}", refused.cause);
    sqlx::query("UPDATE people SET login = 'mona-old' WHERE id = 1001").execute(&mut database).await.unwrap();
    let refused = asked(&world, "d-2").await;
    assert!(refused.cause.contains("@mona is account 1002 here"), "{}", refused.cause);
    assert!(refused.cause.contains("`run_as: person:mona-old#1001`"), "{}", refused.cause);
    assert!(world.tasks().await.is_empty());
    // The number alone decides, whatever stands before it.
    world.reload(&RULES.replace("person:mona", "person:mona#1001"));
    assert_eq!(asked(&world, "d-3").await.verdict, Verdict::Matched);
    assert_eq!(world.task().await.person_id, PersonId(1001));
    world.reload(&RULES.replace("person:mona", "person:mona#1003"));
    let refused = asked(&world, "d-4").await;
    assert!(refused.cause.contains("does not know account 1003"), "{}", refused.cause);
}

#[tokio::test]
async fn a_rule_may_send_the_actor_to_another_repository_and_says_when_it_cannot_be_seen() {
    let rules = RULES.replace("    run_as: 'person:mona'\n", "").replace("read", "none");
    let world = World::new(&rules).await;
    world.control().add_repo(RepoSpec::private(5002, "acme", "gadgets")).unwrap();
    world.control().grant("acme/gadgets", "mona", Role::Write).unwrap();
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.add_person("otto", OTTO_TOKEN).await;
    world.label("copilot-fix", "d-1").await;
    assert_eq!(world.task().await.repo_id, 5002);
    assert_eq!(world.control().tasks()[0].repo, "acme/gadgets");
    let later = world.bridge.ground.now() + chrono::TimeDelta::seconds(1);
    world.hook("issues", "d-2", &labelled("copilot-fix", OTTO, later)).await;
    world.settle().await;
    let refused = world.decision("d-2").await;
    assert!(refused.cause.contains("task.repo: acme/gadgets cannot be looked up"), "{}", refused.cause);
}

#[tokio::test]
async fn where_nothing_can_read_the_right_of_the_actor_a_named_persons_rule_refuses_at_once() {
    let world = World::new(RULES).await;
    world.control().add_repo(RepoSpec::private(5002, "acme", "gadgets")).unwrap();
    let now = world.bridge.ground.now();
    world.bridge.store.give_consent(PersonId(1001), "as-mona", now).await.unwrap();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, now)).await;
    world.settle().await;
    let refused = world.decision("d-1").await;
    assert_eq!(refused.cause, "allow: the right of @otto cannot be looked up");
    assert!(world.tasks().await.is_empty(), "no task that waits for ever");
}
