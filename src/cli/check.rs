//! `taskbridge check`: the configuration, every fault at once.

use std::path::Path;

use clap::Args;

use super::{CliError, open};

/// Check the configuration.
#[derive(Debug, Args)]
pub(super) struct Check {}

impl Check {
    pub(super) fn run(self, config: &Path) -> Result<(), CliError> {
        let loaded = open::load(config)?;
        let (rules, sources) = (loaded.rules.rules.len(), loaded.config.sources.len());
        println!(
            "{}: good. {rules} rule{} (version {}), {sources} source{}.",
            config.display(),
            if rules == 1 { "" } else { "s" },
            loaded.rules.version,
            if sources == 1 { "" } else { "s" },
        );
        for name in loaded.config.sources.keys() {
            println!("  webhooks of `{name}` are received at /hooks/{name}");
        }
        if let Some(page) = loaded.config.connect_url() {
            println!("  people sign in at {page}; the callback URL of the app is {page}/callback");
        }
        for rule in &loaded.rules.rules {
            println!("  rule `{}` listens to {}", rule.name, rule.on);
        }
        Ok(())
    }
}
