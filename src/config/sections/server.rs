//! `server`: where the doors are and what one sender can make this process hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::form::{Listen, WebUrl};
use super::super::node::Document;
use super::super::place::Path;

/// The HTTP server and its bounds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address and port to listen on.
    pub listen: Listen,
    /// The address under which people and GitHub reach this service, for example `https://taskbridge.example.com`; what
    /// stands in front of it may add a path. Needed for `github.sign_in`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<WebUrl>,
    /// How long a sender may take for the head of a request.
    pub header_timeout: Duration,
    /// How long a sender may take for the body of a request.
    pub body_timeout: Duration,
    /// The largest webhook, in bytes. GitHub sends up to 25 MiB.
    #[schemars(range(min = 1024, max = 104_857_600))]
    pub max_body_bytes: u64,
    /// How many connections may be open at once.
    #[schemars(range(min = 1, max = 65_535))]
    pub max_connections: u32,
    /// How many bytes of webhooks may be in memory at once; a sender who finds no room gets 503 and tries later.
    #[schemars(range(min = 1024))]
    pub bodies_in_flight_bytes: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: Listen::read("127.0.0.1:8080").expect("a literal address"),
            public_url: None,
            header_timeout: Duration::secs(10),
            body_timeout: Duration::secs(15),
            max_body_bytes: 25 * 1024 * 1024,
            max_connections: 1024,
            bodies_in_flight_bytes: 256 * 1024 * 1024,
        }
    }
}

impl ServerConfig {
    pub(super) fn check(&self, document: &Document, found: &mut Findings) {
        let times = [("header_timeout", self.header_timeout), ("body_timeout", self.body_timeout)];
        super::refuse_zero(document, "server", &times, found);
        if self.public_url.as_ref().is_some_and(WebUrl::is_open) {
            let message = "plain http to a host that is not this machine: the cookies of the sign-in go over `https` alone, \
                           and whoever listens on the way could sign in as others";
            found.fault(document, &Path::of(&["server", "public_url"]), message);
        }
        if self.bodies_in_flight_bytes < self.max_body_bytes {
            let path = Path::of(&["server", "bodies_in_flight_bytes"]);
            found.fault(
                document,
                &path,
                "smaller than `server.max_body_bytes`: the largest webhook would never find room",
            );
        }
    }
}
