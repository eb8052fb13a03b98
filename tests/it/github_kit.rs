//! What the tests of the GitHub client share: servers on loopback that answer as told and remember what was asked.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use chrono::{DateTime, Utc};
use taskbridge::clock::{Ground, ManualClock, SystemChance};
use taskbridge::github::{Github, NewTask, RepoPath, Session, Settings, Token, TokenOwner};
use taskbridge::ids::PersonId;
use taskbridge::secret::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) const TOKEN: &str = "ghu_this-must-never-be-printed";

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What the server answers.
pub(crate) struct Reply(Response<Body>, Duration);

pub(crate) fn reply(status: u16, body: &str) -> Reply {
    Reply(Response::builder().status(status).body(Body::from(body.to_owned())).unwrap(), Duration::ZERO)
}

impl Reply {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.headers_mut().append(name, value.parse().unwrap());
        self
    }

    /// Comes a little later than answers to requests that left at the same time.
    pub(crate) fn late(mut self) -> Self {
        self.1 = Duration::from_millis(80);
        self
    }
}

/// A server that answers whole HTTP answers. It ends when dropped.
pub(crate) struct Mock {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: JoinSet<()>,
}

impl Mock {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (seen.clone(), Arc::new(answer));
        let app = axum::Router::new().fallback(move |request: Request| {
            let (log, answer) = (log.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
                let path = parts.uri.path_and_query().unwrap().to_string();
                let seen = Seen { method: parts.method.to_string(), path, headers: parts.headers, body };
                log.lock().unwrap().push(seen.clone());
                let Reply(response, delay) = answer(&seen);
                tokio::time::sleep(delay).await;
                response
            }
        });
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen, _server: server }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }
}

/// How a server that speaks no whole HTTP behaves once it has read the request.
#[derive(Clone)]
pub(crate) enum Raw {
    /// Resets the connection.
    Reset,
    /// Closes it without a word.
    Close,
    /// Says nothing, for ever.
    Silence,
    /// Writes these bytes, then closes.
    Bytes(Vec<u8>),
    /// Writes these bytes, then says nothing more.
    BytesThenSilence(Vec<u8>),
}

/// A server of raw bytes: gives its address and the guard that ends it.
pub(crate) async fn raw(how: Raw) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            match how.clone() {
                Raw::Reset => stream.set_zero_linger().unwrap(),
                Raw::Close => stream.shutdown().await.unwrap(),
                Raw::Silence => open.push(stream),
                Raw::Bytes(bytes) => {
                    stream.write_all(&bytes).await.unwrap();
                    stream.shutdown().await.unwrap();
                }
                Raw::BytesThenSilence(bytes) => {
                    stream.write_all(&bytes).await.unwrap();
                    open.push(stream);
                }
            }
        }
    });
    (url, server)
}

async fn read_request(stream: &mut TcpStream) {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    while !got.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return,
            n => got.extend_from_slice(&buffer[..n]),
        }
    }
}

/// Noon of a day on which the tests' clock stands still.
pub(crate) fn noon() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        api_url: url.to_owned(),
        web_url: url.to_owned(),
        timeout: Duration::from_millis(1500),
        connect_timeout: Duration::from_millis(700),
        ..Settings::default()
    }
}

/// A client of the server at `url`, and its clock.
pub(crate) fn github_at(url: &str) -> (Github, Arc<ManualClock>) {
    let clock = ManualClock::at(noon());
    let ground = Ground { clock: clock.clone(), chance: Arc::new(SystemChance) };
    (Github::new(settings(url), ground).unwrap(), clock)
}

pub(crate) fn as_person(github: &Github, id: i64) -> Session {
    github.with_token(Token { secret: Secret::new(TOKEN), owner: TokenOwner::Person(PersonId(id)) })
}

/// A client of the server at `url`, as person 1.
pub(crate) fn session(url: &str) -> Session {
    as_person(&github_at(url).0, 1)
}

pub(crate) fn repo() -> RepoPath {
    "octo/hello".parse().unwrap()
}

pub(crate) fn new_task() -> NewTask {
    NewTask {
        prompt: "do it".to_owned(),
        model: None,
        custom_agent: None,
        create_pull_request: true,
        base_ref: None,
        head_ref: None,
    }
}
