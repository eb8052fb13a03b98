//! Labels that were taken off: the news may be matched before the news that they were put on, which then must not
//! start anything any more.

use std::borrow::Cow;
use std::collections::HashSet;

use super::many::column;
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

    /// For each event that put a label on, whether the label was taken off after it.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn taken_off_since(&mut self, on: &[Labelling<'_>]) -> Result<Vec<bool>, StoreError> {
        let on: Vec<&Labelling<'_>> = on.iter().collect();
        let off = sqlx::query_scalar!(
            r#"/* taken_off_since */
            SELECT put.place AS "place!"
            FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::uuid[]) WITH ORDINALITY
                 AS put (repo, subject, label, at, delivery, place)
            JOIN unlabels u ON u.repo_id = put.repo AND u.subject_number = put.subject
                           AND u.label = left(lower(put.label), 255)
            WHERE (u.at, u.delivery_id) > (put.at, put.delivery)"#,
            &column(&on, |on| on.repo),
            &column(&on, |on| on.subject),
            &column(&on, |on| bounded(on.label)) as &[Cow<'_, str>],
            &column(&on, |on| on.at),
            &column(&on, |on| on.delivery.0),
        )
        .fetch_all(self.connection())
        .await?;
        let off: HashSet<i64> = off.into_iter().collect();
        Ok((1..).zip(&on).map(|(place, _)| off.contains(&place)).collect())
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
