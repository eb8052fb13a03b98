//! What can only be seen when all rules are looked at together: doubled names, sources that do not
//! exist, rules that would start each other.

use std::collections::{BTreeSet, HashMap};

use super::compile::Written;
use super::findings::Findings;
use super::form::as_github_names;
use super::node::Document;
use super::place::Path;
use super::sections::{Config, is_chat};
use super::{github_events, suggest};
use crate::domain::rule::RunAs;

/// A channel's own rule must be one that listens to chats, and its limits must be some.
pub(super) fn channels(rules: &[Written<'_>], config: &Config, document: &Document, found: &mut Findings) {
    for (name, source) in &config.sources {
        for (channel, usual) in source.channels().into_iter().flatten() {
            let path = Path::of(&["sources", name, "channels", channel]);
            usual.limits.check(document, &path.key("limits"), found);
            let Some(wanted) = &usual.rule else { continue };
            let path = path.key("rule");
            match rules.iter().find(|rule| *rule.spec.name == **wanted) {
                None => found.fault(document, &path, format!("there is no rule `{}`", **wanted)),
                Some(rule) if rule.spec.on.slash.is_empty() => {
                    found.fault(
                        document,
                        &path,
                        format!("the rule `{}` does not listen to a chat (`on.slash`)", **wanted),
                    );
                }
                Some(_) => {}
            }
        }
    }
}

/// Checks all rules against each other; `sources` are the configured names with their kinds, `None` when that section
/// cannot be read.
pub(super) fn check(rules: &[Written<'_>], sources: Option<&[(String, &'static str)]>, found: &mut Findings) {
    names(rules, found);
    loops(rules, found);
    if let Some(sources) = sources {
        known_sources(rules, sources, found);
        known_events(rules, sources, found);
        machine_senders(rules, sources, found);
    }
}

fn names(rules: &[Written<'_>], found: &mut Findings) {
    let mut seen: HashMap<String, &Written<'_>> = HashMap::new();
    for rule in rules {
        if let Some(first) = seen.get(&rule.spec.name.to_lowercase()) {
            let at = first.document.nearest(&first.path.key("name")).at;
            let place = format!("{}:{}:{}", first.document.file, at.line, at.column);
            let message = format!("a rule named `{}` stands already at {place}", *rule.spec.name);
            found.fault(rule.document, &rule.path.key("name"), message);
        } else {
            seen.insert(rule.spec.name.to_lowercase(), rule);
        }
    }
}

/// A label that a report sets and that starts a rule would make this service talk to itself.
fn loops(rules: &[Written<'_>], found: &mut Findings) {
    let mut triggers: HashMap<String, &str> = HashMap::new();
    for rule in rules {
        for label in rule.spec.on.label.iter() {
            triggers.entry(label.to_lowercase()).or_insert(&rule.spec.name);
        }
    }
    for rule in rules {
        let labels = &rule.spec.report.labels;
        for (key, label) in [("running", &labels.running), ("done", &labels.done), ("failed", &labels.failed)] {
            let Some(label) = label else { continue };
            if let Some(starts) = triggers.get(&label.to_lowercase()) {
                let message =
                    format!("the label `{}` starts the rule `{starts}`: reporting would start tasks", **label);
                let path = rule.path.key("report").key("labels").key(key);
                found.fault_with(rule.document, &path, message, "report with another label");
            }
        }
    }
}

fn known_sources(rules: &[Written<'_>], sources: &[(String, &'static str)], found: &mut Findings) {
    let known: BTreeSet<&str> = sources.iter().map(|(name, _)| name.as_str()).collect();
    for rule in rules {
        for (nth, name) in rule.spec.sources.iter().enumerate().filter(|(_, name)| !known.contains(name.as_str())) {
            no_source(rule, &rule.path.key("sources").index(nth), name, known.iter().copied(), found);
        }
    }
}

fn no_source<'a>(
    rule: &Written<'_>,
    path: &Path,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    found: &mut Findings,
) {
    let hint = match suggest::nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("configured: {}", suggest::list(&known.collect::<Vec<_>>())),
    };
    let message = format!("there is no source `{}`", suggest::short(name));
    found.fault_with(rule.document, path, message, &hint);
}

/// A misspelt event would never come. Only a warning: GitHub may have learned a new one.
fn known_events(rules: &[Written<'_>], sources: &[(String, &'static str)], found: &mut Findings) {
    for rule in rules {
        let mut heard = sources
            .iter()
            .filter(|(name, _)| rule.spec.sources.is_empty() || rule.spec.sources.iter().any(|said| said == name))
            .peekable();
        if heard.peek().is_none() || !heard.all(|(_, kind)| *kind == "github") {
            continue;
        }
        for (nth, event) in rule.spec.on.event.iter().enumerate() {
            let name = event.split('.').next().unwrap_or_default();
            let path = rule.path.key("on").key("event").index(nth);
            if let Err(message) = as_github_names(event) {
                found.fault(rule.document, &path, message);
                continue;
            }
            if github_events::NAMES.contains(&name) {
                continue;
            }
            let mut warning = rule.document.fault(&path, format!("GitHub is not known to send `{name}`"));
            warning.hint = suggest::nearest(name, github_events::NAMES.iter().copied())
                .map(|near| format!("did you mean `{near}`?"));
            found.warnings.push(warning);
        }
    }
}

/// The kinds of source whose deliveries are alerts with a state.
const ALERTING: [&str; 3] = ["sentry", "pagerduty", "grafana"];
/// The states that these give to an alert.
const STATES: [&str; 4] = ["firing", "acknowledged", "resolved", "*"];

/// Senders other than GitHub name nobody whose right could be looked up and whose token could be used: who answers for
/// what they start must stand in the file.
fn machine_senders(rules: &[Written<'_>], sources: &[(String, &'static str)], found: &mut Findings) {
    for rule in rules {
        let heard: Vec<&(String, &str)> =
            sources.iter().filter(|(name, _)| rule.spec.sources.iter().any(|said| said == name)).collect();
        let machines: Vec<&(String, &str)> =
            heard.iter().copied().filter(|(_, kind)| *kind != "github" && !is_chat(kind)).collect();
        machine_triggers(rule, &machines, heard.len(), found);
        let Some((first, _)) = machines.first() else {
            allowed_sources(rule, sources, found);
            continue;
        };
        if *rule.spec.run_as == RunAs::Actor {
            let message = format!("the source `{first}` names nobody whose token the task could run with");
            let hint = format!(
                "add `run_as: person:<login>`, `task: {{ repo: owner/name }}` and `allow: {{ sources: {first} }}`"
            );
            found.fault_with(rule.document, &rule.path.key("run_as"), message, &hint);
        }
        let allowed = rule.spec.allow.iter().flat_map(|allow| allow.sources.iter());
        let allowed: BTreeSet<&str> = allowed.map(String::as_str).collect();
        // One that does not exist is most likely one of those that seem to be missing, and is a fault of its own.
        let all_exist = allowed.iter().all(|allowed| sources.iter().any(|(known, _)| known == allowed));
        for (name, _) in machines.iter().filter(|(name, _)| all_exist && !allowed.contains(name.as_str())) {
            let message = format!("the source `{name}` names nobody whose right could be looked up");
            let hint = format!("add `sources: {name}` to `allow`: then whatever `{name}` signs may start this");
            found.fault_with(rule.document, &rule.path.key("allow"), message, &hint);
        }
        allowed_sources(rule, sources, found);
    }
}

/// `allow.sources` must name what the rule listens to, and no source of GitHub.
fn allowed_sources(rule: &Written<'_>, sources: &[(String, &'static str)], found: &mut Findings) {
    let Some(allow) = &rule.spec.allow else { return };
    for (nth, name) in allow.sources.iter().enumerate() {
        let path = rule.path.key("allow").key("sources").index(nth);
        let shown = suggest::short(name);
        match sources.iter().find(|(known, _)| known == name) {
            None => no_source(rule, &path, name, sources.iter().map(|(known, _)| known.as_str()), found),
            Some((_, "github")) => {
                let message = format!("the source `{shown}` names who did it, whose right is looked up");
                found.fault_with(rule.document, &path, message, "give `permission`, `teams` or `people`");
            }
            Some(_) if !rule.spec.sources.contains(name) => {
                found.fault(rule.document, &path, format!("the rule does not listen to the source `{shown}`"));
            }
            Some(_) => {}
        }
    }
}

/// What a rule listens to must be something that its senders send.
fn machine_triggers(rule: &Written<'_>, machines: &[&(String, &str)], heard: usize, found: &mut Findings) {
    let Some((first, _)) = machines.first() else { return };
    let on = &rule.spec.on;
    for (key, said) in [("label", !on.label.is_empty()), ("command", !on.command.is_empty())] {
        if said {
            let message = format!("the source `{first}` sends no {key}s");
            found.fault_with(rule.document, &rule.path.key("on").key(key), message, "listen to an `event` instead");
        }
    }
    let all_machines = heard == machines.len();
    for (nth, state) in on.alert.iter().enumerate().filter(|_| all_machines) {
        let path = rule.path.key("on").key("alert").index(nth);
        if let Some((name, kind)) = machines.iter().find(|(_, kind)| !ALERTING.contains(kind)) {
            let message = format!("the source `{name}` ({kind}) sends no alerts that have a state");
            found.fault_with(rule.document, &path, message, "listen to an `event` instead");
        } else if !STATES.contains(&state.as_str()) {
            let message = format!("`{}` is not one of {}", suggest::short(state), suggest::list(&STATES));
            found.fault(rule.document, &path, message);
        }
    }
}
