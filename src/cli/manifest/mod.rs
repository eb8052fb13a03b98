//! `taskbridge manifest`: what to tell GitHub or a chat to make the app that this service needs there, with its addresses
//! filled in.

mod create;
mod discord;
mod github;
mod slack;

use std::path::Path;

use clap::{Args, Subcommand};

use super::CliError;

/// Print what to make an app from, on GitHub or in a chat.
#[derive(Debug, Args)]
pub(super) struct Manifest {
    #[command(subcommand)]
    of: Of,
}

#[derive(Debug, Subcommand)]
enum Of {
    Github(github::Github),
    Slack(slack::Slack),
    Discord(discord::Discord),
}

impl Manifest {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        match self.of {
            Of::Github(github) => github.run(config).await,
            Of::Discord(discord) => discord.print(),
            Of::Slack(slack) => super::said::print(&format!("{:#}\n", slack.manifest()?)),
        }
    }
}
