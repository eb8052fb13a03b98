//! `taskbridge check`: the configuration, every fault at once.

use std::path::Path;

use clap::Args;

use super::{CliError, open};
use crate::clock::Ground;
use crate::config::Loaded;
use crate::domain::rule::RunAs;
use crate::pipeline::match_rules::not_ready;

/// Check the configuration.
#[derive(Debug, Args)]
pub(super) struct Check {}

impl Check {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
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
        if loaded.rules.rules.iter().any(|rule| matches!(rule.run_as, RunAs::Person(_))) {
            lenders(&loaded).await;
        }
        Ok(())
    }
}

/// What only the database knows: whether those agreed, and gave a token, as whom rules run. The file is good all the same.
async fn lenders(loaded: &Loaded) {
    let asked = async {
        let Some(store) = open::look(&loaded.config).await? else { return Ok(None) };
        let asked = not_ready(&store, &loaded.rules.rules, Ground::system().now()).await;
        store.close().await;
        Ok::<_, CliError>(Some(asked?))
    };
    match asked.await {
        Ok(Some(told)) => told.iter().for_each(|told| println!("  not yet: {told}")),
        Ok(None) => println!("  whether those agreed as whom rules run was not looked up: no database runs"),
        Err(error) => println!("  whether those agreed as whom rules run could not be looked up: {error}"),
    }
}
