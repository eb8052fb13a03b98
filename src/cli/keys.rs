//! `taskbridge keys`: the keys that seal stored tokens.

use std::path::Path;

use clap::{Args, Subcommand};

use super::CliError;
use super::open::{Needs, beside};
use crate::clock::Ground;
use crate::pipeline::reseal;

/// Make sealing keys, and seal stored tokens anew after a change of keys.
///
/// To change the key: put the new one first in `vault.keys`, keep the old one below it, restart, run
/// `taskbridge keys reseal`, then remove the old one and restart.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a new random key, in hex, for `vault.keys` or TASKBRIDGE_SEALING_KEY.
    Generate,
    /// Seal every stored token with the first key of `vault.keys`.
    Reseal,
}

impl Keys {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        match self.command {
            Command::Generate => println!("{}", hex::encode(Ground::system().bytes::<32>())),
            Command::Reseal => {
                let count = beside(config, Needs::ADatabaseWithContent, async |_, bridge| {
                    reseal::reseal(bridge).await.map_err(CliError::said)
                })
                .await?;
                println!(
                    "{count} stored token{} sealed anew; all are now sealed with the first key. The other keys of \
                     `vault.keys` can be removed once every replica has the new one.",
                    if count == 1 { " was" } else { "s were" }
                );
            }
        }
        Ok(())
    }
}
