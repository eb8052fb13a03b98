//! A token that came of a sign-in with the App reaches only repositories in which the App is. Where it was uninstalled or
//! suspended, what waits is held and says what to do, and goes on by itself; who gave a token of their own waits for nothing.

use chrono::TimeDelta;
use serde_json::{Value, json};
use taskbridge::domain::task::State;
use taskbridge::pipeline::match_rules::match_batch;
use taskbridge::pipeline::start_task::{resume_batch, start_batch};
use taskbridge::pipeline::steer;
use taskbridge::sandbox::{Fault, FaultKind, InstallationSpec, RepoSpec, Role, UserSpec};
use taskbridge::store::tasks::{Hold, REPO_UNKNOWN, Task};

use crate::connect_kit::{Browser, OTTO, open, setup};
use crate::support::chat::{CHAT_RULE, OTTO_CHAT};
use crate::support::payloads::{MONA, OTTO as OTTO_ACTOR, labelled};
use crate::support::world::{LABEL_RULE, OTTO_TOKEN, Setup, World};

/// Otto has signed in with the App, and may write where it is installed.
async fn signed_in(rules: &str) -> World {
    let world = open(Setup { app: true, rules: rules.to_owned(), ..setup() }).await;
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    Browser::new(&world).sign_in(&world, "otto").await;
    world
}

impl World {
    fn install(&self, suspended: bool, repos: Option<&[&str]>) {
        let repos = repos.map(|repos| repos.iter().map(|&repo| repo.to_owned()).collect());
        let spec = InstallationSpec { id: 8001, account: "acme".to_owned(), repos, suspended };
        self.control().add_installation(spec).unwrap();
    }

    fn uninstall(&self) {
        assert!(self.control().remove_installation(8001));
    }

    async fn app_event(&self, event: &str, action: &str) -> String {
        let delivery = format!("d-{event}-{action}-{}", self.bridge.ground.now().timestamp());
        let payload = json!({
            "action": action, "installation": { "id": 8001, "account": { "login": "Acme", "id": 9001 } },
            "sender": { "login": "mona", "id": 1001, "type": "User" }, "told": delivery
        });
        self.hook(event, &delivery, &payload).await;
        match_batch(&self.bridge, 64).await.unwrap();
        self.delivery(&delivery).await.reason.unwrap_or_default()
    }

    /// A label that is matched, and nothing more.
    async fn wishes(&self, actor: (i64, &str), issue: i64) -> Task {
        self.advance(1);
        let mut payload: Value = labelled("copilot-fix", actor, self.bridge.ground.now());
        payload["issue"]["number"] = issue.into();
        payload["issue"]["id"] = (issue * 100).into();
        self.hook("issues", &format!("d-{issue}"), &payload).await;
        match_batch(&self.bridge, 64).await.unwrap();
        self.tasks().await.pop().unwrap()
    }

    async fn is_held_for_the_app(&self, task: &Task) -> bool {
        let task = self.task_now(task.id).await;
        (task.state, task.hold) == (State::Held, Some(Hold::Installation))
    }
}

/// Case 61.
#[tokio::test]
async fn what_waits_where_the_app_was_uninstalled_is_held_and_goes_on_when_it_is_back() {
    let world = signed_in(LABEL_RULE).await;
    let task = world.wishes(OTTO_ACTOR, 42).await;
    assert_eq!(task.state, State::Pending);
    world.uninstall();
    let reason = world.app_event("installation", "deleted").await;
    assert!(reason.ends_with("1 task(s) that waited to be started there are held"), "{reason}");
    let held = world.task_now(task.id).await;
    assert_eq!((held.state, held.hold), (State::Held, Some(Hold::Installation)), "{}", held.reason);
    assert!(
        held.reason.contains(
            "is not installed on acme/widgets, if that is still there: an owner of acme installs it there again"
        ),
        "{}",
        held.reason
    );
    assert!(held.reason.contains("/apps/taskbridge)") && held.reason.ends_with("goes on by itself"), "{}", held.reason);
    // What comes now waits too; the days pass, and it is asked ever more seldom.
    let second = world.wishes(OTTO_ACTOR, 43).await;
    world.live_for(10).await;
    assert!(world.is_held_for_the_app(&second).await, "{}", world.story(second.id).await);
    world.control().clear_calls();
    world.live_in_steps(100, 900).await;
    let asked = world.control().count_calls("GET", "/repos/acme/widgets/installation");
    assert!((20..=80).contains(&asked), "about every hour, for both at once: {asked}");
    assert!(world.attempts(task.id).await.is_empty() && world.control().tasks().is_empty(), "nothing was sent");
    world.install(false, None);
    world.app_event("installation", "created").await;
    world.live_for(20).await;
    for task in [task, second] {
        assert!(world.task_now(task.id).await.remote_id.is_some(), "{}", world.story(task.id).await);
        assert!(world.story(task.id).await.contains("the App is installed there again"));
    }
    assert!(world.comments().concat().contains("Copilot"), "{:?}", world.comments());
    world.assert_nothing_twice().await;
}

/// No webhook tells that the App went, or came back: what GitHub refuses shows it, and the next look.
///
/// Case 61.
#[tokio::test]
async fn without_a_word_of_it_the_refusal_leads_to_a_look_and_the_look_lets_it_go_on() {
    let world = signed_in(LABEL_RULE).await;
    // Where it is installed is remembered.
    let task = world.wishes(OTTO_ACTOR, 42).await;
    world.uninstall();
    world.live_for(10).await;
    let held = world.task_now(task.id).await;
    assert_eq!((held.state, held.hold), (State::Held, Some(Hold::Installation)), "{}", world.story(task.id).await);
    assert_eq!(world.outcomes(task.id).await, ["refused"], "it was tried once");
    world.install(false, None);
    world.live_for(120).await;
    assert!(world.task_now(task.id).await.remote_id.is_some(), "{}", world.story(task.id).await);
    world.assert_nothing_twice().await;
}

/// Case 61.
#[tokio::test]
async fn suspended_is_the_same_and_rights_and_limits_hold_when_it_is_let_in_again() {
    let world = signed_in(&format!("{LABEL_RULE}    limits: {{ per_person: {{ live: 2 }} }}\n")).await;
    let first = world.wishes(OTTO_ACTOR, 42).await;
    let second = world.wishes(OTTO_ACTOR, 43).await;
    world.install(true, None);
    world.app_event("installation", "suspend").await;
    for task in [&first, &second] {
        assert!(world.is_held_for_the_app(task).await, "{}", world.story(task.id).await);
        assert!(world.task_now(task.id).await.reason.contains("is suspended at acme"));
    }
    // Fewer may run by now.
    world.reload(&format!("{LABEL_RULE}    limits: {{ per_person: {{ live: 1 }} }}\n"));
    world.install(false, None);
    world.app_event("installation", "unsuspend").await;
    world.live_for(10).await;
    assert!(world.task_now(first.id).await.remote_id.is_some(), "{}", world.story(first.id).await);
    assert_eq!(world.task_now(second.id).await.hold, Some(Hold::Limit));
    world.live_for(300).await;
    // The third may not write any more when the App is back.
    let third = world.wishes(OTTO_ACTOR, 44).await;
    world.install(false, Some(&[]));
    world.app_event("installation_repositories", "removed").await;
    assert!(world.is_held_for_the_app(&third).await, "taken out of the repositories: {}", world.story(third.id).await);
    world.control().grant("acme/widgets", "otto", Role::Read).unwrap();
    world.install(false, Some(&["acme/widgets"]));
    world.app_event("installation_repositories", "added").await;
    world.live_for(10).await;
    let third = world.task_now(third.id).await;
    assert!(
        third.state == State::StartFailed && third.reason.starts_with("allow: @otto needs write"),
        "{}",
        third.reason
    );
}

/// Case 61.
#[tokio::test]
async fn late_and_wrong_words_change_nothing_and_silence_is_no_absence() {
    let world = signed_in(LABEL_RULE).await;
    let task = world.wishes(OTTO_ACTOR, 42).await;
    // It is there, whatever an old webhook says.
    world.app_event("installation", "deleted").await;
    assert_eq!(world.task_now(task.id).await.state, State::Pending);
    world.live_for(10).await;
    assert!(world.task_now(task.id).await.remote_id.is_some());
    // It is gone, and a late webhook says that it came.
    let second = world.wishes(OTTO_ACTOR, 43).await;
    world.uninstall();
    world.app_event("installation", "created").await;
    assert!(world.is_held_for_the_app(&second).await);
    world.live_for(90).await;
    assert!(world.is_held_for_the_app(&second).await, "{}", world.story(second.id).await);
    // While that cannot be asked, nothing is concluded: nobody is held, nothing fails, and nothing goes on.
    let third = world.wishes(OTTO_ACTOR, 44).await;
    let away = Fault::new(FaultKind::StatusBefore { status: 502 }).on("GET", "/repos/acme/widgets/installation");
    let away = world.control().inject(away);
    world.app_event("installation", "deleted").await;
    assert_eq!(world.task_now(third.id).await.state, State::Pending);
    world.live_for(200).await;
    assert_eq!(world.task_now(third.id).await.state, State::Pending, "{}", world.story(third.id).await);
    assert!(world.is_held_for_the_app(&second).await);
    world.control().remove_fault(away);
    world.live_for(700).await;
    assert!(world.is_held_for_the_app(&third).await, "{}", world.story(third.id).await);
}

/// Case 61.
#[tokio::test]
async fn a_token_of_ones_own_depends_on_no_app_and_there_is_a_way_out() {
    let world = signed_in(LABEL_RULE).await;
    let task = world.wishes(OTTO_ACTOR, 42).await;
    world.uninstall();
    world.app_event("installation", "deleted").await;
    assert!(world.is_held_for_the_app(&task).await);
    let of_mona = world.wishes(MONA, 43).await;
    world.live_for(10).await;
    assert!(world.task_now(of_mona.id).await.remote_id.is_some(), "{}", world.story(of_mona.id).await);
    // An operator calls one off, and adds a token for the other.
    let second = world.wishes(OTTO_ACTOR, 44).await;
    world.live_for(10).await;
    assert!(world.is_held_for_the_app(&second).await, "{}", world.story(second.id).await);
    assert_eq!(steer::cancel(&world.bridge, second.id, "ann").await.unwrap().state, State::Cancelled);
    world.add_person("otto", OTTO_TOKEN).await;
    world.live_for(10).await;
    assert!(world.task_now(task.id).await.remote_id.is_some(), "{}", world.story(task.id).await);
    world.assert_nothing_twice().await;
}

/// Another app than the one that is installed is asked of nobody, and its sign-ins wait for nothing.
#[tokio::test]
async fn a_sign_in_with_another_app_does_not_wait() {
    let world = signed_in(LABEL_RULE).await;
    world.control().set_sign_in("Iv23another", "a secret of another", None);
    let task = world.wishes(OTTO_ACTOR, 42).await;
    world.uninstall();
    world.app_event("installation", "deleted").await;
    assert_eq!(world.task_now(task.id).await.state, State::Pending);
    world.live_for(10).await;
    assert_eq!(world.task_now(task.id).await.state, State::StartFailed, "what GitHub says is told");
}

/// Case 61.
#[tokio::test]
async fn who_asked_in_a_chat_is_told_there_what_it_waits_for() {
    let world = signed_in(CHAT_RULE).await;
    world.link(OTTO_CHAT, OTTO).await;
    let answer = world.slack_says(&world.slack().slash(OTTO_CHAT, "C0001", "/copilot", "fix it")).await;
    assert!(answer.status.is_success());
    match_batch(&world.bridge, 64).await.unwrap();
    let task = world.task().await;
    world.uninstall();
    world.app_event("installation", "deleted").await;
    world.live_for(10).await;
    assert!(world.is_held_for_the_app(&task).await, "{}", world.story(task.id).await);
    let told = world.living().text;
    assert!(told.contains("is not installed on acme/widgets") && told.contains("goes on by itself"), "{told}");
    // What is asked for now cannot be looked up, and who asks is told why.
    world.slash(OTTO_CHAT, "fix the other").await;
    world.live_for(10).await;
    let told = world.whispered(OTTO_CHAT);
    assert!(told.contains("Nothing was started: the GitHub App") && told.contains("Then ask once more"), "{told}");
    world.install(false, None);
    world.advance(u64::try_from(TimeDelta::minutes(2).num_seconds()).unwrap());
    world.live_for(20).await;
    assert!(world.task_now(task.id).await.remote_id.is_some(), "{}", world.story(task.id).await);
}

/// A repository that is gone looks as if the App were: what waits there ends some day, and says how to go on.
///
/// Case 61.
#[tokio::test]
async fn it_is_waited_for_two_weeks_and_no_longer() {
    let world = signed_in(LABEL_RULE).await;
    let task = world.wishes(OTTO_ACTOR, 42).await;
    world.uninstall();
    world.live_for(10).await;
    assert!(world.is_held_for_the_app(&task).await);
    world.live_in_steps(13, 86_400).await;
    assert!(world.is_held_for_the_app(&task).await, "{}", world.story(task.id).await);
    world.live_in_steps(2, 86_400).await;
    let ended = world.task_now(task.id).await;
    assert_eq!(ended.state, State::Cancelled, "{}", world.story(task.id).await);
    assert!(
        ended.reason.starts_with("it has waited for two weeks") && ended.reason.ends_with("Then retry it"),
        "{}",
        ended.reason
    );
}

/// However many people wait in one repository, it is asked about once a round.
#[tokio::test]
async fn a_repository_is_asked_about_once_however_many_wait_there() {
    let world = signed_in(LABEL_RULE).await;
    world.control().add_user(UserSpec::person(1003, "vera", "sandbox-vera-token")).unwrap();
    world.control().grant("acme/widgets", "vera", Role::Write).unwrap();
    Browser::new(&world).sign_in(&world, "vera").await;
    let (first, second) = (world.wishes(OTTO_ACTOR, 42).await, world.wishes((1003, "vera"), 43).await);
    world.uninstall();
    world.live_for(10).await;
    assert!(world.is_held_for_the_app(&first).await && world.is_held_for_the_app(&second).await);
    world.advance(300);
    world.control().clear_calls();
    world.settle().await;
    assert_eq!(world.control().count_calls("GET", "/repos/acme/widgets/installation"), 1);
}

/// A look that has begun ends after the webhook that says that the App is back: the look which that one wants is not put off.
#[tokio::test]
async fn a_look_under_way_does_not_put_off_the_one_that_a_webhook_wants() {
    let world = signed_in(LABEL_RULE).await;
    let task = world.wishes(OTTO_ACTOR, 42).await;
    world.uninstall();
    world.live_for(10).await;
    assert!(world.is_held_for_the_app(&task).await);
    world.advance(300);
    let (begun, store) = (world.bridge.ground.now(), &world.bridge.store);
    world.advance(1);
    let told = world.bridge.ground.now();
    assert_eq!(store.look_for_the_app_now(Some("ACME"), None, told).await.unwrap(), 1);
    store.look_for_the_app_at(task.id, begun, told + TimeDelta::hours(1)).await.unwrap();
    assert_eq!(world.task_now(task.id).await.due_at, told);
    // Without such a word it is put off.
    store.look_for_the_app_at(task.id, told, told + TimeDelta::hours(1)).await.unwrap();
    assert_eq!(world.task_now(task.id).await.due_at, told + TimeDelta::hours(1));
}

/// The repository that a rule names is looked up before the start; when the App has gone since it was last asked about, the task
/// waits for it there too.
///
/// Case 61.
#[tokio::test]
async fn a_repository_that_the_rule_names_is_waited_for_when_the_app_went_unnoticed() {
    let elsewhere = LABEL_RULE.replace("    prompt:", "    task: { repo: acme/gadgets }\n    prompt:");
    let world = signed_in(&elsewhere).await;
    world.control().add_repo(RepoSpec::private(5002, "acme", "gadgets")).unwrap();
    world.control().grant("acme/gadgets", "otto", Role::Write).unwrap();
    world.install(false, Some(&["acme/widgets"]));
    world.bridge.github.app().unwrap().forget_installations();
    let task = world.wishes(OTTO_ACTOR, 42).await;
    assert_eq!(task.repo_id, REPO_UNKNOWN, "{}", task.reason);
    world.live_for(10).await;
    assert!(world.is_held_for_the_app(&task).await, "{}", world.story(task.id).await);
    world.advance(120);
    world.install(false, Some(&["acme/widgets", "acme/gadgets"]));
    resume_batch(&world.bridge).await.unwrap();
    assert_eq!(world.task_now(task.id).await.state, State::Pending, "{}", world.story(task.id).await);
    world.install(false, Some(&["acme/widgets"]));
    start_batch(&world.bridge).await.unwrap();
    assert!(world.is_held_for_the_app(&task).await, "{}", world.story(task.id).await);
    world.install(false, None);
    world.live_in_steps(4, 3_600).await;
    let started = world.task_now(task.id).await;
    assert_eq!((started.repo_id, started.remote_id.is_some()), (5002, true), "{}", world.story(task.id).await);
}
