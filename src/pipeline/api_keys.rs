//! Keys of the admin API. A key is 256 random bits, so its plain SHA-256 is enough to keep: nobody can guess
//! one, and what is stored cannot be turned back into one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::clock::Ground;
use crate::ids::ApiKeyId;
use crate::secret::Secret;
use crate::store::api_keys::{ApiKey, Scope};
use crate::store::{Store, StoreError};

/// What every key begins with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "tb_";
/// Random bytes in a key; 43 characters of base64url.
const BYTES: usize = 32;
/// Longest name, in characters.
const NAME_MAX: usize = 64;

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The name is not fit to be shown: a person must choose another.
    #[error("the name of a key has 1 to {NAME_MAX} characters, none of them a control character")]
    BadName,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a key. The secret is in the answer and nowhere else: it cannot be shown again.
///
/// # Errors
/// [`CreateError`]: nothing is made.
pub async fn create(
    store: &Store,
    ground: &Ground,
    name: &str,
    scope: Scope,
) -> Result<(ApiKeyId, Secret), CreateError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(CreateError::BadName);
    }
    let bytes = zeroize::Zeroizing::new(ground.bytes::<BYTES>());
    let secret = Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes.as_slice())));
    let id = ApiKeyId::new(ground);
    store.add_api_key(id, name, &hash(secret.expose()), scope, ground.now()).await?;
    Ok((id, secret))
}

/// The key that was presented, if it is one of ours and not revoked. What cannot be a key costs no query.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn find(store: &Store, ground: &Ground, presented: &str) -> Result<Option<ApiKey>, StoreError> {
    if !is_well_formed(presented) {
        return Ok(None);
    }
    store.api_key_by_hash(&hash(presented), ground.now()).await
}

fn is_well_formed(text: &str) -> bool {
    text.strip_prefix(PREFIX)
        .and_then(|rest| URL_SAFE_NO_PAD.decode(rest).ok())
        .is_some_and(|bytes| bytes.len() == BYTES)
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case 71.
    #[test]
    fn only_what_can_be_a_key_is_looked_up() {
        let good = format!("tb_{}", URL_SAFE_NO_PAD.encode([7_u8; BYTES]));
        assert_eq!(good.len(), 3 + 43);
        assert!(is_well_formed(&good));
        assert!(!is_well_formed(&good[3..]), "without the prefix");
        assert!(!is_well_formed(&good[..good.len() - 1]), "cut short");
        assert!(!is_well_formed(&format!("{good}A")), "longer");
        assert!(!is_well_formed(&good.replace("Bw", "+/")), "another alphabet");
        assert!(!is_well_formed(""));
    }
}
