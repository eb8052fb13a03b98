//! Keys of the admin API: shown once, kept as a hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::clock::Ground;
use crate::ids::ApiKeyId;
use crate::secret::Secret;
use crate::store::api_keys::Scope;
use crate::store::{Store, StoreError};

/// Makes a key and keeps its hash. Answers the key itself, which nobody can read again.
///
/// # Errors
/// [`StoreError`]: nothing is added.
pub async fn create(
    store: &Store,
    ground: &Ground,
    name: &str,
    scope: Scope,
) -> Result<(ApiKeyId, Secret), StoreError> {
    let key = Secret::new(format!("tb_{}", URL_SAFE_NO_PAD.encode(ground.bytes::<32>())));
    let id = ApiKeyId::new(ground);
    let hash: [u8; 32] = Sha256::digest(key.expose().as_bytes()).into();
    store.add_api_key(id, name, &hash, scope, ground.now()).await?;
    Ok((id, key))
}
