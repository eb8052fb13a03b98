//! `taskbridge health`: whether the service at an address is ready, as an exit code, for container health checks
//! and scripts. Written on a bare connection, so that an image needs no other program for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::CliError;
use crate::config::Reader;

/// Longer than the service itself waits for its database before it says that it is not ready.
const PATIENCE: Duration = Duration::from_secs(4);
/// The head and the short body of the answer are all that is read, in bytes.
const ANSWER: u64 = 8192;

/// Ask the running service whether it is ready.
#[derive(Debug, Args)]
pub(super) struct Health {
    /// Where it listens, as `http://HOST:PORT`. Without it: where the configuration says, on this machine.
    #[arg(long)]
    url: Option<String>,
}

impl Health {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        let place = match &self.url {
            Some(url) => place_of(url)?,
            None => {
                // 1 and not 2: container health checks know no other no.
                let loaded =
                    crate::config::load(config, &Reader::system().without_secrets()).map_err(CliError::said)?;
                near(*loaded.config.server.listen).to_string()
            }
        };
        match tokio::time::timeout(PATIENCE, ask(&place)).await {
            Ok(Ok((200, _))) => {
                println!("ready");
                Ok(())
            }
            Ok(Ok((status, body))) => Err(said(format!("not ready: {place} answers {status}: {}", body.trim()))),
            Ok(Err(error)) => Err(said(format!("not ready: {place} cannot be asked: {error}"))),
            Err(_) => Err(said(format!("not ready: {place} does not answer within {} s", PATIENCE.as_secs()))),
        }
    }
}

fn said(text: String) -> CliError {
    CliError::Said(text)
}

/// `HOST:PORT` of a plain address.
fn place_of(url: &str) -> Result<String, CliError> {
    let place = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')).filter(|rest| {
        let port = rest.rsplit_once(':').map(|(_, port)| port);
        port.is_some_and(|port| port.parse::<u16>().is_ok()) && !rest.contains(['/', '@', '?', '#', ' ', '\r', '\n'])
    });
    place
        .map(str::to_owned)
        .ok_or_else(|| said("--url is an address such as http://127.0.0.1:8080, without a path".to_owned()))
}

/// A service that listens everywhere is asked on this machine.
fn near(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The status and the body of the answer.
async fn ask(place: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(place).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    status.map(|status| (status, body.to_owned())).ok_or_else(|| std::io::Error::other("the answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    use super::{near, place_of};

    #[test]
    fn an_address_is_taken_apart_or_refused() {
        assert_eq!(place_of("http://127.0.0.1:8080/").unwrap(), "127.0.0.1:8080");
        assert_eq!(place_of("http://[::1]:80").unwrap(), "[::1]:80");
        for bad in ["https://a:1", "127.0.0.1:8080", "http://a", "http://a:1/readyz", "http://u@a:1", "http://a:99999"]
        {
            assert!(place_of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_service_that_listens_everywhere_is_asked_here() {
        for (listen, asked) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:9", "[::1]:9"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(near(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
