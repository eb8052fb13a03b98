//! Repositories, by today's name and by the number that never changes.

use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::answer::ONE;
use super::error::CallError;
use super::paths::RepoPath;
use super::session::Session;

/// A repository as it is today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoInfo {
    /// The number that never changes.
    pub id: i64,
    /// Where it is today.
    pub path: RepoPath,
    /// The branch that new work starts from.
    pub default_branch: String,
    /// Whether only invited people can read it.
    pub private: bool,
    /// Whether it is a fork.
    pub fork: bool,
    /// Whether it is read-only.
    pub archived: bool,
}

#[derive(Deserialize)]
struct Raw {
    id: i64,
    full_name: RepoPath,
    default_branch: String,
    private: bool,
    fork: bool,
    #[serde(default)]
    archived: bool,
}

impl Session {
    /// A repository by name; a renamed one is followed to its new name.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn repo(&self, path: &RepoPath) -> Result<RepoInfo, CallError> {
        self.one_repo(self.url(&["repos", path.owner(), path.name()])?).await
    }

    /// A repository by number. Not in GitHub's API description, but what its own redirects point to.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn repo_by_id(&self, id: i64) -> Result<RepoInfo, CallError> {
        self.one_repo(self.url(&["repositories", &id.to_string()])?).await
    }

    async fn one_repo(&self, url: Url) -> Result<RepoInfo, CallError> {
        let Raw { id, full_name: path, default_branch, private, fork, archived } =
            self.get(url, ONE).await?.json(StatusCode::OK)?;
        Ok(RepoInfo { id, path, default_branch, private, fork, archived })
    }
}
