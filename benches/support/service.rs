//! The real router behind the real server on a loopback port, with the writer that makes deliveries durable.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use taskbridge::http::state::Intake;
use taskbridge::http::{AppState, Server, ServerSettings, router};
use taskbridge::pipeline::Bridge;
use taskbridge::pipeline::record::{Recorder, Writer};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A server that listens.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    doors: JoinSet<()>,
}

impl Service {
    /// The product's own routes, which write through this recorder.
    pub(crate) async fn of(bridge: &Bridge, (recorder, writer): (Recorder, Writer)) -> Self {
        let intake = Arc::new(Intake::new(26_214_400, Duration::from_secs(15), 256 * 1024 * 1024));
        let router = router(AppState { bridge: bridge.clone(), recorder, intake });
        let mut service = Self::start(router).await;
        service.doors.spawn(writer.run());
        service
    }

    /// Any routes behind the product's server.
    pub(crate) async fn start(router: Router) -> Self {
        let settings = ServerSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(15),
            lifetime: Duration::from_secs(600),
            max_connections: 1024,
        };
        let server = Server::bind(settings).await.expect("a free loopback port");
        let (address, stop, mut doors) = (server.address(), CancellationToken::new(), JoinSet::new());
        doors.spawn(server.run(router, stop.clone()));
        Self { address, stop, doors }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while self.doors.join_next().await.is_some() {}
    }
}
