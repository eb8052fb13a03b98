//! What a bench says: lines for people, one JSON object for a later comparison. A target that is not reached is
//! printed as such and fails nothing: a busy machine must not turn a build red.

use serde_json::{Map, Value, json};

use crate::args::Args;
use crate::machine::Watch;

/// The report of one bench.
pub(crate) struct Report {
    json: bool,
    values: Map<String, Value>,
    targets: Vec<Value>,
    watch: Watch,
}

impl Report {
    pub(crate) fn new(name: &str, args: &Args) -> Self {
        let mut values = Map::new();
        values.insert("bench".to_owned(), json!(name));
        values.insert("quick".to_owned(), json!(args.has("--quick")));
        Self { json: args.has("--json"), values, targets: Vec::new(), watch: Watch::start() }
    }

    /// A line for people.
    pub(crate) fn say(&self, line: &str) {
        if self.json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }

    /// A number for a later comparison.
    pub(crate) fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), rounded(value.into()));
    }

    /// A target: what was to be reached, what was, and whether that is enough.
    pub(crate) fn target(&mut self, line: u8, what: &str, measured: &str, reached: bool) {
        let word = if reached { "reached" } else { "NOT reached" };
        self.say(&format!("line {line}: {what}: {measured}: {word}"));
        self.targets.push(json!({ "line": line, "what": what, "measured": measured, "reached": reached }));
    }

    /// Prints what is left to print.
    pub(crate) fn finish(mut self) {
        let share = self.watch.share();
        self.say(&format!(
            "machine: {} processors, {:.0} % of their time was this bench's own, {:.0} % was not its own",
            share.processors,
            share.own * 100.0,
            share.foreign * 100.0
        ));
        if share.foreign > 0.05 {
            self.say("machine: it was busy with other things: compare ratios, and those with care");
        }
        self.put("processors", share.processors);
        self.put("own_cpu_share", share.own);
        self.put("foreign_cpu_share", share.foreign);
        let targets = std::mem::take(&mut self.targets);
        self.put("targets", targets);
        if self.json {
            println!("{}", Value::Object(self.values));
        }
    }
}

/// Three decimals are more than any of these measurements has.
fn rounded(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if value.is_f64() => json!((number * 1000.0).round() / 1000.0),
        _ => value,
    }
}
