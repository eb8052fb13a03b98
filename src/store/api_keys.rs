//! Keys of the admin API: only a hash is kept.

use serde::Serialize;

use super::{Moment, Store, StoreError};
use crate::ids::ApiKeyId;

/// What a key may do; each scope includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Scope {
    /// See.
    Read,
    /// Steer: cancel, retry, replay, pause.
    Operate,
    /// Everything.
    Admin,
}

impl Scope {
    /// The word used in tables, answers and docs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

/// A key as stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are described in the migration")]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub scope: Scope,
    pub created_at: Moment,
    pub last_used_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
}

impl Store {
    /// Adds a key by its hash.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is added.
    pub async fn add_api_key(
        &self,
        id: ApiKeyId,
        name: &str,
        hash: &[u8; 32],
        scope: Scope,
        now: Moment,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "/* add_api_key */ INSERT INTO api_keys (id, name, hash, scope, created_at) VALUES ($1, $2, $3, $4, $5)",
            id.0,
            name,
            hash.as_slice(),
            scope as Scope,
            now
        )
        .execute(&self.work)
        .await?;
        Ok(())
    }

    /// The key with this hash, if it is not revoked. Looking up a hash leaks no timing of the key.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn api_key_by_hash(&self, hash: &[u8; 32], now: Moment) -> Result<Option<ApiKey>, StoreError> {
        let key = sqlx::query_as!(
            ApiKey,
            "/* api_key_by_hash */
            SELECT id, name, scope, created_at, last_used_at, revoked_at FROM api_keys
            WHERE hash = $1 AND revoked_at IS NULL",
            hash.as_slice()
        )
        .fetch_optional(&self.work)
        .await?;
        if let Some(key) = &key {
            sqlx::query!(
                "/* api_key_used: to the minute, to spare writes */
                UPDATE api_keys SET last_used_at = $2
                WHERE id = $1 AND (last_used_at IS NULL OR last_used_at + interval '1 minute' < $2)",
                key.id.0,
                now
            )
            .execute(&self.work)
            .await?;
        }
        Ok(key)
    }

    /// All keys.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        Ok(sqlx::query_as!(
            ApiKey,
            "/* api_keys */
            SELECT id, name, scope, created_at, last_used_at, revoked_at FROM api_keys ORDER BY id LIMIT 1000"
        )
        .fetch_all(&self.work)
        .await?)
    }

    /// Revokes a key. Answers whether it was live.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is changed.
    pub async fn revoke_api_key(&self, id: ApiKeyId, now: Moment) -> Result<bool, StoreError> {
        Ok(sqlx::query!(
            "/* revoke_api_key */ UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
            id.0,
            now
        )
        .execute(&self.work)
        .await?
        .rows_affected()
            == 1)
    }
}
