//! The part of the configuration that is swapped by a reload: rules, sources and receivers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chat::Platform;
use crate::chat::discord::Discord;
use crate::chat::mattermost::Mattermost;
use crate::chat::slack::Slack;
use crate::chat::slack::rotation::Rotator;
use crate::chat::slack::socket::Listener;
use crate::config::{ChannelSpec, Loaded, OutgoingConfig, SourceConfig};
use crate::domain::command::{Grammar, OwnWord};
use crate::domain::outgoing::Choice;
use crate::domain::rule::Trigger;
use crate::domain::rule_set::RuleSet;
use crate::domain::signing_key::{PublicKey, SharedKey, SigningKey};
use crate::outgoing::Receiver;
use crate::pipeline::Live;
use crate::pipeline::bridge::{ChannelUsual, ChatSide, LiveSource, Rotation};
use crate::secret::Secret;
use crate::sources::Source;
use crate::sources::doors::Door;
use crate::sources::github::GithubSource;
use crate::sources::sender::Sender;
use crate::sources::senders::{
    azure_devops, bitbucket, described, gitea, gitlab, grafana, jira, linear, pagerduty, sentry, stripe,
};
use crate::sources::slack::SlackSource;

/// Rules, sources and receivers of a loaded configuration; ids in GitHub's payloads belong to `host`.
#[must_use]
pub fn live_of(loaded: &Loaded, host: &str) -> Live {
    let mut sources = BTreeMap::new();
    for (name, config) in &loaded.config.sources {
        let live = match config {
            chat if chat.channels().is_some() => chat_of(chat, loaded.rules.chat_names(name), host),
            other => {
                let prefix = match other {
                    SourceConfig::Github(github) => github.command_prefix.clone(),
                    // It sends no comments.
                    _ => String::new(),
                };
                let own = if takes_commands(&loaded.rules, name) { OwnWord::IN_THREADS.to_vec() } else { Vec::new() };
                let free_text = !loaded.rules.candidates(name, "", "", None, Some("")).is_empty();
                let grammar = Grammar { prefix, names: loaded.rules.command_names(name), free_text, own };
                LiveSource { source: source_of(other, host), grammar, chat: None }
            }
        };
        sources.insert(name.clone(), live);
    }
    let outgoing = loaded.config.outgoing.iter().map(receiver_of).collect();
    Live { rules: loaded.rules.clone(), sources, outgoing, needs_restart: Vec::new() }
}

/// Whether a rule listens to commands in the comments of this source.
fn takes_commands(rules: &RuleSet, source: &str) -> bool {
    rules.rules.iter().any(|rule| {
        matches!(rule.on, Trigger::Command(_))
            && (rule.sources.is_empty() || rule.sources.iter().any(|name| name == source))
    })
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
        SourceConfig::Slack(slack) => {
            let command = slack.command.to_string();
            return Source::Slack(SlackSource::new(keys(), slack.app_id.clone(), command, host.to_owned()));
        }
        SourceConfig::Discord(discord) => {
            // The configuration has been checked: one that is no key verifies nothing.
            let keys = discord.public_key.iter().filter_map(|key| PublicKey::of_hex(key).ok()).collect();
            return Source::Door(Door::discord(keys, discord.application_id.clone(), host.to_owned()));
        }
        SourceConfig::Mattermost(mattermost) => {
            return Source::Door(Door::mattermost(described::secrets(&mattermost.tokens), host.to_owned()));
        }
        SourceConfig::Teams(teams) => {
            let keys = teams.secrets.iter().filter_map(|secret| SharedKey::of_base64(secret.value()).ok()).collect();
            return Source::Door(Door::teams(keys, teams.command.to_string(), host.to_owned()));
        }
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

/// One configured chat.
fn chat_of(config: &SourceConfig, names: Vec<String>, host: &str) -> LiveSource {
    let source = source_of(config, host);
    let (mut listener, mut rotation) = (None, None);
    let (platform, command) = match config {
        SourceConfig::Slack(slack) => {
            let fixed = slack.bot_token.as_ref().map_or_else(|| Secret::new(""), |token| token.value().clone());
            let platform = Slack::new(&slack.api_url, fixed);
            rotation = slack.rotation.as_ref().map(|given| Rotation {
                rotator: Rotator::new(&slack.api_url, &given.client_id, given.client_secret.value().clone()),
                configured: given.refresh_token.value().clone(),
            });
            let token = slack.app_token.as_ref().map(|token| token.value().clone());
            listener = token.map(|token| Arc::new(Listener::new(&slack.api_url, token)));
            (Some(Platform::Slack(platform)), slack.command.to_string())
        }
        SourceConfig::Discord(discord) => {
            let token = discord.bot_token.value().clone();
            let platform = Discord::new(&discord.api_url, &discord.application_id, token);
            (Some(Platform::Discord(platform)), discord.command.to_string())
        }
        SourceConfig::Mattermost(mattermost) => {
            let token = mattermost.bot_token.as_ref().map(|token| token.value().clone());
            let platform = Mattermost::new(&mattermost.server_url, token, &mattermost.command);
            (Some(Platform::Mattermost(platform)), mattermost.command.to_string())
        }
        SourceConfig::Teams(teams) => (Some(Platform::Teams), teams.command.to_string()),
        _ => (None, String::new()),
    };
    // All that is said there is work, unless it is one of our own words.
    let grammar = Grammar { prefix: command, names, free_text: true, own: OwnWord::ALL.to_vec() };
    let channels = config.channels().into_iter().flatten().map(|(id, spec)| (id.clone(), usual(spec))).collect();
    LiveSource { source, grammar, chat: platform.map(|platform| ChatSide { platform, rotation, listener, channels }) }
}

fn usual(spec: &ChannelSpec) -> ChannelUsual {
    ChannelUsual {
        repo: spec.repo.as_ref().map(|repo| repo.to_string()),
        rule: spec.rule.as_ref().map(|rule| rule.to_string()),
        model: spec.model.clone(),
        base_ref: spec.base_ref.clone(),
        limits: spec.limits.bounds(),
    }
}
