//! `taskbridge openapi`: the description of the admin API, as the service serves it.

use clap::Args;

use super::CliError;

/// Print the OpenAPI description of the admin API.
#[derive(Debug, Args)]
pub(super) struct OpenApi {}

impl OpenApi {
    pub(super) fn run(self) -> Result<(), CliError> {
        let text = crate::http::api::openapi().to_pretty_json().map_err(CliError::said)?;
        super::said::print(&format!("{text}\n"))
    }
}
