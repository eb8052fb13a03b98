//! The two beats of stopping, shown with the real binary while starts are under way and webhooks half sent.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use taskbridge::domain::task::State;
use taskbridge::sandbox::{Fault, FaultKind};
use taskbridge::store::Page;
use taskbridge::store::deliveries::{DeliveryFilter, DeliveryState};
use taskbridge::store::pauses::{Pause, PauseScope};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cli_serve::now;
use crate::support::install::{Install, Replica, client, until, webhook};
use crate::support::payloads::{MONA, labelled};
use crate::support::stories::CREATE;
use crate::support::world::{HOOK_SECRET, signature};

const PEOPLE: [(i64, &str); 5] = [(1001, "mona"), (1002, "otto"), (1003, "pia"), (1004, "quin"), (1005, "rosa")];

/// An installation whose five people have a start under way each, and one of them a wish more; who is in `slow` gets no
/// answer.
async fn with_five_under_way(github: &str, sections: &str, slow: &[&str]) -> (Install, Replica) {
    let install = Install::new(github, sections).await;
    for (id, login) in PEOPLE {
        install.person(id, login).await;
        let ms = if slow.contains(&login) { 60_000 } else { 1200 };
        let fault = Fault::new(FaultKind::DelayAfter { ms }).on("POST", CREATE).user(login).times(1);
        install.sandbox.control().inject(fault);
    }
    // All of them begin at the same moment: when the pause is lifted, and by the first worker that looks. (`sections` lets
    // each of the four take five; were they taken by turns, the sixth could begin before the fifth.)
    let pause = Pause {
        scope: PauseScope::All,
        name: String::new(),
        reason: "until all wait".to_owned(),
        paused_by: "the test".to_owned(),
        paused_at: now(),
    };
    install.bridge.store.pause(&pause).await.unwrap();
    let replica = install.replica();
    let client = client();
    for (nth, actor) in (0_i64..).zip(PEOPLE.into_iter().chain([PEOPLE[0]])) {
        let payload = labelled("copilot-fix", actor, now() - TimeDelta::seconds(60 - nth));
        let answer = webhook(&client, &replica.address, &format!("d-{nth}"), &payload).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }
    let wait = async || (install.tasks().await.len() == 6).then_some(());
    until("six tasks", Duration::from_secs(15), wait).await;
    // And is told: a comment takes the same turn as a start.
    let told = async || (install.sandbox.control().comments("acme/widgets", 42).unwrap().len() == 6).then_some(());
    until("six comments", Duration::from_secs(15), told).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(install.bridge.store.resume(PauseScope::All, "").await.unwrap());
    let made = async || (install.sandbox.control().creations().len() == 5).then_some(());
    until("five starts are under way", Duration::from_secs(15), made).await;
    (install, replica)
}

/// The first signal: answers that come are recorded, those that do not come within a call's time-out are uncertain, and
/// nothing new is begun.
///
/// Case 42.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_first_signal_what_runs_is_let_end_and_nothing_new_is_begun() {
    let (install, mut replica) = with_five_under_way(
        ", write_spacing: 10ms, timeout: 3s",
        "tasks: { lease: 8s, starts_at_once: 20 }\n",
        &["quin", "rosa"],
    )
    .await;
    let begun = Instant::now();
    replica.program.signal("TERM");
    let status = replica.program.ended(Duration::from_secs(30));
    assert!(begun.elapsed() < Duration::from_secs(9), "a call's time-out and a little: {:?}", begun.elapsed());
    assert!(status.success(), "{}", replica.program.text());
    let tasks = install.tasks().await;
    let count = |state| tasks.iter().filter(|task| task.state == state).count();
    let counts = (count(State::Queued), count(State::Uncertain), count(State::Pending));
    assert_eq!(counts, (3, 2, 1), "answered, not answered, and nothing new was begun: {tasks:#?}");
    assert_eq!(install.sandbox.control().creations().len(), 5);

    // The next process carries on: what waited is started, and what is uncertain is not started again.
    let _next = install.replica();
    let started = async || (install.sandbox.control().creations().len() == 6).then_some(());
    until("what waited is started", Duration::from_secs(15), started).await;
    let uncertain = install.tasks().await.into_iter().filter(|task| task.state == State::Uncertain).count();
    assert_eq!(uncertain, 2, "they are looked for first");
    assert!(install.sandbox.control().creations_by_last_line().values().all(|count| *count == 1));
}

/// The second signal, of either kind: no more patience.
///
/// Case 42.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_second_signal_it_ends_at_once() {
    let everybody: Vec<&str> = PEOPLE.iter().map(|(_, login)| *login).collect();
    let (install, mut replica) =
        with_five_under_way(", write_spacing: 10ms", "tasks: { starts_at_once: 20 }\n", &everybody).await;
    replica.program.signal("TERM");
    replica.program.says("stopping: no new work is taken");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    replica.program.signal("INT");
    replica.program.ended(Duration::from_secs(5));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(replica.program.text().contains("stopped at once"), "{}", replica.program.text());
    assert_eq!(install.sandbox.control().creations().len(), 5);
    let starting = install.tasks().await.into_iter().filter(|task| task.state == State::Starting).count();
    assert_eq!(starting, 5, "their leases run out, and they are taken up again");
}

/// A sender that has sent its head and half of its body, and what it still has to send.
async fn half_sent(address: &str, guid: &str, body: &str) -> (TcpStream, String) {
    let head = format!(
        "POST /hooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-github-event: issues\r\n\
         x-github-delivery: {guid}\r\nx-hub-signature-256: {}\r\ncontent-length: {}\r\n\r\n",
        signature(HOOK_SECRET, body.as_bytes()),
        body.len()
    );
    let (sent, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}{sent}").as_bytes()).await.unwrap();
    (stream, rest.to_owned())
}

/// All that comes until the connection is closed.
async fn heard(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut said)).await;
    let _ = read.expect("the connection is closed");
    String::from_utf8(said).unwrap()
}

/// The first signal, at the door: a webhook that is half sent is heard to its end, kept and answered. Whoever comes new finds
/// the port closed, a connection on which nothing is asked is closed, and whoever never sends the rest gets no 2xx and holds
/// up the end no longer than a body may take.
///
/// Case 42.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_half_sent_when_the_signal_comes_is_heard_to_its_end_and_kept() {
    let install = Install::new("", "server: { body_timeout: 4s }\n").await;
    install.person(MONA.0, MONA.1).await;
    let mut replica = install.replica();
    let body = labelled("copilot-fix", MONA, now()).to_string();
    let (mut slow, rest) = half_sent(&replica.address, "d-slow", &body).await;
    let (silent, _) = half_sent(&replica.address, "d-silent", &body).await;
    let mut idle = TcpStream::connect(&replica.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    // All three are in the hands of the server, not of the system.
    tokio::time::sleep(Duration::from_millis(300)).await;

    let begun = Instant::now();
    replica.program.signal("TERM");
    replica.program.says("stopping: no new work is taken");
    let refused = async || {
        let tried = TcpStream::connect(&replica.address).await;
        tried.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused).then_some(())
    };
    until("the port is closed", Duration::from_secs(3), refused).await;
    heard(idle).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "who asks nothing is let go at once: {:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    slow.write_all(rest.as_bytes()).await.unwrap();
    let said = heard(slow).await;
    assert!(said.starts_with("HTTP/1.1 202"), "{said:?}");
    assert!(said.contains("\"status\":\"recorded\"") && said.contains("connection: close"), "{said}");
    let said = heard(silent).await;
    assert!(!said.starts_with("HTTP/1.1 2"), "{said}");
    assert!(replica.program.ended(Duration::from_secs(10)).success(), "{}", replica.program.text());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(!replica.program.text().contains("not everything ended in time"), "{}", replica.program.text());

    let page = Page { before: None, limit: 10 };
    let kept = install.bridge.store.deliveries(&DeliveryFilter::default(), page).await.unwrap();
    let kept: Vec<_> = kept.iter().map(|delivery| (delivery.sender_id.as_str(), delivery.state)).collect();
    assert_eq!(kept, [("d-slow", DeliveryState::Received)], "kept, and left to the next");
    let _next = install.replica();
    let started = async || (install.sandbox.control().creations().len() == 1).then_some(());
    until("the next process starts it", Duration::from_secs(15), started).await;
}
