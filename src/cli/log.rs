//! Where log lines go: to standard error, one sentence each, as text or JSON.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// The form of log lines.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogForm {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

/// Starts logging. `TASKBRIDGE_LOG` chooses what is logged, in the usual form (`info,taskbridge=debug`).
pub(super) fn start(form: LogForm, default: &str) {
    let filter = EnvFilter::try_from_env("TASKBRIDGE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // Colour is for terminals: in a file or a journal its codes are noise.
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false);
    // A second start in one process (a test) keeps the first.
    let _ = match form {
        LogForm::Text => lines.try_init(),
        LogForm::Json => lines.json().flatten_event(true).try_init(),
    };
}
