//! A token whose person has signed in anew is ended at GitHub, so that none lives on that nobody here knows any more. Only
//! that token, never what its person allowed the app; after the newer one is committed; and never the one that is stored.

use std::time::Duration;

use super::Bridge;
use super::places::token_place;
use crate::github::{Next, OAuthError};
use crate::ids::PersonId;
use crate::secret::Secret;

/// Nobody waits longer for it: a token that lives on ends by itself, or is replaced again.
const WITHIN: Duration = Duration::from_secs(5);

/// Ends the token of an earlier sign-in, as it was stored, if it can be done now.
pub(super) async fn end_replaced(bridge: &Bridge, id: PersonId, sealed: &[u8]) {
    if bridge.github.oauth().is_none() {
        return;
    }
    match bridge.vault.open(&token_place(&id.to_string()), sealed) {
        Ok(old) => end_unstored(bridge, id, &old).await,
        Err(error) => tracing::warn!(person = %id, %error, "a replaced token does not open, and lives on at GitHub"),
    }
}

/// Ends a token that came of a sign-in, unless it is the one that is stored.
pub(super) async fn end_unstored(bridge: &Bridge, id: PersonId, old: &Secret) {
    let Some(oauth) = bridge.github.oauth() else { return };
    match is_stored(bridge, id, old).await {
        Ok(false) => {}
        Ok(true) => return,
        Err(why) => {
            tracing::warn!(person = %id, why, "a replaced token lives on at GitHub: nobody knows which is stored");
            return;
        }
    }
    let late = |_| Err(OAuthError::Unknown { why: "no answer in time".to_owned() });
    match tokio::time::timeout(WITHIN, oauth.end_token(old)).await.unwrap_or_else(late) {
        Ok(()) => tracing::info!(person = %id, "a replaced token was ended at GitHub"),
        Err(error) if matches!(error.next(), Next::Retry | Next::Look) => {
            tracing::warn!(person = %id, %error, "a replaced token may live on at GitHub until its end");
        }
        // It had ended before, or is of another app.
        Err(error) => tracing::debug!(person = %id, %error, "GitHub knows nothing of a replaced token"),
    }
}

async fn is_stored(bridge: &Bridge, id: PersonId, old: &Secret) -> Result<bool, String> {
    let person = bridge.store.person(id).await.map_err(|error| error.to_string())?;
    let Some(sealed) = person.and_then(|person| person.token) else { return Ok(false) };
    let stored = bridge.vault.open(&token_place(&id.to_string()), &sealed).map_err(|error| error.to_string())?;
    Ok(stored.expose() == old.expose())
}
