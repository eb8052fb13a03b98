//! The part of the configuration that is swapped by a reload: rules and sources.

use std::collections::BTreeMap;

use crate::chat::slack::Slack;
use crate::config::{ChannelSpec, Loaded, SecretText, SlackSource as SlackConfig, SourceConfig};
use crate::domain::command::{Grammar, OwnWord};
use crate::pipeline::Live;
use crate::pipeline::bridge::{ChannelUsual, ChatSide, LiveSource};
use crate::secret::Secret;
use crate::sources::Source;
use crate::sources::github::GithubSource;
use crate::sources::slack::SlackSource;

/// Rules and sources of a loaded configuration; ids in the payloads belong to `host`.
#[must_use]
pub fn live_of(loaded: &Loaded, host: &str) -> Live {
    let free_text = !loaded.rules.candidates("", "", "", None, Some("")).is_empty()
        || loaded.config.sources.keys().any(|name| !loaded.rules.candidates(name, "", "", None, Some("")).is_empty());
    let names = loaded.rules.command_names();
    let mut sources = BTreeMap::new();
    for (name, config) in &loaded.config.sources {
        let live = match config {
            SourceConfig::Github(github) => {
                let prefix = github.command_prefix.clone();
                let grammar = Grammar { prefix, names: names.clone(), free_text, own: Vec::new() };
                let source = Source::Github(GithubSource::new(secrets(&github.secrets), host.to_owned()));
                LiveSource { source, grammar, chat: None }
            }
            SourceConfig::Slack(slack) => slack_of(slack, host),
        };
        sources.insert(name.clone(), live);
    }
    Live { rules: loaded.rules.clone(), sources }
}

fn slack_of(config: &SlackConfig, host: &str) -> LiveSource {
    let command = config.command.to_string();
    // All that is said to the app is work, unless it is one of our own words.
    let grammar = Grammar { prefix: command.clone(), names: Vec::new(), free_text: true, own: OwnWord::ALL.to_vec() };
    let secrets = secrets(&config.signing_secret);
    let source = Source::Slack(SlackSource::new(secrets, config.app_id.clone(), command, host.to_owned()));
    let channels = config.channels.iter().map(|(id, spec)| (id.clone(), usual(spec))).collect();
    let slack = Slack::new(&config.api_url, config.bot_token.value().clone());
    LiveSource { source, grammar, chat: Some(ChatSide { slack, channels }) }
}

fn usual(spec: &ChannelSpec) -> ChannelUsual {
    ChannelUsual {
        repo: spec.repo.as_ref().map(|repo| repo.to_string()),
        rule: spec.rule.as_ref().map(|rule| rule.to_string()),
        model: spec.model.clone(),
        base_ref: spec.base_ref.clone(),
    }
}

fn secrets(texts: &[SecretText]) -> Vec<Secret> {
    texts.iter().map(|text| text.value().clone()).collect()
}
