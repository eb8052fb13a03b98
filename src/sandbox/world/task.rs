//! A task of the simulated agent: what it has done so far, what each step does to it, and how the
//! answers show it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{COPILOT, Pull, Thread, World, stamp};

/// One session of the agent.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Session {
    pub id: String,
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    pub error: Option<String>,
}

/// One change of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) enum Step {
    State(String),
    Fail(String),
    Branch,
    Pull,
    Session,
    Archive,
    Vanish,
}

/// What an artifact of a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) enum Artifact {
    Branch { head: String, base: String },
    Pull { id: i64, number: i64 },
}

/// What a list shows of a task at a moment.
#[derive(Debug, Clone)]
struct Seen {
    at: DateTime<Utc>,
    state: String,
    sessions: usize,
    artifacts: usize,
    archived_at: Option<DateTime<Utc>>,
}

/// One task.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Task {
    pub id: String,
    pub repo: i64,
    pub creator: i64,
    pub prompt: String,
    pub model: Option<String>,
    pub custom_agent: Option<String>,
    pub create_pull_request: bool,
    pub base_ref: String,
    /// Set when the task works on an open pull request.
    pub head_ref: Option<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub sessions: Vec<Session>,
    pub artifacts: Vec<Artifact>,
    pub archived_at: Option<DateTime<Utc>>,
    pub vanished: bool,
    history: Vec<Seen>,
}

impl Task {
    /// A task just created.
    pub(in crate::sandbox) fn new(id: String, session: String, repo: i64, creator: i64, now: DateTime<Utc>) -> Self {
        let mut task = Self {
            id,
            repo,
            creator,
            prompt: String::new(),
            model: None,
            custom_agent: None,
            create_pull_request: false,
            base_ref: String::new(),
            head_ref: None,
            created_at: now,
            updated_at: now,
            sessions: Vec::new(),
            artifacts: Vec::new(),
            archived_at: None,
            vanished: false,
            history: Vec::new(),
        };
        task.session(session, now);
        task.note(now);
        task
    }

    /// The state of the newest session.
    pub(in crate::sandbox) fn state(&self) -> &str {
        self.sessions.last().map_or("queued", |session| &session.state)
    }

    /// The first line of the prompt, cut.
    pub(in crate::sandbox) fn name(&self) -> String {
        let line = self.prompt.trim_start().lines().next().unwrap_or_default();
        line.chars().take(72).collect()
    }

    /// The number of its pull request.
    pub(in crate::sandbox) fn pull_number(&self) -> Option<i64> {
        self.artifacts.iter().find_map(|artifact| match artifact {
            Artifact::Pull { number, .. } => Some(*number),
            Artifact::Branch { .. } => None,
        })
    }

    /// The task as a list saw it at `time`; none if it was not there yet.
    pub(in crate::sandbox) fn as_of(&self, time: DateTime<Utc>) -> Option<Self> {
        let seen = self.history.iter().rfind(|seen| seen.at <= time)?;
        let mut task = self.clone();
        task.sessions.truncate(seen.sessions);
        if let Some(session) = task.sessions.last_mut() {
            session.state.clone_from(&seen.state);
        }
        task.artifacts.truncate(seen.artifacts);
        task.archived_at = seen.archived_at;
        task.updated_at = seen.at;
        Some(task)
    }

    fn session(&mut self, id: String, at: DateTime<Utc>) {
        self.sessions.push(Session {
            id,
            state: "queued".to_owned(),
            created_at: at,
            updated_at: at,
            completed_at: None,
            error: None,
        });
    }

    fn enter(&mut self, state: &str, at: DateTime<Utc>) {
        let Some(session) = self.sessions.last_mut() else { return };
        state.clone_into(&mut session.state);
        session.updated_at = at;
        let over = matches!(state, "completed" | "failed" | "timed_out" | "cancelled");
        session.completed_at = over.then_some(at);
    }

    fn note(&mut self, at: DateTime<Utc>) {
        self.updated_at = at;
        self.history.push(Seen {
            at,
            state: self.state().to_owned(),
            sessions: self.sessions.len(),
            artifacts: self.artifacts.len(),
            archived_at: self.archived_at,
        });
    }

    fn branch(&self) -> String {
        let slug: String =
            self.name().to_ascii_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || *c == ' ').collect();
        let slug: Vec<&str> = slug.split_whitespace().take(5).collect();
        let tail = self.id.get(..8).unwrap_or_default();
        self.head_ref.clone().unwrap_or_else(|| format!("copilot/{}-{tail}", slug.join("-")))
    }
}

impl World {
    /// A random name as GitHub's are.
    pub(in crate::sandbox) fn uuid(&self) -> String {
        uuid::Builder::from_random_bytes(self.ground.bytes()).into_uuid().to_string()
    }

    /// Does one step to one task.
    pub(super) fn take(&mut self, index: usize, step: Step, at: DateTime<Utc>) {
        let session = self.uuid();
        let Some(task) = self.tasks.list.get(index) else { return };
        let (wanted, branch, base) = (task.create_pull_request, task.branch(), task.base_ref.clone());
        let pushed = task.artifacts.iter().any(|artifact| matches!(artifact, Artifact::Branch { .. }));
        let existing = self.open_pull(task.repo, &branch);
        let works_on_one = task.head_ref.is_some();
        let artifact = match &step {
            Step::Branch if !pushed => Some(Artifact::Branch { head: branch, base }),
            Step::Pull if task.pull_number().is_none() => match existing {
                Some((id, number)) => Some(Artifact::Pull { id, number }),
                None if wanted && !works_on_one => self.pull_of(index, &branch, at),
                None => None,
            },
            _ => None,
        };
        let Some(task) = self.tasks.list.get_mut(index) else { return };
        match step {
            Step::State(state) => task.enter(&state, at),
            Step::Fail(message) => {
                task.enter("failed", at);
                if let Some(session) = task.sessions.last_mut() {
                    session.error = Some(message);
                }
            }
            Step::Branch | Step::Pull if artifact.is_none() => return,
            Step::Branch | Step::Pull => task.artifacts.extend(artifact),
            Step::Session => task.session(session, at),
            Step::Archive => task.archived_at = Some(at),
            Step::Vanish => task.vanished = true,
        }
        task.note(at);
    }

    /// Resource id and number of the open pull request from a branch.
    fn open_pull(&self, repo: i64, branch: &str) -> Option<(i64, i64)> {
        let mut threads = self.threads.values().filter(|thread| thread.repo == repo && thread.open);
        threads.find_map(|thread| {
            let pull = thread.pull.as_ref().filter(|pull| pull.head_ref == branch)?;
            Some((pull.id, thread.number))
        })
    }

    /// Opens the agent's pull request.
    fn pull_of(&mut self, index: usize, branch: &str, at: DateTime<Utc>) -> Option<Artifact> {
        let task = self.tasks.list.get(index)?;
        let (repo, title, base) = (task.repo, format!("[WIP] {}", task.name()), task.base_ref.clone());
        let (id, pull_id, number) = (self.next_id(), self.next_id(), self.next_number(repo));
        let pull = Pull {
            id: pull_id,
            head_ref: branch.to_owned(),
            head_repo: Some(repo),
            base_ref: base,
            draft: true,
            merged_at: None,
        };
        let body = "The agent is working on this.".to_owned();
        let mut thread = Thread::new(id, repo, number, COPILOT, at);
        (thread.title, thread.body, thread.pull) = (title, Some(body), Some(pull));
        self.threads.insert((repo, number), thread);
        Some(Artifact::Pull { id: pull_id, number })
    }

    /// The task as lists and creation show it: neither prompt nor sessions.
    pub(in crate::sandbox) fn task_json(&self, task: &Task) -> Value {
        let repo = self.repos.get(&task.repo);
        let (owner, name) =
            (repo.map_or(0, |repo| repo.owner), repo.map_or_else(String::new, |repo| self.full_name(repo)));
        let artifacts: Vec<Value> = task.artifacts.iter().map(artifact_json).collect();
        let mut json = json!({
            "id": task.id,
            "url": format!("{}/agents/repos/{name}/tasks/{}", self.base, task.id),
            "html_url": format!("{}/{name}/copilot/tasks/{}", self.web, task.id),
            "name": task.name(),
            "creator": { "id": task.creator },
            "creator_type": "user",
            "user_collaborators": [],
            "owner": { "id": owner },
            "repository": { "id": task.repo },
            "state": task.state(),
            "session_count": task.sessions.len(),
            "artifacts": artifacts,
            "archived_at": task.archived_at.map(stamp),
            "created_at": stamp(task.created_at),
            "updated_at": stamp(task.updated_at),
        });
        if let (Some(agent), Some(map)) = (&task.custom_agent, json.as_object_mut()) {
            map.insert("custom_agent".to_owned(), json!({ "id": agent }));
        }
        json
    }

    /// The task with its sessions, prompts and usage.
    pub(in crate::sandbox) fn task_full_json(&self, task: &Task) -> Value {
        let mut json = self.task_json(task);
        let sessions: Vec<Value> = task.sessions.iter().map(|session| self.session_json(task, session)).collect();
        if let Some(map) = json.as_object_mut() {
            map.insert("sessions".to_owned(), sessions.into());
        }
        json
    }

    fn session_json(&self, task: &Task, session: &Session) -> Value {
        let head = task.artifacts.iter().find_map(|artifact| match artifact {
            Artifact::Branch { head, .. } => Some(head.clone()),
            Artifact::Pull { .. } => None,
        });
        let mut json = json!({
            "id": session.id,
            "name": task.name(),
            "user": { "id": task.creator },
            "owner": { "id": self.repos.get(&task.repo).map_or(0, |repo| repo.owner) },
            "repository": { "id": task.repo },
            "task_id": task.id,
            "state": session.state,
            "created_at": stamp(session.created_at),
            "updated_at": stamp(session.updated_at),
            "prompt": task.prompt,
            "base_ref": task.base_ref,
            "model": task.model.as_deref().unwrap_or("auto"),
        });
        let further = [
            ("head_ref", head.or_else(|| task.head_ref.clone()).map(Value::from)),
            ("completed_at", session.completed_at.map(|at| stamp(at).into())),
            ("usage", session.completed_at.and_then(|_| serde_json::to_value(self.usage).ok())),
            ("error", session.error.as_ref().map(|message| json!({ "message": message }))),
        ];
        if let Some(map) = json.as_object_mut() {
            map.extend(further.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        json
    }
}

fn artifact_json(artifact: &Artifact) -> Value {
    match artifact {
        Artifact::Branch { head, base } => {
            json!({ "provider": "github", "type": "branch", "data": { "head_ref": head, "base_ref": base } })
        }
        Artifact::Pull { id, .. } => {
            let data = json!({ "id": id, "global_id": format!("PR_sandbox{id}") });
            json!({ "provider": "github", "type": "pull", "data": data })
        }
    }
}
