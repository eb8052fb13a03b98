//! Whoever a task is to run as may have no token that can be used: then it waits, however it was asked for and whoever could
//! look things up, is told to the one who can do something about it, and goes on when there is a token.

use axum::http::StatusCode;
use taskbridge::domain::task::State;
use taskbridge::sandbox::{RepoSpec, Role, TokenKind};
use taskbridge::store::decisions::Verdict;
use taskbridge::store::tasks::{Hold, Task};

use crate::support::chat::{CHAT_RULE, MONA_CHAT};
use crate::support::senders::sentry;
use crate::support::world::{MONA_TOKEN, Setup, World};

const ALERTS: &str = "
sources:
  sentry: { type: sentry, secrets: \"${HOOK_SECRET}\" }
rules:
  - name: look-at-alerts
    on: { alert: firing, source: sentry }
    run_as: person:mona
    allow: { sources: sentry }
    task: { repo: acme/widgets, prompt: \"Find the cause of {{ subject.title }}.\" }
";
const LIMIT: &str = "    limits: { per_repo: { live: 1 } }\n";
const NEW_TOKEN: &str = "sandbox-mona-token-2";

async fn alert(world: &World, id: &str) {
    let issue =
        serde_json::json!({ "id": id, "title": format!("the alert {id}"), "web_url": "https://sentry.example.com/1/" });
    let body = serde_json::json!({ "action": "created", "data": { "issue": issue } });
    let answer = world.send(sentry(id, "issue", body.to_string().as_bytes())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    world.settle().await;
}

fn held(task: &Task) -> (State, Option<Hold>) {
    (task.state, task.hold)
}

async fn mona_gives_another(world: &World) {
    world.control().add_token("mona", NEW_TOKEN, TokenKind::default()).unwrap();
    world.add_person("mona", NEW_TOKEN).await;
    world.live_for(30).await;
}

/// Without an App the dead token is found out by the look at the repository, with it by the start. What could not be
/// looked up is looked up then, and so is the limit that counts it.
#[tokio::test]
async fn an_alert_waits_for_the_token_of_the_person_whom_it_runs_as_and_then_goes_on() {
    for app in [false, true] {
        let world = World::of(Setup { app, ..Setup::new(ALERTS) }).await;
        world.mona_consents(&["look-at-alerts"]).await;
        world.control().revoke_token(MONA_TOKEN).unwrap();
        alert(&world, "a-1").await;
        let waiting = world.task().await;
        assert_eq!(held(&waiting), (State::Held, Some(Hold::Token)), "app {app}: {:?}", world.decision("a-1").await);
        assert_eq!(world.bridge.store.person(waiting.person_id).await.unwrap().unwrap().token_state, "reauth_required");
        world.advance(60);
        if !app {
            // Nobody knows yet that it is for the same repository, so it waits too.
            alert(&world, "a-2").await;
            assert_eq!(world.decision("a-2").await.verdict, Verdict::Matched);
        }
        world.control().clear_calls();
        world.live_in_steps(3, 600).await;
        assert_eq!(world.control().calls().iter().filter(|call| call.path.contains("/agents/")).count(), 0);
        world.reload(&format!("{ALERTS}{LIMIT}"));
        mona_gives_another(&world).await;
        // Which of the two looks first is left open.
        let (started, waits): (Vec<Task>, Vec<Task>) =
            world.tasks().await.into_iter().partition(|task| task.remote_id.is_some());
        assert_eq!((started.len(), waits.len()), (1, usize::from(!app)), "app {app}");
        assert_eq!((started[0].repo_id, started[0].repo_full_name().as_str()), (5001, "acme/widgets"));
        assert_eq!(world.control().creations().len(), 1, "app {app}");
        for task in waits {
            assert_eq!(held(&task), (State::Held, Some(Hold::Limit)), "{}", world.story(task.id).await);
            // The other comes to its end.
            world.live_in_steps(3, 200).await;
            let task = world.task_now(task.id).await;
            assert!(task.remote_id.is_some() && task.repo_id == 5001, "{}", world.story(task.id).await);
        }
        world.assert_nothing_twice().await;
    }
}

/// What nobody can look up counts too: a storm is held back before its repository is known.
#[tokio::test]
async fn a_limit_of_repositories_counts_what_is_not_looked_up_yet() {
    let world = World::of(Setup::new(&format!("{ALERTS}{LIMIT}"))).await;
    world.mona_consents(&["look-at-alerts"]).await;
    world.control().revoke_token(MONA_TOKEN).unwrap();
    alert(&world, "a-1").await;
    alert(&world, "a-2").await;
    let refused = world.decision("a-2").await;
    assert_eq!(refused.verdict, Verdict::Refused);
    assert!(refused.cause.contains("the limit per_repo.live is 1"), "{}", refused.cause);
}

#[tokio::test]
async fn who_left_and_came_back_runs_nothing_that_they_do_not_agree_to_any_more() {
    let world = World::of(Setup::new(ALERTS)).await;
    world.mona_consents(&["look-at-alerts"]).await;
    world.control().revoke_token(MONA_TOKEN).unwrap();
    alert(&world, "a-1").await;
    let waiting = world.task().await;
    assert_eq!(held(&waiting), (State::Held, Some(Hold::Token)));
    taskbridge::pipeline::people::remove(&world.bridge, waiting.person_id, "she left").await.unwrap();
    mona_gives_another(&world).await;
    let task = world.task().await;
    assert_eq!(task.state, State::StartFailed, "{}", world.story(task.id).await);
    assert!(task.reason.contains("@mona has not agreed that this rule runs with their token"), "{}", task.reason);
    assert!(world.control().creations().is_empty());
}

#[tokio::test]
async fn a_repository_that_the_new_token_does_not_see_is_told_and_nothing_is_started() {
    let world = World::of(Setup::new(&ALERTS.replace("acme/widgets", "acme/gadgets"))).await;
    world.control().add_repo(RepoSpec::private(5002, "acme", "gadgets")).unwrap();
    world.mona_consents(&["look-at-alerts"]).await;
    world.control().revoke_token(MONA_TOKEN).unwrap();
    alert(&world, "a-1").await;
    assert_eq!(held(&world.task().await), (State::Held, Some(Hold::Token)));
    mona_gives_another(&world).await;
    let task = world.task().await;
    assert_eq!(task.state, State::StartFailed);
    assert!(task.reason.starts_with("task.repo: acme/gadgets cannot be looked up"), "{}", task.reason);
    // Put right, a retry looks again.
    world.control().grant("acme/gadgets", "mona", Role::Write).unwrap();
    taskbridge::pipeline::steer::retry(&world.bridge, task.id, "vera", false).await.unwrap();
    world.live_for(30).await;
    let task = world.task().await;
    assert!(task.remote_id.is_some() && task.repo_id == 5002, "{}", world.story(task.id).await);
}

#[tokio::test]
async fn who_asked_in_a_chat_is_told_alone_how_it_goes_on() {
    let page = "https://bridge.example.com/connect";
    let setup = Setup { app: true, ..Setup::new(CHAT_RULE) };
    let world =
        World::of(Setup { adjust: Box::new(|settings| settings.connect_url = Some(page.to_owned())), ..setup }).await;
    world.link(MONA_CHAT, taskbridge::ids::PersonId(1001)).await;
    world.control().revoke_token(MONA_TOKEN).unwrap();
    world.slash(MONA_CHAT, "fix it").await;
    world.live_for(30).await;
    let task = world.task().await;
    assert_eq!(held(&task), (State::Held, Some(Hold::Token)));
    let told = world.whispered(MONA_CHAT);
    assert!(told.contains(&task.id.to_string()) && told.contains(page), "{told}");
    assert!(!world.living().text.contains(page), "{}", world.living().text);
    assert_eq!(world.slack().whispers(MONA_CHAT).iter().filter(|whisper| whisper.text.contains(page)).count(), 1);
    // `link` is another way.
    world.slash(MONA_CHAT, "link").await;
    assert!(world.whispered(MONA_CHAT).contains("Sign in again"), "{}", world.whispered(MONA_CHAT));
    mona_gives_another(&world).await;
    assert!(world.task().await.remote_id.is_some());
    world.slash(MONA_CHAT, "link").await;
    assert!(world.whispered(MONA_CHAT).contains("is linked to mona"), "{}", world.whispered(MONA_CHAT));
}
