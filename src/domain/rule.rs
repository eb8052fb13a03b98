//! A rule: when an event matches, what prompt it becomes, as whom it runs, how it reports and what
//! limits hold. This is the checked form; [`crate::config`] makes it from the operator's file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::prompt::Template;
pub use super::trust::Untrusted;

/// One rule, ready to be used.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, unique in a rule set.
    pub name: String,
    /// The sources it listens to; empty means all.
    pub sources: Vec<String>,
    /// What selects it.
    pub on: Trigger,
    /// The further condition that selects it.
    pub when: Option<Condition>,
    /// Who may.
    pub allow: Allow,
    /// What it starts.
    pub task: TaskSpec,
    /// Whose token it runs with.
    pub run_as: RunAs,
    /// How many live tasks a key may have: one.
    pub once_per: Option<OncePer>,
    /// How many tasks at once and in a while.
    pub limits: Limits,
    /// What happens to text by people who could not have started the task.
    pub untrusted: Untrusted,
    /// What a task waits for although everything allows it.
    pub hold: Option<HoldFor>,
    /// What people are told.
    pub report: Reporting,
    /// Whether rules below still see the delivery after this one was selected.
    pub proceed: bool,
}

/// `on`: the part of a rule that an index can answer without evaluating anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// One of these labels was put on an issue or pull request. Compared without case, as GitHub does.
    Label(Vec<String>),
    /// One of these commands was written in a comment; `*` stands for free text.
    Command(Vec<String>),
    /// One of these events came: `issues.opened`, or `push` for any action of it.
    Event(Vec<String>),
    /// An alert came in one of these states; `*` stands for any.
    Alert(Vec<String>),
    /// One of these commands was said in a chat: `/copilot`. A message to us counts as the command of its source.
    Slash(Vec<String>),
}

/// In words, for the operator: "the label `copilot-fix`".
impl std::fmt::Display for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (one, many, names) = match self {
            Self::Label(names) => ("the label", "the labels", names),
            Self::Command(names) => ("the command", "the commands", names),
            Self::Event(names) => ("the event", "the events", names),
            Self::Alert(names) => ("alerts that are", "alerts that are", names),
            Self::Slash(names) => ("the chat command", "the chat commands", names),
        };
        let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        match shown.split_last() {
            None => f.write_str("nothing"),
            Some((only, [])) => write!(f, "{one} {only}"),
            Some((last, others)) => write!(f, "{many} {} and {last}", others.join(", ")),
        }
    }
}

/// `allow`: any one of the ways is enough; with none given the actor must be able to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// The least permission on the repository that is enough.
    pub permission: Option<Permission>,
    /// Teams, as `org/team-slug`.
    pub teams: Vec<String>,
    /// People by login, pinned to an account or not.
    pub people: Vec<NamedPerson>,
    /// Sources that name no actor, and whose signature is enough.
    #[serde(default)]
    pub sources: Vec<String>,
}

impl Allow {
    /// Whom it lets approve (if they may write) or call off what it let in. One for senders alone names nobody who could: then it is whoever may
    /// write.
    #[must_use]
    pub fn of_people(&self) -> Self {
        let names_nobody = self.permission.is_none() && self.teams.is_empty() && self.people.is_empty();
        if names_nobody { Self::default() } else { self.clone() }
    }
}

/// Somebody whom a rule names. A login can change hands, an account's number cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPerson {
    /// The login as it was when the rule was written.
    pub login: String,
    /// The account's number, which alone decides when it is given.
    pub id: Option<i64>,
}

impl std::fmt::Display for NamedPerson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.login)?;
        self.id.map_or(Ok(()), |id| write!(f, "#{id}"))
    }
}

impl Default for Allow {
    fn default() -> Self {
        Self { permission: Some(Permission::Write), teams: Vec::new(), people: Vec::new(), sources: Vec::new() }
    }
}

/// What someone may do with a repository, in growing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Nothing beyond what is public.
    None,
    /// Read.
    Read,
    /// Manage issues and pull requests.
    Triage,
    /// Push.
    Write,
    /// Manage without the dangerous settings.
    Maintain,
    /// Everything.
    Admin,
}

/// `task`: what is started.
#[derive(Debug, Clone)]
pub struct TaskSpec {
    /// `owner/name` where the agent works, if not where the event happened.
    pub repo: Option<String>,
    /// What the agent is told.
    pub prompt: Template,
    /// The branch the work starts from.
    pub base_ref: Option<Template>,
    /// The branch of an open pull request to work on.
    pub head_ref: Option<Template>,
    /// The model, as GitHub names it; not checked here, the list changes.
    pub model: Option<String>,
    /// A custom agent's file name without its ending.
    pub custom_agent: Option<String>,
    /// Whether the agent opens a pull request.
    pub create_pull_request: bool,
}

/// `run_as`: whose token starts the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunAs {
    /// The one who did it.
    Actor,
    /// A named person, who has consented to this rule.
    Person(NamedPerson),
}

impl std::fmt::Display for RunAs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Actor => f.write_str("actor"),
            Self::Person(person) => write!(f, "person:{person}"),
        }
    }
}

/// `once_per`: one live task a key.
#[derive(Debug, Clone)]
pub struct OncePer {
    /// The key, rendered for each event.
    pub key: Template,
    /// What a second wish with the same key does.
    pub then: OnceThen,
    /// After this long `idle`, a task no longer holds the key.
    pub idle_for: Duration,
    /// For so long after a task was made, a further wish only becomes part of its story.
    pub window: Option<Duration>,
}

/// What a second wish with the key of a live task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnceThen {
    /// It is refused, and says which task is live.
    Skip,
    /// It waits until the live one has ended.
    Wait,
    /// It takes the place of a task that has not started yet; of a started one it is refused.
    Replace,
}

/// `limits`: each absent bound means no bound of that kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// For this rule as a whole.
    pub per_rule: Bound,
    /// For each repository.
    pub per_repo: Bound,
    /// For each person it runs as.
    pub per_person: Bound,
}

/// `limits` of a channel in a chat: what came from it, whichever rule made it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelLimits {
    /// For the channel as a whole.
    pub per_channel: Bound,
    /// For each person it runs as.
    pub per_person: Bound,
}

/// How many at once and how many in a window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Tasks that have not ended.
    pub live: Option<u32>,
    /// Tasks made within the window.
    pub started: Option<Window>,
}

/// At most `count` within the last `within`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How many.
    pub count: u32,
    /// In how long.
    pub within: Duration,
}

/// `hold`: what a task waits for although everything allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldFor {
    /// Somebody approves it whom the rule lets start it and who may write.
    Approval,
}

/// `report`: what people are told on the issue or pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reporting {
    /// One living comment, edited in place.
    pub comment: bool,
    /// The reaction put at once on what triggered the task.
    pub reaction: Option<Reaction>,
    /// Labels for states.
    pub labels: ReportLabels,
}

impl Default for Reporting {
    fn default() -> Self {
        Self { comment: true, reaction: Some(Reaction::Eyes), labels: ReportLabels::default() }
    }
}

/// GitHub's eight reactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are GitHub's and say it all")]
pub enum Reaction {
    #[serde(rename = "+1")]
    ThumbsUp,
    #[serde(rename = "-1")]
    ThumbsDown,
    Laugh,
    Confused,
    Heart,
    Hooray,
    Rocket,
    Eyes,
}

impl Reaction {
    /// The name in GitHub's API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ThumbsUp => "+1",
            Self::ThumbsDown => "-1",
            Self::Laugh => "laugh",
            Self::Confused => "confused",
            Self::Heart => "heart",
            Self::Hooray => "hooray",
            Self::Rocket => "rocket",
            Self::Eyes => "eyes",
        }
    }
}

impl std::str::FromStr for Reaction {
    type Err = serde::de::value::Error;

    /// Reads GitHub's name for a reaction, for example `eyes`; the error lists all names.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::deserialize(serde::de::value::StrDeserializer::new(name))
    }
}

/// Labels that show the state of the newest task on an issue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportLabels {
    /// While it runs.
    pub running: Option<String>,
    /// When it completed.
    pub done: Option<String>,
    /// When it failed, timed out or could not start.
    pub failed: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::Trigger;

    #[test]
    fn a_trigger_is_told_in_words() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(Trigger::Label(names(&["fix"])).to_string(), "the label `fix`");
        assert_eq!(Trigger::Command(names(&["fix", "test"])).to_string(), "the commands `fix` and `test`");
        let three = Trigger::Event(names(&["push", "issues.opened", "release"]));
        assert_eq!(three.to_string(), "the events `push`, `issues.opened` and `release`");
    }
}
