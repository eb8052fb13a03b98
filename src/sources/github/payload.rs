//! The parts of GitHub's payloads that we read, and nothing else: fields come and go, so every one that is
//! not essential is optional, and unknown ones are skipped.

use serde::Deserialize;

use super::super::unreadable::Unreadable;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Payload {
    pub action: Option<String>,
    pub sender: Option<User>,
    pub repository: Option<Repository>,
    pub issue: Option<Thread>,
    pub pull_request: Option<Thread>,
    pub discussion: Option<Thread>,
    pub comment: Option<Comment>,
    pub review: Option<Comment>,
    pub label: Option<Label>,
    pub workflow_run: Option<Run>,
    pub check_run: Option<Run>,
    pub alert: Option<Alert>,
    pub installation: Option<Installation>,
}

/// Whole only in the events about it; else it is its number alone.
#[derive(Debug, Deserialize)]
pub(super) struct Installation {
    pub account: Option<InstalledIn>,
}

#[derive(Debug, Deserialize)]
pub(super) struct InstalledIn {
    /// An enterprise has none.
    pub login: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub id: i64,
    pub login: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Repository {
    pub id: i64,
    pub name: String,
    pub owner: Owner,
    #[serde(default)]
    pub private: bool,
    #[serde(default)]
    pub fork: bool,
    pub default_branch: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Owner {
    /// `push` has only `name`.
    pub login: Option<String>,
    pub name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Thread {
    pub id: i64,
    pub number: i64,
    pub title: Option<String>,
    pub body: Option<String>,
    #[serde(default)]
    pub html_url: String,
    pub user: Option<User>,
    #[serde(default)]
    pub author_association: String,
    #[serde(default)]
    pub labels: Vec<Label>,
    pub state: Option<String>,
    pub updated_at: Option<String>,
    /// On an issue: it is a pull request.
    pub pull_request: Option<serde::de::IgnoredAny>,
    pub head: Option<End>,
    pub base: Option<End>,
}

#[derive(Debug, Deserialize)]
pub(super) struct End {
    #[serde(rename = "ref")]
    pub branch: String,
    pub repo: Option<Id>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Id {
    pub id: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Comment {
    pub id: i64,
    pub body: Option<String>,
    #[serde(default)]
    pub html_url: String,
    #[serde(default)]
    pub author_association: String,
    pub user: Option<User>,
    pub performed_via_github_app: Option<Id>,
    pub updated_at: Option<String>,
    pub submitted_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Label {
    /// Absent in some old payloads' lists.
    #[serde(default)]
    pub id: i64,
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub id: i64,
    pub name: Option<String>,
    #[serde(default)]
    pub html_url: String,
    pub conclusion: Option<String>,
    pub head_branch: Option<String>,
    pub updated_at: Option<String>,
    pub completed_at: Option<String>,
    pub started_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Alert {
    pub number: i64,
    #[serde(default)]
    pub html_url: String,
    pub state: Option<String>,
    pub updated_at: Option<String>,
    pub created_at: Option<String>,
}

pub(super) fn parse(json: &str) -> Result<Payload, Unreadable> {
    serde_json::from_str(json).map_err(|_| {
        // Once more, slowly, to say where.
        let mut reader = serde_json::Deserializer::from_str(json);
        match serde_path_to_error::deserialize::<_, Payload>(&mut reader) {
            Err(error) if error.path().iter().next().is_some() => {
                Unreadable(format!("at `{}`: {}", error.path(), error.inner()))
            }
            Err(error) => Unreadable(error.inner().to_string()),
            Ok(_) => Unreadable("something follows the JSON document".to_owned()),
        }
    })
}
