//! No secret anywhere but where it belongs: not in a log line of any story, and not in the clear in the database.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::TimeDelta;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use taskbridge::ids::PersonId;
use taskbridge::pipeline::match_rules;
use taskbridge::sandbox::{Fault, FaultKind};

use crate::cli_connect;
use crate::cli_serve::now;
use crate::connect_kit::{self, Browser, CLIENT_SECRET};
use crate::support::canary::{self, first_leak, heard, know, leak, leak_in};
use crate::support::install::{SEALING_KEY, client, until, webhook};
use crate::support::stories::{CREATE, MONA, OTTO};
use crate::support::world::{HOOK_SECRET, LABEL_RULE, MONA_TOKEN, OTTO_TOKEN, World, labelled};

const PATIENCE: Duration = Duration::from_secs(60);

/// Case 62.
#[tokio::test]
async fn a_story_with_every_kind_of_trouble_leaves_no_secret_in_log_or_database() {
    let world = connect_kit::world().await;
    world.let_otto_in().await;
    world.control().set_token_life(Some(28_800), 15_811_200);
    Browser::new(&world).sign_in(&world, "otto").await;
    let signed_in = connect_kit::tokens_of(&world.bridge, connect_kit::OTTO).await;
    assert_eq!(signed_in.len(), 2, "one to ask with, and one to renew it with");
    for kind in trouble() {
        for actor in [MONA, OTTO] {
            world.spoil_start(kind.clone(), 1);
            world.wish(actor, 1).await;
            world.live_for(90).await;
        }
    }
    assert_eq!(leak(), None);
    assert!(heard() > 1000, "the lines are heard: {}", heard());

    let markers: Vec<String> = world.tasks().await.into_iter().map(|task| task.marker.expose().to_owned()).collect();
    let mut secrets =
        vec![HOOK_SECRET, MONA_TOKEN, OTTO_TOKEN, CLIENT_SECRET].into_iter().map(str::to_owned).collect::<Vec<_>>();
    secrets.extend(signed_in);
    secrets.extend(connect_kit::tokens_of(&world.bridge, connect_kit::OTTO).await);
    secrets.push("0f".repeat(32));
    assert_none_in_the_clear(&world.database.url, &secrets, &markers).await;
}

/// What GitHub answers when a task is to be started.
fn trouble() -> [FaultKind; 6] {
    [
        FaultKind::StatusAfter { status: 502 },
        FaultKind::DropAfter,
        FaultKind::StatusBefore { status: 422 },
        FaultKind::SecondaryLimit { status: 403, retry_after: Some("1".to_owned()) },
        FaultKind::Redirect { status: 307, location: None },
        FaultKind::Unauthorized,
    ]
}

/// No secret stands in the database in any form, and a marker only with its task.
async fn assert_none_in_the_clear(url: &str, secrets: &[String], markers: &[String]) {
    let dump = dump(url).await;
    assert!(dump.iter().any(|(_, row)| row.contains(&markers[0])), "the dump shows what is in the clear");
    for (table, row) in &dump {
        for secret in secrets {
            for form in [secret.clone(), hex::encode(secret), BASE64.encode(secret)] {
                assert!(!row.contains(&form), "{secret} in the clear in {table}");
            }
        }
        let elsewhere = table != "tasks" && markers.iter().any(|marker| row.contains(marker));
        assert!(!elsewhere, "a marker in {table}: {row}");
    }
}

/// The real binary at its most talkative, with people who sign in at GitHub, tokens that are renewed and refused, and callers
/// who are turned away: its log, all that it answers, and its database hold no secret.
///
/// Case 62.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_the_real_binary_leaves_no_secret_in_its_log_its_answers_or_its_database() {
    let times = "tasks: { lease: 7s, uncertain_grace: 1s }\nsweep: { interval_min: 1s, interval_max: 2s }\n";
    let install = cli_connect::install_with(", write_spacing: 10ms, timeout: 3s", times).await;
    let control = install.sandbox.control();
    control.set_device_life(1, 900);
    control.set_token_life(Some(8), 1000);
    let (mut connecting, code) = cli_connect::connect(&install);
    control.let_device_in("mona", &code).unwrap();
    assert!(connecting.ended(PATIENCE).success(), "{}", connecting.text());
    let mona = PersonId(MONA.0);
    let mut secrets = connect_kit::tokens_of(&install.bridge, mona).await;
    // From now on tokens last; this one is renewed at once.
    control.set_token_life(Some(28_800), 15_811_200);
    let more = [("CLIENT_SECRET", cli_connect::CLIENT_SECRET), ("TASKBRIDGE_LOG", "trace"), ("NO_COLOR", "1")];
    let env = [&install.env()[..], &more].concat();
    let mut serving = install.folder.start(&["serve", "--listen", "127.0.0.1:0"], &env);
    let line = serving.says("taskbridge serves");
    let address = line.split(' ').find_map(|word| word.strip_prefix("address=")).unwrap().to_owned();
    let renewed = async |times| (control.rotations() == times).then_some(());
    until("the token is renewed", PATIENCE, async || renewed(1).await).await;
    let client = client();
    for (nth, kind) in trouble().into_iter().enumerate() {
        let renews = kind == FaultKind::Unauthorized;
        control.inject(Fault::new(kind).on("POST", CREATE).times(1));
        let at = now() - TimeDelta::seconds(60 - i64::try_from(nth).unwrap());
        let wish = labelled("copilot-fix", MONA, at);
        assert_eq!(webhook(&client, &address, &format!("d-{nth}"), &wish).send().await.unwrap().status(), 202);
        until("it is in trouble", PATIENCE, async || control.faults().is_empty().then_some(())).await;
        if renews {
            until("the refused token is renewed", PATIENCE, async || renewed(2).await).await;
        }
        secrets.extend(connect_kit::tokens_of(&install.bridge, mona).await);
    }
    let made = install.folder.run(&["api-keys", "create", "for tests", "--scope", "read"], &env);
    let key = made.text.lines().find(|line| line.starts_with("tb_")).unwrap().to_owned();
    canary::know(&[&key]);
    secrets.push(key.clone());
    let mut markers = Vec::new();
    let mut paths: Vec<String> = ["status", "tasks", "deliveries", "people", "nothing"].map(str::to_owned).into();
    for task in install.tasks().await {
        markers.push(install.bridge.store.task(task.id).await.unwrap().unwrap().marker.expose().to_owned());
        paths.push(format!("tasks/{}", task.id));
    }
    canary::know(&markers.iter().map(String::as_str).collect::<Vec<_>>());
    let site = format!("http://{address}");
    let mut asked = vec![
        webhook(&client, &address, "d-forged", &json!({})).header("x-hub-signature-256", "sha256=00"),
        client.post(format!("{site}/hooks/nobody")),
        client.get(format!("{site}/connect")),
        client.get(format!("{site}/connect/callback?code=made-up&state={}", secrets[0])),
        client.get(format!("{site}/api/v1/tasks")).bearer_auth(&secrets[0]),
    ];
    asked.extend(paths.iter().map(|path| client.get(format!("{site}/api/v1/{path}")).bearer_auth(&key)));
    for request in asked {
        let answer = request.send().await.unwrap();
        let told = format!("{:?}\n{}", answer.headers().clone(), answer.text().await.unwrap());
        assert_eq!(leak_in(&told), None, "told to a caller");
    }
    serving.signal("TERM");
    assert!(serving.ended(Duration::from_secs(30)).success());
    let log = serving.text();
    assert!(log.contains("TRACE"), "the log was at its most talkative");
    assert_eq!(leak_in(&log), None);
    let known = [HOOK_SECRET, cli_connect::CLIENT_SECRET, SEALING_KEY].map(str::to_owned);
    secrets.extend(known);
    assert_none_in_the_clear(&install.url, &secrets, &markers).await;
}

/// Case 62.
#[tokio::test]
async fn a_marker_that_github_repeats_is_neither_told_nor_logged() {
    let world = World::new(LABEL_RULE).await;
    let now = world.bridge.ground.now();
    world.hook("issues", "d-1", &labelled("copilot-fix", MONA, now)).await;
    match_rules::match_batch(&world.bridge, 64).await.unwrap();
    let marker = world.task().await.marker;
    assert!(!format!("{:?}", world.task().await).contains(marker.expose()));
    world.spoil_start(FaultKind::Forbidden { message: format!("no: {}", marker.expose()) }, 1);
    world.settle().await;
    let refused = world.task().await;
    assert!(refused.reason.contains("no: …"), "{}", refused.reason);

    world.wish(MONA, 1).await;
    world.live_for(20).await;
    let (task, remote) = (world.tasks().await.remove(1), world.control().tasks().remove(0));
    let error = format!("cannot do: {}", remote.prompt);
    world.control().set_state(&remote.id, "failed", Some(&error)).unwrap();
    world.live_for(1800).await;
    let markers = [marker, task.marker];
    assert!(world.tasks().await[1].remote_error.as_deref().is_some_and(|error| error.starts_with("cannot do")));
    assert_eq!(leak(), None);
    for (table, row) in dump(&world.database.url).await.iter().filter(|(table, _)| table != "tasks") {
        assert!(!markers.iter().any(|marker| row.contains(marker.expose())), "a marker in {table}: {row}");
    }
    for task in world.tasks().await {
        let told = [Some(task.reason), task.remote_error].into_iter().flatten().collect::<String>()
            + &world.comments().concat();
        assert!(!markers.iter().any(|marker| told.contains(marker.expose())), "{told}");
    }
}

/// Every row of every table as text; bytes as hexadecimal digits.
async fn dump(url: &str) -> Vec<(String, String)> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut rows = Vec::new();
    for table in tables {
        let text: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("SELECT t::text FROM {table} t")))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        rows.extend(text.into_iter().map(|row| (table.clone(), row)));
    }
    rows
}

/// Case 62.
#[test]
fn the_canary_sees_a_secret_when_there_is_one() {
    let secrets = ["sesame".to_owned()].into();
    assert!(first_leak("fine\nopen sesame now\n", &secrets).is_some_and(|line| line.ends_with("open sesame now")));
    assert_eq!(first_leak("fine\nopen ses ame\n", &secrets), None);
    know(&["a key of this test only", "short"]);
    assert!(leak_in("it is a key of this test only.").is_some(), "what a process prints is looked through too");
    assert_eq!(leak_in("in short, fine"), None, "a short text is no secret");
}
