//! Sockets: hyper is driven by hand, because a sandbox must be able to close a connection after the
//! work is done and before a word is said, which a server framework does not offer.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::call::{Answer, Call};
use super::gate;
use super::slack;
use super::wire::{Dropped, Sent, Wire};

/// The largest request read, in bytes.
pub(super) const BODY_BYTES: usize = 10 * 1024 * 1024;
/// Connections served at once; the next waits for one to end.
const CONNECTIONS: usize = 1_024;
/// How long a caller may take to send its headers, or keep a connection idle: longer than clients keep
/// theirs, so that the sandbox never closes one just as a request is sent on it unless told to.
const HEADER_TIME: Duration = Duration::from_secs(120);

/// Accepts connections until told to stop, then ends them all.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve(stream, peer, Arc::clone(&shared)));
                }
                // Out of file handles, most likely: wait for one rather than spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
    connections.shutdown().await;
    shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
}

async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let loopback = peer.ip().to_canonical().is_loopback();
    let service = hyper::service::service_fn(move |request| answer(request, loopback, Arc::clone(&shared)));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
    // An error here is a caller that went away, or a drop that was asked for; there is nobody to tell.
    let _gone = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

async fn answer(request: Request<Incoming>, loopback: bool, shared: Arc<Shared>) -> Result<Response<Sent>, Dropped> {
    if request.uri().path().starts_with(slack::socket::SOCKETS) {
        return Ok(slack::socket::accept(request, &shared).into_response());
    }
    let (head, body) = request.into_parts();
    let wire = match Limited::new(body, BODY_BYTES).collect().await {
        Ok(body) => {
            let call = Call {
                method: head.method,
                path: head.uri.path().to_owned(),
                raw_query: head.uri.query().unwrap_or_default().to_owned(),
                headers: head.headers,
                body: body.to_bytes(),
                loopback,
            };
            gate::pass(call, &shared).await?
        }
        Err(_) => Wire::of(Answer::error(413, "Payload Too Large")),
    };
    Ok(wire.into_response())
}
