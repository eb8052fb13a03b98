//! What rules said to a delivery, and the end of its match step.

use std::borrow::Cow;

use serde::Serialize;
use uuid::Uuid;

use super::deliveries::{DeliveryState, End};
use super::text::bounded;
use super::{Lease, Moment, Store, StoreError};
use crate::clock::Ground;
use crate::ids::{DecisionId, DeliveryId, TaskId};

/// What a rule said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Verdict {
    /// It became a task, or the wish already had one.
    Matched,
    /// Its condition is false for this event.
    NotMatched,
    /// A guard said no.
    Refused,
    /// The rule itself failed: a condition or template error.
    Failed,
}

/// What one candidate rule said to one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDecision {
    /// Place of the rule in its set.
    pub position: usize,
    /// The rule.
    pub rule: String,
    /// What it said.
    pub verdict: Verdict,
    /// Why, in words.
    pub cause: String,
    /// The values it saw.
    pub saw: String,
    /// The task it became.
    pub task_id: Option<TaskId>,
}

/// A decision as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Decision {
    pub id: DecisionId,
    pub delivery_id: DeliveryId,
    pub position: i32,
    pub rule: String,
    pub verdict: Verdict,
    pub cause: String,
    pub saw: String,
    pub task_id: Option<TaskId>,
    pub decided_at: Moment,
}

/// The end of a delivery's match step.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The delivery.
    pub id: DeliveryId,
    /// The lease under which it was taken up.
    pub lease: Lease,
    /// How it ends.
    pub end: End,
    /// What the candidate rules said.
    pub decisions: Vec<NewDecision>,
}

impl super::Tx {
    /// Writes the decisions and the ends of many deliveries. Answers those whose leases were still
    /// ours; the caller rolls back if one it made a task for is missing.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is written.
    pub async fn finish_deliveries(
        &mut self,
        ground: &Ground,
        finished: &[Finished],
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let now = ground.now();
        let ids: Vec<Uuid> = finished.iter().map(|f| f.id.0).collect();
        let leases: Vec<Uuid> = finished.iter().map(|f| f.lease.token).collect();
        let states: Vec<DeliveryState> = finished.iter().map(|f| f.end.state).collect();
        let text =
            |pick: fn(&End) -> &str| -> Vec<Cow<'_, str>> { finished.iter().map(|f| bounded(pick(&f.end))).collect() };
        let duplicates: Vec<Option<Uuid>> = finished.iter().map(|f| f.end.duplicate_of.map(|d| d.0)).collect();
        let done: Vec<Uuid> = sqlx::query_scalar!(
            r#"/* finish_deliveries: fenced by the lease */
            UPDATE deliveries d
            SET state = f.state, reason = nullif(f.reason, ''), action = nullif(f.action, ''),
                actor_login = nullif(f.actor, ''), repo_name = nullif(f.repo, ''), subject_url = nullif(f.url, ''),
                rule_version = f.version, duplicate_of = f.duplicate, processed_at = $1,
                lease = NULL, lease_until = NULL
            FROM UNNEST($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                        $10::text[], $11::uuid[])
                AS f (id, lease, state, reason, action, actor, repo, url, version, duplicate)
            WHERE d.id = f.id AND d.lease = f.lease
            RETURNING d.id AS "id: Uuid""#,
            now,
            &ids,
            &leases,
            &states as &[DeliveryState],
            &text(|end| &end.reason) as &[Cow<'_, str>],
            &text(|end| &end.action) as &[Cow<'_, str>],
            &text(|end| &end.actor_login) as &[Cow<'_, str>],
            &text(|end| &end.repo_name) as &[Cow<'_, str>],
            &text(|end| &end.subject_url) as &[Cow<'_, str>],
            &text(|end| &end.rule_version) as &[Cow<'_, str>],
            &duplicates as &[Option<Uuid>],
        )
        .fetch_all(self.connection())
        .await?;
        let kept: Vec<&Finished> = finished.iter().filter(|f| done.contains(&f.id.0)).collect();
        self.add_decisions(ground, now, &kept).await?;
        Ok(done.into_iter().map(DeliveryId).collect())
    }

    async fn add_decisions(&mut self, ground: &Ground, now: Moment, finished: &[&Finished]) -> Result<(), StoreError> {
        let rows: Vec<(DeliveryId, &NewDecision)> =
            finished.iter().flat_map(|f| f.decisions.iter().map(|d| (f.id, d))).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = rows.iter().map(|_| DecisionId::new(ground).0).collect();
        let deliveries: Vec<Uuid> = rows.iter().map(|(id, _)| id.0).collect();
        let positions: Vec<i32> = rows.iter().map(|(_, d)| i32::try_from(d.position).unwrap_or(i32::MAX)).collect();
        let rules: Vec<&str> = rows.iter().map(|(_, d)| d.rule.as_str()).collect();
        let verdicts: Vec<Verdict> = rows.iter().map(|(_, d)| d.verdict).collect();
        let causes: Vec<Cow<'_, str>> = rows.iter().map(|(_, d)| bounded(&d.cause)).collect();
        let saws: Vec<Cow<'_, str>> = rows.iter().map(|(_, d)| bounded(&d.saw)).collect();
        let tasks: Vec<Option<Uuid>> = rows.iter().map(|(_, d)| d.task_id.map(|t| t.0)).collect();
        sqlx::query!(
            "/* add_decisions */
            INSERT INTO decisions (id, delivery_id, position, rule, verdict, cause, saw, task_id, decided_at)
            SELECT d.*, $9 FROM UNNEST($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[],
                                       $7::text[], $8::uuid[]) AS d",
            &ids,
            &deliveries,
            &positions,
            &rules as &[&str],
            &verdicts as &[Verdict],
            &causes as &[Cow<'_, str>],
            &saws as &[Cow<'_, str>],
            &tasks as &[Option<Uuid>],
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Store {
    /// What the rules said to a delivery, in their order.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn decisions(&self, delivery: DeliveryId) -> Result<Vec<Decision>, StoreError> {
        Ok(sqlx::query_as!(
            Decision,
            "/* decisions */ SELECT * FROM decisions WHERE delivery_id = $1 ORDER BY position, id LIMIT 1000",
            delivery.0
        )
        .fetch_all(&self.work)
        .await?)
    }
}
