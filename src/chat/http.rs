//! How chats are called. The client follows nobody elsewhere and tries nothing twice by itself, answers are read up to a
//! bound, and no address reaches an error: it may hold a secret. [`Http`] is for the chats that say by the status whether
//! they did it; Slack, which does not, has calls of its own.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, RequestBuilder};
use serde_json::Value;

use super::ChatError;

/// The longest that a call may take; well below the lease of a report.
const CALL: Duration = Duration::from_secs(4);
/// How long without a named time.
const PAUSE: Duration = Duration::from_secs(30);
/// The longest pause that is believed.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Most bytes of an answer that are read.
const ANSWER: usize = 1024 * 1024;

/// What we are called where nobody wants another form.
pub(super) const AGENT: &str = concat!("taskbridge/", env!("CARGO_PKG_VERSION"));

/// A client for one chat.
#[derive(Debug)]
pub(super) struct Http {
    client: Result<Client, String>,
    chat: &'static str,
}

/// What was answered, if it was not a pause and not silence.
pub(super) struct Answer {
    pub status: u16,
    /// Null when it is no JSON.
    pub body: Value,
}

/// A line that broke, or an answer that is too long.
pub(super) struct Broken {
    /// Whether nothing can have been done.
    pub surely_not: bool,
    /// Why, without the address.
    pub why: String,
}

/// An answer as it came.
pub(super) struct Received {
    pub status: u16,
    /// How long it asks to be left alone, in its header.
    pub pause: Option<Duration>,
    pub body: Vec<u8>,
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        let surely_not = error.is_connect() || error.is_builder();
        let why = if error.is_timeout() { "no answer in time".to_owned() } else { error.without_url().to_string() };
        Self { surely_not, why }
    }
}

/// What all clients of chats have in common; `api` is what their addresses begin with, `agent` what they call themselves.
pub(super) fn builder(api: &str, agent: &str) -> ClientBuilder {
    // The result is an error only when a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(agent)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false);
    // Without TLS (a simulated chat) no certificates are loaded, and no proxy stands between.
    if api.starts_with("https://") { builder } else { builder.tls_certs_only(Vec::new()).no_proxy() }
}

/// Makes a call and reads the answer, as much of it as may be.
pub(super) async fn send(request: RequestBuilder) -> Result<Received, Broken> {
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    let named = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > ANSWER {
            return Err(Broken { surely_not: false, why: "its answer is too long".to_owned() });
        }
        body.extend_from_slice(&piece);
    }
    Ok(Received { status, pause: named.map(Duration::from_secs), body })
}

/// How long is paused when so long was named.
pub(super) fn pause(named: Option<Duration>) -> Duration {
    named.unwrap_or(PAUSE).min(LONGEST_PAUSE)
}

impl Http {
    /// A client for `chat`, whose addresses begin as `api` does.
    pub(super) fn new(chat: &'static str, api: &str, agent: &str) -> Self {
        let client = builder(api, agent).timeout(CALL).connect_timeout(CALL / 2).build();
        Self { client: client.map_err(|error| error.without_url().to_string()), chat }
    }

    /// Makes a call. A pause that is asked for, and a fault at the other end, are errors already.
    pub(super) async fn call(&self, of: impl FnOnce(&Client) -> RequestBuilder) -> Result<Answer, ChatError> {
        let client = self.client.as_ref().map_err(|why| ChatError::NotSent(self.chat, why.clone()))?;
        let received = send(of(client)).await.map_err(|broken| match broken.surely_not {
            true => ChatError::NotSent(self.chat, broken.why),
            false => ChatError::Unclear(self.chat, broken.why),
        })?;
        let body: Value = serde_json::from_slice(&received.body).unwrap_or_default();
        match received.status {
            429 => {
                let named = body["retry_after"].as_f64().filter(|seconds| *seconds >= 0.0);
                let named = named.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                Err(ChatError::Limited(self.chat, pause(named.or(received.pause))))
            }
            status @ 500.. => Err(ChatError::Unclear(self.chat, format!("status {status}"))),
            status => Ok(Answer { status, body }),
        }
    }
}

impl Answer {
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The chat's own name of what was made, if it is one that can stand in an address.
    pub(super) fn id(&self) -> Option<String> {
        self.body["id"].as_str().filter(|id| is_id(id)).map(str::to_owned)
    }
}

/// Whether a text is an id that can stand in an address.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The beginning of a text, with a sign that something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
