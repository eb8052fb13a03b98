//! The part of the configuration that is swapped by a reload: rules, sources and receivers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chat::slack::Slack;
use crate::chat::slack::socket::Listener;
use crate::config::{ChannelSpec, Loaded, OutgoingConfig, SlackSource as SlackConfig, SourceConfig};
use crate::domain::command::{Grammar, OwnWord};
use crate::domain::outgoing::Choice;
use crate::domain::signing_key::SigningKey;
use crate::outgoing::Receiver;
use crate::pipeline::Live;
use crate::pipeline::bridge::{ChannelUsual, ChatSide, LiveSource};
use crate::sources::Source;
use crate::sources::github::GithubSource;
use crate::sources::sender::Sender;
use crate::sources::senders::{
    azure_devops, bitbucket, described, gitea, gitlab, grafana, jira, linear, pagerduty, sentry, stripe,
};
use crate::sources::slack::SlackSource;

/// Rules, sources and receivers of a loaded configuration; ids in GitHub's payloads belong to `host`.
#[must_use]
pub fn live_of(loaded: &Loaded, host: &str) -> Live {
    let free_text = !loaded.rules.candidates("", "", "", None, Some("")).is_empty()
        || loaded.config.sources.keys().any(|name| !loaded.rules.candidates(name, "", "", None, Some("")).is_empty());
    let names = loaded.rules.command_names();
    let mut sources = BTreeMap::new();
    for (name, config) in &loaded.config.sources {
        let live = match config {
            SourceConfig::Slack(slack) => slack_of(slack, host),
            other => {
                let prefix = match other {
                    SourceConfig::Github(github) => github.command_prefix.clone(),
                    // It sends no comments.
                    _ => String::new(),
                };
                let grammar = Grammar { prefix, names: names.clone(), free_text, own: Vec::new() };
                LiveSource { source: source_of(other, host), grammar, chat: None }
            }
        };
        sources.insert(name.clone(), live);
    }
    let outgoing = loaded.config.outgoing.iter().map(receiver_of).collect();
    Live { rules: loaded.rules.clone(), sources, outgoing }
}

/// One configured receiver.
fn receiver_of(config: &OutgoingConfig) -> Receiver {
    let shared = |key| match key {
        SigningKey::Shared(key) => Some(key),
        SigningKey::Public(_) => None,
    };
    Receiver {
        name: config.name.to_string(),
        choice: Choice {
            states: config.states.to_vec(),
            rules: config.rules.iter().map(|name| name.to_string()).collect(),
        },
        url: reqwest::Url::clone(&config.url),
        keys: described::signing_keys(&config.secrets).into_iter().filter_map(shared).collect(),
        allow_private: config.allow_private,
        timeout: config.timeout.into(),
    }
}

/// One configured sender.
fn source_of(config: &SourceConfig, host: &str) -> Source {
    let keys = || described::keys(config.secrets());
    let (scheme, dialect) = match config {
        SourceConfig::Slack(slack) => return slack_of(slack, host).source,
        SourceConfig::Github(github) => {
            return Source::Github(GithubSource::new(described::secrets(&github.secrets), host.to_owned()));
        }
        SourceConfig::Hmac(source) => described::hmac(source),
        SourceConfig::StandardWebhooks(source) => described::standard_webhooks(source),
        SourceConfig::Token(source) => described::token(source),
        SourceConfig::Basic(source) => described::basic(source),
        SourceConfig::Gitlab(source) if source.is_signed() => {
            (gitlab::signing_scheme(described::signing_keys(&source.secrets)), gitlab::dialect(true))
        }
        SourceConfig::Gitlab(source) => {
            (gitlab::token_scheme(described::secrets(&source.secrets)), gitlab::dialect(false))
        }
        SourceConfig::Gitea(_) => (gitea::scheme(keys()), gitea::dialect()),
        SourceConfig::Forgejo(_) => (gitea::forgejo_scheme(keys()), gitea::forgejo_dialect()),
        SourceConfig::Bitbucket(_) => (bitbucket::scheme(keys()), bitbucket::dialect()),
        SourceConfig::Jira(_) => (jira::scheme(keys()), jira::dialect()),
        SourceConfig::Linear(source) => {
            (linear::scheme(keys(), described::window(source.window).past), linear::dialect())
        }
        SourceConfig::Sentry(_) => (sentry::scheme(keys()), sentry::dialect()),
        SourceConfig::Pagerduty(_) => (pagerduty::scheme(keys()), pagerduty::dialect()),
        SourceConfig::Grafana(source) => {
            let stamp = source.timestamp_header.as_ref().map(|name| name.to_ascii_lowercase());
            (grafana::scheme(keys(), source.header.to_ascii_lowercase(), stamp), grafana::dialect())
        }
        SourceConfig::Stripe(_) => (stripe::scheme(keys()), stripe::dialect()),
        SourceConfig::AzureDevops(source) => {
            let passwords = described::secrets(&source.secrets);
            (azure_devops::scheme(source.username.clone(), passwords), azure_devops::dialect())
        }
    };
    Source::Sender(Box::new(Sender::new(host.to_owned(), scheme, dialect)))
}

fn slack_of(config: &SlackConfig, host: &str) -> LiveSource {
    let command = config.command.to_string();
    // All that is said to the app is work, unless it is one of our own words.
    let grammar = Grammar { prefix: command.clone(), names: Vec::new(), free_text: true, own: OwnWord::ALL.to_vec() };
    let keys = described::keys(&config.signing_secret);
    let source = Source::Slack(SlackSource::new(keys, config.app_id.clone(), command, host.to_owned()));
    let channels = config.channels.iter().map(|(id, spec)| (id.clone(), usual(spec))).collect();
    let slack = Slack::new(&config.api_url, config.bot_token.value().clone());
    let listener =
        config.app_token.as_ref().map(|token| Arc::new(Listener::new(&config.api_url, token.value().clone())));
    LiveSource { source, grammar, chat: Some(ChatSide { slack, listener, channels }) }
}

fn usual(spec: &ChannelSpec) -> ChannelUsual {
    ChannelUsual {
        repo: spec.repo.as_ref().map(|repo| repo.to_string()),
        rule: spec.rule.as_ref().map(|rule| rule.to_string()),
        model: spec.model.clone(),
        base_ref: spec.base_ref.clone(),
    }
}
