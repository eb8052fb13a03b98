//! Counts of requests turned away at the door; nothing else of them is kept.

use super::{Moment, Store, StoreError};

/// How many requests of a source were turned away for a reason in an hour.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct RefusalCount {
    pub hour: Moment,
    pub source: String,
    pub reason: String,
    pub count: i64,
}

impl Store {
    /// Adds to the counts of an hour.
    ///
    /// # Errors
    /// [`StoreError`]: keep the counts and retry.
    pub async fn add_refusals(&self, counts: &[RefusalCount]) -> Result<(), StoreError> {
        let hours: Vec<Moment> = counts.iter().map(|c| c.hour).collect();
        let sources: Vec<&str> = counts.iter().map(|c| c.source.as_str()).collect();
        let reasons: Vec<&str> = counts.iter().map(|c| c.reason.as_str()).collect();
        let numbers: Vec<i64> = counts.iter().map(|c| c.count).collect();
        sqlx::query!(
            "/* add_refusals */
            INSERT INTO refusals (hour, source, reason, count)
            SELECT * FROM UNNEST($1::timestamptz[], $2::text[], $3::text[], $4::bigint[])
            ON CONFLICT (hour, source, reason) DO UPDATE SET count = refusals.count + excluded.count",
            &hours,
            &sources as &[&str],
            &reasons as &[&str],
            &numbers
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// The counts since an hour, newest first.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn refusals(&self, since: Moment) -> Result<Vec<RefusalCount>, StoreError> {
        Ok(sqlx::query_as!(
            RefusalCount,
            "/* refusals */ SELECT * FROM refusals WHERE hour >= $1 ORDER BY hour DESC, source, reason LIMIT 1000",
            since
        )
        .fetch_all(&self.work)
        .await?)
    }
}
