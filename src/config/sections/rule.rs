//! `rules`: as the operator writes them. `super::super::compile` makes the checked form.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::form::{
    AlertState, CommandName, EventName, LabelName, Login, Name, RepoName, RunAsText, SlashName, TeamName,
};
use super::limits::LimitsSpec;
use crate::domain::rule::{HoldFor, OnceThen, Permission, Reaction, Untrusted};

/// A file that `rules_from` names: it holds rules and nothing else.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncludedRules {
    /// The rules, in order.
    pub rules: Vec<RuleSpec>,
}

/// When an event matches, what it becomes, as whom it runs, how it reports and what limits hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// Its name, unique among all rules: it stands in comments, in the log and in the explanation of a decision.
    pub name: Name,
    /// The sources it listens to; `on.source` says the same. Without it: all that are of GitHub. Other senders name nobody who
    /// did it, so a rule says that it listens to them.
    #[serde(default, skip_serializing_if = "OneOrMany::is_empty")]
    pub sources: OneOrMany<String>,
    /// What selects it: one of `label`, `command`, `event`, `alert` and `slash`.
    pub on: OnSpec,
    /// A further condition (CEL) over `event`, `payload`, `actor` and `repo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Who may. Any one of the ways is enough. Without it: whoever may write to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<AllowSpec>,
    /// What the agent is told: a template. It stands here or in `task`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What is started.
    #[serde(default)]
    pub task: TaskPart,
    /// Whose token the task runs with: `actor`, or `person:<login>`, which demands a `task.repo`, an `allow` and
    /// that person's recorded consent. With the account's number, `person:<login>#12345`, the number alone decides. Senders other than GitHub name no actor.
    #[serde(default = "actor")]
    pub run_as: RunAsText,
    /// One live task for each value of this template; the long form says what happens to a second wish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once_per: Option<OncePerSpec>,
    /// How many tasks at once and in a while.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// What happens to text by people who could not have started the task themselves.
    #[serde(default)]
    pub untrusted: Untrusted,
    /// `approval`: its tasks wait until somebody who may write, and whom `allow` lets start them, says `/copilot approve`, where it was asked for, or until
    /// the admin API does. Then rights and limits are looked at once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldFor>,
    /// What people are told on the issue or pull request.
    #[serde(default)]
    pub report: ReportSpec,
    /// Whether the rules below still see a delivery that selected this one.
    #[serde(default, rename = "continue")]
    pub proceed: bool,
}

fn actor() -> RunAsText {
    RunAsText::read("actor").expect("a literal form")
}

/// What selects a rule: exactly one of `label`, `command`, `event`, `alert` and `slash`, and perhaps the source.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OnSpec {
    /// One of these labels was put on an issue or pull request; compared without case.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub label: OneOrMany<LabelName>,
    /// One of these commands was written in a comment, or, if `sources` names a chat, behind that chat's own command or a mention
    /// there; `*` stands for text that begins with no other command.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub command: OneOrMany<CommandName>,
    /// One of these events came, by the sender's own name: `issues.opened`, or `push` for every action of it.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub event: OneOrMany<EventName>,
    /// An alert came in one of these states: `firing`, `acknowledged` or `resolved` (Sentry, PagerDuty, Grafana), a
    /// state of GitHub's own alerts such as `open`, or `*` for any.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub alert: OneOrMany<AlertState>,
    /// The sources it listens to; the same as `sources` of the rule, and instead of it.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub source: OneOrMany<String>,
    /// One of these commands was said in a chat (`/copilot`), with a text that is work and begins with no other
    /// `command`; messages to the app and its form count as the command. A channel may have a rule of its own instead.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub slash: OneOrMany<SlashName>,
}

/// Who may. Any one of the ways is enough.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AllowSpec {
    /// The least permission on the repository that is enough. `none` lets everyone in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// Members of these teams: `org/team-slug`.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub teams: OneOrMany<TeamName>,
    /// These people: `login`, or `login#12345` with the number of the account, which then alone decides. A login
    /// alone admits whoever holds it now, unless taskbridge has a token of the account that held it before.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub people: OneOrMany<Login>,
    /// Senders that name nobody who did it: a webhook that one of these sources has signed is enough, and no right of anybody is
    /// looked up. For events of GitHub this lets nobody in.
    #[serde(skip_serializing_if = "OneOrMany::is_empty")]
    pub sources: OneOrMany<String>,
}

/// What is started.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TaskPart {
    /// The repository the agent works in. Without it: where the event happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<RepoName>,
    /// What the agent is told: a template. It stands here or at the top of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The branch that the work starts from: a template. Without it: the default branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_ref: Option<String>,
    /// The branch of an open pull request to work on: a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_ref: Option<String>,
    /// The model, as GitHub names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub model: Option<String>,
    /// A custom agent: the name of its file without the ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub custom_agent: Option<String>,
    /// Whether the agent opens a pull request.
    pub create_pull_request: bool,
}

impl Default for TaskPart {
    fn default() -> Self {
        Self {
            repo: None,
            prompt: None,
            base_ref: None,
            head_ref: None,
            model: None,
            custom_agent: None,
            create_pull_request: true,
        }
    }
}

/// One live task a key: the key alone, or with what happens to a second wish.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OncePerSpec {
    /// The key: a template.
    Key(String),
    /// The key and the rest.
    Full(OncePerFull),
}

/// One live task a key, the long form.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OncePerFull {
    /// The key: a template.
    pub key: String,
    /// What a second wish with the key of a live task does.
    #[serde(default = "skip")]
    pub then: OnceThen,
    /// A task that has been idle for this long lets go of the key.
    #[serde(default = "default_idle_for")]
    pub idle_for: Duration,
    /// For so long after a task was made, whatever became of it, a further wish with its key starts nothing and is written into
    /// its timeline: a storm of alerts is one task. Only with `then: skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
}

fn skip() -> OnceThen {
    OnceThen::Skip
}

/// How long an idle task keeps its key when the rule does not say.
pub(in super::super) fn default_idle_for() -> Duration {
    Duration::secs(86_400)
}

/// What people are told on the issue or pull request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReportSpec {
    /// One comment, edited as the task goes on.
    pub comment: bool,
    /// The reaction put at once on what triggered the task, or `false` for none.
    pub reaction: ReactionSpec,
    /// Labels that show the state of the newest task.
    pub labels: ReportLabelsSpec,
}

impl Default for ReportSpec {
    fn default() -> Self {
        let reaction = ReactionSpec::Name(Reaction::Eyes);
        Self { comment: true, reaction, labels: ReportLabelsSpec::default() }
    }
}

/// A reaction or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ReactionSpec {
    /// This one.
    Name(Reaction),
    /// `false`: none.
    Switch(#[schemars(extend("const" = false))] bool),
}

/// Labels that show the state of the newest task. None of them may be a label that starts a rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReportLabelsSpec {
    /// While it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<LabelName>,
    /// When it completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<LabelName>,
    /// When it failed, timed out or could not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<LabelName>,
}

/// One value or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> OneOrMany<T> {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::ops::Deref for OneOrMany<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<T> {
            Many(Vec<T>),
            One(T),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Many(all) => Self(all),
            Either::One(one) => Self(vec![one]),
        })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}
