//! The real binary, killed with `kill -9` at exact moments: while its commit waits, after the commit and before the answer,
//! while starts that GitHub answered with an error are of unknown outcome, half-way through a rotation of the sealing key, and
//! with a new pair of Slack's in its hands.

use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::task::State;
use taskbridge::sandbox::slack::SIGNING_SECRET;
use taskbridge::sandbox::slack::rotation::CLIENT_SECRET;
use taskbridge::sandbox::{Fault, FaultKind};
use taskbridge::secret::Secret;
use taskbridge::vault::{Key, Vault};

use crate::cli_serve::now;
use crate::support::cut::{Cut, Line};
use crate::support::door::{BLOCKED, Door, count, counted, leases_end};
use crate::support::install::{Install, SEALING_KEY, client, until, webhook};
use crate::support::payloads::{MONA, labelled};
use crate::support::stories::CREATE;

const NEW_KEY: &str = "d15ea5ed0ddba11ad15ea5ed0ddba11ad15ea5ed0ddba11ad15ea5ed0ddba11a";

const ROWS: &str = "SELECT count(*) FROM deliveries";
/// Deliveries are recorded.
const RECORDING: &str = "TRIGGER door AFTER INSERT ON deliveries";

/// Another replica is sent the webhook again: it says `told`, there is one row, and the wish is started once.
async fn retried(install: &Install, payload: &Value, watcher: &mut PgConnection, told: &str) {
    let next = install.replica();
    let again = webhook(&client(), &next.address, "d-1", payload).send().await.unwrap();
    assert_eq!(again.status(), 202);
    let answer: Value = serde_json::from_str(&again.text().await.unwrap()).unwrap();
    assert_eq!(answer["status"], told);
    assert_eq!(count(watcher, ROWS).await, 1);
    let started = async || (install.sandbox.control().creations().len() == 1).then_some(());
    until("the wish is started", Duration::from_secs(15), started).await;
}

/// Case 1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_the_commit_and_before_the_answer_the_retry_is_told_that_it_is_a_duplicate() {
    let mut install = Install::new("", "").await;
    install.person(1001, "mona").await;
    let (direct, cut) = (install.url.clone(), Cut::new());
    install.url = cut.url(&direct);
    let mut replica = install.replica();
    let payload = labelled("copilot-fix", MONA, now());
    let mut door = Door::close(&direct, RECORDING, "true").await;
    let (client, address) = (client(), replica.address.clone());
    let first = webhook(&client, &address, "d-1", &payload).send();
    let killed = async {
        door.met().await;
        // The statement is on its way into the database; no byte of the answer arrives any more.
        cut.set(Line::Swallowing);
        tokio::time::sleep(Duration::from_millis(100)).await;
        door.open().await;
        counted(&mut door.watcher, ROWS, |count| count == 1).await;
        replica.program.signal("KILL");
    };
    let (answer, ()) = tokio::join!(first, killed);
    assert!(answer.is_err(), "nobody was told anything: {answer:?}");
    replica.program.ended(Duration::from_secs(5));

    install.url = direct;
    retried(&install, &payload, &mut door.watcher, "duplicate").await;
}

/// Case 2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_the_commit_nobody_was_told_2xx_and_the_retry_is_recorded() {
    let install = Install::new("", "").await;
    install.person(1001, "mona").await;
    let mut replica = install.replica();
    let payload = labelled("copilot-fix", MONA, now());
    let mut door = Door::close(&install.url, RECORDING, "true").await;
    let (client, address) = (client(), replica.address.clone());
    let first = webhook(&client, &address, "d-1", &payload).send();
    let killed = async {
        door.met().await;
        replica.program.signal("KILL");
        door.open_for_nobody().await;
    };
    let (answer, ()) = tokio::join!(first, killed);
    assert!(answer.is_err(), "nobody was told anything: {answer:?}");
    replica.program.ended(Duration::from_secs(5));
    assert_eq!(count(&mut door.watcher, ROWS).await, 0);

    retried(&install, &payload, &mut door.watcher, "recorded").await;
}

/// GitHub answers starts with errors that prove nothing, of which it has made every second one all the same. None of them is
/// sent again before it was looked for, not by the next process either: what is there is found, what is not is made once.
///
/// Case 45.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_server_errors_leave_starts_unknown_the_next_one_looks_before_it_sends() {
    // The first one sends none of them again, however long this takes.
    let times = "tasks: { uncertain_grace: 1h }\nsweep: { interval_min: 1s, interval_max: 2s }\n";
    let install = Install::new(", write_spacing: 10ms", times).await;
    install.person(1001, "mona").await;
    let mut replica = install.replica();
    let control = install.sandbox.control();
    let attempts = async |nth: usize| {
        let task = install.tasks().await.into_iter().nth(nth)?;
        let attempts = install.bridge.store.attempts(task.id).await.unwrap();
        let outcomes: Option<Vec<String>> = attempts.into_iter().map(|attempt| attempt.outcome).collect();
        outcomes.filter(|outcomes| !outcomes.is_empty())
    };
    // Whoever fails only is not asked for a while: one of three goes well.
    let (mut answers, mut ends) = (Vec::new(), Vec::new());
    for status in [500, 502, 503, 504] {
        answers.extend([Some(FaultKind::StatusBefore { status }), Some(FaultKind::StatusAfter { status }), None]);
        ends.extend([&["absent", "created"][..], &["adopted"], &["created"]]);
    }
    for (nth, answer) in answers.iter().enumerate() {
        if let Some(kind) = answer {
            control.inject(Fault::new(kind.clone()).on("POST", CREATE).times(1));
        }
        let at = now() - chrono::TimeDelta::seconds(60 - i64::try_from(nth).unwrap());
        let wish = labelled("copilot-fix", MONA, at);
        webhook(&client(), &replica.address, &format!("d-{nth}"), &wish).send().await.unwrap();
        let outcomes = until("GitHub has answered", Duration::from_secs(60), async || attempts(nth).await).await;
        assert_eq!(outcomes, [if answer.is_some() { "unknown" } else { "created" }], "{answer:?}");
    }
    replica.program.signal("KILL");
    replica.program.ended(Duration::from_secs(5));
    let mut connection = PgConnection::connect(&install.url).await.unwrap();
    leases_end(&mut connection).await;
    let due = "UPDATE tasks SET due_at = now() WHERE state = 'uncertain'";
    sqlx::raw_sql(due).execute(&mut connection).await.unwrap();
    let text = std::fs::read_to_string(install.folder.path().join("taskbridge.yaml")).unwrap();
    install.folder.write("taskbridge.yaml", &text.replace("uncertain_grace: 1h", "uncertain_grace: 1s"));

    let _next = install.replica();
    let settled = async || {
        let tasks = install.tasks().await;
        tasks.iter().all(|task| task.state == State::InProgress).then_some(())
    };
    until("all are settled", Duration::from_secs(120), settled).await;
    for (nth, (answer, ends)) in answers.iter().zip(ends).enumerate() {
        assert_eq!(attempts(nth).await.unwrap(), ends, "{answer:?}");
    }
    let made = control.creations_by_last_line();
    assert!(made.len() == answers.len() && made.values().all(|count| *count == 1), "{made:?}");
}

/// How many tokens are sealed with this key.
async fn sealed_with(install: &Install, key: &str) -> usize {
    let vault = Vault::new(vec![Key::parse(&Secret::new(key)).unwrap()]).unwrap();
    let people = install.bridge.store.people(None, 100).await.unwrap();
    people.iter().filter(|person| !vault.needs_reseal(person.token.as_deref().unwrap())).count()
}

/// Case 60.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_half_way_leaves_both_keys_readable_and_ends_when_it_is_run_again() {
    let install = Install::new("", "").await;
    let people = [(1001, "mona"), (1002, "otto"), (1003, "pia"), (1004, "quin")];
    for (id, login) in people {
        install.person(id, login).await;
    }
    let with = |keys: &str| {
        let text = std::fs::read_to_string(install.folder.path().join("taskbridge.yaml")).unwrap();
        let rest =
            text.split_once("\n").filter(|(first, _)| first.starts_with("vault:")).map_or(&*text, |(_, rest)| rest);
        install.folder.write("taskbridge.yaml", &format!("vault: {{ keys: [{keys}] }}\n{rest}"));
    };
    let env = [install.env()[0], install.env()[1], ("OLD_KEY", SEALING_KEY), ("NEW_KEY", NEW_KEY)];
    with("\"${NEW_KEY}\", \"${OLD_KEY}\"");
    let connect = async || PgConnection::connect(&install.url).await.unwrap();
    let (mut blocker, mut watcher) = (connect().await, connect().await);
    sqlx::raw_sql("BEGIN; SELECT FROM people WHERE id = 1003 FOR UPDATE").execute(&mut blocker).await.unwrap();
    let mut rotation = install.folder.start(&["keys", "reseal"], &env);
    counted(&mut watcher, BLOCKED, |count| count > 0).await;
    rotation.signal("KILL");
    rotation.ended(Duration::from_secs(5));
    sqlx::raw_sql(
        "ROLLBACK; SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'taskbridge' AND query LIKE '/* reseal%'",
    )
    .execute(&mut blocker)
    .await
    .unwrap();
    let half = sealed_with(&install, NEW_KEY).await;
    assert!((2..4).contains(&half), "half-way: {half} of 4");
    assert_eq!(sealed_with(&install, SEALING_KEY).await, 4 - half);

    // With both keys everybody's token opens: each one's wish is started.
    let mut serve = install.folder.start(&["serve", "--listen", "127.0.0.1:0"], &env);
    let line = serve.says("taskbridge serves");
    let address = line.split(' ').find_map(|word| word.strip_prefix("address=")).unwrap();
    for (nth, actor) in people.into_iter().enumerate() {
        let at = now() - chrono::TimeDelta::seconds(60 - i64::try_from(nth).unwrap());
        let payload = labelled("copilot-fix", actor, at);
        webhook(&client(), address, &format!("d-{nth}"), &payload).send().await.unwrap();
    }
    let started = async || (install.sandbox.control().creations().len() == people.len()).then_some(());
    until("everybody's wish is started", Duration::from_secs(20), started).await;
    serve.signal("TERM");
    serve.ended(Duration::from_secs(30));

    let rest = format!("{} stored token", 4 - half);
    install.folder.run(&["keys", "reseal"], &env).is(0, &[&rest]);
    install.folder.run(&["keys", "reseal"], &env).is(0, &["0 stored tokens were sealed anew"]);
    assert_eq!(sealed_with(&install, NEW_KEY).await, 4);
    with("\"${NEW_KEY}\"");
    install.folder.run(&["people", "list"], &env).is(0, &["@mona (account 1001): token good"]);
    with("\"${OLD_KEY}\"");
    install.folder.run(&["people", "list"], &env).is(1, &["give the old key back"]);
}

/// Slack has given the next pair and nobody has written it down: the old refresh token is asked once more, and then the
/// operator is told what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_with_slack_s_new_pair_in_its_hands_it_asks_once_more_and_then_tells_what_to_do() {
    let install = Install::new("", "").await;
    let slack = install.sandbox.slack();
    slack.keep_old_tokens(true);
    let first = slack.install_rotating();
    let text = std::fs::read_to_string(install.folder.path().join("taskbridge.yaml")).unwrap();
    let source = format!(
        "sources:
  slack:
    type: slack
    signing_secret: \"${{SIGNING_SECRET}}\"
    rotation: {{ client_id: \"1111.2222\", client_secret: \"${{CLIENT_SECRET}}\", refresh_token: \"${{REFRESH_TOKEN}}\" }}
    api_url: {}
",
        slack.api_url()
    );
    install.folder.write("taskbridge.yaml", &text.replacen("sources:\n", &source, 1));
    let serve = |refresh_token: &str| {
        let [secret, database, key] = install.env();
        let app =
            [("SIGNING_SECRET", SIGNING_SECRET), ("CLIENT_SECRET", CLIENT_SECRET), ("REFRESH_TOKEN", refresh_token)];
        install.folder.start(&["serve", "--listen", "127.0.0.1:0"], &[&[secret, database, key][..], &app].concat())
    };
    let mut serving = serve(&first);
    serving.says("an app's token was renewed");
    let renewing = "TRIGGER door BEFORE UPDATE ON chat_tokens";
    let mut door = Door::close(&install.url, renewing, "OLD.version <> NEW.version").await;
    sqlx::raw_sql("UPDATE chat_tokens SET due_at = now()").execute(&mut door.watcher).await.unwrap();
    door.met().await;
    assert_eq!(slack.rotations(), 2, "Slack has given it");
    serving.signal("KILL");
    serving.ended(Duration::from_secs(5));
    door.open_for_nobody().await;
    door.leases_end().await;

    let mut serving = serve(&first);
    let told = serving.says("soon nothing can be told in the chat any more");
    for part in ["was lost on the way", "install the app again at Slack", "`rotation.refresh_token`"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!((slack.rotations(), slack.refreshes_asked()), (2, 3), "once more, and nothing goes round in circles");
    let wiped = "SELECT count(*) FROM chat_tokens WHERE refresh_token = '' AND token IS NOT NULL";
    assert_eq!(count(&mut door.watcher, wiped).await, 1, "what is dead is wiped, what works is used");
    serving.signal("TERM");
    serving.ended(Duration::from_secs(30));
    let mut serving = serve(&slack.install_rotating());
    serving.says("an app's token was renewed");
    assert_eq!(slack.rotations(), 3);
}
