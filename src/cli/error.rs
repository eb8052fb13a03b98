//! Why a command did not do its work, in a sentence that says what to do.

use std::process::ExitCode;

use crate::config::Faults;
use crate::http::server::BindError;
use crate::store::embedded::EmbeddedError;
use crate::store::{ConnectError, StoreError};

/// A failed command. All of these are for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] Faults),
    /// The private PostgreSQL.
    #[error("taskbridge: {0}")]
    Embedded(#[from] EmbeddedError),
    /// The database.
    #[error("taskbridge: {0}")]
    Connect(#[from] ConnectError),
    /// A call to the database.
    #[error("taskbridge: {0}")]
    Store(#[from] StoreError),
    /// A key of the admin API.
    #[error("taskbridge: {0}")]
    ApiKey(#[from] crate::pipeline::api_keys::CreateError),
    /// The address to listen on.
    #[error("taskbridge: {0}")]
    Bind(#[from] BindError),
    /// It was told to stop before it was done.
    #[error("taskbridge: stopped before it was done")]
    Stopped,
    /// Anything else, already a sentence.
    #[error("taskbridge: {0}")]
    Said(String),
}

impl CliError {
    /// A failure that is a sentence already.
    pub(super) fn said(error: impl std::fmt::Display) -> Self {
        Self::Said(error.to_string())
    }

    /// 2 for what is wrong in the input, as for wrong options; 1 for the rest.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) => ExitCode::from(2),
            // As a shell tells it of a program that an interrupt ended.
            Self::Stopped => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }
}
