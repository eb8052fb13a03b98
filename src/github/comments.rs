//! Comments on issues and pull requests: one call serves both.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{MANY, ONE};
use super::error::CallError;
use super::lenient::{filled, id_of, int, text, time};
use super::paths::RepoPath;
use super::session::Session;

/// A comment as it stands on GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteComment {
    /// Its number across the whole host.
    pub id: i64,
    /// Its text, written by anyone.
    pub body: String,
    /// Its page.
    pub html_url: Option<String>,
    /// The account that wrote it; absent when the account is gone.
    pub user_id: Option<i64>,
    /// The App that wrote it in somebody's name, if one did.
    pub via_app: Option<i64>,
    /// When it was written.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was last edited.
    pub updated_at: Option<DateTime<Utc>>,
}

impl RemoteComment {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: int(value, "id")?,
            body: text(value, "body").unwrap_or_default(),
            html_url: filled(value, "html_url"),
            user_id: id_of(value, "user"),
            via_app: id_of(value, "performed_via_github_app"),
            created_at: time(value, "created_at"),
            updated_at: time(value, "updated_at"),
        })
    }
}

/// Which comments a list shall hold (oldest first, 100 a page).
#[derive(Debug, Clone, Copy, Default)]
pub struct CommentQuery<'a> {
    /// Only those edited at or after this (cut to whole seconds).
    pub since: Option<DateTime<Utc>>,
    /// The next page as an earlier [`CommentPage`] named it.
    pub next: Option<&'a str>,
}

/// One page of comments.
#[derive(Debug, Clone)]
pub struct CommentPage {
    /// The comments.
    pub comments: Vec<RemoteComment>,
    /// Where the next page is; opaque.
    pub next: Option<String>,
}

impl Session {
    /// Writes a comment on an issue or pull request.
    ///
    /// # Errors
    /// [`CallError::Unknown`] when it may have been written: list before writing again.
    pub async fn create_comment(&self, repo: &RepoPath, number: i64, body: &str) -> Result<RemoteComment, CallError> {
        let number = number.to_string();
        let url = self.url(&["repos", repo.owner(), repo.name(), "issues", &number, "comments"])?;
        let answer = self.write(Method::POST, url, &json!({ "body": body })).await?;
        comment_in(&answer.json(StatusCode::CREATED)?, StatusCode::CREATED)
    }

    /// Replaces a comment's text. May be repeated at will.
    ///
    /// # Errors
    /// See [`CallError`]; not found: somebody deleted it.
    pub async fn edit_comment(&self, repo: &RepoPath, id: i64, body: &str) -> Result<RemoteComment, CallError> {
        let url = self.url(&["repos", repo.owner(), repo.name(), "issues", "comments", &id.to_string()])?;
        let answer = self.write(Method::PATCH, url, &json!({ "body": body })).await?;
        comment_in(&answer.json(StatusCode::OK)?, StatusCode::OK)
    }

    /// One comment.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn comment(&self, repo: &RepoPath, id: i64) -> Result<RemoteComment, CallError> {
        let url = self.url(&["repos", repo.owner(), repo.name(), "issues", "comments", &id.to_string()])?;
        comment_in(&self.get(url, ONE).await?.json(StatusCode::OK)?, StatusCode::OK)
    }

    /// The comments of an issue or pull request.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list_comments(
        &self,
        repo: &RepoPath,
        number: i64,
        query: CommentQuery<'_>,
    ) -> Result<CommentPage, CallError> {
        let url = match query.next {
            Some(next) => self.page_url(next)?,
            None => {
                let number = number.to_string();
                let mut url = self.url(&["repos", repo.owner(), repo.name(), "issues", &number, "comments"])?;
                url.query_pairs_mut().append_pair("per_page", "100");
                if let Some(since) = query.since {
                    url.query_pairs_mut().append_pair("since", &since.to_rfc3339_opts(SecondsFormat::Secs, true));
                }
                url
            }
        };
        let answer = self.get(url, MANY).await?;
        let items: Vec<Value> = answer.json(StatusCode::OK)?;
        let comments = items.iter().map(|item| comment_in(item, StatusCode::OK)).collect::<Result<_, _>>()?;
        Ok(CommentPage { comments, next: answer.next_page() })
    }
}

fn comment_in(value: &Value, status: StatusCode) -> Result<RemoteComment, CallError> {
    RemoteComment::read(value).ok_or_else(|| CallError::unknown(status.as_u16(), "the answer holds no comment id"))
}
