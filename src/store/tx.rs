//! One transaction, passed through the functions that must happen together or not at all.

use super::in_time::{Bounds, On};
use super::lent::Lent;
use super::{Store, StoreError};

/// An open transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub struct Tx {
    open: Lent,
    bounds: Bounds,
}

impl Store {
    /// Opens a transaction. It must be short: never across a call to the outside.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let (mut open, bounds) = (self.work.acquire().await?, self.work.bounds().clone());
        bounds.one(open.begin()).await?;
        Ok(Tx { open, bounds })
    }
}

impl Store {
    /// Opens a transaction for statements with optional filters. Each is planned for the filters that it has
    /// got: one plan for all of them, which PostgreSQL makes after a few calls, would have to read everything.
    pub(super) async fn begin_looking(&self) -> Result<Tx, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query!("/* begin_looking */ SELECT set_config('plan_cache_mode', 'force_custom_plan', true) AS mode")
            .fetch_one(tx.connection())
            .await?;
        Ok(tx)
    }
}

impl Tx {
    pub(super) fn connection(&mut self) -> On<'_> {
        On::new(self.open.halves(), &self.bounds)
    }

    /// Makes all of it durable.
    ///
    /// # Errors
    /// [`StoreError`]: whether it was committed is not known; leases and fences make the repetition
    /// harmless.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        Ok(self.bounds.one(self.open.commit()).await?)
    }

    /// Lets only one transaction at a time, on any replica, work on what `name` stands for.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn alone_with(&mut self, name: &str) -> Result<(), StoreError> {
        self.alone_with_all(&[name.to_owned()]).await
    }

    /// The same for many names, taken in their order: where two transactions want the same ones, both must sort them.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn alone_with_all(&mut self, names: &[String]) -> Result<(), StoreError> {
        sqlx::query!(
            r#"/* alone_with: the inner ORDER BY comes before the locks */
            SELECT count(pg_advisory_xact_lock(hashtextextended(name, 7421))::text) AS "locked!"
            FROM (SELECT name FROM UNNEST($1::text[]) WITH ORDINALITY AS n (name, place) ORDER BY place) AS sorted"#,
            names
        )
        .fetch_one(self.connection())
        .await?;
        Ok(())
    }

    /// The same without waiting. Answers the names with which others are alone now; of the rest this transaction has them all.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn try_alone_with(&mut self, names: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* try_alone_with */
            SELECT name AS "name!" FROM UNNEST($1::text[]) AS n (name)
            WHERE NOT pg_try_advisory_xact_lock(hashtextextended(name, 7421))"#,
            names
        )
        .fetch_all(self.connection())
        .await?)
    }
}
