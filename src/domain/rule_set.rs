//! All rules together, with an index: which rules an event could concern is looked up, not searched
//! for, so that a thousand rules cost about as much as ten.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::rule::{Rule, Trigger};

/// The rules in order, their version and the index over them.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// The rules, in the order of the files.
    pub rules: Vec<Rule>,
    /// The first 16 hex digits of a hash over what the rules say: the same rules, however they are laid
    /// out in files and commented, have the same version.
    pub version: String,
    /// What the rules say, as plain JSON without secrets; kept with decisions to explain them later.
    pub source_json: Value,
    /// The rules that listen to every source.
    every_source: Index,
    /// The rules that name their sources.
    by_source: HashMap<String, Index>,
}

/// Which rules each label, command, event and alert leads to.
#[derive(Debug, Clone, Default)]
struct Index {
    labels: HashMap<String, Vec<usize>>,
    commands: HashMap<String, Vec<usize>>,
    free_text: Vec<usize>,
    events: HashMap<String, Vec<usize>>,
    alerts: HashMap<String, Vec<usize>>,
    slashes: HashMap<String, Vec<usize>>,
}

impl RuleSet {
    /// Builds the index.
    #[must_use]
    pub fn new(rules: Vec<Rule>, version: String, source_json: Value) -> Self {
        let mut every_source = Index::default();
        let mut by_source: HashMap<String, Index> = HashMap::new();
        for (position, rule) in rules.iter().enumerate() {
            if rule.sources.is_empty() {
                every_source.add(position, &rule.on);
            }
            let sources: HashSet<&String> = rule.sources.iter().collect();
            for source in sources {
                by_source.entry(source.clone()).or_default().add(position, &rule.on);
            }
        }
        Self { rules, version, source_json, every_source, by_source }
    }

    /// The positions of the rules that an event of this source could concern, in order, each once.
    ///
    /// `label` is the label that was put on, `command` the text after the command prefix; both only where
    /// the event is about that. An empty `command` is free text.
    #[must_use]
    pub fn candidates(
        &self,
        source: &str,
        event_full_name: &str,
        event_name: &str,
        label: Option<&str>,
        command: Option<&str>,
    ) -> Vec<usize> {
        let indexes: Vec<&Index> = std::iter::once(&self.every_source).chain(self.by_source.get(source)).collect();
        let label = label.map(str::to_lowercase);
        let word = command.map(|text| text.split_whitespace().next().unwrap_or_default().to_lowercase());
        // A word that any rule for this source has taken is no free text for another.
        let named = word.as_ref().is_some_and(|word| indexes.iter().any(|index| index.commands.contains_key(word)));

        let mut hits: Vec<usize> = Vec::new();
        for index in indexes {
            let mut take = |positions: Option<&Vec<usize>>| hits.extend(positions.into_iter().flatten());
            take(index.events.get(event_full_name));
            if event_name != event_full_name {
                take(index.events.get(event_name));
            }
            take(label.as_ref().and_then(|label| index.labels.get(label)));
            take(word.as_ref().and_then(|word| index.commands.get(word)));
            if word.is_some() && !named {
                take(Some(&index.free_text));
            }
        }
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    /// The positions of the rules that listen to an alert of this source in this state, in order, each once.
    #[must_use]
    pub fn alerted(&self, source: &str, state: &str) -> Vec<usize> {
        let indexes = std::iter::once(&self.every_source).chain(self.by_source.get(source));
        let mut hits: Vec<usize> = indexes
            .flat_map(|index| [state, "*"].map(|state| index.alerts.get(state)))
            .flatten()
            .flatten()
            .copied()
            .collect();
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    /// The positions of the rules that listen to this command in a chat of this source, in order, each once.
    #[must_use]
    pub fn slashed(&self, source: &str, command: &str) -> Vec<usize> {
        let indexes = std::iter::once(&self.every_source).chain(self.by_source.get(source));
        let command = command.to_lowercase();
        let mut hits: Vec<usize> = indexes.filter_map(|index| index.slashes.get(&command)).flatten().copied().collect();
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    /// The positions of the rules that listen to work in a chat of this source, in order, each once: said with this command
    /// (`on.slash`), or, with the command that stands before all that is said there (`usual`), under this name or none
    /// (`on.command`). A rule is named in a chat only if it names the chat.
    #[must_use]
    pub fn said_in_chat(&self, source: &str, command: &str, usual: bool, name: &str) -> Vec<usize> {
        let mut hits = if name.is_empty() { self.slashed(source, command) } else { Vec::new() };
        if let Some(index) = self.by_source.get(source).filter(|_| usual) {
            let named = if name.is_empty() { Some(&index.free_text) } else { index.commands.get(&name.to_lowercase()) };
            hits.extend(named.into_iter().flatten());
        }
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    /// The words that commands in comments of this source begin with, sorted, without `*`.
    #[must_use]
    pub fn command_names(&self, source: &str) -> Vec<String> {
        names_in(std::iter::once(&self.every_source).chain(self.by_source.get(source)))
    }

    /// The same in a chat, where only those count of rules that name it.
    #[must_use]
    pub fn chat_names(&self, source: &str) -> Vec<String> {
        names_in(self.by_source.get(source).into_iter())
    }

    /// The rule of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

fn names_in<'a>(indexes: impl Iterator<Item = &'a Index>) -> Vec<String> {
    let mut names: Vec<String> = indexes.flat_map(|index| index.commands.keys().cloned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Index {
    fn add(&mut self, position: usize, on: &Trigger) {
        match on {
            Trigger::Label(labels) => {
                for label in labels {
                    self.labels.entry(label.to_lowercase()).or_default().push(position);
                }
            }
            Trigger::Command(commands) => {
                for command in commands {
                    if command == "*" {
                        self.free_text.push(position);
                    } else {
                        self.commands.entry(command.to_lowercase()).or_default().push(position);
                    }
                }
            }
            Trigger::Event(events) => {
                for event in events {
                    self.events.entry(event.clone()).or_default().push(position);
                }
            }
            Trigger::Alert(states) => {
                for state in states {
                    self.alerts.entry(state.clone()).or_default().push(position);
                }
            }
            Trigger::Slash(commands) => {
                for command in commands {
                    self.slashes.entry(command.to_lowercase()).or_default().push(position);
                }
            }
        }
    }
}
