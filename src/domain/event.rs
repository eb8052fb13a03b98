//! The common reading of a delivery: what rules, guards and templates see, whoever sent it.
//!
//! Everything in here comes from the signed body. Its texts are written by strangers: they are data,
//! and are cleaned by [`crate::domain::trust`] before they reach a prompt.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::chat::Chat;

/// What happened, as one source told it.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// The name of the configured source.
    pub source: String,
    /// The host that the ids below belong to, for example `github.com`.
    pub host: String,
    /// The sender's name for the kind of event, for example `issues`.
    pub name: String,
    /// The sender's word for what happened, for example `labeled`; empty when it has none.
    pub action: String,
    /// Who did it.
    pub actor: Option<Account>,
    /// Where.
    pub repo: Option<Repo>,
    /// The issue, pull request or discussion it is about.
    pub subject: Option<Subject>,
    /// The label that was put on or taken off.
    pub label: Option<Label>,
    /// The comment that was written.
    pub comment: Option<Comment>,
    /// When it happened, if a signed field says so.
    pub at: Option<DateTime<Utc>>,
    /// The login of the account in which the App is installed, or was.
    #[serde(skip)]
    pub installed_in: Option<String>,
    /// What was said, if it was said in a chat.
    #[serde(skip)]
    pub chat: Option<Box<Chat>>,
    /// What makes it this very happening and no other, whichever hook tells of it; of signed fields only. Empty where that
    /// is the whole payload, until a rule listens to it (`Source::identify`).
    #[serde(skip)]
    pub identity: String,
}

impl Event {
    /// What happened in a chat, by nobody on GitHub and in no repository yet. `name` is the chat's name for the kind of event.
    #[must_use]
    pub fn of_chat(source: &str, host: &str, name: &str, identity: String, chat: Option<Box<Chat>>) -> Self {
        Self {
            source: source.to_owned(),
            host: host.to_owned(),
            name: name.to_owned(),
            action: String::new(),
            actor: None,
            repo: None,
            subject: None,
            label: None,
            comment: None,
            at: None,
            installed_in: None,
            chat,
            identity,
        }
    }

    /// `issues.labeled`, or only `push` when there is no action.
    #[must_use]
    pub fn full_name(&self) -> String {
        if self.action.is_empty() { self.name.clone() } else { format!("{}.{}", self.name, self.action) }
    }
}

/// An account of the sender's system.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Account {
    /// The number that never changes.
    pub id: i64,
    /// The name of today.
    pub login: String,
    /// What kind of account.
    pub kind: AccountKind,
}

/// What kind of account (GitHub's `type`).
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A person.
    User,
    /// An App or a machine account that says so.
    Bot,
    /// An organization.
    Organization,
    /// A kind this version does not know.
    Other,
}

/// A repository, keyed by its number: names change.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Repo {
    /// The number that never changes.
    pub id: i64,
    /// The owner's login of today.
    pub owner: String,
    /// The name of today, without the owner.
    pub name: String,
    /// The branch that new work starts from.
    pub default_branch: Option<String>,
    /// Whether only invited people can read it.
    pub private: bool,
    /// Whether it is a fork of another repository.
    pub fork: bool,
}

impl Repo {
    /// `owner/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

/// What kind of thing an event is about.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// An issue.
    Issue,
    /// A pull request.
    PullRequest,
    /// A discussion.
    Discussion,
    /// A workflow run.
    WorkflowRun,
    /// A check run.
    CheckRun,
    /// A security alert.
    Alert,
    /// Anything else that has an id.
    Other,
}

/// The issue, pull request, discussion, run or alert that an event is about.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    /// What kind of thing.
    pub kind: SubjectKind,
    /// Its number across the whole host; 0 when the sender gives none.
    pub id: i64,
    /// Its number inside the repository, as in `#42`.
    pub number: Option<i64>,
    /// Its title, written by a stranger.
    pub title: String,
    /// Its text, written by a stranger.
    pub body: String,
    /// Its page.
    pub url: String,
    /// Who wrote it.
    pub author: Option<Account>,
    /// What the author is to the repository, in GitHub's words (`OWNER`, `MEMBER`, `NONE` …).
    pub author_association: String,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// `open`, `closed` and the like; empty when it has none.
    pub state: String,
    /// When it last changed, as the signed body says, unparsed.
    pub updated_at: String,
    /// For a pull request (known only when the event carries it): its branches.
    pub branches: Option<Branches>,
}

/// The two ends of a pull request.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Branches {
    /// The branch with the changes.
    pub head_ref: String,
    /// The branch they are to go into.
    pub base_ref: String,
    /// The repository of the head; absent when it was deleted.
    pub head_repo_id: Option<i64>,
}

/// A label.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Label {
    /// The number that never changes.
    pub id: i64,
    /// The name of today.
    pub name: String,
}

/// A comment on a subject.
#[derive(Debug, Clone, Serialize)]
pub struct Comment {
    /// Its number.
    pub id: i64,
    /// Its text, written by a stranger.
    pub body: String,
    /// Its page.
    pub url: String,
    /// Who wrote it: not always who did what the event tells of (an edit, a removal).
    pub author: Option<Account>,
    /// What its author is to the repository, in GitHub's words.
    pub author_association: String,
    /// The App that wrote it in somebody's name, if one did.
    pub via_app: Option<i64>,
    /// Whether it stands on the lines of a diff (its replies and reactions use other calls).
    pub on_diff: bool,
}
