//! What is asked of Slack's Web API. The token goes into one header of one request to one address, and into no log, error
//! or `Debug`. Slack answers nearly everything with 200: only `ok` says whether it was done.
//! Facts from Slack's documentation of `chat.postMessage`, `chat.update`, `chat.postEphemeral`, `views.open` and
//! "Handling user interaction".

mod blocks;
mod error;
/// The form for a new task.
pub mod form;
/// Tokens that end and are renewed.
pub mod rotation;
/// What Slack sends through a connection that we open.
pub mod socket;

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use error::SlackError;
use form::{FormNote, Prefilled};

use super::Message;
use super::http::{AGENT, Received, pause, send};
use crate::secret::Secret;

/// The longest that a call may take; well below the lease of a report.
const CALL: Duration = Duration::from_secs(8);
/// What opens a form is worth nothing after three seconds.
const OPEN: Duration = Duration::from_millis(2500);
/// Where addresses for answers lead.
const ANSWERS_AT: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];

/// One app of Slack, as it speaks.
#[derive(Debug, Clone)]
pub struct Slack {
    http: Result<Client, String>,
    api: String,
    token: Secret,
}

/// Never printed: some hold tokens.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    ok: bool,
    error: String,
    ts: Option<String>,
    url: Option<String>,
    access_token: Option<String>,
    expires_in: Value,
    refresh_token: Option<String>,
}

impl Slack {
    /// The app with this bot token, behind this address (`https://slack.com/api`). It asks nothing yet.
    #[must_use]
    pub fn new(api_url: &str, token: Secret) -> Self {
        let api = api_url.trim_end_matches('/').to_owned();
        let http = builder(&api).timeout(CALL).build().map_err(|error| error.without_url().to_string());
        Self { http, api, token }
    }

    /// Says something in a channel. Answers Slack's name of the message.
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn post(&self, channel: &str, thread: Option<&str>, message: &Message) -> Result<String, SlackError> {
        let mut fields = blocks::fields(message);
        fields.insert("channel".to_owned(), channel.into());
        if let Some(thread) = thread {
            fields.insert("thread_ts".to_owned(), thread.into());
        }
        let answer = self.call("chat.postMessage", fields, CALL).await?;
        answer.ts.filter(|ts| is_ts(ts)).ok_or_else(|| SlackError::Unclear("it names no message".to_owned()))
    }

    /// Edits what was said.
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn update(&self, channel: &str, ts: &str, message: &Message) -> Result<(), SlackError> {
        let mut fields = blocks::fields(message);
        fields.insert("channel".to_owned(), channel.into());
        fields.insert("ts".to_owned(), ts.into());
        self.call("chat.update", fields, CALL).await.map(|_| ())
    }

    /// Says something in a channel that one account alone sees. In a thread it is shown only where somebody has replied.
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn whisper(
        &self,
        channel: &str,
        account: &str,
        thread: Option<&str>,
        message: &Message,
    ) -> Result<(), SlackError> {
        if channel.is_empty() {
            // It was asked nowhere, by a shortcut: the account's own conversation with the app is seen by nobody else.
            return self.post(account, None, message).await.map(|_| ());
        }
        if is_direct(channel) {
            // Nobody else reads it, and a passing message would be gone with the next start of their Slack.
            return self.post(channel, thread, message).await.map(|_| ());
        }
        let mut fields = blocks::fields(message);
        fields.insert("channel".to_owned(), channel.into());
        fields.insert("user".to_owned(), account.into());
        if let Some(thread) = thread {
            fields.insert("thread_ts".to_owned(), thread.into());
        }
        self.call("chat.postEphemeral", fields, CALL).await.map(|_| ())
    }

    /// Opens the form for a new task.
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn open(&self, opens: &Secret, note: &FormNote, filled: &Prefilled) -> Result<(), SlackError> {
        let mut fields = Map::new();
        fields.insert("trigger_id".to_owned(), opens.expose().into());
        fields.insert("view".to_owned(), form::view(note, filled));
        self.call("views.open", fields, OPEN).await.map(|_| ())
    }

    /// Asks whether Slack lets the app in.
    ///
    /// # Errors
    /// [`SlackError`]: it does not, or could not be asked.
    pub async fn works(&self) -> Result<(), SlackError> {
        self.call("auth.test", Map::new(), CALL).await.map(|_| ())
    }

    /// Answers at the address that a request carried: for all in the channel, or for the one who asked; in a thread where
    /// somebody has replied already, if one is named.
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn answer(
        &self,
        to: &Secret,
        for_all: bool,
        thread: Option<&str>,
        message: &Message,
    ) -> Result<(), SlackError> {
        let url = self.answers_at(to).ok_or(SlackError::NoAnswers)?;
        let mut fields = blocks::fields(message);
        if let Some(thread) = thread {
            fields.insert("thread_ts".to_owned(), thread.into());
        }
        fields.insert("response_type".to_owned(), if for_all { "in_channel" } else { "ephemeral" }.into());
        fields.insert("replace_original".to_owned(), false.into());
        let request = self.http()?.post(url).json(&fields);
        let received = send(request).await?;
        match received.status {
            200 if !String::from_utf8_lossy(&received.body).contains("\"ok\":false") => Ok(()),
            429 => Err(SlackError::Limited(pause(None))),
            status @ 500.. => Err(SlackError::Unclear(format!("status {status}"))),
            _ => Err(SlackError::NoAnswers),
        }
    }

    /// The address, if it is Slack's: whoever could name another would have us send what is meant for one person.
    fn answers_at(&self, to: &Secret) -> Option<Url> {
        let url = Url::parse(to.expose()).ok()?;
        let own = Url::parse(&self.api).ok()?;
        let ours = own.scheme() == "http" && url.origin() == own.origin();
        let slacks = url.scheme() == "https"
            && url.port().is_none()
            && url.username().is_empty()
            && url.host_str().is_some_and(|host| ANSWERS_AT.contains(&host));
        (ours || slacks).then_some(url)
    }

    fn http(&self) -> Result<&Client, SlackError> {
        self.http.as_ref().map_err(|why| SlackError::NotSent(why.clone()))
    }

    async fn call(&self, method: &str, fields: Map<String, Value>, within: Duration) -> Result<Answer, SlackError> {
        let request = self.http()?.post(format!("{}/{method}", self.api)).bearer_auth(self.token.expose());
        Self::ask(request.json(&fields).timeout(within)).await
    }

    async fn ask(request: RequestBuilder) -> Result<Answer, SlackError> {
        let Received { status, pause: named, body } = send(request).await?;
        let pause = pause(named);
        if status == 429 {
            return Err(SlackError::Limited(pause));
        }
        if status != 200 {
            return Err(SlackError::Unclear(format!("status {status}")));
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| SlackError::Unclear("its answer cannot be read".to_owned()))?;
        match answer.error.as_str() {
            _ if answer.ok => Ok(answer),
            "ratelimited" => Err(SlackError::Limited(pause)),
            // Slack's own words are short; whatever else came is not repeated.
            error => Err(SlackError::Refused(
                error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect(),
            )),
        }
    }
}

/// What the clients of Slack have in common.
fn builder(api: &str) -> reqwest::ClientBuilder {
    super::http::builder(api, AGENT).connect_timeout(CALL / 2)
}

/// Whether a channel is a conversation of two. The app can post only into its own ones.
#[must_use]
pub fn is_direct(channel: &str) -> bool {
    channel.starts_with('D')
}

fn is_ts(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_slack_alone() {
        let slack = Slack::new("https://slack.com/api", Secret::new("xoxb-a-token-of-a-test"));
        let ok = |url: &str| slack.answers_at(&Secret::new(url)).is_some();
        assert!(ok("https://hooks.slack.com/commands/T1/2/3"));
        assert!(ok("https://hooks.slack-gov.com/actions/T1/2/3"));
        for elsewhere in [
            "http://hooks.slack.com/x",
            "https://hooks.slack.com.evil.example/x",
            "https://hooks.slack.com:8443/x",
            "https://evil@hooks.slack.com/x",
            "https://slack.com/api/x",
            "http://127.0.0.1/x",
            "x",
        ] {
            assert!(!ok(elsewhere), "{elsewhere}");
        }
        let trial = Slack::new("http://127.0.0.1:9/slack/api", Secret::new("x"));
        assert!(trial.answers_at(&Secret::new("http://127.0.0.1:9/slack/hooks/1")).is_some());
        assert!(trial.answers_at(&Secret::new("http://127.0.0.1:8/slack/hooks/1")).is_none());
        assert!(!format!("{slack:?}").contains("xoxb"));
    }
}
