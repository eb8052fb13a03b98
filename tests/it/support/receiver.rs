//! A receiver of outgoing webhooks on this machine, which writes down what it hears and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use serde_json::Value;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How it answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16),
    Later(u64),
    Redirect(String),
    Large,
    Never,
}

#[derive(Default)]
struct Inner {
    heard: Vec<Heard>,
    replies: VecDeque<Reply>,
    always: Option<Reply>,
}

/// The running receiver.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    inner: Arc<Mutex<Inner>>,
    running: tokio::task::JoinHandle<()>,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The states it leads from and to.
    pub(crate) fn step(&self) -> (String, String) {
        let data = &self.json()["data"];
        (data["from"].as_str().unwrap_or("-").to_owned(), data["to"].as_str().unwrap().to_owned())
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let inner = Arc::<Mutex<Inner>>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(hear).with_state(Arc::clone(&inner));
        #[expect(clippy::disallowed_methods, reason = "it lives as long as the receiver, which aborts it")]
        let running = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, inner, running }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/", self.port)
    }

    /// The next answers, in order; then it takes everything.
    pub(crate) fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.inner.lock().unwrap().replies.extend(replies);
    }

    /// The answer to everything, from now on.
    pub(crate) fn always(&self, reply: Reply) {
        self.inner.lock().unwrap().always = Some(reply);
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.inner.lock().unwrap().heard.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn hear(State(inner): State<Arc<Mutex<Inner>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let reply = {
        let mut inner = inner.lock().unwrap();
        inner.heard.push(Heard { path: uri.path().to_owned(), headers, body });
        inner.replies.pop_front().or_else(|| inner.always.clone()).unwrap_or(Reply::Status(204))
    };
    let answer = Response::builder();
    match reply {
        Reply::Status(status) => answer.status(status).body(Body::empty()),
        Reply::Later(seconds) => answer.status(429).header("retry-after", seconds).body(Body::empty()),
        Reply::Redirect(to) => answer.status(307).header("location", to).body(Body::empty()),
        Reply::Large => answer.status(200).body(Body::from(vec![b'x'; 32 * 1024 * 1024])),
        Reply::Never => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            answer.status(500).body(Body::empty())
        }
    }
    .unwrap()
}
