//! Socket Mode: what Slack would post to an address comes through a WebSocket that we open, so that an installation
//! without a public address works. Slack is asked for the address of the socket each time, with the app's own token. The
//! WebSocket's handshake is a plain HTTP request, made by the same client as all others, so that TLS and proxies are too.
//! Messages are read leniently: what is not known is passed over.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Client, Upgraded, Url};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::super::http::Broken;
use super::{CALL, Slack, SlackError, builder};
use crate::clock::Ground;
use crate::secret::Secret;

/// Most bytes of one message; Slack's are a few thousand.
const MESSAGE: usize = 1024 * 1024;
/// Most bytes that wait to be sent; an answer that does not fit ends the connection.
const WAITING: usize = 256 * 1024;
/// What the other side adds to our key before it hashes it (RFC 6455).
const ACCEPT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Whose sockets are taken.
const SOCKETS_AT: [&str; 2] = [".slack.com", ".slack-gov.com"];

/// One app of Slack, as it listens.
#[derive(Debug)]
pub struct Listener {
    slack: Slack,
    http: Result<Client, String>,
}

/// An open socket.
#[derive(Debug)]
pub struct Socket(WebSocketStream<Upgraded>);

/// What came through a socket.
#[derive(Debug)]
pub enum Heard {
    /// Something to take in and to acknowledge.
    Envelope(Envelope),
    /// Slack is there.
    Hello,
    /// Slack will close the socket: why, in one word.
    Disconnect(String),
    /// Nothing of interest, but a sign of life.
    Alive,
}

/// What Slack would have posted.
#[derive(Debug)]
pub struct Envelope {
    /// What is acknowledged.
    pub id: String,
    /// `events_api`, `slash_commands` or `interactive`.
    pub kind: String,
    /// The payload as it came.
    pub payload: Box<RawValue>,
    /// Whether an answer may go with the acknowledgement.
    pub takes_answer: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    envelope_id: Option<String>,
    payload: Option<Box<RawValue>>,
    accepts_response_payload: bool,
    reason: Option<String>,
}

impl Listener {
    /// The app with this app-level token (`xapp-…`), behind this address of the API. It asks nothing yet.
    #[must_use]
    pub fn new(api_url: &str, token: Secret) -> Self {
        let slack = Slack::new(api_url, token);
        let http = builder(&slack.api).http1_only().build().map_err(|error| error.without_url().to_string());
        Self { slack, http }
    }

    /// Whether both are the same app at the same place.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.slack.api == other.slack.api && self.slack.token.expose() == other.slack.token.expose()
    }

    /// Opens a socket.
    ///
    /// # Errors
    /// [`SlackError`].
    pub async fn open(&self, ground: &Ground) -> Result<Socket, SlackError> {
        let answer = self.slack.call("apps.connections.open", Map::new(), CALL).await?;
        let url = answer.url.and_then(|url| self.socket_at(&url));
        let url = url.ok_or_else(|| SlackError::Unclear("it names no socket of its own".to_owned()))?;
        let key = STANDARD.encode(ground.bytes::<16>());
        let http = self.http.as_ref().map_err(|why| SlackError::NotSent(why.clone()))?;
        let request = http
            .get(url)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key);
        let opened = async {
            let response = request.send().await.map_err(Broken::from)?;
            let status = response.status().as_u16();
            let accepted = response.headers().get("sec-websocket-accept").and_then(|value| value.to_str().ok());
            if status != 101 || accepted != Some(&accept(&key)) {
                return Err(SlackError::Unclear(format!("no socket was opened, status {status}")));
            }
            Ok(response.upgrade().await.map_err(Broken::from)?)
        };
        let late = |_| SlackError::Unclear("no socket was opened in time".to_owned());
        let stream = tokio::time::timeout(CALL, opened).await.map_err(late)??;
        let config = WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            .write_buffer_size(0)
            .max_write_buffer_size(WAITING)
            .max_message_size(Some(MESSAGE))
            .max_frame_size(Some(MESSAGE));
        Ok(Socket(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await))
    }

    /// The address, if it is Slack's, as the handshake asks for it. In the open it is only taken from the simulated Slack,
    /// and there only at the same place.
    fn socket_at(&self, url: &str) -> Option<Url> {
        let mut url = Url::parse(url).ok()?;
        let api = Url::parse(&self.slack.api).ok()?;
        let to = match url.scheme() {
            "wss" => "https",
            "ws" if api.scheme() == "http" => "http",
            _ => return None,
        };
        url.set_scheme(to).ok()?;
        let host = url.host_str()?;
        let slacks = to == "https" && url.port().is_none() && SOCKETS_AT.iter().any(|end| host.ends_with(end));
        let ours = url.origin() == api.origin();
        (url.username().is_empty() && url.password().is_none() && (slacks || ours)).then_some(url)
    }
}

fn accept(key: &str) -> String {
    let both = format!("{key}{ACCEPT}");
    STANDARD.encode(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, both.as_bytes()))
}

impl Socket {
    /// Waits for what comes next; an error ends the socket.
    ///
    /// # Errors
    /// Why it ended, in words.
    pub async fn next(&mut self) -> Result<Heard, String> {
        match self.0.next().await {
            None | Some(Ok(Frame::Close(_))) => Err("it was closed".to_owned()),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(Frame::Text(text))) => Ok(read(text.as_str())),
            Some(Ok(_)) => Ok(Heard::Alive),
        }
    }

    /// Acknowledges an envelope, with an answer if there is one.
    ///
    /// # Errors
    /// Why it could not leave, in words: the socket is of no more use.
    pub async fn acknowledge(&mut self, id: &str, answer: Option<Value>) -> Result<(), String> {
        let mut said = json!({ "envelope_id": id });
        if let Some(answer) = answer {
            said["payload"] = answer;
        }
        self.send(Frame::text(said.to_string())).await
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// As [`Socket::acknowledge`].
    pub async fn ping(&mut self) -> Result<(), String> {
        self.send(Frame::Ping(bytes::Bytes::from_static(b"taskbridge"))).await
    }

    async fn send(&mut self, frame: Frame) -> Result<(), String> {
        match tokio::time::timeout(CALL, self.0.send(frame)).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_) => Err("nothing can be sent".to_owned()),
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.0.close(None)).await;
    }
}

fn read(text: &str) -> Heard {
    let raw: Raw = serde_json::from_str(text).unwrap_or_default();
    match (raw.kind.as_str(), raw.envelope_id, raw.payload) {
        (_, Some(id), Some(payload)) => {
            Heard::Envelope(Envelope { id, kind: raw.kind, payload, takes_answer: raw.accepts_response_payload })
        }
        ("hello", ..) => Heard::Hello,
        ("disconnect", ..) => Heard::Disconnect(raw.reason.unwrap_or_default()),
        _ => Heard::Alive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_slack_s_alone() {
        let slack = Listener::new("https://slack.com/api", Secret::new("xapp-a-token-of-a-test"));
        let at = |url: &str| slack.socket_at(url).map(|url| url.to_string());
        assert_eq!(
            at("wss://wss-primary.slack.com/link/?ticket=1"),
            Some("https://wss-primary.slack.com/link/?ticket=1".into())
        );
        for elsewhere in [
            "ws://wss-primary.slack.com/link",
            "https://wss-primary.slack.com/link",
            "wss://slack.com.evil.example/link",
            "wss://evilslack.com/link",
            "wss://wss.slack.com:8443/link",
            "wss://evil@wss.slack.com/link",
            "wss://127.0.0.1/link",
            "x",
        ] {
            assert_eq!(at(elsewhere), None, "{elsewhere}");
        }
        let trial = Listener::new("http://127.0.0.1:9/slack/api", Secret::new("x"));
        assert!(trial.socket_at("ws://127.0.0.1:9/slack/socket/1").is_some());
        assert!(trial.socket_at("ws://127.0.0.1:8/slack/socket/1").is_none());
        assert!(!format!("{slack:?}").contains("xapp"));
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        assert!(matches!(read(r#"{"type":"hello","num_connections":1}"#), Heard::Hello));
        assert!(
            matches!(read(r#"{"type":"disconnect","reason":"warning"}"#), Heard::Disconnect(why) if why == "warning")
        );
        let envelope = r#"{"type":"events_api","envelope_id":"e1","payload":{"a":1},"accepts_response_payload":false}"#;
        assert!(matches!(read(envelope), Heard::Envelope(it) if it.id == "e1" && it.payload.get() == r#"{"a":1}"#));
        for other in ["", "x", "[]", "{}", r#"{"type":"news"}"#, r#"{"type":7}"#] {
            assert!(matches!(read(other), Heard::Alive), "{other}");
        }
    }

    #[test]
    fn the_handshake_is_that_of_the_standard() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
