//! A delivery as it is recorded, stored, taken up and ended: what the statements about deliveries take and give.

use serde::Serialize;

use crate::ids::DeliveryId;
use crate::store::Moment;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for the match step.
    Received,
    /// Rules looked at it.
    Processed,
    /// No rule listens to it.
    Ignored,
    /// It repeats an earlier delivery.
    Duplicate,
    /// It cannot be read, or processing it failed for good.
    Failed,
}

/// A delivery as it is recorded.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The configured source.
    pub source: String,
    /// Which hook sent it; empty if unknown. At most 128 characters.
    pub hook_id: String,
    /// The sender's id of it. At most 128 characters.
    pub sender_id: String,
    /// The kind of event. At most 128 characters.
    pub event_name: String,
    /// How the body reads. At most 128 characters.
    pub content_type: String,
    /// The raw body.
    pub body: bytes::Bytes,
    /// What tells it from another: SHA-256 of the body, of its signature, or of an id that is signed.
    pub body_hash: [u8; 32],
    /// When it came.
    pub received_at: Moment,
    /// Its end, when it concerns nobody; else it waits for the match step.
    pub end: Option<End>,
}

/// How a delivery ends.
#[derive(Debug, Clone)]
pub struct End {
    /// The state in which it stays.
    pub state: DeliveryState,
    /// Why, in words; empty when its decisions say it.
    pub reason: String,
    /// What happened, as read.
    pub action: String,
    /// Who did it, as read.
    pub actor_login: String,
    /// Where, as read.
    pub repo_name: String,
    /// The page it is about, as read.
    pub subject_url: String,
    /// The rule set it was matched with.
    pub rule_version: String,
    /// The earlier delivery that it repeats.
    pub duplicate_of: Option<DeliveryId>,
}

impl End {
    /// The end of a delivery about which nothing else is known.
    #[must_use]
    pub fn new(state: DeliveryState, reason: &str) -> Self {
        Self {
            state,
            reason: reason.to_owned(),
            action: String::new(),
            actor_login: String::new(),
            repo_name: String::new(),
            subject_url: String::new(),
            rule_version: String::new(),
            duplicate_of: None,
        }
    }
}

/// What became of one recorded delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is new.
    New(DeliveryId),
    /// The same delivery was recorded before.
    Seen(DeliveryId),
    /// The sender's id was recorded before with another body.
    Conflict(DeliveryId),
}

/// A delivery as stored, without its body.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Delivery {
    pub id: DeliveryId,
    pub source: String,
    pub hook_id: String,
    pub sender_id: String,
    pub event_name: String,
    pub content_type: String,
    pub received_at: Moment,
    pub state: DeliveryState,
    pub reason: Option<String>,
    pub action: Option<String>,
    pub actor_login: Option<String>,
    pub repo_name: Option<String>,
    pub subject_url: Option<String>,
    pub rule_version: Option<String>,
    pub duplicate_of: Option<DeliveryId>,
    pub processed_at: Option<Moment>,
    pub tries: i16,
}

impl Delivery {
    /// The sender's name of what happened, such as `issues.labeled`.
    #[must_use]
    pub fn full_name(&self) -> String {
        match self.action.as_deref() {
            Some(action) if !action.is_empty() => format!("{}.{action}", self.event_name),
            _ => self.event_name.clone(),
        }
    }
}

/// A delivery taken up by the match step.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct ClaimedDelivery {
    pub id: DeliveryId,
    pub source: String,
    pub hook_id: String,
    pub sender_id: String,
    pub event_name: String,
    pub content_type: String,
    pub body: Option<Vec<u8>>,
    pub received_at: Moment,
    pub tries: i16,
    pub trying_since: Option<Moment>,
}

/// That a delivery is tried again later.
#[derive(Debug, Clone, Copy)]
pub struct PutOff<'a> {
    /// When.
    pub until: Moment,
    /// Why.
    pub why: &'a str,
    /// Since when it is tried in vain.
    pub since: Moment,
}
