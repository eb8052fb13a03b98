//! Tokens that are no longer wanted here and still good at GitHub: sealed, for no longer than a day, to be ended there.

use uuid::Uuid;

use super::{Moment, Store, StoreError, Tx};
use crate::ids::PersonId;

/// What is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhatEnds {
    /// All that the person gave this app.
    Grant,
    /// The token alone.
    Token,
}

impl WhatEnds {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Token => "token",
        }
    }
}

impl From<String> for WhatEnds {
    fn from(stored: String) -> Self {
        if stored == "grant" { Self::Grant } else { Self::Token }
    }
}

/// A token to be ended at GitHub.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct Revocation {
    pub id: Uuid,
    pub person_id: PersonId,
    pub what: WhatEnds,
    pub token: Vec<u8>,
    pub created_at: Moment,
    pub due_at: Moment,
}

impl Tx {
    /// Writes down that a token is to be ended.
    ///
    /// # Errors
    /// [`StoreError`]: it is not written.
    pub async fn keep_revocation(&mut self, kept: &Revocation) -> Result<(), StoreError> {
        sqlx::query!(
            "/* keep_revocation */
            INSERT INTO revocations (id, person_id, what, token, created_at, due_at) VALUES ($1, $2, $3, $4, $5, $6)",
            kept.id,
            kept.person_id.0,
            kept.what.as_str(),
            kept.token,
            kept.created_at,
            kept.due_at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Store {
    /// Removes a person whose token is of this version, with the consents, and writes down in the same statement what is to
    /// be ended at GitHub. Answers whether there was one of this version.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn remove_person_with(
        &self,
        id: PersonId,
        version: Uuid,
        kept: Option<&Revocation>,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* remove_person_with */
            WITH gone AS (DELETE FROM people WHERE id = $1 AND token_version = $2 RETURNING id),
            kept AS (INSERT INTO revocations (id, person_id, what, token, created_at, due_at)
                     SELECT $3, id, $4, $5, $6, $7 FROM gone WHERE $3::uuid IS NOT NULL)
            SELECT EXISTS (SELECT FROM gone) AS "gone!""#,
            id.0,
            version,
            kept.map(|kept| kept.id) as _,
            kept.map(|kept| kept.what.as_str()) as _,
            kept.map(|kept| &*kept.token) as _,
            kept.map(|kept| kept.created_at) as _,
            kept.map(|kept| kept.due_at) as _
        )
        .fetch_one(&self.work)
        .await?)
    }

    /// Takes up what is due; nobody else does until `until`.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn take_revocations(
        &self,
        now: Moment,
        until: Moment,
        limit: i64,
    ) -> Result<Vec<Revocation>, StoreError> {
        Ok(sqlx::query_as!(
            Revocation,
            "/* take_revocations: ended twice does no harm, so that the time alone is the lease */
            UPDATE revocations SET due_at = $2 WHERE id = ANY (ARRAY(
                SELECT id FROM revocations WHERE due_at <= $1 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED))
            RETURNING *",
            now,
            until,
            limit
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// All of them, for a change of the sealing key.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn revocations(&self) -> Result<Vec<Revocation>, StoreError> {
        Ok(sqlx::query_as!(Revocation, "/* revocations */ SELECT * FROM revocations ORDER BY id")
            .fetch_all(&self.work)
            .await?)
    }

    /// Replaces the sealed form of a token that waits to be ended. Answers whether it still waits.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn reseal_revocation(&self, id: Uuid, token: &[u8]) -> Result<bool, StoreError> {
        Ok(sqlx::query!("/* reseal_revocation */ UPDATE revocations SET token = $2 WHERE id = $1", id, token)
            .execute(&self.work)
            .await?
            .rows_affected()
            == 1)
    }

    /// It is tried again at this time.
    ///
    /// # Errors
    /// [`StoreError`]: it is tried again earlier.
    pub async fn put_off_revocation(&self, id: Uuid, due_at: Moment) -> Result<(), StoreError> {
        sqlx::query!("/* put_off_revocation */ UPDATE revocations SET due_at = $2 WHERE id = $1", id, due_at)
            .execute(&self.work)
            .await?;
        Ok(())
    }

    /// It is done, or there is nothing to be done: the token is wiped.
    ///
    /// # Errors
    /// [`StoreError`]: it is tried again.
    pub async fn forget_revocation(&self, id: Uuid) -> Result<(), StoreError> {
        sqlx::query!("/* forget_revocation */ DELETE FROM revocations WHERE id = $1", id).execute(&self.work).await?;
        Ok(())
    }

    /// Wipes what was kept since before `before`. Answers whose it was.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn give_up_revocations(&self, before: Moment) -> Result<Vec<PersonId>, StoreError> {
        Ok(sqlx::query_scalar!(
            "/* give_up_revocations */ DELETE FROM revocations WHERE created_at <= $1 RETURNING person_id",
            before
        )
        .fetch_all(&self.work)
        .await?)
    }
}
