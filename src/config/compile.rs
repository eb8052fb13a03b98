//! Turns a rule as it is written into the checked form that the pipeline uses, and notes what no
//! schema can say: templates and conditions that do not parse, parts that contradict each other.

use super::findings::Findings;
use super::node::{Document, Kind, Node};
use super::place::Path;
use super::sections::{
    AllowSpec, OnSpec, OncePerFull, OncePerSpec, ReactionSpec, ReportSpec, RuleSpec, TaskPart, default_idle_for,
};
use crate::domain::condition::Condition;
use crate::domain::prompt::Template;
use crate::domain::rule::{
    Allow, NamedPerson, OncePer, OnceThen, Permission, ReportLabels, Reporting, Rule, RunAs, TaskSpec, Trigger,
};

/// A rule and where it is written.
pub(super) struct Written<'a> {
    pub(super) document: &'a Document,
    pub(super) path: Path,
    pub(super) spec: RuleSpec,
}

/// Makes the checked form; `None` when that is impossible, and then `found` says why.
pub(super) fn rule(written: &Written<'_>, found: &mut Findings) -> Option<Rule> {
    let Written { document, path, spec } = written;
    let mut compile = Compile { document, path, found };
    // All parts are tried before any of them may end the attempt, so that all faults are found.
    let on = compile.trigger(&spec.on);
    let when = spec.when.as_ref().map(|text| compile.condition(text));
    let allow = compile.allow(spec.allow.as_ref());
    let task = compile.task(spec.prompt.as_ref(), &spec.task);
    let run_as = compile.run_as(spec);
    let once_per = spec.once_per.as_ref().map(|once| compile.once_per(once));
    let report = compile.report(&spec.report);
    spec.limits.check(document, &path.key("limits"), found);
    Some(Rule {
        name: spec.name.to_string(),
        sources: spec.sources.to_vec(),
        on: on?,
        when: if let Some(when) = when { Some(when?) } else { None },
        allow,
        task: task?,
        run_as,
        once_per: if let Some(once_per) = once_per { Some(once_per?) } else { None },
        limits: spec.limits.bounds(),
        untrusted: spec.untrusted,
        hold: spec.hold,
        report,
        proceed: spec.proceed,
    })
}

/// The texts of a rule whose shape is wrong elsewhere: their faults are told in the same go.
pub(super) fn texts(document: &Document, path: &Path, rule: &Node, found: &mut Findings) {
    let mut compile = Compile { document, path, found };
    let text = |node: &Node, key: &str| match node.entry(key).map(|entry| &entry.value.kind) {
        Some(Kind::Text(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(when) = text(rule, "when") {
        compile.condition(&when);
    }
    if let Some(prompt) = text(rule, "prompt") {
        compile.template(&path.key("prompt"), &prompt);
    }
    if let Some(prompt) = rule.entry("task").and_then(|task| text(&task.value, "prompt")) {
        compile.template(&path.key("task").key("prompt"), &prompt);
    }
}

struct Compile<'a> {
    document: &'a Document,
    path: &'a Path,
    found: &'a mut Findings,
}

impl Compile<'_> {
    fn trigger(&mut self, on: &OnSpec) -> Option<Trigger> {
        let texts = |list: &[super::form::LabelName]| list.iter().map(|text| text.to_string()).collect();
        let event = || on.event.iter().map(|text| text.to_string()).collect();
        let command = || on.command.iter().map(|text| text.to_string()).collect();
        let alert = || on.alert.iter().map(|text| text.to_string()).collect();
        let slash = || on.slash.iter().map(|text| text.to_string()).collect();
        let says = [
            (!on.label.is_empty()).then(|| Trigger::Label(texts(&on.label))),
            (!on.command.is_empty()).then(|| Trigger::Command(command())),
            (!on.event.is_empty()).then(|| Trigger::Event(event())),
            (!on.alert.is_empty()).then(|| Trigger::Alert(alert())),
            (!on.slash.is_empty()).then(|| Trigger::Slash(slash())),
        ];
        let mut said: Vec<Trigger> = says.into_iter().flatten().collect();
        match said.len() {
            1 => said.pop(),
            0 => {
                self.fault("on", "says nothing: give it one of `label`, `command`, `event`, `alert` and `slash`");
                None
            }
            _ => {
                let message = "takes only one of `label`, `command`, `event`, `alert` and `slash`";
                self.fault_with("on", message, "write a rule for each");
                None
            }
        }
    }

    fn condition(&mut self, text: &str) -> Option<Condition> {
        match Condition::parse_all(text) {
            Ok(condition) => Some(condition),
            Err(faults) => {
                let path = self.path.key("when");
                let node = self.document.nearest(&path);
                let told = faults
                    .into_iter()
                    .map(|fault| self.document.fault_at(node.inside(fault.line, fault.column), &path, fault.message));
                self.found.faults.extend(told);
                None
            }
        }
    }

    fn template(&mut self, path: &Path, text: &str) -> Option<Template> {
        match Template::parse_all(text) {
            Ok(template) => Some(template),
            Err(faults) => {
                let node = self.document.nearest(path);
                let told = faults.into_iter().map(|fault| {
                    let at = fault.line.map_or(node.at, |line| node.inside(line, fault.column.unwrap_or(1)));
                    self.document.fault_at(at, path, fault.message)
                });
                self.found.faults.extend(told);
                None
            }
        }
    }

    fn allow(&mut self, spec: Option<&AllowSpec>) -> Allow {
        let Some(spec) = spec else { return Allow::default() };
        if spec.permission.is_none() && spec.teams.is_empty() && spec.people.is_empty() && spec.sources.is_empty() {
            self.fault("allow", "lets nobody in: give it `permission`, `teams`, `people` or `sources`, or remove it");
        }
        if spec.permission == Some(Permission::None) {
            let message = "everyone who can see the repository may start this, on a public one the whole world";
            self.found.warn(self.document, &self.path.key("allow").key("permission"), message);
        }
        Allow {
            permission: spec.permission,
            teams: spec.teams.iter().map(|team| team.to_string()).collect(),
            people: spec.people.iter().map(|person| NamedPerson::clone(person)).collect(),
            sources: spec.sources.to_vec(),
        }
    }

    fn task(&mut self, prompt: Option<&String>, spec: &TaskPart) -> Option<TaskSpec> {
        let task = self.path.key("task");
        let (path, text) = match (prompt, &spec.prompt) {
            (Some(text), None) => (self.path.key("prompt"), text.as_str()),
            (None, Some(text)) => (task.key("prompt"), text.as_str()),
            (Some(_), Some(_)) => {
                self.found.fault(
                    self.document,
                    &task.key("prompt"),
                    "the rule has a `prompt` already: keep one of them",
                );
                (self.path.key("prompt"), "")
            }
            (None, None) => {
                self.found.fault(self.document, self.path, "`prompt` is missing: what is the agent told?");
                (self.path.key("prompt"), "")
            }
        };
        let said = prompt.is_some() != spec.prompt.is_some();
        if said && text.trim().is_empty() {
            self.found.fault(self.document, &path, "the prompt is empty");
        }
        let prompt = self.template(&path, text);
        let base_ref = spec.base_ref.as_ref().map(|text| self.template(&task.key("base_ref"), text));
        let head_ref = spec.head_ref.as_ref().map(|text| self.template(&task.key("head_ref"), text));
        Some(TaskSpec {
            repo: spec.repo.as_ref().map(|repo| repo.to_string()),
            prompt: prompt?,
            base_ref: base_ref.flatten(),
            head_ref: head_ref.flatten(),
            model: spec.model.clone(),
            custom_agent: spec.custom_agent.clone(),
            create_pull_request: spec.create_pull_request,
        })
    }

    fn run_as(&mut self, spec: &RuleSpec) -> RunAs {
        let RunAs::Person(lender) = &*spec.run_as else { return RunAs::Actor };
        // Others act with this person's rights: where, and who, is said in the file and not by an event.
        if spec.task.repo.is_none() {
            self.fault_with("run_as", "a rule that runs as a person must say where", "add `task.repo: owner/name`");
        }
        if spec.allow.is_none() {
            self.fault_with("run_as", "a rule that runs as a person must say who may start it", "add `allow`");
        }
        let people = self.path.key("allow").key("people");
        for person in spec.allow.iter().flat_map(|allow| allow.people.iter()).filter(|person| person.id.is_none()) {
            let person = &**person;
            let message = format!(
                "`{person}` is a login alone: should it change hands, whoever takes it acts with the rights of `{}`; \
                 add the account's number, `{person}#12345`",
                lender.login
            );
            self.found.warn(self.document, &people, message);
        }
        RunAs::Person(lender.clone())
    }

    fn once_per(&mut self, spec: &OncePerSpec) -> Option<OncePer> {
        let path = self.path.key("once_per");
        let (path, key, then, idle_for, window) = match spec {
            OncePerSpec::Key(key) => (path, key, OnceThen::Skip, default_idle_for(), None),
            OncePerSpec::Full(OncePerFull { key, then, idle_for, window }) => {
                if idle_for.std().is_zero() {
                    self.found.fault(self.document, &path.key("idle_for"), "must be longer than zero");
                }
                if window.is_some_and(|window| window.std().is_zero()) {
                    self.found.fault(self.document, &path.key("window"), "must be longer than zero");
                }
                if window.is_some() && *then != OnceThen::Skip {
                    let message = "within the window a further wish is written into the task's timeline: it cannot wait or replace too";
                    self.found.fault_with(self.document, &path.key("window"), message, "say `then: skip`");
                }
                (path.key("key"), key, *then, *idle_for, *window)
            }
        };
        if key.trim().is_empty() {
            self.found.fault(self.document, &path, "the key is empty: all wishes of this rule would share it");
        }
        Some(OncePer {
            key: self.template(&path, key)?,
            then,
            idle_for: idle_for.std(),
            window: window.map(|window| window.std()),
        })
    }

    fn report(&mut self, spec: &ReportSpec) -> Reporting {
        let reaction = match spec.reaction {
            ReactionSpec::Name(reaction) => Some(reaction),
            ReactionSpec::Switch(false) => None,
            ReactionSpec::Switch(true) => {
                let path = self.path.key("report").key("reaction");
                self.found.fault_with(
                    self.document,
                    &path,
                    "`true` is no reaction",
                    "name one, such as `eyes`, or say `false`",
                );
                None
            }
        };
        let text = |label: &Option<super::form::LabelName>| label.as_ref().map(|label| label.to_string());
        Reporting {
            comment: spec.comment,
            reaction,
            labels: ReportLabels {
                running: text(&spec.labels.running),
                done: text(&spec.labels.done),
                failed: text(&spec.labels.failed),
            },
        }
    }

    fn fault(&mut self, key: &str, message: &str) {
        self.found.fault(self.document, &self.path.key(key), message);
    }

    fn fault_with(&mut self, key: &str, message: &str, hint: &str) {
        self.found.fault_with(self.document, &self.path.key(key), message, hint);
    }
}
