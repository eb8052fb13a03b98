//! Issues (and pull requests seen as issues) and their labels.

use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::ONE;
use super::error::CallError;
use super::lenient::{filled, int, list, text, time};
use super::paths::RepoPath;
use super::session::Session;

/// An issue or pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueInfo {
    /// Its number across the whole host.
    pub id: i64,
    /// Its number inside the repository.
    pub number: i64,
    /// Its title, written by anyone.
    pub title: String,
    /// `open` or `closed`.
    pub state: String,
    /// Its page.
    pub html_url: Option<String>,
    /// Whether it is a pull request.
    pub is_pull: bool,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

impl IssueInfo {
    fn read(value: &Value) -> Option<Self> {
        // GitHub's schema allows a label to be a bare text.
        let label = |label: &Value| label.as_str().map(str::to_owned).or_else(|| text(label, "name"));
        Some(Self {
            id: int(value, "id")?,
            number: int(value, "number")?,
            title: text(value, "title").unwrap_or_default(),
            state: text(value, "state").unwrap_or_default(),
            html_url: filled(value, "html_url"),
            is_pull: value.get("pull_request").is_some_and(|pull| !pull.is_null()),
            labels: list(value, "labels").iter().filter_map(label).collect(),
            updated_at: time(value, "updated_at"),
        })
    }
}

impl Session {
    /// An issue or pull request. A transferred one is followed to where it is now.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn issue(&self, repo: &RepoPath, number: i64) -> Result<IssueInfo, CallError> {
        let url = self.url(&["repos", repo.owner(), repo.name(), "issues", &number.to_string()])?;
        let value: Value = self.get(url, ONE).await?.json(StatusCode::OK)?;
        IssueInfo::read(&value).ok_or_else(|| CallError::unknown(200, "the answer holds no issue number"))
    }

    /// Puts labels on; those already there stay. May be repeated at will.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn add_labels(&self, repo: &RepoPath, number: i64, labels: &[&str]) -> Result<(), CallError> {
        let url = self.url(&["repos", repo.owner(), repo.name(), "issues", &number.to_string(), "labels"])?;
        self.write(Method::POST, url, &json!({ "labels": labels })).await?.expect(&[StatusCode::OK])
    }

    /// Takes a label off; one that is not there counts as done.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn remove_label(&self, repo: &RepoPath, number: i64, label: &str) -> Result<(), CallError> {
        let url = self.url(&["repos", repo.owner(), repo.name(), "issues", &number.to_string(), "labels", label])?;
        match self.delete(url).await {
            Ok(answer) => answer.expect(&[StatusCode::OK, StatusCode::NO_CONTENT]),
            Err(CallError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
