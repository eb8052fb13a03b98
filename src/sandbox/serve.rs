//! Sockets: hyper is driven by hand, because a sandbox must be able to close a connection after the
//! work is done and before a word is said, which a server framework does not offer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::call::{Answer, Call};
use super::gate;

/// The largest request read, in bytes.
pub(super) const BODY_BYTES: usize = 10 * 1024 * 1024;
/// Connections served at once; the next waits for one to end.
const CONNECTIONS: usize = 1_024;
/// How long a caller may take to send its headers, or keep a connection idle: longer than clients keep
/// theirs, so that the sandbox never closes one just as a request is sent on it unless told to.
const HEADER_TIME: Duration = Duration::from_secs(120);

/// The connection ends here without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped on purpose")]
pub(super) struct Dropped;

/// The bytes of an answer, and how many of them are sent.
#[derive(Debug)]
pub(super) struct Wire {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Send only half, though the header announces all.
    pub truncate: bool,
}

/// A body that may end before its announced length.
#[derive(Debug)]
pub(super) struct Reach {
    left: Option<Bytes>,
    cut: bool,
    flushed: bool,
}

impl Body for Reach {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.left.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            // An error at once would throw away what was written but not yet flushed.
            None if self.cut && !self.flushed => {
                self.flushed = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None if self.cut => Poll::Ready(Some(Err(Dropped))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && !self.cut
    }
}

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
}

async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let loopback = peer.ip().to_canonical().is_loopback();
    let service = hyper::service::service_fn(move |request| answer(request, loopback, Arc::clone(&shared)));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
    // An error here is a caller that went away, or a drop that was asked for; there is nobody to tell.
    let _gone = http.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, loopback: bool, shared: Arc<Shared>) -> Result<Response<Reach>, Dropped> {
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
        Err(_) => gate::wire(Answer::error(413, "Payload Too Large")),
    };
    respond(wire).map_err(|never| match never {})
}

fn respond(wire: Wire) -> Result<Response<Reach>, Infallible> {
    let sent = if wire.truncate { wire.body.slice(..wire.body.len() / 2) } else { wire.body.clone() };
    let mut response =
        Response::new(Reach { left: Some(sent).filter(|sent| !sent.is_empty()), cut: wire.truncate, flushed: false });
    *response.status_mut() = StatusCode::from_u16(wire.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in &wire.headers {
        // A value that no header can carry is left out: faults may hold any text.
        if let (Ok(name), Ok(value)) =
            (hyper::header::HeaderName::try_from(name.as_str()), HeaderValue::from_str(value))
        {
            headers.append(name, value);
        }
    }
    if !matches!(wire.status, 204 | 304) {
        headers.insert(hyper::header::CONTENT_LENGTH, HeaderValue::from(wire.body.len()));
    }
    Ok(response)
}
