//! A storm: a thousand webhooks within seconds over real connections, while GitHub is dead and operators ask for sums that
//! take PostgreSQL seconds. Each is acknowledged fast and none is lost; the workers go on with all that needs no GitHub for
//! as long as a connection is left to them, and with the rest when GitHub is back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use taskbridge::domain::rule::Limits;
use taskbridge::http::state::Intake;
use taskbridge::http::{AppState, Server, ServerSettings, router};
use taskbridge::pipeline::Bridge;
use taskbridge::pipeline::record::recorder;
use taskbridge::store::api_keys::Scope;
use taskbridge::workers::Workers;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api_kit::Caller;
use crate::support::install::{client, event};
use crate::support::payloads::{MONA, repository};
use crate::support::world::{LABEL_RULE, World, labelled};

const DELIVERIES: usize = 1000;
/// One of so many matches a rule, whose guard asks GitHub.
const MATCHES: usize = 25;
/// Between two of them: all within eight seconds.
const EVERY: Duration = Duration::from_millis(8);
/// Who asks for a sum again and again, where six connections are for the workers and the admin API: some, and too many.
const SOME: usize = 3;
const TOO_MANY: usize = 8;
/// What they ask for.
const SUM: &str = "/api/v1/usage?rule=fix";

/// The body of the nth webhook.
fn payload(world: &World, nth: usize) -> (&'static str, Value) {
    let at = world.bridge.ground.now() - chrono::TimeDelta::seconds(i64::try_from(nth).unwrap());
    if nth.is_multiple_of(MATCHES) {
        return ("issues", labelled("copilot-fix", MONA, at));
    }
    let pushed = json!({ "ref": "refs/heads/main", "after": format!("{nth:040x}"), "repository": repository() });
    ("push", pushed)
}

async fn count(connection: &mut PgConnection, condition: &'static str) -> usize {
    let statement = format!("SELECT count(*) FROM deliveries WHERE {condition}");
    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(connection).await.unwrap();
    usize::try_from(count).unwrap()
}

/// The doors and workers of a replica, its clock moved on with the real one.
struct Running {
    /// Where it listens.
    address: String,
    /// How an operator shows who they are.
    key: String,
    stop: CancellationToken,
    workers: Workers,
    background: JoinSet<()>,
}

impl Running {
    /// What an operator is answered: a status, and after how long.
    async fn ask(client: reqwest::Client, address: String, key: String, path: &str) -> (u16, Duration) {
        let begun = Instant::now();
        let asked = client.get(format!("http://{address}{path}")).header("authorization", key);
        (asked.send().await.unwrap().status().as_u16(), begun.elapsed())
    }
}

async fn run(world: &World, bridge: &Bridge) -> Running {
    let caller = Caller::new(world, "on-call", Scope::Read).await;
    let key = format!("Bearer {}", caller.key.expose());
    let mut background = JoinSet::new();
    let (recorder, writer) = recorder(bridge.store.clone(), bridge.ground.clone());
    background.spawn(writer.run());
    let clock = Arc::clone(&world.clock);
    background.spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            clock.advance(Duration::from_millis(50));
        }
    });
    let intake = Arc::new(Intake::new(26_214_400, Duration::from_secs(5), 64 * 1024 * 1024));
    let server = Server::bind(ServerSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        header_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(15),
        lifetime: Duration::from_secs(600),
        max_connections: 1024,
    });
    let server = server.await.unwrap();
    let (address, stop) = (server.address().to_string(), CancellationToken::new());
    let router = router(AppState { bridge: bridge.clone(), recorder, intake });
    background.spawn(server.run(router, stop.clone()));
    Running { address, key, stop, workers: Workers::start(bridge), background }
}

/// The storm. Answers how long each took to be acknowledged, shortest first.
async fn storm(world: &World, running: &Running) -> Vec<Duration> {
    let client = client();
    let mut senders = JoinSet::new();
    let mut ticks = tokio::time::interval(EVERY);
    for nth in 0..DELIVERIES {
        ticks.tick().await;
        let (name, body) = payload(world, nth);
        let hook = event(&client, &running.address, name, &format!("storm-{nth}"), &body);
        senders.spawn(async move {
            let begun = Instant::now();
            assert_eq!(hook.send().await.unwrap().status(), 202);
            Some(begun.elapsed())
        });
        if nth.is_multiple_of(20) {
            let look = Running::ask(
                client.clone(),
                running.address.clone(),
                running.key.clone(),
                "/api/v1/deliveries?limit=100",
            );
            senders.spawn(async move {
                let (status, _) = look.await;
                assert!([200, 503].contains(&status), "the list says {status}");
                None
            });
        }
    }
    let all = senders.join_all().await;
    let mut took: Vec<Duration> = all.into_iter().flatten().collect();
    took.sort();
    took
}

/// Operators who ask for a sum that PostgreSQL does not come to the end of, each again as soon as it is answered, until told
/// to stop.
fn slow_operators(running: &Running, count: usize, stop: &CancellationToken) -> JoinSet<Vec<(u16, Duration)>> {
    let client = client();
    let mut asking = JoinSet::new();
    for _ in 0..count {
        let (client, address, key, stop) = (client.clone(), running.address.clone(), running.key.clone(), stop.clone());
        asking.spawn(async move {
            let mut answers = Vec::new();
            while !stop.is_cancelled() {
                answers.push(Running::ask(client.clone(), address.clone(), key.clone(), SUM).await);
            }
            answers
        });
    }
    asking
}

/// Counts, five times a second, how many sums PostgreSQL is at.
async fn at_once(mut watcher: PgConnection, stop: CancellationToken) -> Vec<i64> {
    let statement = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '/* usage%'";
    let mut seen = Vec::new();
    while !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        seen.push(sqlx::query_scalar(statement).fetch_one(&mut watcher).await.unwrap());
    }
    seen
}

async fn storm_while_github_is_at(dead: String, operators: usize) {
    // One at a time: how two of them share the processors is not what is shown.
    static ONE: Mutex<()> = Mutex::const_new(());
    let _alone = ONE.lock().await;
    let adjust = |settings: &mut taskbridge::pipeline::Settings| settings.limits = Limits::default();
    let world = World::with(LABEL_RULE, adjust, |_| {}).await;
    let cut_off = |github: &mut taskbridge::github::Settings| {
        github.api_url = dead;
        (github.timeout, github.connect_timeout) = (Duration::from_secs(2), Duration::from_secs(1));
    };
    let bridge = world.replica(|_| {}, cut_off).await;
    let mut running = run(&world, &bridge).await;
    let connect = async || PgConnection::connect(&world.database.url).await.unwrap();
    // What the sums are made of is held, as by somebody who repairs the table by hand. Intake and the workers need none of it.
    let mut holder = connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").execute(&mut holder).await.unwrap();
    let over = CancellationToken::new();
    let asking = slow_operators(&running, operators, &over);
    let mut looking = JoinSet::new();
    looking.spawn(at_once(connect().await, over.clone()));

    let took = storm(&world, &running).await;
    let p99 = took[took.len() * 99 / 100 - 1];
    assert_eq!(took.len(), DELIVERIES);
    assert!(p99 < Duration::from_secs(1), "p99 {p99:?}, longest {:?}", took.last());
    let mut watcher = connect().await;
    assert_eq!(count(&mut watcher, "true").await, DELIVERIES, "none is lost");
    if operators == SOME {
        let begun = Instant::now();
        while count(&mut watcher, "state = 'ignored'").await < DELIVERIES - DELIVERIES / MATCHES {
            assert!(begun.elapsed() < Duration::from_secs(5), "the workers do not keep up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(count(&mut watcher, "state = 'received'").await, DELIVERIES / MATCHES, "those that ask GitHub wait");
        let calls = bridge.github.requests_sent();
        assert!((1..60).contains(&calls), "{calls} calls to a dead GitHub");
    }
    over.cancel();
    let seen = looking.join_next().await.unwrap().unwrap();
    let most = i64::try_from(operators.min(6)).unwrap();
    let busy = seen.iter().filter(|count| **count == most).count();
    assert!(busy * 2 > seen.len(), "the sums hold {most} connections most of the time: {seen:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    let answers = asking.join_all().await.concat();
    let ended = answers.iter().filter(|(status, took)| *status == 503 && *took > Duration::from_secs(2)).count();
    assert!(ended >= operators, "the sums took seconds, and were then told to come again: {answers:?}");
    assert!(answers.iter().all(|(status, _)| [200, 503].contains(status)), "{answers:?}");
    let (status, _) = Running::ask(client(), running.address.clone(), running.key.clone(), SUM).await;
    assert_eq!(status, 200, "and then it is answered");
    running.workers.stop(Duration::from_secs(5)).await;
    running.stop.cancel();
    running.background.shutdown().await;
    // GitHub is back.
    world.live_in_steps(4, 300).await;
    assert_eq!(count(&mut watcher, "state = 'processed'").await, DELIVERIES / MATCHES);
    assert_eq!(count(&mut watcher, "state = 'ignored'").await, DELIVERIES - DELIVERIES / MATCHES);
    assert_eq!(world.tasks().await.len(), DELIVERIES / MATCHES);
}

/// Case 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_while_github_refuses_connections_is_acknowledged_fast_and_nothing_of_it_is_lost() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    storm_while_github_is_at(format!("http://{closed}"), SOME).await;
}

/// Case 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_while_github_swallows_every_byte_is_acknowledged_fast_and_nothing_of_it_is_lost() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    storm_while_github_is_at(format!("http://{}", silent.local_addr().unwrap()), SOME).await;
}

/// The workers wait for connections then; who sends does not.
///
/// Case 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_while_slow_sums_hold_every_connection_of_the_workers_is_acknowledged_fast_and_nothing_of_it_is_lost() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    storm_while_github_is_at(format!("http://{closed}"), TOO_MANY).await;
}
