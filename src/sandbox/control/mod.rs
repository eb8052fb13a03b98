//! The hand on the world: set it up, disturb it, look at it. Tests hold a [`Control`] in the process;
//! everyone else uses the same functions over HTTP ([`http`]).

mod chats;
mod http;
mod look;
mod oauth;
mod script;
mod spec;

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;

use super::Shared;
use super::world::{
    App, Comment as Written, Delivery, DeliveryOwner, Grant, Holder, Installation, Pull, Repo, Review, Role, Thread,
    TokenKind, User, World,
};

pub(super) use http::http;
pub use look::{Comment, TaskView};
pub use spec::{AppSpec, CommentSpec, DeliverySpec, InstallationSpec, IssueSpec, PullSpec, RepoSpec, UserSpec};

/// Why the world could not be changed so. Whoever asked must ask otherwise; trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Nothing has this name or id.
    #[error("there is no {0}")]
    Unknown(String),
    /// Something has it already.
    #[error("{0} is taken")]
    Taken(String),
    /// The value cannot be understood.
    #[error("{0}")]
    Invalid(String),
}

fn unknown(what: &str, name: impl std::fmt::Display) -> ControlError {
    ControlError::Unknown(format!("{what} {name}"))
}

/// A handle on a sandbox's world.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Control")
    }
}

impl World {
    fn repo_of(&self, full_name: &str) -> Result<&Repo, ControlError> {
        self.repo_named(full_name).ok_or_else(|| unknown("repository", full_name))
    }

    fn user_of(&self, login: &str) -> Result<&User, ControlError> {
        self.user_named(login).ok_or_else(|| unknown("account", login))
    }

    /// An organization by name, made when it is not there.
    fn org_of(&mut self, login: &str) -> i64 {
        if let Some(user) = self.user_named(login) {
            return user.id;
        }
        let (id, created_at) = (self.next_id(), self.ground.now());
        let kind = "Organization".to_owned();
        self.users.insert(id, User { id, login: login.to_owned(), kind, seat: false, created_at });
        id
    }
}

impl Control {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Adds a person (or a bot, or an organization), with a token if one is given.
    ///
    /// # Errors
    /// When the id or the login is taken.
    pub fn add_user(&self, spec: UserSpec) -> Result<(), ControlError> {
        let mut world = self.0.world();
        if world.users.contains_key(&spec.id) || world.user_named(&spec.login).is_some() {
            return Err(ControlError::Taken(format!("id {} or login {}", spec.id, spec.login)));
        }
        let created_at = world.ground.now();
        let UserSpec { id, login, token, token_kind, copilot_seat, kind } = spec;
        world.users.insert(id, User { id, login, kind, seat: copilot_seat, created_at });
        if let Some(token) = token {
            let grant = Grant::new(Holder::User(id, token_kind), created_at);
            world.grants.insert(token, grant);
        }
        Ok(())
    }

    /// Gives an account another login, so that the old one is free for somebody else.
    ///
    /// # Errors
    /// When there is no such person, or the new login is taken.
    pub fn rename_person(&self, login: &str, to: &str) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let id = world.user_of(login)?.id;
        if world.user_named(to).is_some_and(|other| other.id != id) {
            return Err(ControlError::Taken(to.to_owned()));
        }
        if let Some(user) = world.users.get_mut(&id) {
            to.clone_into(&mut user.login);
        }
        Ok(())
    }

    /// Gives a person one more token.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn add_token(&self, login: &str, token: &str, kind: TokenKind) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let id = world.user_of(login)?.id;
        let grant = Grant::new(Holder::User(id, kind), world.ground.now());
        world.grants.insert(token.to_owned(), grant);
        Ok(())
    }

    /// Ends a token: 401 from now on.
    ///
    /// # Errors
    /// When nobody holds it.
    pub fn revoke_token(&self, token: &str) -> Result<(), ControlError> {
        let removed = self.0.world().grants.remove(token);
        removed.map(|_| ()).ok_or_else(|| ControlError::Unknown("such token".to_owned()))
    }

    /// Sets what all tokens of a person have left, and in how many seconds that resets.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn set_rate(&self, login: &str, remaining: i64, reset_in_s: i64) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let (id, now) = (world.user_of(login)?.id, world.ground.now());
        let seconds = TimeDelta::seconds(reset_in_s.clamp(-1_000_000_000, 1_000_000_000));
        for grant in world.grants.values_mut() {
            if matches!(grant.holder, Holder::User(holder, _) if holder == id) {
                grant.used = (grant.limit - remaining).clamp(0, grant.limit);
                grant.reset_at = now + seconds;
            }
        }
        Ok(())
    }

    /// Gives or takes a person's Copilot seat.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn set_seat(&self, login: &str, seat: bool) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let id = world.user_of(login)?.id;
        if let Some(user) = world.users.get_mut(&id) {
            user.seat = seat;
        }
        Ok(())
    }

    /// Adds a repository; an owner that is not there becomes an organization.
    ///
    /// # Errors
    /// When the id or the name is taken.
    pub fn add_repo(&self, spec: RepoSpec) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let full_name = format!("{}/{}", spec.owner, spec.name);
        if world.repos.contains_key(&spec.id) || world.repo_named(&full_name).is_some() {
            return Err(ControlError::Taken(format!("id {} or name {full_name}", spec.id)));
        }
        let (owner, created_at) = (world.org_of(&spec.owner), world.ground.now());
        let RepoSpec { id, name, private, default_branch, .. } = spec;
        world.repos.insert(id, Repo { id, owner, name, private, default_branch, created_at, old_names: Vec::new() });
        Ok(())
    }

    /// Renames or transfers a repository; its old name redirects.
    ///
    /// # Errors
    /// When it is not there, or the new name has no slash or is taken.
    pub fn rename_repo(&self, full_name: &str, to: &str) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let id = world.repo_of(full_name)?.id;
        let (owner, name) =
            to.split_once('/').ok_or_else(|| ControlError::Invalid(format!("{to} is not owner/name")))?;
        if world.repo_named(to).is_some() {
            return Err(ControlError::Taken(to.to_owned()));
        }
        let owner = world.org_of(owner);
        if let Some(repo) = world.repos.get_mut(&id) {
            repo.old_names.push(full_name.to_ascii_lowercase());
            repo.owner = owner;
            name.clone_into(&mut repo.name);
        }
        Ok(())
    }

    /// Says what a person may do in a repository.
    ///
    /// # Errors
    /// When one of them is not there.
    pub fn grant(&self, full_name: &str, login: &str, role: Role) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let key = (world.repo_of(full_name)?.id, world.user_of(login)?.id);
        world.roles.insert(key, role);
        Ok(())
    }

    /// Makes a person a member (`member` or `admin`) of an organization.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn add_org_member(&self, org: &str, login: &str, role: &str) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let key = (world.org_of(org), world.user_of(login)?.id);
        world.members.insert(key, role.to_owned());
        Ok(())
    }

    /// Puts a person into a team, `active` or `pending`; the team is made when it is not there.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn add_team_member(&self, org: &str, team: &str, login: &str, state: &str) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let (org, user) = (world.org_of(org), world.user_of(login)?.id);
        world.teams.insert((org, team.to_lowercase(), user), ("member".to_owned(), state.to_owned()));
        Ok(())
    }

    /// Opens an issue and tells its number.
    ///
    /// # Errors
    /// When repository or author are not there, or the number is taken.
    pub fn add_issue(&self, spec: IssueSpec) -> Result<i64, ControlError> {
        let mut world = self.0.world();
        open_thread(&mut world, spec, None)
    }

    /// Opens a pull request and tells its number.
    ///
    /// # Errors
    /// As [`Control::add_issue`]; also when the head's repository is not there.
    pub fn add_pull(&self, spec: PullSpec) -> Result<i64, ControlError> {
        let mut world = self.0.world();
        let base = world.repo_of(&spec.issue.repo)?;
        let head_repo = match &spec.head_repo {
            None => Some(base.id),
            Some(None) => None,
            Some(Some(name)) => Some(world.repo_of(name)?.id),
        };
        let base_ref = spec.base_ref.unwrap_or_else(|| base.default_branch.clone());
        let id = world.next_id();
        let pull = Pull { id, head_ref: spec.head_ref, head_repo, base_ref, draft: spec.draft, merged_at: None };
        open_thread(&mut world, spec.issue, Some(pull))
    }

    /// Closes an issue or a pull request, merged or not, or opens it again.
    ///
    /// # Errors
    /// When it is not there.
    pub fn set_open(&self, full_name: &str, number: i64, open: bool, merged: bool) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let (key, now) = ((world.repo_of(full_name)?.id, number), world.ground.now());
        let thread = world.threads.get_mut(&key).ok_or_else(|| unknown("number", number))?;
        thread.open = open;
        thread.updated_at = now;
        if let Some(pull) = &mut thread.pull {
            pull.merged_at = merged.then_some(now);
        }
        Ok(())
    }

    /// Writes a comment as someone and tells its id; with a path, one on a line of the diff.
    ///
    /// # Errors
    /// When repository, number or author are not there.
    pub fn add_comment(&self, spec: CommentSpec) -> Result<i64, ControlError> {
        let mut world = self.0.world();
        let (repo, author) = (world.repo_of(&spec.repo)?.id, world.user_of(&spec.author)?.id);
        if !world.threads.contains_key(&(repo, spec.number)) {
            return Err(unknown("number", spec.number));
        }
        let (id, now) = (world.next_id(), world.ground.now());
        let review = spec.path.map(|path| Review { path, in_reply_to: None });
        let (number, body) = (spec.number, spec.body);
        let comment =
            Written { id, repo, number, author, by_app: false, body, created_at: now, updated_at: now, review };
        world.comments.insert(id, comment);
        Ok(id)
    }

    /// Says what the App of this world is.
    ///
    /// # Errors
    /// When the public key cannot be read.
    pub fn set_app(&self, spec: AppSpec) -> Result<(), ControlError> {
        let public_key = spec.public_key.as_deref().map(spec::rsa_key).transpose()?;
        let mut world = self.0.world();
        let created_at = world.ground.now();
        let AppSpec { id, slug, client_id, .. } = spec;
        let name = slug.clone();
        world.app = App { id, slug, client_id, public_key, created_at, name, ..App::default() };
        Ok(())
    }

    /// Installs the App in an account.
    ///
    /// # Errors
    /// When one of the repositories is not there.
    pub fn add_installation(&self, spec: InstallationSpec) -> Result<(), ControlError> {
        let mut world = self.0.world();
        let account = world.org_of(&spec.account);
        let ids = |names: &Vec<String>| names.iter().map(|name| world.repo_of(name).map(|repo| repo.id)).collect();
        let repos = spec.repos.as_ref().map(ids).transpose()?;
        world.installations.insert(spec.id, Installation { id: spec.id, account, repos, suspended: spec.suspended });
        Ok(())
    }

    /// Uninstalls the App. Answers whether it was there.
    pub fn remove_installation(&self, id: i64) -> bool {
        self.0.world().installations.remove(&id).is_some()
    }

    /// Writes down a delivery, as if GitHub had tried to send it, and tells its id.
    ///
    /// # Errors
    /// When repository or organization are not there.
    pub fn add_delivery(&self, spec: DeliverySpec) -> Result<i64, ControlError> {
        let mut world = self.0.world();
        let owner = match (&spec.repo, &spec.org) {
            (Some(repo), _) => DeliveryOwner::Repo(world.repo_of(repo)?.id, spec.hook_id),
            (None, Some(org)) => DeliveryOwner::Org(world.user_of(org)?.id, spec.hook_id),
            (None, None) => DeliveryOwner::App,
        };
        let repository_id = spec.payload.pointer("/repository/id").and_then(Value::as_i64);
        let installation_id = spec.payload.pointer("/installation/id").and_then(Value::as_i64);
        let action = spec.payload.get("action").and_then(Value::as_str).map(str::to_owned);
        let (id, delivered_at) = (world.next_delivery(), world.ground.now());
        let DeliverySpec { guid, status_code, event, headers, payload, .. } = spec;
        let redelivery = false;
        world.deliveries.push(Delivery {
            id,
            owner,
            guid,
            delivered_at,
            redelivery,
            status_code,
            event,
            action,
            repository_id,
            installation_id,
            headers,
            payload,
        });
        Ok(id)
    }
}

impl World {
    /// A delivery's id: past what a 64-bit float holds exactly.
    pub(super) fn next_delivery(&mut self) -> i64 {
        (1 << 53) + self.next_id()
    }
}

fn open_thread(world: &mut World, spec: IssueSpec, pull: Option<Pull>) -> Result<i64, ControlError> {
    let (repo, author) = (world.repo_of(&spec.repo)?.id, world.user_of(&spec.author)?.id);
    let number = spec.number.unwrap_or_else(|| world.next_number(repo));
    if number < 1 || world.threads.contains_key(&(repo, number)) {
        return Err(ControlError::Taken(format!("number {number}")));
    }
    let (id, now) = (world.next_id(), world.ground.now());
    let mut thread = Thread::new(id, repo, number, author, now);
    (thread.title, thread.body, thread.labels, thread.pull) = (spec.title, spec.body, spec.labels, pull);
    world.threads.insert((repo, number), thread);
    Ok(number)
}
