//! Our own commands in the comments of an issue: what they tell and move there, for whom, and what a public thread never shows.

use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::task::State;
use taskbridge::pipeline::steer;
use taskbridge::sandbox::{Fault, FaultKind, Outcome, RepoSpec, Role};
use taskbridge::store::deliveries::DeliveryState;
use taskbridge::store::tasks::Hold;

use crate::support::payloads::{MONA, OTTO, commented, labelled};
use crate::support::world::{LABEL_RULE, OTTO_TOKEN, Setup, World};

const RULES: &str = "
rules:
  - name: fix
    on: { command: fix }
    prompt: \"Fix #{{ issue.number }}. {{ command.text }}\"
  - name: deploy
    on: { command: deploy }
    prompt: Deploy it
    allow: { permission: admin }
  - name: elsewhere
    on: { label: elsewhere }
    prompt: A secret of gadgets
    task: { repo: acme/gadgets }
";

async fn world() -> World {
    let world = World::with_app(RULES).await;
    world.control().add_repo(RepoSpec::private(5002, "acme", "gadgets")).unwrap();
    world.control().grant("acme/gadgets", "mona", Role::Write).unwrap();
    world
}

impl World {
    /// What is answered to a comment; nothing, if nobody answers.
    pub(crate) async fn ask(&self, id: i64, text: &str, who: (i64, &str)) -> String {
        let before = self.comments().len();
        self.say(id, text, who, &format!("ask-{id}")).await;
        self.live_for(10).await;
        self.comments().split_off(before).concat()
    }
}

#[tokio::test]
async fn status_list_and_why_are_answered_where_they_are_asked() {
    let world = world().await;
    assert!(world.ask(900, "/copilot status", MONA).await.contains("Nothing runs for you in this repository now."));
    world.say(901, "/copilot fix it", MONA, "d-1").await;
    world.live_for(10).await;
    let task = world.task().await;
    let status = world.ask(902, "/copilot status", MONA).await;
    assert!(status.starts_with("@mona: ") && status.contains(&task.id.to_string()), "{status}");
    let list = world.ask(903, "/copilot list", MONA).await;
    assert!(list.contains("`acme/widgets` · rule `fix`"), "{list}");
    let host = world.bridge.github.host();
    let linked = format!("/copilot why https://{host}/acme/widgets/issues/42");
    let named = format!("/copilot why {}", task.id);
    let questions = ["/copilot why", "/copilot why #42", &linked, &named];
    for (nth, question) in questions.into_iter().enumerate() {
        let why = world.ask(910 + i64::try_from(nth).unwrap(), question, MONA).await;
        assert!(why.contains(&format!("Task {} in `acme/widgets`", task.id)), "{question}: {why}");
        assert!(!why.contains("Fix #42"), "the prompt is not told: {why}");
        assert!(why.contains("`made by the rule fix; @mona has write on acme/widgets`"), "nobody is called: {why}");
    }
    let nothing = world.ask(920, "/copilot why #77", MONA).await;
    assert!(nothing.contains("Nothing was started for it."), "{nothing}");
}

#[tokio::test]
async fn a_thread_shows_nothing_of_another_repository() {
    let world = world().await;
    world.label("elsewhere", "d-1").await;
    let task = world.task().await;
    assert_eq!(task.repo_full_name(), "acme/gadgets");
    let questions = [
        "/copilot status".to_owned(),
        "/copilot list".to_owned(),
        "/copilot why".to_owned(),
        format!("/copilot why {}", task.id),
        format!("/copilot why https://{}/acme/gadgets/issues/1", world.bridge.github.host()),
        format!("/copilot cancel {}", task.id),
        format!("/copilot retry {}", task.id),
        "/copilot retry".to_owned(),
    ];
    for (nth, question) in questions.iter().enumerate() {
        let answer = world.ask(900 + i64::try_from(nth).unwrap(), question, MONA).await;
        assert!(answer.starts_with("@mona: "), "{question}: {answer}");
        assert!(!answer.contains("gadgets") && !answer.contains(&task.id.to_string()), "{question}: {answer}");
    }
    assert_ne!(world.task().await.state, State::Cancelled, "nor was it moved from there");
}

#[tokio::test]
async fn a_task_is_retried_by_its_person_and_called_off_by_who_may() {
    let world = world().await;
    world.control().script_next(Outcome::Failed { message: "no way".into() });
    world.say(900, "/copilot fix it", MONA, "d-1").await;
    world.live_for(120).await;
    let first = world.task().await;
    assert_eq!(first.state, State::Failed);
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    let refused = world.ask(901, &format!("/copilot retry {}", first.id), OTTO).await;
    assert!(refused.contains("This task runs as mona: nobody else can try it again."), "{refused}");
    let again = world.ask(902, "/copilot retry", MONA).await;
    assert!(again.contains("It is tried again as task "), "{again}");
    let second = world.tasks().await.pop().unwrap();
    assert_eq!(second.retry_of, Some(first.id));
    world.live_for(120).await;
    assert!(world.story(second.id).await.contains("@mona in a comment"), "{}", world.story(second.id).await);

    // Otto has given no token, so his task waits; mona may write there too.
    world.say(903, "/copilot fix it for me", OTTO, "d-2").await;
    let held = world.tasks().await.pop().unwrap();
    assert_eq!((held.state, held.hold), (State::Held, Some(Hold::Token)));
    let done = world.ask(904, &format!("/copilot cancel {}", held.id), MONA).await;
    assert!(done.contains("Done: the task is cancelled."), "{done}");
    assert_eq!(world.task_now(held.id).await.state, State::Cancelled);
}

#[tokio::test]
async fn a_stranger_moves_and_learns_nothing_and_who_has_tasks_sees_them() {
    let world = world().await;
    world.say(900, "/copilot fix it", MONA, "d-1").await;
    let task = world.task().await;
    for (nth, word) in ["status", "list", "why", "retry", "cancel", "approve", "help", "link"].into_iter().enumerate() {
        let answer = world.ask(910 + i64::try_from(nth).unwrap(), &format!("/copilot {word}"), OTTO).await;
        assert_eq!(answer, "", "{word}");
    }
    let cancel = world.ask(930, &format!("/copilot cancel {}", task.id), OTTO).await;
    assert!(cancel.is_empty() && world.task().await.state != State::Cancelled);
    // Somebody whose right was taken away still sees what runs as them.
    world.control().grant("acme/widgets", "otto", Role::Write).unwrap();
    world.add_person("otto", OTTO_TOKEN).await;
    world.say(931, "/copilot fix mine", OTTO, "d-2").await;
    world.control().grant("acme/widgets", "otto", Role::Read).unwrap();
    let own = world.tasks().await.pop().unwrap();
    let status = world.ask(932, "/copilot list", OTTO).await;
    assert!(status.contains(&own.id.to_string()) && !status.contains(&task.id.to_string()), "{status}");
    let other = world.ask(933, &format!("/copilot why {}", task.id), OTTO).await;
    assert!(other.contains("not yours to see"), "{other}");
}

#[tokio::test]
async fn help_shows_what_this_account_may_do_here() {
    let world = World::of(Setup {
        app: true,
        adjust: Box::new(|settings| settings.connect_url = Some("http://127.0.0.1:9/connect".to_owned())),
        ..Setup::new(RULES)
    })
    .await;
    let help = world.ask(900, "/copilot help", MONA).await;
    for shown in ["/copilot fix [options]", "/copilot status", "/copilot why [LINK", "/copilot approve [TASK]"] {
        assert!(help.contains(shown), "{shown}: {help}");
    }
    assert!(!help.contains("deploy"), "for that mona would have to be an admin: {help}");
    assert!(!help.contains("retry") && !help.contains("/copilot link") && !help.contains("sign in"), "{help}");
    world.control().grant("acme/widgets", "otto", Role::Admin).unwrap();
    let help = world.ask(901, "/copilot help", OTTO).await;
    assert!(help.contains("/copilot deploy") && help.contains("[sign in](http://127.0.0.1:9/connect)"), "{help}");
    for (id, word) in [(902, "link"), (903, "unlink")] {
        let answer = world.ask(id, &format!("/copilot {word}"), MONA).await;
        assert!(answer.contains("[this page](http://127.0.0.1:9/connect)"), "{answer}");
    }
}

#[tokio::test]
async fn where_no_rule_takes_commands_only_approve_and_help_are_words() {
    let world = World::with_app(LABEL_RULE).await;
    let answer = world.ask(900, "/copilot status", MONA).await;
    assert!(answer.contains("`status` is not available here"), "{answer}");
    let help = world.ask(901, "/copilot help", MONA).await;
    assert!(help.contains("No rule takes commands here.") && help.contains("/copilot approve"), "{help}");
    assert!(!help.contains("status") && !help.contains("retry"), "{help}");
}

#[tokio::test]
async fn who_approves_is_whom_the_rule_lets_start_it() {
    let rules = format!("{}    hold: approval\n    allow: {{ permission: admin }}\n", LABEL_RULE);
    let world = World::with_app(&rules).await;
    world.control().grant("acme/widgets", "otto", Role::Admin).unwrap();
    world.add_person("otto", OTTO_TOKEN).await;
    let now = world.bridge.ground.now();
    world.hook("issues", "d-1", &labelled("copilot-fix", OTTO, now)).await;
    world.settle().await;
    let id = world.task().await.id;
    let refused = world.ask(900, "/copilot approve", MONA).await;
    assert!(refused.contains("the rule does not let you approve task"), "{refused}");
    assert_eq!(world.task_now(id).await.state, State::Held);
    let done = world.ask(901, "/copilot approve", OTTO).await;
    assert!(done.contains("is approved"), "{done}");
    assert_ne!(world.task_now(id).await.state, State::Held);
}

/// A failed task, and its retry that failed too.
async fn retried_once(world: &World) {
    for (id, text) in [(900, "/copilot fix it"), (901, "/copilot retry")] {
        world.control().script_next(Outcome::Failed { message: "no way".into() });
        world.say(id, text, MONA, &format!("d-{id}")).await;
        world.live_for(120).await;
    }
    let states: Vec<State> = world.tasks().await.iter().map(|task| task.state).collect();
    assert_eq!(states, [State::Failed, State::Failed]);
}

#[tokio::test]
async fn a_retry_that_comes_through_two_hooks_is_one() {
    let world = world().await;
    retried_once(&world).await;
    // The App's hook tells the same comment in a body of its own.
    let mut same = commented(901, "/copilot retry", MONA, world.bridge.ground.now());
    same["installation"] = serde_json::json!({ "id": 8001, "node_id": "MDIz" });
    let before = world.comments().len();
    world.hook("issue_comment", "d-app", &same).await;
    world.live_for(60).await;
    assert_eq!(world.tasks().await.len(), 2);
    assert_eq!(world.comments().len(), before);
    let end = world.delivery("d-app").await;
    assert_eq!(end.reason.as_deref(), Some("not answered: these words were answered before"));
}

#[tokio::test]
async fn a_retry_whose_delivery_is_heard_again_after_a_death_is_one() {
    let world = world().await;
    retried_once(&world).await;
    // As it is found by another replica: the retry was committed, the end of its delivery was not.
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    let sql = "DELETE FROM reports WHERE delivery_id = (SELECT id FROM deliveries WHERE sender_id = 'd-901')";
    assert_eq!(sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected(), 1);
    steer::replay(&world.bridge, world.delivery("d-901").await.id).await.unwrap();
    world.settle().await;
    world.live_for(60).await;
    assert_eq!(world.tasks().await.len(), 2);
    assert!(world.comments().last().unwrap().starts_with("@mona: "), "{:?}", world.comments().last());
}

#[tokio::test]
async fn while_github_cannot_say_who_may_nobody_is_told_no() {
    let rules = format!("{LABEL_RULE}    hold: approval\n    allow: {{ teams: [acme/makers] }}\n");
    let world = World::with_app(&rules).await;
    world.control().add_team_member("acme", "makers", "mona", "active").unwrap();
    world.label("copilot-fix", "d-1").await;
    let id = world.task().await.id;
    // That mona may write is known; whether she is in the team is asked anew.
    world.advance(60);
    let away = Fault::new(FaultKind::StatusBefore { status: 500 }).on("GET", "/orgs/acme/teams");
    let away = world.control().inject(away);
    let before = world.comments().len();
    world.say(900, "/copilot approve", MONA, "d-2").await;
    assert_eq!(world.delivery("d-2").await.state, DeliveryState::Received);
    assert_eq!(world.comments().len(), before, "a doubt is not told as a no");
    // What is made after the word was heard was not meant by it.
    world.control().remove_fault(away);
    world.advance(1);
    world.label("copilot-fix", "d-3").await;
    let later = world.tasks().await.pop().unwrap();
    assert_ne!(later.id, id);
    assert_eq!(world.delivery("d-2").await.state, DeliveryState::Received, "it waits still");
    world.live_for(120).await;
    let answers: Vec<String> = world.comments().into_iter().filter(|text| text.starts_with("@mona: ")).collect();
    assert!(answers.len() == 1 && answers[0].starts_with(&format!("@mona: task {id} is approved.")), "{answers:?}");
    assert_ne!(world.task_now(id).await.state, State::Held);
    assert_eq!(world.task_now(later.id).await.state, State::Held);
}
