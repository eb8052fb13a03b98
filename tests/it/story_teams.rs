//! Work that is asked for by an outgoing webhook of Teams, which is answered at once, for all to see, or never.

use std::cell::Cell;

use axum::http::StatusCode;
use chrono::TimeDelta;
use sha2::Digest as _;
use taskbridge::domain::task::State;
use taskbridge::sandbox::{Fault, FaultKind};
use taskbridge::store::tasks::Hold;

use crate::connect_kit::{Browser, SITE, open, setup};
use crate::support::chats::{MONA, TEAMS_MONA, TEAMS_RULE, on_teams, teams_activity, teams_signed, teams_stamp};
use crate::support::world::{Setup, World};

/// Says something while the workers run, as they do; what was answered.
pub(crate) async fn says(world: &World, id: &str, account: &str, text: &str) -> String {
    let request = teams_signed(&teams_activity(world, id, account, text).to_string());
    let answered = Cell::new(false);
    let asking = async {
        let answer = world.chat_says("teams", &request).await;
        answered.set(true);
        answer
    };
    let workers = async {
        while !answered.get() {
            world.settle().await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let (answer, ()) = tokio::join!(asking, workers);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.body["type"], "message");
    world.settle().await;
    answer.body["text"].as_str().unwrap().to_owned()
}

async fn teams_world() -> World {
    let world = World::of(Setup::new(TEAMS_RULE)).await;
    world.link_as(&on_teams(TEAMS_MONA), MONA).await;
    world
}

#[tokio::test]
async fn a_message_becomes_a_task_and_the_answer_says_so() {
    let world = teams_world().await;
    let answer = says(&world, "1", TEAMS_MONA, "fix the login &amp; logout").await;
    let task = world.task().await;
    assert_eq!((task.prompt.as_str(), task.person_login.as_str()), ("fix the login & logout", "mona"));
    assert!(answer.contains(&task.id.to_string()) && answer.contains("acme/widgets"), "{answer}");
    assert!(!answer.contains("login"), "a channel has other readers: {answer}");
    world.live_for(120).await;
    assert_eq!(world.task().await.state, State::Completed);
    let list = says(&world, "2", TEAMS_MONA, "list").await;
    assert!(list.contains("completed") && list.contains(" min ago") && !list.contains("login"), "{list}");
    assert!(says(&world, "3", TEAMS_MONA, "why").await.contains("completed"));
    assert_eq!(says(&world, "4", TEAMS_MONA, "status").await, "Nothing runs for you now.");
    let help = says(&world, "5", TEAMS_MONA, "help").await;
    assert!(help.contains("You are linked to mona") && help.contains("behind a mention of me"), "{help}");
    assert!(help.contains("\n\n- `[options] what to do`\n\n") && help.contains("- `why LINK or TASK`:"), "{help}");
    assert!(!help.contains("/copilot") && !help.contains("\n\n\n") && help.trim() == help, "{help:?}");
}

#[tokio::test]
async fn what_waits_for_approval_says_so_with_the_word_that_lets_it_go_on() {
    let world = World::of(Setup::new(&format!("{TEAMS_RULE}    hold: approval\n"))).await;
    world.link_as(&on_teams(TEAMS_MONA), MONA).await;
    let answer = says(&world, "1", TEAMS_MONA, "fix it").await;
    let word = format!("approve {}", world.task().await.id);
    assert!(answer.contains("held") && answer.contains(&format!("mention me and write `{word}`")), "{answer}");
    assert!(says(&world, "2", TEAMS_MONA, &word).await.contains("Done"));
    assert_ne!(world.task().await.state, State::Held);
}

#[tokio::test]
async fn what_comes_again_is_answered_again_and_starts_nothing() {
    let world = teams_world().await;
    let first = says(&world, "1", TEAMS_MONA, "fix it").await;
    let again = says(&world, "1", TEAMS_MONA, "fix it").await;
    assert!(first.contains(&world.task().await.id.to_string()) && again.contains(&world.task().await.id.to_string()));
    assert_eq!(world.delivery_count().await, 1);
}

#[tokio::test]
async fn while_matching_is_slow_it_is_answered_in_time_that_it_was_taken_up() {
    let world = teams_world().await;
    let begun = std::time::Instant::now();
    let request = teams_signed(&teams_activity(&world, "1", TEAMS_MONA, "fix it").to_string());
    let answer = world.chat_says("teams", &request).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(answer.body["text"].as_str().unwrap().contains("taken up"), "{}", answer.body);
    world.settle().await;
    assert_eq!(world.task().await.prompt, "fix it");
}

#[tokio::test]
async fn what_is_not_signed_is_turned_away_and_who_is_not_named_is_told_so() {
    let world = teams_world().await;
    let right = teams_signed(&teams_activity(&world, "1", TEAMS_MONA, "fix it").to_string());
    let mut wrong = right.clone();
    wrong.body = wrong.body.replace("fix", "fax");
    assert_eq!(world.chat_says("teams", &wrong).await.status, StatusCode::UNAUTHORIZED);
    let mut unsigned = right;
    unsigned.headers.truncate(1);
    assert_eq!(world.chat_says("teams", &unsigned).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.delivery_count().await, 0);
    let mut nameless = teams_activity(&world, "2", TEAMS_MONA, "fix it");
    nameless["from"] = serde_json::json!({ "id": "29:1xxx", "name": "Mona" });
    let answer = world.chat_says("teams", &teams_signed(&nameless.to_string())).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body["text"].as_str().unwrap().contains("which account"), "{}", answer.body);
    world.settle().await;
    assert!(world.tasks().await.is_empty(), "a name is nobody");
}

/// A message that somebody overheard and sends again after it was forgotten here would start a second task.
///
/// Case 21.
#[tokio::test]
async fn a_message_of_another_time_is_turned_away() {
    let world = teams_world().await;
    let now = world.bridge.ground.now();
    let written = |id: &str, key: &str, stamp: Option<String>| {
        let mut activity = teams_activity(&world, id, TEAMS_MONA, "help");
        let fields = activity.as_object_mut().unwrap();
        fields.remove("timestamp");
        fields.extend(stamp.map(|stamp| (key.to_owned(), stamp.into())));
        teams_signed(&activity.to_string())
    };
    let away = |seconds: i64| teams_stamp(now + TimeDelta::seconds(seconds));
    let refused = [
        ("timestamp", Some(away(-301))),
        ("timestamp", Some(away(301))),
        ("localTimestamp", Some("2027-01-15T09:54:59.000+02:00".to_owned())),
        ("timestamp", Some(String::new())),
        ("timestamp", Some("2027-01-15".to_owned())),
        ("timestamp", Some("1800000000".to_owned())),
        ("timestamp", Some("9".repeat(40))),
        ("sent", Some(away(0))),
        ("", None),
    ];
    for (key, stamp) in refused {
        let answer = world.chat_says("teams", &written("1", key, stamp.clone())).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{key} {stamp:?}");
    }
    assert_eq!(world.delivery_count().await, 0);
    for (id, key, stamp) in [
        ("1", "timestamp", away(-300)),
        ("2", "timestamp", away(300)),
        ("3", "localTimestamp", "2027-01-15T09:55:00.000+02:00".to_owned()),
    ] {
        let answer = world.chat_says("teams", &written(id, key, Some(stamp.clone()))).await;
        assert_eq!(answer.status, StatusCode::OK, "{key} {stamp}");
    }
    assert_eq!(world.delivery_count().await, 3);
}

/// All in the channel see the answer: what it holds must be of use to nobody else.
#[tokio::test]
async fn an_account_is_linked_without_a_link_that_others_could_follow() {
    let world = open(Setup { rules: TEAMS_RULE.to_owned(), ..setup() }).await;
    let asked = says(&world, "1", TEAMS_MONA, "link").await;
    assert!(asked.contains(&format!("Open {SITE}/connect,")), "{asked}");
    let name = format!("teams {}@teams {TEAMS_MONA}", crate::support::chats::TENANT);
    assert!(asked.contains(&format!("`{name}`")), "{asked}");
    assert!(asked.contains("mention me again and write `link` and the code"), "{asked}");
    let mut browser = Browser::new(&world);
    // The name is no link: nobody is led anywhere by it.
    for path in [&name, "teams", &hex::encode(sha2::Sha256::digest(name.as_bytes()))] {
        assert_ne!(browser.get(&format!("/connect/{}", path.replace(' ', "%20"))).await.status, StatusCode::OK);
    }
    let form = browser.sign_in(&world, "mona").await.form();
    let entered = |account: &str| format!("form={form}&account={}", account.replace(' ', "+"));
    for other in ["", "teams", "slack T0001 U1", "teams t somebody-who-did-not-ask"] {
        let page = browser.post("/connect/account", &entered(other)).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{other}");
    }
    let from_elsewhere = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let page = browser.post_from("/connect/account", &entered(&name), &from_elsewhere).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.post("/connect/account", &format!("form=x&account={name}")).await.status, StatusCode::FORBIDDEN);
    let page = browser.post("/connect/account", &entered(&name)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("mention the app there, and type behind its name"), "{}", page.text);
    let (_, typed) = page.text.split_once("<code>link ").expect("a code");
    let typed = format!("link {}", typed.split('<').next().unwrap());
    assert_eq!(browser.post("/connect/account", &entered(&name)).await.status, StatusCode::NOT_FOUND, "once");
    // Whoever is linked to nobody is told how to link, whatever they say; the code waits all the same.
    assert!(says(&world, "5", TEAMS_MONA, "status").await.contains(&name));
    assert!(says(&world, "2", TEAMS_MONA, &typed).await.contains("is linked to mona"));
    let thief = says(&world, "3", "7f2a1c9e-0000-4000-8000-00000000beef", &typed).await;
    assert!(thief.contains("no code that waits"), "the code is good for one account, once: {thief}");
    assert!(thief.contains("Mention me and write `link` to begin anew"), "{thief}");
    let linked = says(&world, "6", TEAMS_MONA, "link").await;
    assert!(linked.contains("Mention me and write `unlink` to undo that"), "{linked}");
    assert!(says(&world, "4", TEAMS_MONA, "fix it").await.contains("acme/widgets"));
}

/// Teams tells nothing later: the page is said with the answer or never.
#[tokio::test]
async fn who_must_sign_in_anew_is_told_where() {
    let world = open(Setup { rules: TEAMS_RULE.to_owned(), ..setup() }).await;
    world.link_as(&on_teams(TEAMS_MONA), MONA).await;
    world.control().inject(Fault::new(FaultKind::StatusBefore { status: 401 }).on("POST", "/agents/repos/*/*/tasks"));
    says(&world, "1", TEAMS_MONA, "fix it").await;
    assert_eq!(world.task().await.hold, Some(Hold::Token));
    // Asked again, as Teams does that missed the answer, it is the same.
    let told = says(&world, "1", TEAMS_MONA, "fix it").await;
    assert!(told.contains("It goes on by itself when you have signed in."), "{told}");
    assert!(told.contains(&format!("[Sign in with GitHub]({SITE}/connect)")), "{told}");
}
