//! Deliveries and what rules said to them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::task::TaskSummary;
use crate::store::decisions::{Decision, Verdict};
use crate::store::deliveries::{Delivery, DeliveryState};

/// A delivery in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliverySummary {
    /// Its id here.
    pub id: Uuid,
    /// The source.
    pub source: String,
    /// Which hook sent it; empty if unknown.
    pub hook_id: String,
    /// The sender's id of it.
    pub sender_id: String,
    /// The kind of event.
    pub event: String,
    /// What happened.
    pub action: Option<String>,
    /// Who did it.
    pub actor: Option<String>,
    /// Where, as `owner/name`.
    pub repo: Option<String>,
    /// The page it is about.
    pub subject_url: Option<String>,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it was ignored, is a duplicate or failed, in words.
    pub reason: Option<String>,
    /// The rule set it was matched with.
    pub rule_version: Option<String>,
    /// The earlier delivery that it repeats.
    pub duplicate_of: Option<Uuid>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// When rules had looked at it.
    pub processed_at: Option<DateTime<Utc>>,
    /// How often it was taken up.
    pub tries: i16,
}

impl From<Delivery> for DeliverySummary {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.0,
            source: delivery.source,
            hook_id: delivery.hook_id,
            sender_id: delivery.sender_id,
            event: delivery.event_name,
            action: delivery.action,
            actor: delivery.actor_login,
            repo: delivery.repo_name,
            subject_url: delivery.subject_url,
            state: delivery.state,
            reason: delivery.reason,
            rule_version: delivery.rule_version,
            duplicate_of: delivery.duplicate_of.map(|id| id.0),
            received_at: delivery.received_at,
            processed_at: delivery.processed_at,
            tries: delivery.tries,
        }
    }
}

/// One delivery with what the rules said to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryDetail {
    /// What lists show.
    #[serde(flatten)]
    pub summary: DeliverySummary,
    /// Why it became what it became, rule by rule, in words.
    pub explanation: String,
    /// What each candidate rule said, in their order.
    pub decisions: Vec<DecisionView>,
    /// The tasks that it became.
    pub tasks: Vec<TaskSummary>,
}

/// What a rule said.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionView {
    /// Place of the rule in its set, from 0.
    pub position: i32,
    /// The rule.
    pub rule: String,
    /// What it said.
    pub verdict: Verdict,
    /// The condition or guard that decided, and what to do about it, in words.
    pub cause: String,
    /// The values it saw.
    pub saw: String,
    /// The task it became, if it did.
    pub task_id: Option<Uuid>,
    /// When.
    pub decided_at: DateTime<Utc>,
}

impl From<Decision> for DecisionView {
    fn from(decision: Decision) -> Self {
        Self {
            position: decision.position,
            rule: decision.rule,
            verdict: decision.verdict,
            cause: decision.cause,
            saw: decision.saw,
            task_id: decision.task_id.map(|id| id.0),
            decided_at: decision.decided_at,
        }
    }
}
