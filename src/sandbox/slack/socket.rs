//! Socket Mode of the simulated Slack: it gives out addresses that work once, sends envelopes through one open socket at a
//! time, counts what is acknowledged, says that it will close a socket, falls silent, and goes without a word.

use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{SlackControl, SlackRequest, SlackWorld};
use crate::sandbox::Shared;
use crate::sandbox::call::Answer;
use crate::sandbox::wire::Wire;

/// The app-level token that the simulated Slack takes.
pub const APP_TOKEN: &str = "xapp-sandbox-app-token";
/// Where its sockets are.
pub(in crate::sandbox) const SOCKETS: &str = "/slack/socket/";
const ACCEPT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a socket is told to do.
#[derive(Debug)]
enum Order {
    Say(String),
    /// Close as one should.
    Close,
    /// Close without a word.
    Drop,
    /// Say and hear nothing any more.
    FallSilent,
}

/// The sockets, and what went through them.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// Addresses that were given out and not used.
    tickets: Vec<String>,
    open: Vec<(u64, mpsc::UnboundedSender<Order>)>,
    made: u64,
    envelopes: Vec<Envelope>,
}

/// Something that was sent, or is to be.
#[derive(Debug, Clone, Default)]
struct Envelope {
    id: String,
    text: String,
    acks: Vec<Value>,
}

impl Sockets {
    /// `apps.connections.open`.
    pub(super) fn address(&mut self, host: &str, token: Option<&str>) -> Answer {
        if token != Some(&format!("Bearer {APP_TOKEN}")) {
            return super::refused("invalid_auth");
        }
        self.made += 1;
        let ticket = format!("{}", self.made);
        self.tickets.push(ticket.clone());
        Answer::ok(json!({ "ok": true, "url": format!("ws://{host}{SOCKETS}{ticket}") }))
    }

    /// To the socket that was opened last, as Slack gives each envelope to one.
    fn send(&self, text: &str) -> bool {
        self.open.last().is_some_and(|(_, socket)| socket.send(Order::Say(text.to_owned())).is_ok())
    }
}

impl SlackControl {
    fn with_sockets<T>(&self, work: impl FnOnce(&mut Sockets) -> T) -> T {
        work(&mut self.slack().sockets)
    }

    /// How many sockets are open.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.with_sockets(|sockets| sockets.open.len())
    }

    /// How many addresses of sockets were given out.
    #[must_use]
    pub fn sockets_made(&self) -> u64 {
        self.with_sockets(|sockets| sockets.made)
    }

    /// Sends a request through a socket instead of to an address. Answers the envelope's id.
    pub fn push(&self, request: &SlackRequest) -> String {
        let form = |name: &str| {
            let mut pairs = form_urlencoded::parse(request.body.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let is_form = request.headers.iter().any(|(_, value)| value.starts_with("application/x-www-form"));
        let (kind, payload) = match (is_form, form("payload")) {
            (false, _) => ("events_api", serde_json::from_str(&request.body).unwrap_or_default()),
            (true, Some(payload)) => ("interactive", serde_json::from_str(&payload).unwrap_or_default()),
            (true, None) => {
                let pairs = form_urlencoded::parse(request.body.as_bytes());
                (
                    "slash_commands",
                    pairs.map(|(key, value)| (key.into_owned(), Value::from(value.into_owned()))).collect(),
                )
            }
        };
        self.push_raw(kind, &payload)
    }

    /// Sends anything through a socket. Answers the envelope's id.
    pub fn push_raw(&self, kind: &str, payload: &Value) -> String {
        self.with_sockets(|sockets| {
            let id = format!("envelope-{}", sockets.envelopes.len());
            let text = json!({
                "envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": kind != "events_api",
            });
            let envelope = Envelope { id: id.clone(), text: text.to_string(), acks: Vec::new() };
            sockets.send(&envelope.text);
            sockets.envelopes.push(envelope);
            id
        })
    }

    /// Sends an envelope again, as Slack does with one that was not acknowledged. Answers whether a socket was open.
    pub fn push_again(&self, id: &str) -> bool {
        self.with_sockets(|sockets| {
            let text =
                sockets.envelopes.iter().find(|envelope| envelope.id == id).map(|envelope| envelope.text.clone());
            text.is_some_and(|text| sockets.send(&text))
        })
    }

    /// The acknowledgements of an envelope.
    #[must_use]
    pub fn acks(&self, id: &str) -> Vec<Value> {
        self.with_sockets(|sockets| {
            let found = sockets.envelopes.iter().find(|envelope| envelope.id == id);
            found.map(|envelope| envelope.acks.clone()).unwrap_or_default()
        })
    }

    /// Says something through all sockets that is no envelope.
    pub fn say(&self, text: &str) {
        self.order(|| Order::Say(text.to_owned()));
    }

    /// Says that all sockets will be closed, and why.
    pub fn disconnect(&self, reason: &str) {
        self.say(&json!({ "type": "disconnect", "reason": reason, "debug_info": {} }).to_string());
    }

    /// Closes all sockets.
    pub fn close_sockets(&self) {
        self.order(|| Order::Close);
    }

    /// Drops all sockets without a word.
    pub fn drop_sockets(&self) {
        self.order(|| Order::Drop);
    }

    /// All open sockets stay open, and nothing is said or heard there any more.
    pub fn silence_sockets(&self) {
        self.order(|| Order::FallSilent);
        self.with_sockets(|sockets| sockets.open.clear());
    }

    fn order(&self, order: impl Fn() -> Order) {
        self.with_sockets(|sockets| {
            for (_, socket) in &sockets.open {
                let _ = socket.send(order());
            }
        });
    }
}

fn locked(shared: &Shared) -> std::sync::MutexGuard<'_, SlackWorld> {
    shared.slack.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers the handshake of a socket, and serves it.
pub(in crate::sandbox) fn accept(mut request: Request<Incoming>, shared: &Arc<Shared>) -> Wire {
    let ticket = request.uri().path().strip_prefix(SOCKETS).unwrap_or_default().to_owned();
    let key = request.headers().get("sec-websocket-key").map(HeaderValue::as_bytes).unwrap_or_default().to_vec();
    {
        let mut slack = locked(shared);
        let Some(at) = slack.sockets.tickets.iter().position(|own| *own == ticket) else {
            return Wire::of(Answer::error(404, "Not Found"));
        };
        slack.sockets.tickets.remove(at);
    }
    let accept =
        ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &[key.as_slice(), ACCEPT.as_bytes()].concat());
    let world = Arc::clone(shared);
    let upgrade = hyper::upgrade::on(&mut request);
    let serving = async move {
        let Ok(upgraded) = upgrade.await else { return };
        serve(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await, &world).await;
    };
    shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).spawn(serving);
    let mut wire = Wire::of(Answer::error(101, ""));
    wire.status = StatusCode::SWITCHING_PROTOCOLS.as_u16();
    wire.body = bytes::Bytes::new();
    wire.headers =
        [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &STANDARD.encode(accept))]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
    wire
}

async fn serve<S>(mut socket: WebSocketStream<S>, shared: &Shared)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (orders, mut told) = mpsc::unbounded_channel();
    let nth = {
        let mut slack = locked(shared);
        slack.made += 1;
        let nth = slack.made;
        slack.sockets.open.push((nth, orders));
        nth
    };
    let _ = socket.send(Message::text(json!({ "type": "hello", "num_connections": 1 }).to_string())).await;
    loop {
        tokio::select! {
            order = told.recv() => match order {
                Some(Order::Say(text)) => {
                    if socket.send(Message::text(text)).await.is_err() {
                        break;
                    }
                }
                Some(Order::Close) => {
                    let _ = socket.close(None).await;
                    break;
                }
                Some(Order::Drop) => break,
                Some(Order::FallSilent) => std::future::pending().await,
                None => break,
            },
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    let said: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
                    let mut slack = locked(shared);
                    let id = said["envelope_id"].as_str().unwrap_or_default();
                    if let Some(envelope) = slack.sockets.envelopes.iter_mut().find(|envelope| envelope.id == id) {
                        envelope.acks.push(said);
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    locked(shared).sockets.open.retain(|(own, _)| *own != nth);
}
