//! The one way in: files in, a checked configuration or every fault at once out.

use std::collections::HashSet;
use std::path::Path as FilePath;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::compile::{self, Written};
use super::fault::{Fault, Faults};
use super::findings::Findings;
use super::node::{Document, Kind, Node};
use super::place::{Path, Step};
use super::reader::{NO_FILE, Reader, Secrets};
use super::secret_text::{SecretFrom, SecretText};
use super::sections::{
    Config, GithubSource, OncePerFull, OncePerSpec, OneOrMany, RuleSpec, SourceConfig, default_idle_for, is_chat,
};
use super::{check, include, schema, sections, together, yaml};
use crate::domain::rule::{OnceThen, Rule};
use crate::domain::rule_set::RuleSet;

/// The variable that makes a source of its own when the file has none.
const DEFAULT_SECRET: &str = "GITHUB_WEBHOOK_SECRET";
/// How many rules there may be.
const MAX_RULES: usize = 10_000;

/// A configuration that may be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The sections, with all secrets fetched; `rules` holds those of all files.
    pub config: Config,
    /// What is doubtful, sorted by place; to be shown to the operator.
    pub warnings: Vec<Fault>,
    /// The rules of all files, ready to be used.
    pub rules: RuleSet,
}

/// Reads the configuration at `path` and all that it names.
///
/// # Errors
/// Everything that is wrong, sorted by place. A person must change the files; a caller that has an older
/// configuration keeps it.
pub fn load(path: &FilePath, reader: &Reader) -> Result<Loaded, Faults> {
    let mut found = Findings::default();
    let main = match document(path, reader) {
        Ok(main) => main,
        Err(faults) => return Err(sorted(faults.into_iter().map(with_advice).collect())),
    };
    let schema = schema::schema();
    check::check(&schema, &schema, &main, &main.root, &Path::default(), &mut found);

    let included = included(&main, path, reader, &mut found);
    let mut written: Vec<Written<'_>> = Vec::new();
    for document in std::iter::once(&main).chain(&included) {
        written.extend(rules_of(document, &mut found));
    }
    if written.len() > MAX_RULES {
        found.fault(&main, &Path::of(&["rules"]), format!("more than {MAX_RULES} rules"));
        return Err(sorted(found.faults));
    }

    let mut config = sections(&main, &mut found);
    if let Some(config) = &mut config {
        finish(config, &main, path, reader, &mut found);
    }
    let sources: Option<Vec<(String, &'static str)>> = config
        .as_ref()
        .map(|config| config.sources.iter().map(|(name, source)| (name.clone(), source.kind())).collect());
    for rule in &mut written {
        listens_to(rule, sources.as_deref().unwrap_or_default(), &mut found);
    }
    together::check(&written, sources.as_deref(), &mut found);
    if let Some(config) = &config {
        together::channels(&written, config, &main, &mut found);
    }
    // A rule with a fault is not read, and has been told.
    let all_read = found.faults.iter().all(|fault| !fault.path.starts_with("rules["));
    if let Some(config) = config.as_ref().filter(|_| all_read) {
        let rules: Vec<&str> = written.iter().map(|rule| rule.spec.name.as_str()).collect();
        sections::check_chosen_rules(&config.outgoing, &rules, &main, &mut found);
    }
    let rules: Vec<Rule> = written.iter().filter_map(|rule| compile::rule(rule, &mut found)).collect();

    match config {
        Some(mut config) if found.faults.is_empty() => {
            if rules.is_empty() {
                found.warn(&main, &Path::default(), "there are no rules: nothing will be started");
            }
            config.rules = written.into_iter().map(|rule| normal(rule.spec)).collect();
            let (version, source_json) = version(&config.rules);
            found.warnings.sort();
            Ok(Loaded { config, warnings: found.warnings, rules: RuleSet::new(rules, version, source_json) })
        }
        _ => Err(sorted(found.faults)),
    }
}

/// What to do when the very first file is not there.
fn with_advice(mut fault: Fault) -> Fault {
    if fault.message == NO_FILE {
        fault.message.push_str(": say where it is with `--config FILE`; examples/taskbridge.yaml is one to begin with");
    }
    fault
}

fn sorted(mut faults: Vec<Fault>) -> Faults {
    faults.sort();
    faults.dedup();
    Faults(faults)
}

fn document(path: &FilePath, reader: &Reader) -> Result<Document, Vec<Fault>> {
    let name = path.display().to_string();
    match reader.text(path, yaml::MAX_FILE_BYTES) {
        Ok((text, _)) => yaml::parse(&name, &text),
        Err(reason) => Err(vec![Fault::of_file(&name, reason)]),
    }
}

/// The files of `rules_from`, each checked on its own.
fn included(main: &Document, path: &FilePath, reader: &Reader, found: &mut Findings) -> Vec<Document> {
    let schema = schema::included();
    let mut documents = Vec::new();
    for file in include::files(main, path, reader, found) {
        match document(&file, reader) {
            Ok(document) => {
                check::check(&schema, &schema, &document, &document.root, &Path::default(), found);
                documents.push(document);
            }
            Err(faults) => found.faults.extend(faults),
        }
    }
    documents
}

/// The rules of a file that the schema had nothing against, so that one bad rule hides no fault of another.
fn rules_of<'a>(document: &'a Document, found: &mut Findings) -> Vec<Written<'a>> {
    let Some(Node { kind: Kind::List(items), .. }) = document.root.entry("rules").map(|entry| &entry.value) else {
        return Vec::new();
    };
    let bad: HashSet<usize> = found
        .faults
        .iter()
        .filter(|fault| fault.file == document.file)
        .filter_map(|fault| fault.path.strip_prefix("rules[")?.split_once(']')?.0.parse().ok())
        .collect();
    let path = Path::of(&["rules"]);
    for (nth, node) in items.iter().enumerate().filter(|(nth, _)| bad.contains(nth)) {
        compile::texts(document, &path.index(nth), node, found);
    }
    let good = items.iter().enumerate().filter(|(nth, _)| !bad.contains(nth));
    good.filter_map(|(nth, node)| {
        let path = path.index(nth);
        let spec: RuleSpec = read(node.to_json(), document, &path, found)?;
        Some(Written { document, path, spec })
    })
    .collect()
}

/// All sections but the rules, if the schema had nothing against them.
fn sections(main: &Document, found: &mut Findings) -> Option<Config> {
    let sound = found.faults.iter().all(|fault| fault.file != main.file || fault.path.starts_with("rules["));
    let mut json = main.root.to_json();
    json.as_object_mut().filter(|_| sound)?.remove("rules");
    read(json, main, &Path::default(), found)
}

fn read<T: DeserializeOwned>(json: Value, document: &Document, path: &Path, found: &mut Findings) -> Option<T> {
    // The schema has accepted it: what serde still refuses is a number too large for its type and the like.
    match serde_path_to_error::deserialize(json) {
        Ok(value) => Some(value),
        Err(error) => {
            let mut path = path.clone();
            for segment in error.path() {
                match segment {
                    serde_path_to_error::Segment::Seq { index } => path.0.push(Step::Index(*index)),
                    serde_path_to_error::Segment::Map { key } => path.0.push(Step::Key(key.clone())),
                    _ => break,
                }
            }
            found.fault(document, &path, error.inner().to_string());
            None
        }
    }
}

/// Default source, secrets, paths from the file's folder, and the checks that need them.
fn finish(config: &mut Config, main: &Document, path: &FilePath, reader: &Reader, found: &mut Findings) {
    let has_default = reader.env(DEFAULT_SECRET).is_some() || reader.secrets() != Secrets::All;
    if config.sources.is_empty() && main.root.entry("sources").is_none() && has_default {
        let secret = SecretText::unresolved(SecretFrom::Env(DEFAULT_SECRET.to_owned()));
        config.sources.insert("github".to_owned(), SourceConfig::Github(GithubSource::with_secret(secret)));
    }
    if config.sources.is_empty() {
        let hint = "set GITHUB_WEBHOOK_SECRET, or add `sources: {github: {type: github, secrets: \"${NAME}\"}}`";
        found.fault_with(main, &Path::of(&["sources"]), "there is no source: no webhook could come in", hint);
    }
    let folder = path.parent().unwrap_or(FilePath::new(""));
    for (path, secret) in config.secrets() {
        let section = match path.0.first() {
            Some(Step::Key(name)) => name.as_str(),
            _ => "",
        };
        match (reader.secrets(), section) {
            (Secrets::None, _) | (Secrets::NotOfHooks | Secrets::Own, "sources" | "outgoing") => {}
            (Secrets::Own, "github") => secret.resolve(folder, reader, (main, &path), &mut Findings::default()),
            _ => secret.resolve(folder, reader, (main, &path), found),
        }
    }
    config.data_dir = folder.join(&config.data_dir);
    if let Some(file) = &mut config.github.extra_ca_file {
        *file = folder.join(&*file);
        match reader.text(file, yaml::MAX_FILE_BYTES) {
            Ok((text, _)) if text.contains("-----BEGIN CERTIFICATE-----") => {}
            Ok(_) => found.fault(main, &Path::of(&["github", "extra_ca_file"]), "the file holds no PEM certificate"),
            Err(reason) => found.fault(main, &Path::of(&["github", "extra_ca_file"]), reason),
        }
    }
    config.check(main, found);
}

/// Says which sources a rule listens to, where the file leaves it open: chats for a chat's command, else GitHub. Senders that
/// name no actor must be named.
fn listens_to(rule: &mut Written<'_>, sources: &[(String, &'static str)], found: &mut Findings) {
    let said = std::mem::take(&mut rule.spec.on.source);
    if !said.is_empty() && !rule.spec.sources.is_empty() {
        let path = rule.path.key("on").key("source");
        found.fault(rule.document, &path, "the rule has `sources` already: keep one of them");
    } else if !said.is_empty() {
        rule.spec.sources = said;
    } else if rule.spec.sources.is_empty() && sources.iter().any(|(_, kind)| *kind != "github") {
        let of_chat = !rule.spec.on.slash.is_empty();
        let meant = |kind: &str| if of_chat { is_chat(kind) } else { kind == "github" };
        let all = sources.iter().filter(|(_, kind)| meant(kind)).map(|(name, _)| name.clone()).collect();
        rule.spec.sources = OneOrMany(all);
        if rule.spec.sources.is_empty() {
            let hint = format!("add `sources: {}`", sources[0].0);
            found.fault_with(rule.document, &rule.path, "the rule does not say which sources it listens to", &hint);
        }
    }
}

/// The long form of what has a short one, so that both have the same version.
fn normal(mut spec: RuleSpec) -> RuleSpec {
    if let Some(prompt) = spec.prompt.take() {
        spec.task.prompt = Some(prompt);
    }
    if let Some(OncePerSpec::Key(key)) = spec.once_per {
        spec.once_per = Some(OncePerSpec::Full(OncePerFull {
            key,
            then: OnceThen::Skip,
            idle_for: default_idle_for(),
            window: None,
        }));
    }
    spec
}

fn version(rules: &[RuleSpec]) -> (String, Value) {
    // Structs serialise in the order of their fields, and hold nothing that could fail to.
    let text = serde_json::to_string(rules).expect("text, numbers and booleans always serialise");
    let source_json = serde_json::to_value(rules).expect("text, numbers and booleans always serialise");
    let mut version = hex::encode(Sha256::digest(text.as_bytes()));
    version.truncate(16);
    (version, source_json)
}
