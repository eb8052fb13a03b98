//! `taskbridge openapi`: the description of the admin API, made from the code that serves it.

use clap::Args;

use super::CliError;

/// Print the OpenAPI 3.1 description of the admin API, as JSON.
#[derive(Debug, Args)]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(self) -> Result<(), CliError> {
        let text = crate::http::api::openapi().to_pretty_json();
        println!("{}", text.map_err(|error| CliError::Said(format!("the description cannot be written: {error}")))?);
        Ok(())
    }
}
