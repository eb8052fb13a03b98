//! Renewing a pair of tokens: one refresher for each person across all replicas. A refresh token works once, so that it
//! left is committed before it leaves, and what came back is committed before anything uses it.

use uuid::Uuid;

use super::people::{NewToken, Person};
use super::{Lease, Moment, Store, StoreError, Tx};
use crate::ids::PersonId;

/// What became of a token that GitHub refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is renewed before it is used again.
    Renewable,
    /// Its person must give another.
    Ended,
    /// A newer one was put meanwhile, or it had ended already.
    Newer,
}

impl Store {
    /// Takes the right to renew the pair of this version, if nobody has it. Answers the person as they stand now.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn take_refresh(&self, id: PersonId, version: Uuid, lease: Lease) -> Result<Option<Person>, StoreError> {
        Ok(sqlx::query_as!(
            Person,
            "/* take_refresh: the row's lock decides a race */
            UPDATE people SET refresh_lease = $3, refresh_lease_until = clock_timestamp() + $4 * interval '1 millisecond'
            WHERE id = $1 AND token_version = $2 AND token_state = 'ok' AND refresh_token IS NOT NULL
              AND (refresh_lease IS NULL OR refresh_lease_until < clock_timestamp())
            RETURNING *",
            id.0,
            version,
            lease.token,
            lease.millis as f64
        )
        .fetch_optional(&self.work)
        .await?)
    }

    /// Notes that the refresh token is about to leave. Answers false when the lease is another's by now.
    ///
    /// # Errors
    /// [`StoreError`]: then it must not leave.
    pub async fn refresh_leaves(
        &self,
        id: PersonId,
        version: Uuid,
        lease: Lease,
        now: Moment,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* refresh_leaves: fenced by the lease */
            UPDATE people SET refresh_sent_at = $4
            WHERE id = $1 AND token_version = $2 AND refresh_lease = $3 AND refresh_lease_until > clock_timestamp()",
            id.0,
            version,
            lease.token,
            now
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Puts the pair that GitHub gave for the one of `version`. Fenced by the version alone: whoever holds GitHub's answer
    /// is right, also behind a lease that ran out. Answers false when a newer token was put since.
    ///
    /// # Errors
    /// [`StoreError`]: to be tried again at once, the pair is nowhere else.
    pub async fn put_refreshed(
        &self,
        id: PersonId,
        version: Uuid,
        new: &NewToken<'_>,
        now: Moment,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* put_refreshed */
            UPDATE people SET token = $3, token_expires_at = $4, refresh_token = $5, refresh_expires_at = $6,
                   refresh_due_at = $7, token_state = 'ok', token_reason = NULL, token_version = gen_random_uuid(),
                   refresh_sent_at = NULL, refresh_lease = NULL, refresh_lease_until = NULL, checked_at = $8
            WHERE id = $1 AND token_version = $2",
            id.0,
            version,
            new.token,
            new.expires_at,
            new.refresh_token,
            new.refresh_expires_at,
            new.refresh_due_at,
            now
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Lets go of the right to renew, with the next try at `due_at`. `came_back` says that it is known what became of the
    /// request: nothing.
    ///
    /// # Errors
    /// [`StoreError`]: the lease will run out by itself.
    pub async fn end_refresh(
        &self,
        id: PersonId,
        lease: Lease,
        came_back: bool,
        due_at: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* end_refresh: fenced by the lease */
            UPDATE people SET refresh_lease = NULL, refresh_lease_until = NULL, refresh_due_at = $4,
                   refresh_sent_at = CASE WHEN $3 THEN NULL ELSE refresh_sent_at END
            WHERE id = $1 AND refresh_lease = $2",
            id.0,
            lease.token,
            came_back,
            due_at
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// Ends the token of this version: its person must sign in again, and what is dead is not kept. A newer one is not touched.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn end_token(&self, id: PersonId, version: Uuid, reason: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* end_token: only of this version */
            UPDATE people SET token_state = 'reauth_required', token_reason = $3, refresh_due_at = NULL,
                   token = NULL, refresh_token = NULL, refresh_lease = NULL, refresh_lease_until = NULL
            WHERE id = $1 AND token_version = $2 AND token_state = 'ok'",
            id.0,
            version,
            &super::text::bounded(reason)
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// People whose pair is to be renewed now.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn refreshes_due(&self, now: Moment, limit: i64) -> Result<Vec<PersonId>, StoreError> {
        let ids = sqlx::query_scalar!(
            "/* refreshes_due */
            SELECT id FROM people
            WHERE refresh_due_at <= $1 AND token_state = 'ok'
              AND (refresh_lease IS NULL OR refresh_lease_until < clock_timestamp())
            ORDER BY refresh_due_at LIMIT $2",
            now,
            limit
        )
        .fetch_all(&self.work)
        .await?;
        Ok(ids)
    }
}

impl Tx {
    /// Ends an access token that GitHub refused, so that its pair is renewed before the next use. Answers false when it is
    /// not this one that is stored, cannot be renewed, or came itself of a refusal after `before`.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn expire_refused(
        &mut self,
        id: PersonId,
        sealed: &[u8],
        now: Moment,
        before: Moment,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* expire_refused: who comes second with the same token changes nothing */
            UPDATE people SET refresh_due_at = CASE WHEN token_expires_at <= refused_at THEN refresh_due_at ELSE $3 END,
                   refused_at = CASE WHEN token_expires_at <= refused_at THEN refused_at ELSE $3 END,
                   token_expires_at = least(token_expires_at, $3)
            WHERE id = $1 AND token = $2 AND token_state = 'ok' AND refresh_token IS NOT NULL
              AND coalesce(refresh_expires_at, 'infinity') > $3
              AND (refused_at IS NULL OR refused_at <= $4 OR token_expires_at <= refused_at)",
            id.0,
            sealed,
            now,
            before
        )
        .execute(self.connection())
        .await?
        .rows_affected()
            == 1)
    }

    /// Marks a token as refused by GitHub. Answers false when a newer one was put since, or it was marked already.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn refuse_token(&mut self, id: PersonId, sealed: &[u8], reason: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* refuse_token: only the token that was refused */
            UPDATE people SET token_state = 'reauth_required', token_reason = $3, refresh_due_at = NULL,
                   token = NULL, refresh_token = NULL
            WHERE id = $1 AND token = $2 AND token_state = 'ok'",
            id.0,
            sealed,
            &super::text::bounded(reason)
        )
        .execute(self.connection())
        .await?
        .rows_affected()
            == 1)
    }
}
