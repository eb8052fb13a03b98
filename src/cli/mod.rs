//! The roof: the command line, the only place where all is put together. A command a file.

mod api_keys;
mod check;
mod demo;
mod error;
mod explain;
mod health;
mod keys;
mod live;
mod log;
mod manifest;
mod open;
mod openapi;
mod pause;
mod people;
mod said;
mod sandbox;
mod schema;
mod serve;
mod stop;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

pub use error::CliError;
pub use live::live_of;
pub use open::settings_of;

/// Bytes of stack of each thread; only what is used takes memory. The parsers of conditions and templates call themselves
/// for what stands inside something else: they are bounded, but their bounds want more than the usual 2 MiB.
const STACK: usize = 8 * 1024 * 1024;

/// For those who see the help for the first time.
const BEGIN: &str = "Begin with `taskbridge demo`: it needs no configuration. Then write a taskbridge.yaml, and run `taskbridge check` and\n\
                     `taskbridge serve`.";

/// Turns signed webhooks and commands in comments into GitHub Copilot cloud-agent tasks.
#[derive(Debug, Parser)]
#[command(name = "taskbridge", version, about, propagate_version = true, after_help = BEGIN)]
struct Cli {
    /// The configuration file.
    #[arg(long, short, global = true, env = "TASKBRIDGE_CONFIG", default_value = "taskbridge.yaml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

// The help of a command stands with its arguments: a comment here would take the place of all of it.
#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Check(check::Check),
    Explain(explain::Explain),
    People(people::People),
    ApiKeys(api_keys::ApiKeys),
    Keys(keys::Keys),
    Manifest(manifest::Manifest),
    Pause(pause::PauseCommand),
    Resume(pause::ResumeCommand),
    Sandbox(sandbox::SandboxCommand),
    Health(health::Health),
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApi),
    Schema(schema::Schema),
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    end_quietly_when_nobody_reads();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let runtime = match runtime() {
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

/// Whoever reads what we print may go away in the middle (`taskbridge check | head -1`): that is no fault of ours to be told
/// of. Rust's `println!` knows of it by a panic alone.
fn end_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to std") && said.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

/// The threads that all commands run on.
///
/// # Errors
/// When the machine gives no more threads or files.
pub fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK).enable_all().build()
}

impl Command {
    async fn run(self, config: &std::path::Path) -> Result<(), CliError> {
        match self {
            Self::Serve(serve) => serve.run(config).await,
            Self::Demo(demo) => demo.run().await,
            Self::Check(check) => check.run(config).await,
            Self::Explain(explain) => explain.run(config).await,
            Self::People(people) => people.run(config).await,
            Self::ApiKeys(api_keys) => api_keys.run(config).await,
            Self::Keys(keys) => keys.run(config).await,
            Self::Manifest(manifest) => manifest.run(config).await,
            Self::Pause(pause) => pause.run(config).await,
            Self::Resume(resume) => resume.run(config).await,
            Self::Sandbox(sandbox) => sandbox.run().await,
            Self::Health(health) => health.run(config).await,
            Self::OpenApi(openapi) => openapi.run(),
            Self::Schema(schema) => schema.run(),
        }
    }
}
