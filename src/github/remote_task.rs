//! What GitHub says about a task, read so that a preview API may change under us: states stay raw, artifacts of
//! unknown kinds are kept, fields of unexpected shape count as absent. Only a task without an id is no task.

use chrono::{DateTime, Utc};
use serde_json::{Number, Value};

use super::lenient::{filled, id_of, int, list, text, time};

/// A task as the remote API tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteTask {
    /// Opaque id.
    pub id: String,
    /// The state in GitHub's words, known here or not; empty when it said none.
    pub state: String,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// Its page.
    pub html_url: Option<String>,
    /// A name made from the prompt.
    pub name: Option<String>,
    /// The account that made it.
    pub creator_id: Option<i64>,
    /// The repository's owner.
    pub owner_id: Option<i64>,
    /// The repository.
    pub repository_id: Option<i64>,
    /// What it produced.
    pub artifacts: Vec<Artifact>,
    /// Whether it was put away.
    pub archived: bool,
    /// Its sessions; only get-one tells them.
    pub sessions: Option<Vec<RemoteSession>>,
}

impl RemoteTask {
    /// Reads a task; nothing when it has no id.
    pub(super) fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: filled(value, "id")?,
            state: text(value, "state").unwrap_or_default(),
            created_at: time(value, "created_at"),
            updated_at: time(value, "updated_at"),
            html_url: filled(value, "html_url"),
            name: filled(value, "name"),
            creator_id: id_of(value, "creator"),
            owner_id: id_of(value, "owner"),
            repository_id: id_of(value, "repository"),
            artifacts: list(value, "artifacts").iter().map(Artifact::read).collect(),
            archived: value.get("archived_at").is_some_and(|at| !at.is_null()),
            sessions: value
                .get("sessions")
                .and_then(Value::as_array)
                .map(|sessions| sessions.iter().filter_map(RemoteSession::read).collect()),
        })
    }
}

/// Something a task produced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// A pull request, by its resource id. This is **not** its number: see `Session::resolve_pull`.
    Pull {
        /// The pull request's number across the whole host.
        id: i64,
        /// The same as a node id.
        global_id: Option<String>,
    },
    /// A branch.
    Branch {
        /// The branch with the changes.
        head_ref: String,
        /// The branch it started from; empty when not told.
        base_ref: String,
    },
    /// A kind or shape that this version does not know.
    Other {
        /// GitHub's word for it.
        type_: String,
    },
}

impl Artifact {
    fn read(value: &Value) -> Self {
        let type_ = text(value, "type").unwrap_or_default();
        let data = value.get("data").unwrap_or(&Value::Null);
        let known = match type_.as_str() {
            "pull" => int(data, "id").map(|id| Self::Pull { id, global_id: filled(data, "global_id") }),
            "branch" => filled(data, "head_ref")
                .map(|head_ref| Self::Branch { head_ref, base_ref: text(data, "base_ref").unwrap_or_default() }),
            _ => None,
        };
        known.unwrap_or(Self::Other { type_ })
    }
}

/// One run of the agent within a task.
#[derive(Clone, PartialEq)]
pub struct RemoteSession {
    /// Opaque id.
    pub id: String,
    /// The state in GitHub's words.
    pub state: String,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// What the agent was told; our marker is its last line.
    pub prompt: Option<String>,
    /// The branch with the changes.
    pub head_ref: Option<String>,
    /// The branch it started from.
    pub base_ref: Option<String>,
    /// The model that ran.
    pub model: Option<String>,
    /// What it cost.
    pub usage: Option<Usage>,
    /// Why it failed, if it says so. Written outside: clean it before showing.
    pub error_message: Option<String>,
}

impl std::fmt::Debug for RemoteSession {
    /// Without texts that hold the prompt, and so the marker.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteSession")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("created_at", &self.created_at)
            .field("updated_at", &self.updated_at)
            .finish_non_exhaustive()
    }
}

impl RemoteSession {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: filled(value, "id")?,
            state: text(value, "state").unwrap_or_default(),
            created_at: time(value, "created_at"),
            updated_at: time(value, "updated_at"),
            completed_at: time(value, "completed_at"),
            prompt: text(value, "prompt"),
            head_ref: filled(value, "head_ref"),
            base_ref: filled(value, "base_ref"),
            model: filled(value, "model"),
            usage: value.get("usage").and_then(Usage::read),
            error_message: value.get("error").and_then(|error| filled(error, "message")),
        })
    }
}

/// What a session cost, in the unit that GitHub names.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// `ai_credits` (whole nano-units: a thousand-millionth of a credit), `premium_requests` (may be a fraction),
    /// or a unit that this version does not know.
    pub kind: String,
    /// The amount as sent; whole numbers stay exact.
    pub amount: Number,
}

impl Usage {
    fn read(value: &Value) -> Option<Self> {
        Some(Self { kind: filled(value, "type")?, amount: value.get("amount")?.as_number()?.clone() })
    }

    /// The amount as a whole number, if it is one (also when written `1e9` or `3.0`).
    #[must_use]
    pub fn whole(&self) -> Option<i64> {
        /// Beyond this a floating number no longer tells neighbours apart.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        self.amount.as_i64().or_else(|| {
            let amount = self.amount.as_f64().filter(|amount| amount.fract() == 0.0 && amount.abs() <= EXACT)?;
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, as checked above")]
            Some(amount as i64)
        })
    }
}
