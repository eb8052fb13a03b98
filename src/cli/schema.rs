//! `taskbridge schema`: the JSON Schema of the configuration file, and the reference made from it.

use clap::Args;

use super::CliError;

/// Print the JSON Schema of the configuration file.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Print the reference for people instead.
    #[arg(long)]
    markdown: bool,
}

impl Schema {
    pub(super) fn run(self) -> Result<(), CliError> {
        if self.markdown {
            super::said::print(&crate::config::reference())
        } else {
            super::said::print(&format!("{:#}\n", crate::config::schema()))
        }
    }
}
