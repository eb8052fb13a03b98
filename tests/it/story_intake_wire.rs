//! The same door over a real connection: what stops half way is closed at its deadline and disturbs nobody.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use taskbridge::http::{Server, ServerSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::world::{HOOK_SECRET, LABEL_RULE, Setup, World, signature};

const PATIENCE: Duration = Duration::from_millis(400);

/// All that the server sends until it closes, and how long that took.
async fn until_closed(mut stream: TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    let mut said = Vec::new();
    let read = stream.read_to_end(&mut said);
    let _ = tokio::time::timeout(Duration::from_secs(5), read).await.expect("the server closes the connection");
    (String::from_utf8_lossy(&said).into_owned(), begun.elapsed())
}

async fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

fn settings(max_connections: usize) -> ServerSettings {
    ServerSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        header_timeout: PATIENCE,
        write_timeout: PATIENCE,
        lifetime: Duration::from_secs(60),
        max_connections,
    }
}

/// Case 7.
#[test]
fn the_deadlines_are_ten_seconds_for_a_head_and_fifteen_for_a_body() {
    let server = taskbridge::config::ServerConfig::default();
    let (head, body): (Duration, Duration) = (server.header_timeout.into(), server.body_timeout.into());
    assert_eq!((head.as_secs(), body.as_secs()), (10, 15));
}

/// Case 7.
#[tokio::test]
async fn half_a_head_and_half_a_body_are_ended_at_their_deadlines_while_others_are_served() {
    let intake = taskbridge::http::state::Intake::new(4096, PATIENCE, 8192);
    let world = World::of(Setup { intake, ..Setup::new(LABEL_RULE) }).await;
    let server = Server::bind(settings(16)).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    let mut running = tokio::task::JoinSet::new();
    running.spawn(server.run(world.router.clone(), stop.clone()));

    let half_head = connect(address, "POST /hooks/github HTTP/1.1\r\nHost: here\r\nX-Git").await;
    let silent = TcpStream::connect(address).await.unwrap();
    let body = "{\"action\":\"opened\"}";
    let head = format!(
        "POST /hooks/github HTTP/1.1\r\nHost: here\r\nX-GitHub-Event: issues\r\nX-GitHub-Delivery: d-1\r\n\
         X-Hub-Signature-256: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        signature(HOOK_SECRET, body.as_bytes()),
        body.len()
    );
    let half_body = connect(address, &format!("{head}{}", &body[..5])).await;
    let begun = Instant::now();
    let (said, _) = until_closed(connect(address, &format!("{head}{body}")).await).await;
    assert!(said.starts_with("HTTP/1.1 202"), "{said}");
    assert!(begun.elapsed() < PATIENCE, "a good request does not wait for the bad ones");

    let (said, _) = until_closed(half_body).await;
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    for stopped in [half_head, silent] {
        let (said, took) = until_closed(stopped).await;
        assert!(!said.contains("202"), "{said}");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    let gone = connect(address, &format!("{head}{}", &body[..5])).await;
    drop(gone);
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), running.join_next()).await.expect("the server stops");
    assert_eq!(world.delivery_count().await, 1);
}

/// Asks for the longest answer again and again and reads none of them, until the connection is ended.
async fn ask_and_never_read(stream: &mut TcpStream) {
    let ask = "GET /openapi.json HTTP/1.1\r\nHost: here\r\n\r\n".repeat(100);
    while stream.write_all(ask.as_bytes()).await.is_ok() {}
}

/// Case 7.
#[tokio::test]
async fn who_asks_and_never_reads_gives_the_place_back() {
    let world = World::new(LABEL_RULE).await;
    let server = Server::bind(settings(1)).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    let mut running = tokio::task::JoinSet::new();
    running.spawn(server.run(world.router.clone(), stop.clone()));
    let mut deaf = TcpStream::connect(address).await.unwrap();
    let asked = tokio::time::timeout(Duration::from_secs(10), ask_and_never_read(&mut deaf)).await;
    assert!(asked.is_ok(), "the connection is ended");
    let polite = connect(address, "GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await;
    let (said, _) = until_closed(polite).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    stop.cancel();
}

#[tokio::test]
async fn more_connections_than_the_cap_wait_and_are_served_when_a_place_is_free() {
    let world = World::new(LABEL_RULE).await;
    let patient = ServerSettings { header_timeout: Duration::from_secs(60), ..settings(2) };
    let server = Server::bind(patient).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    let mut running = tokio::task::JoinSet::new();
    running.spawn(server.run(world.router.clone(), stop.clone()));
    let first = connect(address, "GET /hea").await;
    let _second = connect(address, "GET /hea").await;
    let ask = "GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    let mut third = connect(address, ask).await;
    let mut byte = [0];
    assert!(tokio::time::timeout(PATIENCE, third.read(&mut byte)).await.is_err(), "two places, two connections");
    drop(first);
    let (said, _) = until_closed(third).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    stop.cancel();
}

/// Case 7.
#[tokio::test]
async fn a_connection_ends_when_nothing_is_asked_any_more_and_when_its_time_is_over() {
    let world = World::new(LABEL_RULE).await;
    let ask = "GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n";
    for (header_timeout, lifetime) in [(PATIENCE, Duration::from_secs(60)), (Duration::from_secs(60), PATIENCE)] {
        let settings = ServerSettings { header_timeout, lifetime, ..settings(4) };
        let server = Server::bind(settings).await.unwrap();
        let (address, stop) = (server.address(), CancellationToken::new());
        let mut running = tokio::task::JoinSet::new();
        running.spawn(server.run(world.router.clone(), stop.clone()));
        let (said, took) = until_closed(connect(address, ask).await).await;
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        assert!(took < Duration::from_secs(3), "{took:?}");
        stop.cancel();
    }
}
