//! Hands the command line to [`taskbridge::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    taskbridge::cli::run()
}
