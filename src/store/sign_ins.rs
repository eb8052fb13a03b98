//! Sign-ins on their way to GitHub and back, and the short sessions after them. Only hashes of what a browser holds are
//! kept, and any replica can finish what another began.

use super::links::Hash;
use super::{Moment, Store, StoreError};
use crate::domain::identity::Identity;
use crate::ids::PersonId;

/// The most sign-ins that are on their way at once without a link from a chat: strangers can begin them. The oldest go first,
/// so that a thousand a second leave everybody more than a minute.
const ON_THEIR_WAY: i64 = 100_000;

/// A sign-in that is begun.
#[derive(Debug)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct NewSignIn<'a> {
    pub state: Hash,
    pub browser: Hash,
    pub verifier: &'a [u8],
    pub of: Option<&'a Identity>,
    pub made_at: Moment,
    pub expires_at: Moment,
}

/// A sign-in that came back.
#[derive(Debug)]
pub struct TakenSignIn {
    /// The sealed PKCE verifier.
    pub verifier: Vec<u8>,
    /// The chat account whose link it began with.
    pub of: Option<Identity>,
}

impl Store {
    /// Notes a sign-in that is begun.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn begin_sign_in(&self, new: &NewSignIn<'_>) -> Result<(), StoreError> {
        sqlx::query!(
            "/* begin_sign_in: those that are too old make room */
            WITH old AS (DELETE FROM sign_ins WHERE state_hash = ANY (ARRAY(
                SELECT state_hash FROM sign_ins WHERE expires_at <= $7 LIMIT 100 FOR UPDATE SKIP LOCKED)))
            INSERT INTO sign_ins (state_hash, browser_hash, verifier, platform, team, account, made_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            new.state.as_slice(),
            new.browser.as_slice(),
            new.verifier,
            new.of.map(Identity::platform),
            new.of.map(Identity::team),
            new.of.map(Identity::account),
            new.made_at,
            new.expires_at,
        )
        .execute(&self.work)
        .await?;
        // Chance, one in 256: to count them each time would cost more than they do.
        if new.state[0] == 0
            && let Err(error) = self.trim_sign_ins().await
        {
            tracing::warn!(%error, "too many sign-ins that were begun could not be forgotten; the next one tries again");
        }
        Ok(())
    }

    async fn trim_sign_ins(&self) -> Result<(), StoreError> {
        sqlx::query!(
            "/* trim_sign_ins */
            DELETE FROM sign_ins WHERE platform IS NULL AND expires_at < (
                SELECT expires_at FROM sign_ins WHERE platform IS NULL ORDER BY expires_at DESC OFFSET $1 LIMIT 1)",
            ON_THEIR_WAY - 1
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Takes a sign-in that came back to the browser that began it, once.
    ///
    /// # Errors
    /// [`StoreError`]: whether it was taken is not known; it is to be begun again.
    pub async fn take_sign_in(
        &self,
        state: &Hash,
        browser: &Hash,
        now: Moment,
    ) -> Result<Option<TakenSignIn>, StoreError> {
        let row = sqlx::query!(
            "/* take_sign_in: of another browser it is not even touched */
            DELETE FROM sign_ins WHERE state_hash = $1 AND browser_hash = $2 AND expires_at > $3
            RETURNING verifier, platform, team, account",
            state.as_slice(),
            browser.as_slice(),
            now
        )
        .fetch_optional(&self.work)
        .await?;
        Ok(row.map(|row| {
            let of = match (row.platform, row.team, row.account) {
                (Some(platform), Some(team), Some(account)) => Identity::new(&platform, &team, &account).ok(),
                _ => None,
            };
            TakenSignIn { verifier: row.verifier, of }
        }))
    }

    /// Opens a session for a browser in which somebody has just signed in.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn open_session(
        &self,
        token: &Hash,
        person: PersonId,
        now: Moment,
        end: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* open_session */
            WITH old AS (DELETE FROM connect_sessions WHERE person_id = $2 AND expires_at <= $3)
            INSERT INTO connect_sessions (token_hash, person_id, made_at, expires_at) VALUES ($1, $2, $3, $4)",
            token.as_slice(),
            person.0,
            now,
            end
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Whose session it is.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn session(&self, token: &Hash, now: Moment) -> Result<Option<PersonId>, StoreError> {
        Ok(sqlx::query_scalar!(
            "/* session */ SELECT person_id FROM connect_sessions WHERE token_hash = $1 AND expires_at > $2",
            token.as_slice(),
            now
        )
        .fetch_optional(&self.work)
        .await?)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn end_session(&self, token: &Hash) -> Result<(), StoreError> {
        sqlx::query!("/* end_session */ DELETE FROM connect_sessions WHERE token_hash = $1", token.as_slice())
            .execute(&self.work)
            .await?;
        Ok(())
    }

    /// Deletes sign-ins, sessions and links that are too old to be used. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_sign_ins(&self, now: Moment) -> Result<u64, StoreError> {
        let sign_ins = sqlx::query!("/* forget_sign_ins */ DELETE FROM sign_ins WHERE expires_at <= $1", now)
            .execute(&self.work)
            .await?
            .rows_affected();
        let sessions = sqlx::query!("/* forget_sessions */ DELETE FROM connect_sessions WHERE expires_at <= $1", now)
            .execute(&self.work)
            .await?
            .rows_affected();
        let links = sqlx::query!(
            "/* forget_links */
            DELETE FROM chat_links
            WHERE link_expires_at <= $1::timestamptz - interval '1 day' AND coalesce(code_expires_at, link_expires_at) <= $1",
            now
        )
        .execute(&self.work)
        .await?
        .rows_affected();
        Ok(sign_ins + sessions + links)
    }
}
