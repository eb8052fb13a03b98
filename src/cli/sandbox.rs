//! `taskbridge sandbox`: the simulated GitHub as a process of its own.

use std::net::SocketAddr;

use clap::Args;

use super::CliError;
use super::stop::{Hangup, Stop};
use crate::clock::Ground;
use crate::sandbox::{self, SandboxConfig};

/// Run a simulated GitHub, to try taskbridge without a seat or a bill.
///
/// Everything is in memory and nothing leaves the machine; see docs/sandbox.md.
#[derive(Debug, Args)]
pub(super) struct SandboxCommand {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
    /// Begin with a person (mona), a repository (acme/widgets) and an issue (42).
    #[arg(long)]
    seed: bool,
}

impl SandboxCommand {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let stop = Stop::listen(Hangup::Stops)?;
        let mut config = SandboxConfig::new(Ground::system());
        config.listen = self.listen;
        let sandbox = sandbox::Sandbox::start(config).await.map_err(CliError::said)?;
        let url = sandbox.url();
        println!("A simulated GitHub is at {url} (pages for people at the same address).");
        if self.seed {
            sandbox.control().seed_demo().map_err(CliError::said)?;
            println!("It holds @mona, who can write to acme/widgets, and {url}/acme/widgets/issues/42.");
            println!("Her token: sandbox-mona-token");
            println!("  printf sandbox-mona-token | taskbridge people add mona --token-stdin");
        }
        if self.seed {
            sandbox.control().set_sign_in("Iv23sandbox", "sandbox-client-secret", None);
            println!("People sign in with client id Iv23sandbox and secret sandbox-client-secret (`github.sign_in`).");
        }
        println!("Point taskbridge at it in taskbridge.yaml:");
        println!("  github: {{ api_url: \"{url}\", web_url: \"{url}\" }}");
        println!("Ctrl-C ends it.");
        stop.told().await;
        sandbox.stop().await;
        Ok(())
    }
}
