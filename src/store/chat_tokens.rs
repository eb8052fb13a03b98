//! Pairs of tokens with which apps of chats speak, where the chat lets them end: one refresher for each source across all
//! replicas, with the fences of `refreshes`. A configured refresh token begins a chain of pairs once, so that an older one,
//! which a replica may still have in its configuration, never takes the place of a newer.

use uuid::Uuid;

use super::links::Hash;
use super::{Lease, Moment, Store, StoreError};
use crate::domain::renewal::refusal_tells;

/// How many configured refresh tokens are remembered for a source.
const SEEN: i32 = 16;

/// A source's pair as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct ChatToken {
    pub source: String,
    pub seen: Vec<Vec<u8>>,
    pub token: Option<Vec<u8>>,
    pub token_expires_at: Option<Moment>,
    pub refresh_token: Vec<u8>,
    pub version: Uuid,
    pub due_at: Option<Moment>,
    pub refused_at: Option<Moment>,
    pub sent_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    pub ended_reason: Option<String>,
    pub lease: Option<Uuid>,
    pub lease_until: Option<Moment>,
}

/// A pair to be put, sealed.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct NewChatToken<'a> {
    pub token: &'a [u8],
    pub expires_at: Moment,
    pub refresh_token: &'a [u8],
    pub due_at: Option<Moment>,
}

impl ChatToken {
    /// The sealed access token, if it has not ended at `at`.
    #[must_use]
    pub fn usable(&self, at: Moment) -> Option<&[u8]> {
        self.token.as_deref().filter(|_| self.token_expires_at.is_none_or(|end| end > at))
    }

    /// Whether it says anything of a refresh that left at `sent` when the chat refuses the access token at `now`.
    #[must_use]
    pub fn token_would_tell(&self, sent: Moment, now: Moment) -> bool {
        self.token.is_some() && refusal_tells(self.token_expires_at, self.refused_at, sent, now)
    }
}

impl Store {
    /// The pair of a source.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn chat_token(&self, source: &str) -> Result<Option<ChatToken>, StoreError> {
        Ok(sqlx::query_as!(ChatToken, "/* chat_token */ SELECT * FROM chat_tokens WHERE source = $1", source)
            .fetch_optional(&self.work)
            .await?)
    }

    /// All pairs.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn chat_tokens(&self) -> Result<Vec<ChatToken>, StoreError> {
        Ok(sqlx::query_as!(ChatToken, "/* chat_tokens */ SELECT * FROM chat_tokens ORDER BY source")
            .fetch_all(&self.work)
            .await?)
    }

    /// Begins a chain of pairs with a configured refresh token, if it has not begun one before. Answers whether it does.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn begin_chat_token(
        &self,
        source: &str,
        configured: &Hash,
        refresh_token: &[u8],
        now: Moment,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* begin_chat_token: once for each configured one */
            INSERT INTO chat_tokens (source, seen, refresh_token, due_at) VALUES ($1, ARRAY[$2::bytea], $3, $4)
            ON CONFLICT (source) DO UPDATE SET seen = (ARRAY[$2::bytea] || chat_tokens.seen)[1:$5],
                token = NULL, token_expires_at = NULL, refresh_token = $3, version = gen_random_uuid(), due_at = $4,
                refused_at = NULL, sent_at = NULL, ended_at = NULL, ended_reason = NULL, lease = NULL, lease_until = NULL
            WHERE NOT $2 = ANY (chat_tokens.seen)",
            source,
            configured.as_slice(),
            refresh_token,
            now,
            SEEN
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Takes the right to renew the pair of this version, if nobody has it. Answers the pair as it stands now.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn take_rotation(
        &self,
        source: &str,
        version: Uuid,
        lease: Lease,
    ) -> Result<Option<ChatToken>, StoreError> {
        Ok(sqlx::query_as!(
            ChatToken,
            "/* take_rotation: the row's lock decides a race */
            UPDATE chat_tokens SET lease = $3, lease_until = clock_timestamp() + $4 * interval '1 millisecond'
            WHERE source = $1 AND version = $2 AND ended_at IS NULL
              AND (lease IS NULL OR lease_until < clock_timestamp())
            RETURNING *",
            source,
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
    pub async fn rotation_leaves(
        &self,
        source: &str,
        version: Uuid,
        lease: Lease,
        now: Moment,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* rotation_leaves: fenced by the lease */
            UPDATE chat_tokens SET sent_at = $4
            WHERE source = $1 AND version = $2 AND lease = $3 AND lease_until > clock_timestamp()",
            source,
            version,
            lease.token,
            now
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Puts the pair that the chat gave for the one of `version`; who is given one is let in. Fenced by the version alone: whoever holds the chat's answer
    /// is right, also behind a lease that ran out. Answers false when a newer chain was begun since.
    ///
    /// # Errors
    /// [`StoreError`]: to be tried again at once, the pair is nowhere else.
    pub async fn put_rotated(&self, source: &str, version: Uuid, new: &NewChatToken<'_>) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"/* put_rotated */
            WITH put AS (
                UPDATE chat_tokens SET token = $3, token_expires_at = $4, refresh_token = $5, due_at = $6,
                       version = gen_random_uuid(), sent_at = NULL, ended_at = NULL, ended_reason = NULL,
                       lease = NULL, lease_until = NULL
                WHERE source = $1 AND version = $2 RETURNING source),
            back AS (DELETE FROM chat_apps WHERE source IN (SELECT source FROM put))
            SELECT EXISTS (SELECT FROM put) AS "put!""#,
            source,
            version,
            new.token,
            new.expires_at,
            new.refresh_token,
            new.due_at
        )
        .fetch_one(&self.work)
        .await?)
    }

    /// Lets go of the right to renew, with the next try at `due_at`. `came_back` says that it is known what became of the
    /// request: nothing.
    ///
    /// # Errors
    /// [`StoreError`]: the lease will run out by itself.
    pub async fn end_rotation(
        &self,
        source: &str,
        lease: Lease,
        came_back: bool,
        due_at: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* end_rotation: fenced by the lease */
            UPDATE chat_tokens SET lease = NULL, lease_until = NULL, due_at = $4,
                   sent_at = CASE WHEN $3 THEN NULL ELSE sent_at END
            WHERE source = $1 AND lease = $2",
            source,
            lease.token,
            came_back,
            due_at
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// The pair of this version cannot be renewed any more, and its app is reported as gone. A newer one is not touched.
    /// What is good for nothing any more is wiped: the refresh token, and the access token unless it still works.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn end_chat_token(
        &self,
        source: &str,
        version: Uuid,
        reason: &str,
        token_works: bool,
        now: Moment,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* end_chat_token: only of this version */
            WITH ended AS (
                UPDATE chat_tokens SET ended_at = $4, ended_reason = $3, due_at = NULL, lease = NULL, lease_until = NULL,
                    refresh_token = '', token = CASE WHEN $5 AND token_expires_at > $4 THEN token END
                WHERE source = $1 AND version = $2 AND ended_at IS NULL RETURNING source)
            INSERT INTO chat_apps (source, reason, ended_at) SELECT source, $3, $4 FROM ended
            ON CONFLICT (source) DO UPDATE SET reason = $3",
            source,
            version,
            &super::text::bounded(reason),
            now,
            token_works
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Wipes the access token of a pair that can no longer be renewed, once it has ended. Answers whether there was one.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn wipe_chat_token(&self, source: &str, now: Moment) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* wipe_chat_token */
            UPDATE chat_tokens SET token = NULL
            WHERE source = $1 AND ended_at IS NOT NULL AND token IS NOT NULL AND token_expires_at <= $2",
            source,
            now
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Deletes the pairs of sources that are none of these and that nobody has looked after since `before`. Answers whose.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn forget_chat_tokens(&self, sources: &[String], before: Moment) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "/* forget_chat_tokens: whoever renews a pair moves `due_at` on */
            DELETE FROM chat_tokens WHERE source <> ALL ($1) AND coalesce(due_at, ended_at) < $2 RETURNING source",
            sources,
            before
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Ends an access token that the chat refused, so that its pair is renewed before the next use. Answers false when it is
    /// not this one that is stored, cannot be renewed, or came itself of a refusal after `before`.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn expire_chat_token(
        &self,
        source: &str,
        sealed: &[u8],
        now: Moment,
        before: Moment,
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* expire_chat_token: who comes second with the same token changes nothing */
            UPDATE chat_tokens SET due_at = CASE WHEN token_expires_at <= refused_at THEN due_at ELSE $3 END,
                   refused_at = CASE WHEN token_expires_at <= refused_at THEN refused_at ELSE $3 END,
                   token_expires_at = least(token_expires_at, $3)
            WHERE source = $1 AND token = $2 AND ended_at IS NULL
              AND (refused_at IS NULL OR refused_at <= $4 OR token_expires_at <= refused_at)",
            source,
            sealed,
            now,
            before
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }

    /// Replaces the sealed form of the same pair, if no newer one was put meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn reseal_chat_token(
        &self,
        source: &str,
        version: Uuid,
        token: Option<&[u8]>,
        refresh_token: &[u8],
    ) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* reseal_chat_token: compare and set */
            UPDATE chat_tokens SET token = $3, refresh_token = $4 WHERE source = $1 AND version = $2",
            source,
            version,
            token,
            refresh_token
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }
}
