//! The client that speaks to the chats that say by the status whether they did it. It follows nobody elsewhere, tries
//! nothing twice by itself, and no address reaches an error: it may hold a secret.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
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

impl Http {
    /// A client for `chat`, whose addresses begin as `api` does.
    pub(super) fn new(chat: &'static str, api: &str, agent: &str) -> Self {
        // The result is an error only when a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(agent)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .timeout(CALL)
            .connect_timeout(CALL / 2);
        // Without TLS (a simulated chat) no certificates are loaded, and no proxy stands between.
        let builder = if api.starts_with("https://") { builder } else { builder.tls_certs_only(Vec::new()).no_proxy() };
        Self { client: builder.build().map_err(|error| error.without_url().to_string()), chat }
    }

    /// Makes a call. A pause that is asked for, and a fault at the other end, are errors already.
    pub(super) async fn call(&self, of: impl FnOnce(&Client) -> RequestBuilder) -> Result<Answer, ChatError> {
        let client = self.client.as_ref().map_err(|why| ChatError::NotSent(self.chat, why.clone()))?;
        let mut response = of(client).send().await.map_err(|error| self.network(error))?;
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.network(error))? {
            if body.len() + piece.len() > ANSWER {
                return Err(ChatError::Unclear(self.chat, "its answer is too long".to_owned()));
            }
            body.extend_from_slice(&piece);
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        match status {
            429 => {
                let named = body["retry_after"].as_f64().filter(|seconds| *seconds >= 0.0);
                let named = named.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                let pause = named.or(header.map(Duration::from_secs)).unwrap_or(PAUSE);
                Err(ChatError::Limited(self.chat, pause.min(LONGEST_PAUSE)))
            }
            500.. => Err(ChatError::Unclear(self.chat, format!("status {status}"))),
            _ => Ok(Answer { status, body }),
        }
    }

    fn network(&self, error: reqwest::Error) -> ChatError {
        let surely_not = error.is_connect() || error.is_builder();
        let why = if error.is_timeout() { "no answer in time".to_owned() } else { error.without_url().to_string() };
        if surely_not { ChatError::NotSent(self.chat, why) } else { ChatError::Unclear(self.chat, why) }
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
