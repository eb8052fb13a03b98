//! What `help` says in a chat: what this account may write in this channel, and no more.

use super::talk::{Talk, account};
use crate::domain::chat::Address;
use crate::domain::command::{Grammar, OwnWord, chat_help};
use crate::domain::rule::{Rule, Trigger};
use crate::github::RepoPath;
use crate::pipeline::asked::Asked;
use crate::pipeline::bridge::ChannelUsual;
use crate::pipeline::usable::usable;
use crate::store::people::Person;

pub(super) async fn help(talk: &Talk<'_>, person: Option<&Person>) -> String {
    let Some(source) = talk.live.sources.get(&talk.event.source) else { return String::new() };
    let grammar = Grammar { free_text: false, own: vec![OwnWord::Link], ..source.grammar.clone() };
    let address = source.chat.as_ref().map_or(Address::Command, |side| side.platform.address());
    let Some(person) = person else {
        return chat_help(&Grammar { names: Vec::new(), ..grammar }, &[], address);
    };
    let usual = source.chat.as_ref().and_then(|side| side.channels.get(&talk.chat.place.channel));
    let mut rules = rules_here(talk, usual);
    let repo = usual.and_then(|usual| usual.repo.as_deref());
    let found = match repo.and_then(|repo| repo.parse::<RepoPath>().ok()) {
        Some(path) => Some(usable(talk.bridge, &Asked::default(), &path, &account(person), &rules).await),
        None => None,
    };
    let mut writes = true;
    let note = match (found, repo) {
        (Some(Ok(found)), Some(repo)) if !found.unknown => {
            (rules, writes) = (found.rules, found.writes);
            if rules.is_empty() { format!("\nNo rule lets you start a task in `{repo}`.") } else { String::new() }
        }
        (Some(unknown), _) => {
            let why = unknown.map_or_else(|later| later.why, |found| found.why_not);
            format!("\nWhat you may do could not be looked up now, so this is all that can be written here: {why}.")
        }
        (None, _) => {
            "\nThis channel has no repository of its own: which of it you may do depends on the one that you name."
                .to_owned()
        }
    };
    let mut commands = commands(usual, &rules, &grammar.prefix);
    let names = grammar.names.iter().filter(|name| {
        rules
            .iter()
            .any(|rule| matches!(&rule.on, Trigger::Command(own) if own.iter().any(|it| it.eq_ignore_ascii_case(name))))
    });
    let names = names.cloned().collect();
    if address == Address::Mention {
        // Another command cannot be said there.
        commands.retain(|command| *command == grammar.prefix);
    }
    // What cannot be looked up is shown.
    let has_tasks =
        talk.bridge.store.tasks_of_person(person.id, None, false, 1).await.map_or(true, |tasks| !tasks.is_empty());
    let words = OwnWord::ALL.into_iter().filter(|word| match word {
        OwnWord::Retry => has_tasks,
        OwnWord::Cancel => has_tasks || writes,
        OwnWord::Approve => writes,
        OwnWord::Link => false,
        OwnWord::Status | OwnWord::List | OwnWord::Why | OwnWord::Unlink => true,
    });
    let own = words.collect();
    let text = chat_help(&Grammar { names, own, ..grammar }, &commands, address);
    format!("You are linked to {} on GitHub. {text}{note}", person.login)
}

/// The channel's own rule, or all that listen to commands of this chat.
fn rules_here<'l>(talk: &Talk<'l>, usual: Option<&ChannelUsual>) -> Vec<&'l Rule> {
    let own = usual.and_then(|usual| usual.rule.as_ref());
    let here = |rule: &&Rule| match (own, &rule.on) {
        (Some(own), Trigger::Slash(_)) => rule.name == *own,
        (None, Trigger::Slash(_)) => rule.sources.is_empty() || rule.sources.contains(&talk.event.source),
        (None, Trigger::Command(_)) => rule.sources.contains(&talk.event.source),
        _ => false,
    };
    talk.live.rules.rules.iter().filter(here).collect()
}

/// The commands that lead to these rules; to a channel's own rule all of them do.
fn commands(usual: Option<&ChannelUsual>, rules: &[&Rule], prefix: &str) -> Vec<String> {
    if usual.is_some_and(|usual| usual.rule.is_some()) {
        return rules.iter().map(|_| prefix.to_owned()).collect();
    }
    let mut commands: Vec<String> = rules
        .iter()
        .flat_map(|rule| match &rule.on {
            Trigger::Slash(commands) => commands.clone(),
            Trigger::Command(names) if names.iter().any(|name| name == "*") => vec![prefix.to_owned()],
            _ => Vec::new(),
        })
        .collect();
    commands.sort_unstable();
    commands.dedup();
    commands
}
