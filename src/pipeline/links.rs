//! Chat accounts and the people they are linked to, as the rest of the story asks for them.

use super::Bridge;
use crate::domain::identity::Identity;
use crate::ids::PersonId;
use crate::store::StoreError;

/// The person to whom a chat account is linked.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn person_of(bridge: &Bridge, who: &Identity) -> Result<Option<PersonId>, StoreError> {
    bridge.store.person_of_identity(who).await
}

/// A page where the owner of a chat account signs in, for that account alone; none when nobody can sign in here.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn make_link(_bridge: &Bridge, _who: &Identity) -> Result<Option<String>, StoreError> {
    Ok(None)
}

/// Takes the code that was shown after the sign-in, typed by the same chat account. Answers whether it was right.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn confirm_link(_bridge: &Bridge, _who: &Identity, _code: &str) -> Result<bool, StoreError> {
    Ok(false)
}

/// Forgets whom a chat account is linked to. Answers whether it was linked.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn unlink(bridge: &Bridge, who: &Identity) -> Result<bool, StoreError> {
    bridge.store.drop_identity(who).await
}
