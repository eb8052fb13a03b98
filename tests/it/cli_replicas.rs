//! Two replicas of the real binary on one database: replaced one after the other under load, started together on an
//! empty database, and an older one that meets the tables of a newer one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sqlx::{Connection as _, PgConnection};
use taskbridge::store::Page;
use taskbridge::store::connect::MIGRATIONS;
use taskbridge::store::deliveries::{DeliveryFilter, DeliveryState};

use crate::cli_serve::now;
use crate::support::install::{Install, Replica, client, until, webhook};
use crate::support::payloads::{MONA, labelled};
use crate::support::postgres::TestDatabase;

/// Between two webhooks.
const EVERY: Duration = Duration::from_millis(15);
/// One in so many is a wish, but no more than the usual limit of a repository and hour lets start.
const WISH: usize = 20;
const WISHES: usize = 25;

/// How often one webhook may find no listener: the replica that is being replaced, and once more when the other one is
/// replaced right afterwards.
const REFUSED_AT_MOST: usize = 2;

/// What a load balancer sees: where the replicas listen now, and what came back.
#[derive(Default)]
struct Balancer {
    addresses: Mutex<Vec<String>>,
    /// How often each answer came: a status, or `0` for a connection that was refused or cut.
    answers: Mutex<BTreeMap<u16, usize>>,
    /// Tries without an answer: which webhook, where, and from when to when.
    unanswered: Mutex<Vec<(usize, String, Instant, Instant)>>,
    /// Replicas that were being replaced: from the signal until the successor was known.
    leaving: Mutex<Vec<(String, Instant, Instant)>>,
    /// Deliveries that were acknowledged, and those that nobody took.
    acknowledged: Mutex<Vec<String>>,
    given_up: Mutex<Vec<String>>,
}

impl Balancer {
    /// Sends one webhook, to the other replica when one does not take it.
    async fn send(&self, client: &reqwest::Client, nth: usize, label: &str) {
        let guid = format!("d-{nth}");
        let at = now() - TimeDelta::hours(2) + TimeDelta::seconds(i64::try_from(nth).unwrap());
        let payload = labelled(label, MONA, at);
        let begun = Instant::now();
        for attempt in 0.. {
            let address = {
                let addresses = self.addresses.lock().unwrap();
                addresses[(nth + attempt) % addresses.len()].clone()
            };
            let tried = Instant::now();
            let status = match webhook(client, &address, &guid, &payload).send().await {
                Ok(answer) => answer.status().as_u16(),
                Err(error) => {
                    assert!(!error.is_timeout(), "{error}: nobody waits in vain");
                    self.unanswered.lock().unwrap().push((nth, address, tried, Instant::now()));
                    0
                }
            };
            *self.answers.lock().unwrap().entry(status).or_default() += 1;
            if status == 202 {
                self.acknowledged.lock().unwrap().push(guid);
                return;
            }
            if begun.elapsed() > Duration::from_secs(10) {
                self.given_up.lock().unwrap().push(guid);
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Only a replica that is being replaced may answer nothing, and no webhook meets that again and again.
    fn assert_only_who_leaves_is_silent(&self) {
        let (unanswered, leaving) = (self.unanswered.lock().unwrap(), self.leaving.lock().unwrap());
        let mut times: BTreeMap<usize, usize> = BTreeMap::new();
        for (nth, address, from, to) in unanswered.iter() {
            let explained = leaving.iter().any(|(gone, since, until)| gone == address && to >= since && from <= until);
            assert!(explained, "webhook {nth} was not answered by {address}, which nobody was replacing");
            *times.entry(*nth).or_default() += 1;
        }
        let often: Vec<_> = times.iter().filter(|(_, times)| **times > REFUSED_AT_MOST).collect();
        assert!(often.is_empty(), "webhooks and how often they were not answered: {often:?}");
    }
}

/// Ends a replica as a roll-out does, and starts its successor.
fn replace(install: &Install, balancer: &Balancer, at: usize, old: &mut Replica) {
    let (leaves, since) = (old.address.clone(), Instant::now());
    old.program.signal("TERM");
    let status = old.program.ended(Duration::from_secs(30));
    assert!(status.success(), "{}", old.program.text());
    *old = install.replica();
    balancer.addresses.lock().unwrap()[at].clone_from(&old.address);
    balancer.leaving.lock().unwrap().push((leaves, since, Instant::now()));
}

/// Nothing is lost, nothing is done twice, and nobody sees an error but a connection to a replica that is
/// being replaced, and is taken by the other.
///
/// Case 32.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_are_replaced_one_after_the_other_under_load_and_nothing_is_lost_or_twice() {
    let install = Arc::new(Install::new(", write_spacing: 10ms", "").await);
    install.person(1001, "mona").await;
    let (mut one, mut two) = (install.replica(), install.replica());
    let balancer = Arc::new(Balancer::default());
    *balancer.addresses.lock().unwrap() = vec![one.address.clone(), two.address.clone()];
    let stop = tokio_util::sync::CancellationToken::new();
    let mut load = tokio::task::JoinSet::new();
    let (sender, ended) = (Arc::clone(&balancer), stop.clone());
    load.spawn(async move {
        let client = client();
        let mut running = tokio::task::JoinSet::new();
        let mut tick = tokio::time::interval(EVERY);
        let mut nth = 0;
        while !ended.is_cancelled() {
            tick.tick().await;
            let (sender, client) = (Arc::clone(&sender), client.clone());
            let label = if nth % WISH == 0 && nth < WISH * WISHES { "copilot-fix" } else { "something-else" };
            running.spawn(async move { sender.send(&client, nth, label).await });
            nth += 1;
        }
        running.join_all().await;
        nth
    });
    let pause = || tokio::time::sleep(Duration::from_millis(700));
    pause().await;
    for (at, replica) in [(0, &mut one), (1, &mut two)] {
        let (install, balancer) = (Arc::clone(&install), Arc::clone(&balancer));
        tokio::task::block_in_place(|| replace(&install, &balancer, at, replica));
        pause().await;
    }
    stop.cancel();
    let sent = load.join_next().await.unwrap().unwrap();

    let answers = balancer.answers.lock().unwrap().clone();
    assert!(answers.keys().all(|status| [0, 202].contains(status)), "{answers:?}");
    balancer.assert_only_who_leaves_is_silent();
    assert_eq!(*balancer.given_up.lock().unwrap(), Vec::<String>::new(), "{answers:?}");
    let mut acknowledged = balancer.acknowledged.lock().unwrap().clone();
    assert_eq!(acknowledged.len(), sent);
    assert!(sent > 100, "there was a load: {sent}");
    let all = || async {
        let page = Page { before: None, limit: 10_000 };
        install.bridge.store.deliveries(&DeliveryFilter::default(), page).await.unwrap()
    };
    let mut recorded: Vec<String> = all().await.into_iter().map(|delivery| delivery.sender_id).collect();
    recorded.sort();
    acknowledged.sort();
    assert_eq!(recorded, acknowledged, "each once");

    let wishes = sent.div_ceil(WISH).min(WISHES);
    let done = async || {
        let waits = all().await.into_iter().any(|delivery| delivery.state == DeliveryState::Received);
        let tasks = install.tasks().await;
        (!waits && tasks.len() == wishes && tasks.iter().all(|task| task.started_at.is_some())).then_some(())
    };
    until("every wish is started", Duration::from_secs(60), done).await;
    let made = install.sandbox.control().creations_by_last_line();
    assert_eq!((made.len(), made.values().sum::<usize>()), (wishes, wishes), "each once: {made:?}");
}

/// Case 32.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_that_start_together_on_an_empty_database_both_serve() {
    let mut install = Install::new("", "").await;
    let empty = TestDatabase::create_empty().await;
    install.url.clone_from(&empty.url);
    let mut both = [install.launch(), install.launch()];
    for program in &mut both {
        program.says("taskbridge serves");
    }
    let mut connection = PgConnection::connect(&empty.url).await.unwrap();
    let applied: Vec<(i64, bool)> = sqlx::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let ours: Vec<(i64, bool)> = MIGRATIONS.iter().map(|step| (step.version, true)).collect();
    assert_eq!(applied, ours, "each step once");
    for program in &mut both {
        program.signal("TERM");
        assert!(program.ended(Duration::from_secs(10)).success(), "{}", program.text());
        assert!(!program.text().contains("ERROR"), "{}", program.text());
    }
}

/// Everything in the catalog and the rows that count, to see whether anything was touched.
async fn fingerprint(connection: &mut PgConnection) -> String {
    sqlx::query_scalar(
        "SELECT (SELECT string_agg(table_name || '.' || column_name || ' ' || data_type, ',' ORDER BY 1)
                 FROM (SELECT table_name, column_name, data_type FROM information_schema.columns
                       WHERE table_schema = 'public' ORDER BY 1, 2) c)
             || (SELECT string_agg(m::text, ',') FROM (SELECT * FROM _sqlx_migrations ORDER BY version) m)
             || (SELECT count(*) FROM rule_versions) || (SELECT count(*) FROM vault_proof)",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

/// Case 32.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_binary_refuses_the_tables_of_a_newer_one_in_one_line_and_touches_nothing() {
    let install = Install::new("", "").await;
    let mut connection = PgConnection::connect(&install.url).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (29990101000000, 'what a later version does', true, '\\x00', 1)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let before = fingerprint(&mut connection).await;
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["people", "list"]] {
        let ended = install.folder.run(command, &install.env());
        ended.is(1, &["the database's tables do not fit this version of taskbridge", "29990101000000", "newer"]);
        let told: Vec<&str> = ended.text.lines().filter(|line| line.contains("do not fit")).collect();
        assert_eq!(told.len(), 1, "{}", ended.text);
        assert!(!ended.text.contains("panicked"), "{}", ended.text);
    }
    assert_eq!(fingerprint(&mut connection).await, before, "nothing was changed");
    // It is not for good: with the newer binary's step gone it serves again.
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 29990101000000").execute(&mut connection).await.unwrap();
    install.replica();
}

/// What a later version might add without asking: a column that may be empty in every table, a table and an index.
const LATER: &str = "
    DO $$ DECLARE known text; BEGIN
        FOR known IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations' LOOP
            EXECUTE format('ALTER TABLE %I ADD COLUMN of_a_later_version text', known);
        END LOOP;
    END $$;
    CREATE TABLE things_of_a_later_version (id uuid PRIMARY KEY, delivery_id uuid REFERENCES deliveries ON DELETE CASCADE);
    CREATE INDEX deliveries_of_a_later_version ON deliveries (of_a_later_version, received_at);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (29990101000000, 'what a later version does', true, '\\x00', 1)";

/// Soon seen, and soon taken up again when a step was refused.
const SHORT: &str = "sweep: { interval_min: 1s, interval_max: 2s }\ntasks: { lease: 8s }\n";

/// One wish on its whole way: webhook, start, end, comment, and how the admin API shows it.
async fn walk(install: &Install, address: &str, key: &str, nth: i64) {
    let guid = format!("walk-{nth}");
    let payload = labelled("copilot-fix", MONA, now() - TimeDelta::minutes(10 - nth));
    let answer = webhook(&client(), address, &guid, &payload).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let wanted = usize::try_from(nth).unwrap();
    let started = async || {
        let task = install.tasks().await.into_iter().nth(wanted - 1)?;
        task.started_at.is_some().then_some(task.id)
    };
    let id = until("it is started", Duration::from_secs(15), started).await;
    let remote = install.sandbox.control().creations()[wanted - 1].task_id.clone();
    install.sandbox.control().set_state(&remote, "completed", None).unwrap();
    let told = async || {
        let comments = install.sandbox.control().comments("acme/widgets", 42).unwrap();
        comments.iter().any(|own| own.body.contains(&id.to_string()) && own.body.contains("**Done**")).then_some(())
    };
    until("its end is told", Duration::from_secs(20), told).await;
    for path in ["tasks", "deliveries", "people", "pause", "status", &format!("tasks/{id}")] {
        let asked = client().get(format!("http://{address}/api/v1/{path}")).bearer_auth(key);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text().await.unwrap());
    }
}

/// While replicas are replaced, the newer binary brings the tables up to date under the older one that still runs: that one
/// goes on with all its work, also with what it has prepared before. Started anew it refuses, as said above.
///
/// Case 32.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_binary_goes_on_while_a_newer_one_adds_to_the_tables_under_it() {
    let install = Install::new(", write_spacing: 10ms, timeout: 3s", SHORT).await;
    install.person(MONA.0, MONA.1).await;
    let made = install.folder.run(&["api-keys", "create", "for tests", "--scope", "read"], &install.env());
    let key = made.text.lines().find(|line| line.starts_with("tb_")).unwrap().to_owned();
    let mut replica = install.replica();
    walk(&install, &replica.address, &key, 1).await;
    let mut connection = PgConnection::connect(&install.url).await.unwrap();
    sqlx::raw_sql(LATER).execute(&mut connection).await.unwrap();
    walk(&install, &replica.address, &key, 2).await;
    // What it had prepared is refused once or so, and then prepared anew.
    let trouble = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).map(str::to_owned).collect()
    };
    let met = trouble(&replica.program.text());
    assert!(met.iter().all(|line| line.contains("cached plan must not change result type")), "{met:#?}");
    assert!(met.len() < 20, "{met:#?}");
    walk(&install, &replica.address, &key, 3).await;
    assert_eq!(trouble(&replica.program.text()), met, "it is over it");
    replica.program.signal("TERM");
    assert!(replica.program.ended(Duration::from_secs(10)).success(), "{}", replica.program.text());
    let again = install.folder.run(&["serve", "--listen", "127.0.0.1:0"], &install.env());
    again.is(1, &["the database's tables do not fit this version of taskbridge", "29990101000000", "newer"]);
}
