//! After a sealing key was added: everything that is stored sealed for long is sealed with it, the tokens of people and of apps
//! of chats.

use super::Bridge;
use super::people::NoToken;
use super::places::{chat_refresh_place, chat_token_place, refresh_place, revocation_place, token_place};
use crate::fail_point::{Point, reach};
use crate::store::chat_tokens::ChatToken;
use crate::store::people::Person;
use crate::vault::{OpenError, Place};

/// Seals every stored token with the first key. Answers how many were sealed anew; a run that was cut
/// short is simply repeated, as every key still opens.
///
/// # Errors
/// [`NoToken`].
pub async fn reseal(bridge: &Bridge) -> Result<usize, NoToken> {
    let mut resealed = 0;
    let mut after = None;
    loop {
        let page = bridge.store.people(after, 100).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.0);
        for person in page {
            resealed += usize::from(reseal_one(bridge, &person).await?);
            reach(Point::ResealBetween);
        }
    }
    for row in bridge.store.chat_tokens().await? {
        resealed += usize::from(reseal_app(bridge, &row).await?);
    }
    for kept in bridge.store.revocations().await?.iter().filter(|kept| bridge.vault.needs_reseal(&kept.token)) {
        let sealed = again(bridge, Some(&kept.token), revocation_place(&kept.id.to_string()))?.unwrap_or_default();
        resealed += usize::from(bridge.store.reseal_revocation(kept.id, &sealed).await?);
    }
    reach(Point::ResealBeforeProof);
    bridge.store.replace_vault_proof(&bridge.vault.proof(&bridge.ground)).await?;
    Ok(resealed)
}

async fn reseal_one(bridge: &Bridge, person: &Person) -> Result<bool, NoToken> {
    let row = person.id.to_string();
    if !is_old(bridge, person.token.as_deref()) && !is_old(bridge, person.refresh_token.as_deref()) {
        return Ok(false);
    }
    let token = again(bridge, person.token.as_deref(), token_place(&row))?;
    let refresh = again(bridge, person.refresh_token.as_deref(), refresh_place(&row))?;
    Ok(bridge.store.reseal_token(person.id, person.token_version, token.as_deref(), refresh.as_deref()).await?)
}

async fn reseal_app(bridge: &Bridge, row: &ChatToken) -> Result<bool, NoToken> {
    // One that is good for nothing was wiped.
    let refresh = Some(&*row.refresh_token).filter(|sealed| !sealed.is_empty());
    if !is_old(bridge, row.token.as_deref()) && !is_old(bridge, refresh) {
        return Ok(false);
    }
    let token = again(bridge, row.token.as_deref(), chat_token_place(&row.source))?;
    let refresh = again(bridge, refresh, chat_refresh_place(&row.source))?.unwrap_or_default();
    Ok(bridge.store.reseal_chat_token(&row.source, row.version, token.as_deref(), &refresh).await?)
}

fn is_old(bridge: &Bridge, sealed: Option<&[u8]>) -> bool {
    sealed.is_some_and(|sealed| bridge.vault.needs_reseal(sealed))
}

fn again(bridge: &Bridge, sealed: Option<&[u8]>, place: Place<'_>) -> Result<Option<Vec<u8>>, OpenError> {
    let Some(sealed) = sealed else { return Ok(None) };
    let token = bridge.vault.open(&place, sealed)?;
    Ok(Some(bridge.vault.seal(&place, token.expose().as_bytes(), &bridge.ground).0))
}
