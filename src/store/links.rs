//! Chat accounts: the link and the code by which one proves to belong to a person, and the binding itself. One row an
//! account, so that a new link takes the place of the one before, and a sign-in through it that of the one before.

use super::{Moment, Store, StoreError};
use crate::domain::identity::Identity;
use crate::ids::PersonId;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What became of a code that was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeCheck {
    /// It is the right one; the account is bound now.
    Bound(PersonId),
    /// There is no code that waits for this account, or it is too old.
    None,
    /// It is another one; so many tries are left.
    Wrong(i32),
}

impl Store {
    /// Notes a new link for a chat account, in place of an older one. A code that waits stays, with the tries that are left:
    /// whatever an account without a person says gets it a new link, also while its owner reads the code.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn put_link(&self, of: &Identity, link: &Hash, now: Moment, end: Moment) -> Result<(), StoreError> {
        sqlx::query!(
            "/* put_link */
            INSERT INTO chat_links (platform, team, account, link_hash, link_expires_at, made_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (platform, team, account) DO UPDATE SET link_hash = $4, link_expires_at = $5, made_at = $6",
            of.platform(),
            of.team(),
            of.account(),
            link.as_slice(),
            end,
            now
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Whose link this is, if it is still good. Looking takes nothing.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn link(&self, link: &Hash, now: Moment) -> Result<Option<Identity>, StoreError> {
        let row = sqlx::query!(
            "/* link */ SELECT platform, team, account FROM chat_links WHERE link_hash = $1 AND link_expires_at > $2",
            link.as_slice(),
            now
        )
        .fetch_optional(&self.work)
        .await?;
        Ok(row.and_then(|row| Identity::new(&row.platform, &row.team, &row.account).ok()))
    }

    /// Takes a link: of several browsers that use it at once, one gets it. A code of an earlier sign-in ends with it.
    ///
    /// # Errors
    /// [`StoreError`]: whether it was taken is not known; then it is too late for it.
    pub async fn take_link(&self, link: &Hash, now: Moment) -> Result<Option<Identity>, StoreError> {
        let row = sqlx::query!(
            "/* take_link: the row's lock decides a race */
            UPDATE chat_links SET link_hash = NULL, person_id = NULL, code_hash = NULL, code_expires_at = NULL, code_tries = 0
            WHERE link_hash = $1 AND link_expires_at > $2
            RETURNING platform, team, account",
            link.as_slice(),
            now
        )
        .fetch_optional(&self.work)
        .await?;
        Ok(row.and_then(|row| Identity::new(&row.platform, &row.team, &row.account).ok()))
    }

    /// Lets a code wait that the account has to type back. Answers false when the account has asked for a newer link.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn put_code(
        &self,
        of: &Identity,
        person: PersonId,
        code: &Hash,
        end: Moment,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* put_code */
            UPDATE chat_links SET person_id = $4, code_hash = $5, code_expires_at = $6, code_tries = 0
            WHERE platform = $1 AND team = $2 AND account = $3 AND link_hash IS NULL AND code_hash IS NULL",
            of.platform(),
            of.team(),
            of.account(),
            person.0,
            code.as_slice(),
            end
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Checks a code that an account typed, among those that one of our keys makes of it. The right one binds the
    /// account; the last wrong one of `tries` ends it.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn check_code(
        &self,
        of: &Identity,
        codes: &[Vec<u8>],
        tries: i32,
        now: Moment,
    ) -> Result<CodeCheck, StoreError> {
        let mut tx = self.begin().await?;
        let tried = sqlx::query!(
            "/* check_code: the try is counted whatever it was; the row's lock lets no two be one */
            UPDATE chat_links SET code_tries = code_tries + 1
            WHERE platform = $1 AND team = $2 AND account = $3 AND code_hash IS NOT NULL AND code_expires_at > $4
              AND code_tries < $5
            RETURNING person_id, code_hash = ANY($6) AS right, code_tries",
            of.platform(),
            of.team(),
            of.account(),
            now,
            tries,
            codes
        )
        .fetch_optional(tx.connection())
        .await?;
        let Some(tried) = tried else { return Ok(CodeCheck::None) };
        let Some(person) = tried.person_id.filter(|_| tried.right == Some(true)) else {
            tx.commit().await?;
            return Ok(CodeCheck::Wrong((tries - tried.code_tries).max(0)));
        };
        sqlx::query!(
            "/* bind_identity */
            WITH done AS (DELETE FROM chat_links WHERE platform = $1 AND team = $2 AND account = $3)
            INSERT INTO identities (platform, team, account, person_id, linked_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (platform, team, account) DO UPDATE SET person_id = $4, linked_at = $5",
            of.platform(),
            of.team(),
            of.account(),
            person.0,
            now
        )
        .execute(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(CodeCheck::Bound(person))
    }

    /// The codes that wait for other accounts of the same place, the newest first.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn codes_beside(
        &self,
        typed_by: &Identity,
        limit: i64,
        now: Moment,
    ) -> Result<Vec<(Identity, Vec<u8>)>, StoreError> {
        let rows = sqlx::query!(
            r#"/* codes_beside */
            SELECT account, code_hash AS "code_hash!" FROM chat_links
            WHERE platform = $1 AND team = $2 AND account <> $3 AND code_hash IS NOT NULL AND code_expires_at > $4
            ORDER BY made_at DESC LIMIT $5"#,
            typed_by.platform(),
            typed_by.team(),
            typed_by.account(),
            now,
            limit
        )
        .fetch_all(&self.work)
        .await?;
        let identity = |account: &str| Identity::new(typed_by.platform(), typed_by.team(), account).ok();
        Ok(rows.into_iter().filter_map(|row| Some((identity(&row.account)?, row.code_hash))).collect())
    }

    /// Ends a code that waits.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn end_code(&self, of: &Identity, code: &[u8]) -> Result<(), StoreError> {
        sqlx::query!(
            "/* end_code */ DELETE FROM chat_links WHERE platform = $1 AND team = $2 AND account = $3 AND code_hash = $4",
            of.platform(),
            of.team(),
            of.account(),
            code
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// The person that a chat account is bound to.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn identity(&self, of: &Identity) -> Result<Option<PersonId>, StoreError> {
        Ok(sqlx::query_scalar!(
            "/* identity */ SELECT person_id FROM identities WHERE platform = $1 AND team = $2 AND account = $3",
            of.platform(),
            of.team(),
            of.account()
        )
        .fetch_optional(&self.work)
        .await?)
    }

    /// The chat accounts bound to a person.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn identities_of(&self, person: PersonId) -> Result<Vec<(Identity, Moment)>, StoreError> {
        let rows = sqlx::query!(
            "/* identities_of */
            SELECT platform, team, account, linked_at FROM identities WHERE person_id = $1
            ORDER BY linked_at, platform, team, account LIMIT 100",
            person.0
        )
        .fetch_all(&self.work)
        .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| Some((Identity::new(&row.platform, &row.team, &row.account).ok()?, row.linked_at)))
            .collect())
    }

    /// Takes a chat account off the person it is bound to, and ends what it has begun. Answers whether it was bound.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn remove_identity(&self, of: &Identity) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* remove_identity */
            WITH begun AS (DELETE FROM chat_links WHERE platform = $1 AND team = $2 AND account = $3)
            DELETE FROM identities WHERE platform = $1 AND team = $2 AND account = $3",
            of.platform(),
            of.team(),
            of.account()
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }
}
