//! The roof: the command line, the only place where all is put together. A command a file.

mod check;
mod error;
mod health;
mod live;
mod log;
mod open;
mod schema;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use error::CliError;
pub use live::live_of;
pub use open::settings_of;

/// Turns signed webhooks and chat commands into GitHub Copilot cloud-agent tasks.
#[derive(Debug, Parser)]
#[command(name = "taskbridge", version, about, propagate_version = true)]
struct Cli {
    /// The configuration file.
    #[arg(long, short, global = true, env = "TASKBRIDGE_CONFIG", default_value = "taskbridge.yaml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service.
    Serve(serve::Serve),
    /// Check the configuration and say every fault with its place.
    Check(check::Check),
    /// Ask the running service whether it is ready: exit code 0 if it is.
    Health(health::Health),
    /// Print the JSON Schema of the configuration file, for editors.
    Schema(schema::Schema),
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("taskbridge: the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli.command.run(&cli.config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    }
}

impl Command {
    async fn run(self, config: &std::path::Path) -> Result<(), CliError> {
        match self {
            Self::Serve(serve) => serve.run(config).await,
            Self::Check(check) => check.run(config),
            Self::Health(health) => health.run(config).await,
            Self::Schema(schema) => schema.run(),
        }
    }
}
