//! Labels that were taken off: the news may be matched before the news that they were put on, which then must not
//! start anything any more.

use super::text::bounded;
use super::{Moment, Store, StoreError, Tx};
use crate::ids::DeliveryId;

/// A label on an issue or pull request, at the time of an event about it.
#[derive(Debug, Clone, Copy)]
pub struct Labelling<'a> {
    /// Number of the repository.
    pub repo: i64,
    /// Number of the issue or pull request.
    pub subject: i64,
    /// The label, in any case.
    pub label: &'a str,
    /// When the event happened.
    pub at: Moment,
    /// The delivery that tells of it: senders' times are whole seconds, and the order of arrival parts equal ones.
    pub delivery: DeliveryId,
}

impl Labelling<'_> {
    /// The lock that keeps putting on and taking off apart.
    #[must_use]
    pub fn lock(&self) -> String {
        format!("label:{}:{}:{}", self.repo, self.subject, self.label.to_lowercase())
    }
}

impl Tx {
    /// Remembers that a label was taken off; the latest time counts.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is remembered.
    pub async fn remember_unlabel(&mut self, off: Labelling<'_>, now: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* remember_unlabel */
            INSERT INTO unlabels (repo_id, subject_number, label, at, delivery_id, recorded_at)
            VALUES ($1, $2, left(lower($3), 255), $4, $5, $6)
            ON CONFLICT (repo_id, subject_number, label) DO UPDATE
            SET at = excluded.at, delivery_id = excluded.delivery_id, recorded_at = excluded.recorded_at
            WHERE (unlabels.at, unlabels.delivery_id) < (excluded.at, excluded.delivery_id)",
            off.repo,
            off.subject,
            &bounded(off.label),
            off.at,
            off.delivery.0,
            now,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Whether a label was taken off after it was put on by this event.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn taken_off_since(&mut self, on: Labelling<'_>) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* taken_off_since */
            SELECT EXISTS (
                SELECT FROM unlabels
                WHERE repo_id = $1 AND subject_number = $2 AND label = left(lower($3), 255)
                  AND (at, delivery_id) > ($4, $5)) AS "taken_off!""#,
            on.repo,
            on.subject,
            &bounded(on.label),
            on.at,
            on.delivery.0,
        )
        .fetch_one(self.connection())
        .await?)
    }
}

impl Store {
    /// Deletes what was remembered before `before`.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_unlabels(&self, before: Moment) -> Result<u64, StoreError> {
        Ok(sqlx::query!("/* forget_unlabels */ DELETE FROM unlabels WHERE recorded_at < $1", before)
            .execute(&self.work)
            .await?
            .rows_affected())
    }
}
