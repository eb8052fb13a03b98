//! Chat accounts and the people they are linked to, as the rest of the story asks for them. People cannot sign in by
//! themselves here: an account is linked in the database.

use super::Bridge;
use crate::domain::identity::Identity;
use crate::ids::PersonId;
use crate::store::StoreError;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum NoLink {
    /// An operator must configure the sign-in first.
    #[error("people cannot sign in here yet")]
    NotConfigured,
    /// The database: retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a chat account was not bound. The words are for the one who typed.
#[derive(Debug, thiserror::Error)]
pub enum NotConfirmed {
    /// Ask for a new link.
    #[error("there is no code that waits for this chat account")]
    NoCode,
    /// The database: retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A chat account that is bound now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Whose it is.
    pub person: PersonId,
    /// Their login.
    pub login: String,
}

/// A page where the owner of a chat account signs in, for that account alone.
///
/// # Errors
/// [`NoLink`].
pub async fn make_link(_bridge: &Bridge, _identity: &Identity) -> Result<String, NoLink> {
    Err(NoLink::NotConfigured)
}

/// Binds a chat account to the person who signed in through its link, if `code` is the one that the page showed them.
///
/// # Errors
/// [`NotConfirmed`].
pub async fn confirm_link(_bridge: &Bridge, _identity: &Identity, _code: &str) -> Result<Confirmed, NotConfirmed> {
    Err(NotConfirmed::NoCode)
}

/// Forgets whom a chat account is linked to. Answers whether it was linked.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn unlink(bridge: &Bridge, identity: &Identity) -> Result<bool, StoreError> {
    bridge.store.drop_identity(identity).await
}

/// The person to whom a chat account is linked.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn person_of(bridge: &Bridge, identity: &Identity) -> Result<Option<PersonId>, StoreError> {
    bridge.store.person_of_identity(identity).await
}
