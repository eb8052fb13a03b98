//! Names that become parts of a URL, held so that no name can change which call is made.

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::error::CallError;

/// `owner/name`: where a repository is today. Names change; keep the repository's number and look the path up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath {
    owner: String,
    name: String,
}

/// A text that is no repository path. Nothing to retry: whoever wrote it must correct it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a repository is written owner/name, in letters, digits, '-', '_' and '.'")]
pub struct BadRepoPath;

impl RepoPath {
    /// Takes an owner's login and a repository's name.
    ///
    /// # Errors
    /// When either holds a character that GitHub does not allow in names.
    pub fn new(owner: impl Into<String>, name: impl Into<String>) -> Result<Self, BadRepoPath> {
        let path = Self { owner: owner.into(), name: name.into() };
        if is_name(&path.owner) && is_name(&path.name) { Ok(path) } else { Err(BadRepoPath) }
    }

    /// The owner's login.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The repository's name without the owner.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && !matches!(text, "." | "..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

impl std::fmt::Display for RepoPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl std::str::FromStr for RepoPath {
    type Err = BadRepoPath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (owner, name) = text.split_once('/').ok_or(BadRepoPath)?;
        Self::new(owner, name)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = BadRepoPath;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> Self {
        path.to_string()
    }
}

/// `base` with `segments` added, each percent-encoded. Empty and dot segments are refused: they would shorten
/// the path (a label named `..` would otherwise turn "take off one label" into "take off all").
pub(super) fn join(base: &Url, segments: &[&str]) -> Result<Url, CallError> {
    if segments.iter().any(|segment| matches!(segment.trim(), "" | "." | "..")) {
        return Err(CallError::unsendable("a name in the request is empty or made of dots"));
    }
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut path) => {
            path.pop_if_empty().extend(segments);
        }
        Err(()) => return Err(CallError::unsendable("the API's address cannot take a path")),
    }
    Ok(url)
}

/// Whether `other` is the same server as `base`, asked the same way and without credentials of its own: the only
/// places a token may be sent.
pub(super) fn same_server(base: &Url, other: &Url) -> bool {
    base.origin() == other.origin() && other.username().is_empty() && other.password().is_none()
}
