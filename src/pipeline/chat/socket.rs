//! One connection through which a chat sends what it would else post: each envelope is recorded like a webhook, by the same
//! writer and with the same end, and acknowledged only when that is committed. What is not acknowledged comes again, here
//! or to another replica, and is known by its id.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chat::slack::SlackError;
use crate::chat::slack::socket::{Envelope, Heard, Listener, Socket};
use crate::pipeline::record::Recorder;
use crate::pipeline::sockets::SocketState;
use crate::pipeline::verify::through_socket;
use crate::pipeline::{Bridge, sort};
use crate::sources::Reply;
use crate::store::deliveries::Recorded;

/// Envelopes of one socket that are recorded at once; meanwhile no more are read.
const AT_ONCE: usize = 32;

/// How long things may take on a socket.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until the other side has said that it is there.
    pub hello: Duration,
    /// Between two questions whether it still is.
    pub ping: Duration,
    /// Without any sign of life, until the connection is taken for dead.
    pub silence: Duration,
    /// For what is under way, when the connection is left.
    pub leave: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(15),
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(40),
            leave: Duration::from_secs(10),
        }
    }
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ended {
    /// We were told to stop.
    Stopped,
    /// The other side has asked us to come again.
    Renewed,
    /// It could not be opened.
    NotOpened(SlackError),
    /// It was lost: why, in words.
    Lost(String),
}

/// One connection of a source, from its opening to its end. `leaving` is told when the other side is about to close it, so
/// that another can be opened meanwhile.
pub async fn attend(
    bridge: &Bridge,
    recorder: &Recorder,
    source: &str,
    listener: &Listener,
    patience: Patience,
    stop: &CancellationToken,
    leaving: &Notify,
) -> Ended {
    let opened = tokio::select! {
        opened = listener.open(&bridge.ground) => opened,
        () = stop.cancelled() => return Ended::Stopped,
    };
    let mut socket = match opened {
        Ok(socket) => socket,
        Err(error) => return Ended::NotOpened(error),
    };
    let mut running: JoinSet<Option<(String, Option<Value>)>> = JoinSet::new();
    let mut greeted = false;
    let mut heard_at = Instant::now();
    let mut left_at = None;
    let mut ping = tokio::time::interval(patience.ping);
    let ended = loop {
        let silent_at = heard_at + if greeted { patience.silence } else { patience.hello };
        let dead_at = left_at.map_or(silent_at, |left: Instant| silent_at.min(left + patience.leave));
        let next = tokio::select! {
            () = stop.cancelled() => break Ended::Stopped,
            () = tokio::time::sleep_until(dead_at) => {
                break if left_at.is_some() { Ended::Renewed } else { Ended::Lost("it fell silent".to_owned()) };
            }
            _ = ping.tick() => match socket.ping().await {
                Ok(()) => continue,
                Err(why) => break Ended::Lost(why),
            },
            Some(done) = running.join_next() => match answer(&mut socket, done).await {
                Ok(()) => continue,
                Err(why) => break Ended::Lost(why),
            },
            next = socket.next(), if running.len() < AT_ONCE => next,
        };
        heard_at = Instant::now();
        match next {
            Ok(Heard::Envelope(envelope)) => {
                let (bridge, recorder, source) = (bridge.clone(), recorder.clone(), source.to_owned());
                running.spawn(async move { take_in(&bridge, &recorder, &source, envelope).await });
            }
            Ok(Heard::Hello) => {
                greeted = true;
                if bridge.sockets.stands(source, SocketState::Open) {
                    tracing::info!(source, "a socket is open: what is said in the chat comes through it");
                }
            }
            Ok(Heard::Disconnect(reason)) if reason == "link_disabled" => {
                break Ended::NotOpened(SlackError::Refused(reason));
            }
            Ok(Heard::Disconnect(reason)) => {
                tracing::debug!(source, reason, "the chat is about to close a socket");
                left_at.get_or_insert_with(Instant::now);
                leaving.notify_one();
            }
            Ok(Heard::Alive) => {}
            Err(_) if left_at.is_some() => break Ended::Renewed,
            Err(why) => break Ended::Lost(why),
        }
    };
    let rest = async {
        while let Some(done) = running.join_next().await {
            if answer(&mut socket, done).await.is_err() {
                return;
            }
        }
    };
    // What is being recorded is recorded in any case; only whether it can still be acknowledged is open.
    let _ = tokio::time::timeout(patience.leave, rest).await;
    socket.close().await;
    ended
}

type Done = Result<Option<(String, Option<Value>)>, tokio::task::JoinError>;

async fn answer(socket: &mut Socket, done: Done) -> Result<(), String> {
    match done {
        Ok(Some((id, answer))) => socket.acknowledge(&id, answer).await,
        Ok(None) => Ok(()),
        Err(panic) => {
            tracing::error!(%panic, "taking in an envelope panicked; it is not acknowledged");
            Ok(())
        }
    }
}

/// Records an envelope. Answers what is to be acknowledged, with what; nothing when it is not known to be stored.
async fn take_in(
    bridge: &Bridge,
    recorder: &Recorder,
    source: &str,
    envelope: Envelope,
) -> Option<(String, Option<Value>)> {
    let live = bridge.live();
    // A reload took it away a moment ago: another replica may still take it in.
    let configured = live.sources.get(source)?;
    configured.chat.as_ref()?.listener.as_ref()?;
    let Some(verified) = through_socket(&live, source, &envelope.kind, envelope.payload.get()) else {
        // It would come again and again, and never be read.
        tracing::warn!(source, kind = shown(&envelope.kind), "an envelope of an unknown kind is passed over");
        return Some((envelope.id, None));
    };
    if let Reply::AtOnce { body, .. } = configured.source.reply(verified.envelope(), verified.body()) {
        let answer = serde_json::from_str(&body).ok().filter(|_| envelope.takes_answer);
        return Some((envelope.id, answer));
    }
    let end = sort::at_once(bridge, &live, &verified);
    let waits = end.is_none();
    match recorder.record(verified, end, configured.source.patience()).await {
        Ok(Recorded::New(_)) if !waits => {}
        Ok(Recorded::New(_) | Recorded::Seen(_)) => bridge.wake.deliveries.notify_one(),
        Ok(Recorded::Conflict(first)) => {
            tracing::warn!(source, %first, "a delivery id came again with another body; the first is kept");
        }
        Err(error) => {
            tracing::warn!(source, %error, "an envelope is not acknowledged, so that it comes again");
            return None;
        }
    }
    Some((envelope.id, None))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect()
}
