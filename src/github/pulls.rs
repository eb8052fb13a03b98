//! Pull requests, and the way from a task to its pull request: an artifact names a resource id, which no REST call
//! takes, so the number is found through the branch.

use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::answer::{MANY, ONE};
use super::error::CallError;
use super::lenient::{filled, id_of, int, text};
use super::paths::RepoPath;
use super::remote_task::{Artifact, RemoteTask};
use super::session::Session;

/// Branches tried to find one task's pull request.
const MAX_HEADS: usize = 5;

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullInfo {
    /// Its number across the whole host (what an artifact holds).
    pub id: i64,
    /// The same as a node id.
    pub node_id: Option<String>,
    /// Its number inside the repository.
    pub number: i64,
    /// `open` or `closed`.
    pub state: String,
    /// Whether it was merged.
    pub merged: bool,
    /// Its page.
    pub html_url: Option<String>,
    /// The branch with the changes.
    pub head_ref: String,
    /// The repository of that branch; absent when it was deleted.
    pub head_repo_id: Option<i64>,
    /// The branch they are to go into.
    pub base_ref: String,
    /// The repository of that branch.
    pub base_repo_id: Option<i64>,
}

impl PullInfo {
    fn read(value: &Value) -> Option<Self> {
        let (head, base) = (value.get("head")?, value.get("base")?);
        Some(Self {
            id: int(value, "id")?,
            node_id: filled(value, "node_id"),
            number: int(value, "number")?,
            state: text(value, "state").unwrap_or_default(),
            merged: value.get("merged_at").is_some_and(|at| !at.is_null()),
            html_url: filled(value, "html_url"),
            head_ref: text(head, "ref")?,
            head_repo_id: id_of(head, "repo"),
            base_ref: text(base, "ref")?,
            base_repo_id: id_of(base, "repo"),
        })
    }
}

impl Session {
    /// A pull request by its number in the repository.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn pull(&self, repo: &RepoPath, number: i64) -> Result<PullInfo, CallError> {
        let url = self.url(&["repos", repo.owner(), repo.name(), "pulls", &number.to_string()])?;
        let value: Value = self.get(url, ONE).await?.json(StatusCode::OK)?;
        PullInfo::read(&value).ok_or_else(|| CallError::unknown(200, "the answer is no pull request"))
    }

    /// The newest hundred pull requests, open and closed, of the branch `head` (`owner:branch`).
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn pulls_by_head(&self, repo: &RepoPath, head: &str) -> Result<Vec<PullInfo>, CallError> {
        let mut url: Url = self.url(&["repos", repo.owner(), repo.name(), "pulls"])?;
        let query = [("head", head), ("state", "all"), ("per_page", "100")];
        url.query_pairs_mut().extend_pairs(query);
        let items: Vec<Value> = self.get(url, MANY).await?.json(StatusCode::OK)?;
        let read = |item| PullInfo::read(item).ok_or_else(|| CallError::unknown(200, "an entry is no pull request"));
        items.iter().map(read).collect()
    }

    /// The pull request that a task's artifact means, found through the task's branch or its sessions' branches.
    /// Nothing when the task names none, or its branch is not known yet (a get-one may tell more).
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn resolve_pull(&self, repo: &RepoPath, task: &RemoteTask) -> Result<Option<PullInfo>, CallError> {
        let is_meant = |pull: &PullInfo| {
            task.artifacts.iter().any(|artifact| match artifact {
                Artifact::Pull { id, global_id } => {
                    *id == pull.id || (global_id.is_some() && *global_id == pull.node_id)
                }
                _ => false,
            })
        };
        if !task.artifacts.iter().any(|artifact| matches!(artifact, Artifact::Pull { .. })) {
            return Ok(None);
        }
        let mut only_one = None;
        for head in heads(task) {
            let pulls = self.pulls_by_head(repo, &format!("{}:{head}", repo.owner())).await?;
            if let Some(pull) = pulls.iter().find(|pull| is_meant(pull)) {
                return Ok(Some(pull.clone()));
            }
            if let ([pull], None) = (pulls.as_slice(), &only_one) {
                only_one = Some(pull.clone());
            }
        }
        // No id matches, but the branch has exactly one pull request: that is it.
        Ok(only_one)
    }
}

/// The branches a task worked on, each once: those it names as artifacts first, then those of its newest sessions.
fn heads(task: &RemoteTask) -> Vec<&str> {
    let branches = task.artifacts.iter().filter_map(|artifact| match artifact {
        Artifact::Branch { head_ref, .. } => Some(head_ref.as_str()),
        _ => None,
    });
    let sessions = task.sessions.iter().flatten().rev().filter_map(|session| session.head_ref.as_deref());
    let mut heads = Vec::new();
    for head in branches.chain(sessions) {
        if heads.len() < MAX_HEADS && !heads.contains(&head) {
            heads.push(head);
        }
    }
    heads
}
