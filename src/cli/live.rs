//! The part of the configuration that is swapped by a reload: rules and sources.

use std::collections::BTreeMap;

use crate::config::{Loaded, SourceConfig};
use crate::domain::command::Grammar;
use crate::pipeline::Live;
use crate::pipeline::bridge::LiveSource;
use crate::sources::Source;
use crate::sources::github::GithubSource;

/// Rules and sources of a loaded configuration; ids in the payloads belong to `host`.
#[must_use]
pub fn live_of(loaded: &Loaded, host: &str) -> Live {
    let free_text = !loaded.rules.candidates("", "", "", None, Some("")).is_empty()
        || loaded.config.sources.keys().any(|name| !loaded.rules.candidates(name, "", "", None, Some("")).is_empty());
    let names = loaded.rules.command_names();
    let mut sources = BTreeMap::new();
    for (name, config) in &loaded.config.sources {
        let SourceConfig::Github(github) = config;
        let secrets = github.secrets.0.iter().map(|secret| secret.value().clone()).collect();
        let grammar = Grammar { prefix: github.command_prefix.clone(), names: names.clone(), free_text };
        let source = Source::Github(GithubSource::new(secrets, host.to_owned()));
        sources.insert(name.clone(), LiveSource { source, grammar });
    }
    Live { rules: loaded.rules.clone(), sources }
}
