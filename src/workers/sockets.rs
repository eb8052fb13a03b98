//! The sockets of a process: one for each source that has an app-level token, opened again whenever it is lost, sooner
//! when the chat says beforehand that it will close it. Every replica has its own; a chat gives each envelope to one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chat::ChatNext;
use crate::chat::slack::SlackError;
use crate::chat::slack::socket::Listener;
use crate::domain::backoff::Backoff;
use crate::pipeline::Bridge;
use crate::pipeline::chat::socket::{Ended, Patience, attend};
use crate::pipeline::record::Recorder;
use crate::pipeline::sockets::SocketState;

/// How often it is looked whether the configuration has changed.
const LOOK: Duration = Duration::from_secs(2);
/// Waits between tries to open a socket.
const TROUBLE: Backoff =
    Backoff { first: Duration::from_secs(1), factor: 2, cap: Duration::from_secs(60), tries: u32::MAX };
/// The wait after a refusal that only a person can put right.
const REFUSED: Duration = Duration::from_secs(120);
/// A socket that lasted so long was a good one: the next try comes soon.
const GOOD: Duration = Duration::from_secs(30);
/// How often a chat may close new sockets at once before it is waited.
const QUICK: u32 = 3;

/// Keeps sockets open until told to stop.
pub async fn run(bridge: Bridge, recorder: Recorder, patience: Patience, stop: CancellationToken) {
    let mut kept: BTreeMap<String, (Arc<Listener>, CancellationToken)> = BTreeMap::new();
    let mut running = JoinSet::new();
    while !stop.is_cancelled() {
        let live = bridge.live();
        let wanted = |name: &str| live.sources.get(name)?.chat.as_ref()?.listener.clone();
        kept.retain(|name, (listener, end)| {
            let stays = wanted(name).is_some_and(|now| now.is_same(listener));
            if !stays {
                end.cancel();
                bridge.sockets.forget(name);
            }
            stays
        });
        for name in live.sources.keys() {
            let Some(listener) = wanted(name).filter(|_| !kept.contains_key(name)) else { continue };
            let end = stop.child_token();
            kept.insert(name.clone(), (Arc::clone(&listener), end.clone()));
            bridge.sockets.stands(name, SocketState::Opening);
            running.spawn(keep(bridge.clone(), recorder.clone(), name.clone(), listener, patience, end));
        }
        tokio::select! {
            () = stop.cancelled() => {}
            Some(Err(panic)) = running.join_next() => tracing::error!(%panic, "a socket's keeper panicked"),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    // They close by themselves, when what they have taken in is recorded.
    while running.join_next().await.is_some() {}
}

/// Keeps one source's socket open.
async fn keep(
    bridge: Bridge,
    recorder: Recorder,
    source: String,
    listener: Arc<Listener>,
    patience: Patience,
    stop: CancellationToken,
) {
    let (mut tries, mut quick) = (0, 0);
    // Those that the chat is about to close, until it does.
    let mut old = JoinSet::new();
    while !stop.is_cancelled() {
        let leaving = Arc::new(Notify::new());
        let begun = Instant::now();
        let mut current = JoinSet::new();
        {
            let (bridge, recorder, source) = (bridge.clone(), recorder.clone(), source.clone());
            let (listener, stop, leaving) = (Arc::clone(&listener), stop.clone(), Arc::clone(&leaving));
            current
                .spawn(async move { attend(&bridge, &recorder, &source, &listener, patience, &stop, &leaving).await });
        }
        let ended = tokio::select! {
            ended = current.join_next() => ended,
            () = leaving.notified() => None,
        };
        while old.try_join_next().is_some() {}
        if begun.elapsed() >= GOOD {
            tries = 0;
        }
        let wait = match ended {
            None | Some(Ok(Ended::Renewed)) => {
                old.spawn(async move { while current.join_next().await.is_some() {} });
                quick = if begun.elapsed() < GOOD { quick + 1 } else { 0 };
                // A chat that says so at once each time is not asked without a pause.
                TROUBLE.after(quick).filter(|_| quick > QUICK)
            }
            Some(Ok(Ended::Stopped)) => break,
            Some(Ok(Ended::NotOpened(error))) => {
                tries += 1;
                trouble(&bridge, &source, &error);
                match error {
                    SlackError::Limited(pause) => Some(pause),
                    SlackError::Refused(_) if error.next() != ChatNext::Retry => Some(REFUSED),
                    _ => TROUBLE.after(tries),
                }
            }
            Some(Ok(Ended::Lost(why))) => {
                tries += 1;
                if bridge.sockets.stands(&source, SocketState::Trouble(why.clone())) {
                    tracing::warn!(source, why, "a socket was lost; it is opened again");
                }
                TROUBLE.after(tries)
            }
            Some(Err(panic)) => {
                tries += 1;
                tracing::error!(source, %panic, "a socket panicked; it is opened again");
                TROUBLE.after(tries)
            }
        };
        if let Some(wait) = wait {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(bridge.ground.jitter(wait)) => {}
            }
        }
    }
    while old.join_next().await.is_some() {}
}

/// Said once, until it changes.
fn trouble(bridge: &Bridge, source: &str, error: &SlackError) {
    if !bridge.sockets.stands(source, SocketState::Trouble(error.for_person())) {
        return;
    }
    match error {
        SlackError::Refused(_) => tracing::error!(
            source, %error,
            "no socket can be opened: `app_token` must be the app-level token (`xapp-…`) with the scope \
             `connections:write`, and Socket Mode must be on in the app's settings at Slack"
        ),
        _ => tracing::warn!(source, %error, "no socket could be opened; it is tried again"),
    }
}
