//! What one can see of the world: tasks with their prompts, comments, labels, calls, creations.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Control, ControlError, unknown};
use crate::sandbox::fault::Fault;
use crate::sandbox::world::{CallRecord, Comment as Written, Creation, Subject, World};

/// A task as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskView {
    /// Its id.
    pub id: String,
    /// `owner/name`.
    pub repo: String,
    /// The creator's login.
    pub creator: String,
    /// The whole prompt.
    pub prompt: String,
    /// The state of the newest session.
    pub state: String,
    /// What was asked for.
    pub create_pull_request: bool,
    /// What was asked for.
    pub model: Option<String>,
    /// What was asked for.
    pub custom_agent: Option<String>,
    /// What was asked for, or the default branch.
    pub base_ref: String,
    /// What was asked for.
    pub head_ref: Option<String>,
    /// The number of its pull request.
    pub pull_number: Option<i64>,
    /// How many sessions it has.
    pub sessions: usize,
    /// Whether it answers 404 now.
    pub vanished: bool,
}

/// A comment as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comment {
    /// Its id.
    pub id: i64,
    /// The author's login.
    pub author: String,
    /// Whether the App is named on it.
    pub by_app: bool,
    /// The text.
    pub body: String,
    /// The comment it replies to.
    pub in_reply_to: Option<i64>,
    /// Whether it was edited.
    pub edited: bool,
}

impl Control {
    /// What was said in the simulated chats, to all and to one, oldest first, as it reads now; and the forms that were opened in Slack.
    #[must_use]
    pub fn chats(&self) -> Value {
        let shared = &self.0;
        let slack = shared.slack.lock().unwrap_or_else(PoisonError::into_inner);
        let discord = shared.discord.lock().unwrap_or_else(PoisonError::into_inner);
        let mattermost = shared.mattermost.lock().unwrap_or_else(PoisonError::into_inner);
        json!({
            "slack": slack.said(), "slack_forms": slack.forms(), "discord": discord.said(), "mattermost": mattermost.said(),
        })
    }

    /// All tasks, oldest first, vanished ones too.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskView> {
        let mut world = self.0.world();
        world.settle();
        tasks(&world)
    }

    /// Every creation of a task, oldest first.
    #[must_use]
    pub fn creations(&self) -> Vec<Creation> {
        self.0.world().tasks.creations.clone()
    }

    /// How many tasks were created for each last line of a prompt.
    #[must_use]
    pub fn creations_by_last_line(&self) -> BTreeMap<String, usize> {
        by_last_line(&self.0.world())
    }

    /// How many tasks were created with a prompt that holds `text`.
    #[must_use]
    pub fn count_creations_with(&self, text: &str) -> usize {
        self.0.world().tasks.list.iter().filter(|task| task.prompt.contains(text)).count()
    }

    /// All comments of an issue or a pull request, oldest first.
    ///
    /// # Errors
    /// When the repository is not there.
    pub fn comments(&self, full_name: &str, number: i64) -> Result<Vec<Comment>, ControlError> {
        let world = self.0.world();
        let repo = world.repo_of(full_name)?.id;
        let all = world.comments.values().filter(|own| (own.repo, own.number) == (repo, number));
        Ok(all.map(|own| comment(&world, own)).collect())
    }

    /// The labels of an issue or a pull request.
    ///
    /// # Errors
    /// When it is not there.
    pub fn labels(&self, full_name: &str, number: i64) -> Result<Vec<String>, ControlError> {
        let world = self.0.world();
        let thread = world.threads.get(&(world.repo_of(full_name)?.id, number));
        thread.map(|thread| thread.labels.clone()).ok_or_else(|| unknown("number", number))
    }

    /// The reactions (login, content) to an issue or a pull request, or to a comment.
    ///
    /// # Errors
    /// When the repository is not there.
    pub fn reactions(&self, full_name: &str, number: i64) -> Result<Vec<(String, String)>, ControlError> {
        let world = self.0.world();
        let subject = Subject::Thread(world.repo_of(full_name)?.id, number);
        Ok(reactions(&world, subject))
    }

    /// The reactions (login, content) to a comment.
    #[must_use]
    pub fn comment_reactions(&self, id: i64) -> Vec<(String, String)> {
        reactions(&self.0.world(), Subject::Comment(id))
    }

    /// All calls to the API, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<CallRecord> {
        self.0.world().calls.iter().cloned().collect()
    }

    /// How many calls had this method and a path that begins so.
    #[must_use]
    pub fn count_calls(&self, method: &str, path: &str) -> usize {
        let world = self.0.world();
        world.calls.iter().filter(|call| call.method == method && call.path.starts_with(path)).count()
    }

    /// Forgets the calls made so far.
    pub fn clear_calls(&self) {
        self.0.world().calls.clear();
    }

    /// The faults in force, with their ids.
    #[must_use]
    pub fn faults(&self) -> Vec<(u64, Fault)> {
        self.0.world().faults.list().to_vec()
    }

    /// How many calls a fault has met, also when it is gone.
    #[must_use]
    pub fn fault_met(&self, id: u64) -> u64 {
        self.0.world().faults.met(id)
    }

    /// How many times a delivery of this GUID was attempted.
    #[must_use]
    pub fn attempts(&self, guid: &str) -> usize {
        self.0.world().deliveries.iter().filter(|own| own.guid == guid).count()
    }
}

fn login(world: &World, id: i64) -> String {
    world.login(id).unwrap_or_else(|| "ghost".to_owned())
}

pub(super) fn tasks(world: &World) -> Vec<TaskView> {
    let view = |task: &crate::sandbox::world::Task| TaskView {
        id: task.id.clone(),
        repo: world.repos.get(&task.repo).map_or_else(String::new, |repo| world.full_name(repo)),
        creator: login(world, task.creator),
        prompt: task.prompt.clone(),
        state: task.state().to_owned(),
        create_pull_request: task.create_pull_request,
        model: task.model.clone(),
        custom_agent: task.custom_agent.clone(),
        base_ref: task.base_ref.clone(),
        head_ref: task.head_ref.clone(),
        pull_number: task.pull_number(),
        sessions: task.sessions.len(),
        vanished: task.vanished,
    };
    world.tasks.list.iter().map(view).collect()
}

pub(super) fn by_last_line(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for creation in &world.tasks.creations {
        *counts.entry(creation.last_line.clone()).or_default() += 1;
    }
    counts
}

fn comment(world: &World, own: &Written) -> Comment {
    Comment {
        id: own.id,
        author: login(world, own.author),
        by_app: own.by_app,
        body: own.body.clone(),
        in_reply_to: own.review.as_ref().and_then(|review| review.in_reply_to),
        edited: own.updated_at > own.created_at,
    }
}

fn reactions(world: &World, subject: Subject) -> Vec<(String, String)> {
    let all = world.reactions.iter().filter(|own| own.subject == subject);
    all.map(|own| (login(world, own.user), own.content.clone())).collect()
}

/// Everything there is to see, as one JSON value.
pub(super) fn state(world: &World) -> Value {
    let repos = world
        .repos
        .values()
        .map(|repo| json!({ "id": repo.id, "full_name": world.full_name(repo), "private": repo.private }));
    let threads = world.threads.values().map(|thread| {
        let comments = world.comments.values().filter(|own| (own.repo, own.number) == (thread.repo, thread.number));
        json!({
            "repo": world.repos.get(&thread.repo).map(|repo| world.full_name(repo)), "number": thread.number,
            "title": thread.title, "open": thread.open, "labels": thread.labels, "pull": thread.pull.is_some(),
            "author": login(world, thread.author),
            "comments": comments.map(|own| json!({
                "comment": comment(world, own), "reactions": reactions(world, Subject::Comment(own.id)),
            })).collect::<Value>(),
            "reactions": reactions(world, Subject::Thread(thread.repo, thread.number)),
        })
    });
    json!({
        "users": world.users.values().map(|user| json!({
            "id": user.id, "login": user.login, "type": user.kind, "copilot_seat": user.seat,
        })).collect::<Value>(),
        "repos": repos.collect::<Value>(),
        "threads": threads.collect::<Value>(),
        "tasks": tasks(world),
        "pace": world.pace,
        "calls": world.calls.len(),
    })
}
