//! Connections: how many, how long they may take to say what they want, and how they end. axum's own `serve`
//! has neither deadline nor cap, and lets half-sent requests and unread answers stay open for ever.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::patient::Patient;

/// How the server treats connections.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How long the head of a request may take, also on an idle connection.
    pub header_timeout: Duration,
    /// How long the other side may take none of an answer.
    pub write_timeout: Duration,
    /// How long a connection may be used; then the request that runs has a minute to end.
    pub lifetime: Duration,
    /// Connections at once; more wait to be accepted.
    pub max_connections: usize,
}

/// What the last request of a connection may take after the connection's time; more than any takes.
const LAST_REQUEST: Duration = Duration::from_secs(60);

/// A bound listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: ServerSettings,
}

/// Why it cannot listen: a person must choose another address or stop what is there.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Something listens there already.
    #[error(
        "the address {0} is in use: another program (or another taskbridge) listens there. Stop it, or set `server.listen` to another address"
    )]
    InUse(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {address}: {source}. Set `server.listen` to an address of this machine")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn bind(settings: ServerSettings) -> Result<Self, BindError> {
        let address = settings.listen;
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AddrInUse => BindError::InUse(address),
            _ => BindError::Other { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(|source| BindError::Other { address, source })?;
        Ok(Self { listener, address, settings })
    }

    /// Where it really listens (the port may have been chosen by the system).
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; then takes no new connection, lets running requests end, and returns. The caller
    /// bounds how long it waits for that.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.settings.max_connections.max(1)));
        let tracker = TaskTracker::new();
        loop {
            let slot = tokio::select! {
                () = stop.cancelled() => break,
                slot = Arc::clone(&slots).acquire_owned() => slot,
            };
            let Ok(slot) = slot else { break };
            let stream = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file handles and the like: not this connection's fault, and it may pass.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let (router, stop, settings) = (router.clone(), stop.clone(), self.settings.clone());
            tracker.spawn(async move {
                serve(stream, router, &settings, stop).await;
                drop(slot);
            });
        }
        drop(self.listener);
        tracker.close();
        tracker.wait().await;
    }
}

async fn serve(stream: TcpStream, router: Router, settings: &ServerSettings, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, settings.write_timeout);
    let service = TowerToHyperService::new(router);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(settings.header_timeout);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = tokio::time::sleep(settings.lifetime) => {
            connection.as_mut().graceful_shutdown();
            // Whoever reads an answer by the byte is not waited for.
            match tokio::time::timeout(LAST_REQUEST, connection).await {
                Ok(outcome) => outcome,
                Err(_) => return tracing::debug!("a connection was cut at the end of its time"),
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended badly");
    }
}
