//! What a reload cannot put in force: sections that are read once, at the start. Whoever changes one must be told.

use serde::Serialize;
use serde_json::Value;

use super::place::Step;
use super::sections::Config;
use crate::secret::Secret;

/// The sections that no longer say what they said when the process started, by name, in the order of the reference. A
/// secret whose value has changed counts, also when the file names it as before.
#[must_use]
pub fn needs_restart(started: &Config, now: &Config) -> Vec<&'static str> {
    let (before, after) = (at_start(started), at_start(now));
    before.into_iter().zip(after).filter(|(before, after)| before != after).map(|(section, _)| section.name).collect()
}

#[derive(PartialEq)]
struct Section {
    name: &'static str,
    says: Value,
    secrets: Vec<Secret>,
}

fn at_start(config: &Config) -> Vec<Section> {
    // All by name, so that none that is added can be forgotten here.
    let Config {
        data_dir,
        server,
        database,
        vault,
        github,
        tasks,
        sweep,
        retention,
        limits,
        // A reload swaps these.
        sources: _,
        outgoing: _,
        rules: _,
        rules_from: _,
    } = config;
    let mut copy = config.clone();
    let secrets = copy.secrets();
    let section = |name: &'static str, says: Value| Section {
        name,
        says,
        secrets: secrets
            .iter()
            .filter(|(path, _)| matches!(path.0.first(), Some(Step::Key(first)) if first == name))
            .map(|(_, secret)| secret.value().clone())
            .collect(),
    };
    vec![
        section("data_dir", json(data_dir)),
        section("server", json(server)),
        section("database", json(database)),
        section("vault", json(vault)),
        section("github", json(github)),
        section("tasks", json(tasks)),
        section("sweep", json(sweep)),
        section("retention", json(retention)),
        section("limits", json(limits)),
    ]
}

fn json(section: &impl Serialize) -> Value {
    serde_json::to_value(section).expect("text, numbers and booleans always serialise")
}
