//! What exists: accounts, tokens, repositories, and who may do what. Tasks and threads have their own
//! files; all is reached through [`World`], which is never locked across an await.

/// Tasks, and how they move by the clock.
mod agenda;
/// Who calls, and how much of the rate limit is left.
mod caller;
/// Deliveries of webhooks, apps and installations.
mod hooks;
/// Codes, devices and pairs of tokens.
mod oauth;
/// The shape of a pull request.
mod pull;
/// A task, and the shapes of the agent task calls.
mod task;
/// Issues, pull requests, comments, reactions.
mod thread;

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Ground;

use super::call::Call;
use super::fault::Faults;
use super::{Pace, Usage};

pub(super) use agenda::Agenda;
pub use agenda::{Creation, Outcome};
pub use caller::{CallRecord, TokenKind};
pub(super) use caller::{Caller, Grant, Holder, token};
pub(super) use hooks::{App, Conversion, Delivery, DeliveryOwner, Hook, Installation};
pub(super) use oauth::{Code, Device, Oauth, Pair};
pub(super) use task::{Step, Task};
pub(super) use thread::{Comment, Pull, REACTIONS, Reaction, Review, Subject, Thread};

/// How many calls are remembered for counting.
const CALLS: usize = 200_000;
/// The account that opens the agent's pull requests.
pub(super) const COPILOT: i64 = 198_982_749;

/// What one may do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing; a private repository is invisible.
    None,
    /// See it and comment.
    Read,
    /// And label.
    Triage,
    /// And push, and start the agent.
    Write,
    /// And some settings.
    Maintain,
    /// All.
    Admin,
}

impl Role {
    /// The real name of the role.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// As the flags that a repository shows.
    pub(super) fn json(self) -> Value {
        json!({
            "admin": self >= Self::Admin, "maintain": self >= Self::Maintain, "push": self >= Self::Write,
            "triage": self >= Self::Triage, "pull": self >= Self::Read,
        })
    }

    /// The older word: maintain shows as write, triage as read.
    pub(super) fn permission(self) -> &'static str {
        match self {
            Self::Triage => "read",
            Self::Maintain => "write",
            other => other.name(),
        }
    }
}

/// A person, an organization or a bot.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub id: i64,
    pub login: String,
    pub kind: String,
    /// May start the agent.
    pub seat: bool,
    pub created_at: DateTime<Utc>,
}

/// A repository.
#[derive(Debug, Clone)]
pub(super) struct Repo {
    pub id: i64,
    pub owner: i64,
    pub name: String,
    pub private: bool,
    pub default_branch: String,
    pub created_at: DateTime<Utc>,
    /// Full names it once had, lower case.
    pub old_names: Vec<String>,
}

/// Everything.
pub(super) struct World {
    pub ground: Ground,
    pub pace: Pace,
    pub usage: Usage,
    /// The API's address.
    pub base: String,
    /// What `html_url`s begin with.
    pub web: String,
    pub users: BTreeMap<i64, User>,
    pub grants: HashMap<String, Grant>,
    pub repos: BTreeMap<i64, Repo>,
    pub roles: HashMap<(i64, i64), Role>,
    /// Organization id, user id: role.
    pub members: HashMap<(i64, i64), String>,
    /// Organization id, team slug, user id: role and state.
    pub teams: HashMap<(i64, String, i64), (String, String)>,
    pub threads: BTreeMap<(i64, i64), Thread>,
    pub comments: BTreeMap<i64, Comment>,
    pub reactions: Vec<Reaction>,
    pub tasks: Agenda,
    pub app: App,
    pub oauth: Oauth,
    /// Apps whose secrets are still to be fetched, by code.
    pub conversions: HashMap<String, Conversion>,
    pub installations: BTreeMap<i64, Installation>,
    pub deliveries: Vec<Delivery>,
    pub faults: Faults,
    pub calls: VecDeque<CallRecord>,
    /// Calls whose caller was let go and that are still to be done, with their time.
    pub late: Vec<(DateTime<Utc>, Call)>,
    last_id: i64,
}

impl World {
    /// An empty world.
    pub(super) fn new(ground: Ground, pace: Pace, usage: Usage, base: String, web: String) -> Self {
        let copilot = User {
            id: COPILOT,
            login: "Copilot".to_owned(),
            kind: "Bot".to_owned(),
            seat: false,
            created_at: ground.now(),
        };
        Self {
            ground,
            pace,
            usage,
            base,
            web,
            users: BTreeMap::from([(COPILOT, copilot)]),
            grants: HashMap::new(),
            repos: BTreeMap::new(),
            roles: HashMap::new(),
            members: HashMap::new(),
            teams: HashMap::new(),
            threads: BTreeMap::new(),
            comments: BTreeMap::new(),
            reactions: Vec::new(),
            tasks: Agenda::default(),
            app: App::default(),
            oauth: Oauth::default(),
            conversions: HashMap::new(),
            installations: BTreeMap::new(),
            deliveries: Vec::new(),
            faults: Faults::default(),
            calls: VecDeque::new(),
            late: Vec::new(),
            last_id: 3_000_000_000,
        }
    }

    /// The same, emptied.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.ground.clone(), self.pace, self.usage, self.base.clone(), self.web.clone());
    }

    /// A number that nothing else has; larger than 32 bits hold, as GitHub's are.
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 7;
        self.last_id
    }

    /// The login of an account.
    pub(super) fn login(&self, id: i64) -> Option<String> {
        self.users.get(&id).map(|user| user.login.clone())
    }

    /// An account by name, in any case.
    pub(super) fn user_named(&self, login: &str) -> Option<&User> {
        self.users.values().find(|user| user.login.eq_ignore_ascii_case(login))
    }

    /// `owner/name`.
    pub(super) fn full_name(&self, repo: &Repo) -> String {
        format!("{}/{}", self.login(repo.owner).unwrap_or_default(), repo.name)
    }

    /// A repository by its present full name, in any case.
    pub(super) fn repo_named(&self, full_name: &str) -> Option<&Repo> {
        self.repos.values().find(|repo| self.full_name(repo).eq_ignore_ascii_case(full_name))
    }

    /// A repository by a name it once had.
    pub(super) fn repo_once_named(&self, full_name: &str) -> Option<&Repo> {
        let name = full_name.to_ascii_lowercase();
        self.repos.values().find(|repo| repo.old_names.contains(&name))
    }

    /// What a person may do in a repository.
    pub(super) fn role(&self, repo: &Repo, user: i64) -> Role {
        let member = self.members.get(&(repo.owner, user)).map(String::as_str);
        if repo.owner == user || member == Some("admin") {
            return Role::Admin;
        }
        let given = self.roles.get(&(repo.id, user)).copied().unwrap_or(Role::None);
        if repo.private { given } else { given.max(Role::Read) }
    }

    /// How a person stands to a repository, as shown on what they write.
    pub(super) fn association(&self, repo: &Repo, user: i64) -> &'static str {
        if repo.owner == user {
            "OWNER"
        } else if self.members.contains_key(&(repo.owner, user)) {
            "MEMBER"
        } else if self.roles.get(&(repo.id, user)).is_some_and(|role| *role > Role::None) {
            "COLLABORATOR"
        } else {
            "NONE"
        }
    }
}

/// A time as GitHub writes it: whole seconds, `Z`.
pub(super) fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Remembers `record`, forgetting the oldest past the limit.
pub(super) fn remember(calls: &mut VecDeque<CallRecord>, record: CallRecord) {
    if calls.len() >= CALLS {
        calls.pop_front();
    }
    calls.push_back(record);
}
