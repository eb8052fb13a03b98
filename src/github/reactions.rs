//! Reactions: an acknowledgement that no webhook tells of, so it can never start anything.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::error::CallError;
use super::paths::RepoPath;
use super::session::Session;
use crate::domain::rule::Reaction;

/// What is reacted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReactTo {
    /// An issue or pull request, by its number in the repository.
    Issue(i64),
    /// A comment on one, by its id.
    IssueComment(i64),
    /// A comment on a diff, by its id.
    ReviewComment(i64),
}

#[derive(Deserialize)]
struct Made {
    id: i64,
}

impl Session {
    /// Adds a reaction; gives its id, new or already there. May be repeated at will.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn react(&self, repo: &RepoPath, to: ReactTo, reaction: Reaction) -> Result<i64, CallError> {
        let url = self.reactions_url(repo, to)?;
        let answer = self.write(Method::POST, url, &json!({ "content": reaction })).await?;
        answer.expect(&[StatusCode::OK, StatusCode::CREATED])?;
        Ok(answer.parse::<Made>()?.id)
    }

    fn reactions_url(&self, repo: &RepoPath, to: ReactTo) -> Result<reqwest::Url, CallError> {
        let (kind, target): (&[&str], i64) = match to {
            ReactTo::Issue(number) => (&["issues"], number),
            ReactTo::IssueComment(id) => (&["issues", "comments"], id),
            ReactTo::ReviewComment(id) => (&["pulls", "comments"], id),
        };
        let target = target.to_string();
        let mut segments = vec!["repos", repo.owner(), repo.name()];
        segments.extend_from_slice(kind);
        segments.extend([target.as_str(), "reactions"]);
        self.url(&segments)
    }
}
