//! The agent tasks API (public preview): start, list, look. There is no cancel and no follow-up call.
//!
//! Only user tokens are accepted there; an installation's token is refused by GitHub.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde_json::Value;

use super::answer::MANY;
use super::error::CallError;
use super::paths::RepoPath;
use super::remote_task::RemoteTask;
use super::session::Session;
use crate::domain::trust::strip_markers;

/// Items a page; GitHub's most.
const PER_PAGE: &str = "100";

/// What is to be started.
#[derive(Clone, Serialize)]
pub struct NewTask {
    /// What the agent is told, marker included.
    pub prompt: String,
    /// The model; GitHub's choice when absent. Its list changes, so it is not checked here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// File name, without its ending, of `.github/agents/NAME.agent.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_agent: Option<String>,
    /// Whether a pull request is opened. Always sent, because GitHub's default is no.
    pub create_pull_request: bool,
    /// The branch the work starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_ref: Option<String>,
    /// The branch of an open pull request to work on; needs `base_ref`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_ref: Option<String>,
}

impl std::fmt::Debug for NewTask {
    /// Without the marker.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTask")
            .field("prompt", &strip_markers(&self.prompt))
            .field("model", &self.model)
            .field("custom_agent", &self.custom_agent)
            .field("create_pull_request", &self.create_pull_request)
            .field("base_ref", &self.base_ref)
            .field("head_ref", &self.head_ref)
            .finish()
    }
}

/// What a list shall hold. Lists run from the least to the most recently changed, unless told otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct TaskQuery<'a> {
    /// Only tasks changed at or after this (cut to whole seconds, so never later than meant).
    pub since: Option<DateTime<Utc>>,
    /// Only archived tasks, instead of only those that are not.
    pub archived: bool,
    /// Only tasks made by this account. Lists over all repositories have no such filter and ignore it.
    pub creator_id: Option<i64>,
    /// From the oldest to the newest, an order that does not move while pages are read.
    pub by_creation: bool,
    /// The next page as an earlier [`TaskPage`] named it; everything above is then already in it.
    pub next: Option<&'a str>,
    /// The `ETag` of an earlier answer to the same question; see [`TaskPage::not_modified`].
    pub etag: Option<&'a str>,
}

/// One page of a list of tasks.
#[derive(Debug, Clone)]
pub struct TaskPage {
    /// The tasks that could be read, in the order sent.
    pub tasks: Vec<RemoteTask>,
    /// How many entries had no id. While this is not 0, nothing can be concluded from a task's absence.
    pub unreadable: usize,
    /// Where the next page is; opaque. Nothing: this was the last.
    pub next: Option<String>,
    /// When GitHub says that it answered, on its own clock; nothing when it does not say.
    pub said_at: Option<DateTime<Utc>>,
    /// The tag of this answer, with its quotes.
    pub etag: Option<String>,
    /// 304: this page is as it was (and `tasks` is empty). It does not speak for later pages.
    pub not_modified: bool,
}

impl Session {
    /// Starts a task. Sent once; only a 201 with an id is success.
    ///
    /// # Errors
    /// [`CallError::Unknown`] when it may have been started; everything else means that it surely was not.
    pub async fn start_task(&self, repo: &RepoPath, new: &NewTask) -> Result<RemoteTask, CallError> {
        let url = self.url(&["agents", "repos", repo.owner(), repo.name(), "tasks"])?;
        let answer = self.write(Method::POST, url, new).await?;
        task_in(&answer.json(StatusCode::CREATED)?, StatusCode::CREATED)
    }

    /// The token owner's tasks, over all repositories.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list_my_tasks(&self, query: TaskQuery<'_>) -> Result<TaskPage, CallError> {
        let url = self.url(&["agents", "tasks"])?;
        self.list_tasks(url, TaskQuery { creator_id: None, ..query }).await
    }

    /// The tasks of one repository.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list_repo_tasks(&self, repo: &RepoPath, query: TaskQuery<'_>) -> Result<TaskPage, CallError> {
        let url = self.url(&["agents", "repos", repo.owner(), repo.name(), "tasks"])?;
        self.list_tasks(url, query).await
    }

    /// One task with its sessions.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn task(&self, id: &str) -> Result<RemoteTask, CallError> {
        self.one_task(self.url(&["agents", "tasks", id])?).await
    }

    /// One task with its sessions, asked for in its repository.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn task_in_repo(&self, repo: &RepoPath, id: &str) -> Result<RemoteTask, CallError> {
        self.one_task(self.url(&["agents", "repos", repo.owner(), repo.name(), "tasks", id])?).await
    }

    async fn one_task(&self, url: Url) -> Result<RemoteTask, CallError> {
        let answer = self.get(url, MANY).await?;
        task_in(&answer.json(StatusCode::OK)?, StatusCode::OK)
    }

    async fn list_tasks(&self, mut url: Url, query: TaskQuery<'_>) -> Result<TaskPage, CallError> {
        if let Some(next) = query.next {
            url = self.page_url(next)?;
        } else {
            let mut pairs = url.query_pairs_mut();
            if let Some(since) = query.since {
                pairs.append_pair("since", &since.to_rfc3339_opts(SecondsFormat::Secs, true));
            }
            if let Some(creator) = query.creator_id {
                pairs.append_pair("creator_id", &creator.to_string());
            }
            let sort = if query.by_creation { "created_at" } else { "updated_at" };
            pairs.append_pair("is_archived", if query.archived { "true" } else { "false" });
            pairs.append_pair("sort", sort).append_pair("direction", "asc").append_pair("per_page", PER_PAGE);
        }
        let answer = self.get_if_changed(url, query.etag).await?;
        let (etag, said_at) = (answer.etag(), answer.said_at());
        if answer.status == StatusCode::NOT_MODIFIED {
            let etag = etag.or_else(|| query.etag.map(str::to_owned));
            return Ok(TaskPage { tasks: Vec::new(), unreadable: 0, next: None, said_at, etag, not_modified: true });
        }
        let value: Value = answer.json(StatusCode::OK)?;
        let Some(items) = value.get("tasks").and_then(Value::as_array) else {
            return Err(CallError::unknown(200, "the list holds no tasks field"));
        };
        let tasks: Vec<_> = items.iter().filter_map(RemoteTask::read).collect();
        let unreadable = items.len() - tasks.len();
        Ok(TaskPage { tasks, unreadable, next: answer.next_page(), said_at, etag, not_modified: false })
    }
}

fn task_in(value: &Value, status: StatusCode) -> Result<RemoteTask, CallError> {
    RemoteTask::read(value).ok_or_else(|| CallError::unknown(status.as_u16(), "the answer holds no task id"))
}
