//! `taskbridge demo`: the whole walk in half a minute with nothing configured. It uses the same parts as
//! `serve`; only GitHub is simulated.

mod chat;
mod screen;
mod stage;
mod walk;
mod webhook;

use std::path::PathBuf;

use clap::Args;

use super::CliError;
use super::log::{self, LogForm};
use super::stop::{Hangup, Stop};
use crate::clock::Ground;
use screen::Screen;
use stage::Stage;

/// Show one webhook on its whole way, with nothing configured and nothing leaving this machine.
///
/// A private PostgreSQL, a simulated GitHub and the real service are started; then an issue gets a label, and somebody asks in a chat.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// End after the walk instead of staying up to be looked at.
    #[arg(long)]
    exit: bool,
    /// Where to keep the private PostgreSQL.
    #[arg(long, default_value = ".taskbridge/demo")]
    data_dir: PathBuf,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), CliError> {
        log::start(LogForm::Text, "warn");
        let stop = Stop::listen(Hangup::Stops)?;
        let screen = Screen::new();
        let ground = Ground::system();
        screen.title("taskbridge demo");
        screen.line("One webhook, from its signature to the pull request, and a wish in a chat.\nGitHub and the chat are simulated; all else is real.\n");
        let data_dir = std::path::absolute(&self.data_dir).map_err(CliError::said)?;
        let setting = stage::set(&data_dir, &ground, &stop, &screen);
        tokio::pin!(setting);
        let stage = tokio::select! {
            stage = &mut setting => stage?,
            () = stop.told() => {
                screen.going("stopping", "once PostgreSQL has come up, so that nothing is left behind");
                setting.await?
            }
        };
        screen.step("ready", "the service, a simulated GitHub, @mona with her token sealed, three rules");
        screen.line("");
        let outcome = tokio::select! {
            // The walk first: who ends the demo after it has seen all of it.
            biased;
            outcome = self.play(&stage, &screen, &stop) => outcome,
            () = stop.told() => Err(CliError::Stopped),
        };
        let struck = stage.strike().await;
        outcome.and(struck)
    }

    async fn play(&self, stage: &Stage, screen: &Screen, stop: &Stop) -> Result<(), CliError> {
        walk::tell(stage, screen).await?;
        screen.line("");
        screen.title("And in a chat");
        chat::tell(stage, screen).await?;
        screen.line("");
        if self.exit {
            screen.line("Run `taskbridge demo` without `--exit` to look around afterwards.");
        } else {
            self.invite(stage, screen);
            stop.told().await;
        }
        Ok(())
    }

    fn invite(&self, stage: &Stage, screen: &Screen) {
        let (github, service) = (stage.sandbox.url(), format!("http://{}", stage.running.address));
        screen.title("Look around");
        screen.link("the issue", &format!("{github}/acme/widgets/issues/42"));
        screen.link("sign in yourself", &format!("{service}/connect"));
        screen.link("the API, described", &format!("{service}/openapi.json"));
        screen.line(&format!("  curl --oauth2-bearer {} {service}/api/v1/tasks", stage.api_key.expose()));
        screen.line("");
        screen.title("Next");
        screen
            .line("  Write a taskbridge.yaml with your own rules (docs/configuration.md), then `taskbridge check` and");
        screen.line("  `taskbridge serve`. Ctrl-C ends the demo and everything it started.");
    }
}
