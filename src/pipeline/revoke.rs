//! What people gave this app is ended at GitHub when it is no longer wanted here: the token of an earlier sign-in, and all
//! that somebody gave who leaves. That it is to be ended is written down before GitHub is asked, with the token sealed for this
//! alone: with the removal itself when somebody leaves, right behind the new token when one takes the place of another. What fails
//! in passing is tried again for a day. Never is that token ended that is stored, nor a grant that its person gave anew.

use std::time::Duration;

use chrono::TimeDelta;

use super::places::{revocation_place, token_place};
use super::{Bridge, StepError};
use crate::github::{OAuth, OAuthError};
use crate::ids::{PersonId, uuid_v7};
use crate::secret::Secret;
use crate::store::StoreError;
use crate::store::people::Person;
use crate::store::revocations::{Revocation, WhatEnds};

/// Nobody waits longer for it; it is tried again.
const WITHIN: Duration = Duration::from_secs(5);
/// Nobody else tries it meanwhile.
const ALONE: TimeDelta = TimeDelta::seconds(60);
/// The longest wait until the next try.
const AT_MOST: Duration = Duration::from_secs(3600);
/// How long a token is kept to be ended.
const KEEP: TimeDelta = TimeDelta::days(1);
/// How many are tried in a batch.
const BATCH: i64 = 8;

/// What became of a token at GitHub when its person left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtGithub {
    /// It was ended there.
    Ended,
    /// It is not one of the app's: an operator had added it.
    NotOurs,
    /// It could not be ended; the person ends it on the page of this address.
    Alive {
        /// The page.
        page: String,
        /// Whether it is tried again from here.
        again: bool,
    },
}

/// What came of one try.
enum Tried {
    Ended,
    /// GitHub knows nothing of it: it had ended before, or is of another app.
    Unknown,
    /// It is the one that is stored.
    Wanted,
    Again(String),
}

/// That a person's token is to be ended, to be kept until it is; none if it is nothing that the app could end.
pub(super) fn to_be_ended(bridge: &Bridge, person: &Person) -> Option<Revocation> {
    if bridge.github.oauth().is_none() || !person.signed_in {
        return None;
    }
    match bridge.vault.open(&token_place(&person.id.to_string()), person.token.as_deref()?) {
        Ok(token) => Some(sealed(bridge, person.id, WhatEnds::Grant, &token)),
        Err(error) => {
            tracing::warn!(person = %person.id, %error, "the token of somebody who left does not open, and lives on at GitHub");
            None
        }
    }
}

fn sealed(bridge: &Bridge, person: PersonId, what: WhatEnds, token: &Secret) -> Revocation {
    let (id, now) = (uuid_v7(&bridge.ground), bridge.ground.now());
    let token = bridge.vault.seal(&revocation_place(&id.to_string()), token.expose().as_bytes(), &bridge.ground).0;
    Revocation { id, person_id: person, what, token, created_at: now, due_at: now + ALONE }
}

/// Ends what was kept of somebody who has left, now if that can be. What cannot be is tried again.
pub(super) async fn end_left(bridge: &Bridge, person: &Person, kept: Option<&Revocation>) -> AtGithub {
    let Some(oauth) = bridge.github.oauth().filter(|_| person.signed_in) else { return AtGithub::NotOurs };
    let alive = |again| AtGithub::Alive { page: oauth.settings_page(), again };
    let Some(kept) = kept else { return alive(false) };
    match try_kept(bridge, oauth, kept).await {
        Ok(Tried::Ended) => AtGithub::Ended,
        Ok(Tried::Unknown | Tried::Wanted) => alive(false),
        Ok(Tried::Again(_)) | Err(_) => alive(true),
    }
}

/// Ends the token of an earlier sign-in, as it was stored.
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
    let kept = sealed(bridge, id, WhatEnds::Token, old);
    if let Err(error) = bridge.store.keep_revocation(&kept).await {
        tracing::warn!(person = %id, %error, "that a replaced token is to be ended could not be written down; it is tried once");
    }
    if let Err(error) = try_kept(bridge, oauth, &kept).await {
        tracing::warn!(person = %id, %error, "what became of a replaced token could not be written down");
    }
}

/// Tries again to end what could not be ended, and wipes what was tried for long enough. Answers how many were tried.
///
/// # Errors
/// [`StepError`]: retry.
pub async fn revoke_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let now = bridge.ground.now();
    for given_up in bridge.store.give_up_revocations(now - KEEP).await? {
        tracing::warn!(person = %given_up, "a token could not be ended at GitHub for a day, and is no longer kept: its person \
             revokes the app in their settings there");
    }
    let Some(oauth) = bridge.github.oauth() else { return Ok(0) };
    if !bridge.github.answers().await {
        return Ok(0);
    }
    let due = bridge.store.take_revocations(now, now + ALONE, BATCH).await?;
    let taken = due.len();
    for kept in due {
        try_kept(bridge, oauth, &kept).await?;
    }
    Ok(taken)
}

async fn try_kept(bridge: &Bridge, oauth: &OAuth, kept: &Revocation) -> Result<Tried, StoreError> {
    let (person, what) = (kept.person_id, kept.what.as_str());
    let tried = match bridge.vault.open(&revocation_place(&kept.id.to_string()), &kept.token) {
        Ok(token) => try_once(bridge, oauth, kept, &token).await?,
        Err(error) => Tried::Again(error.to_string()),
    };
    match &tried {
        Tried::Again(why) => {
            let now = bridge.ground.now();
            let age = now.signed_duration_since(kept.created_at).to_std().unwrap_or_default();
            let wait = bridge.ground.jitter(age.clamp(WITHIN * 6, AT_MOST));
            tracing::warn!(%person, what, why, "a token could not be ended at GitHub yet; it is tried again for a day");
            bridge.store.put_off_revocation(kept.id, now + TimeDelta::from_std(wait).unwrap_or(ALONE)).await?;
            return Ok(tried);
        }
        Tried::Ended => tracing::info!(%person, what, "a token was ended at GitHub"),
        Tried::Unknown => tracing::debug!(%person, what, "GitHub knows nothing of a token that was to be ended"),
        Tried::Wanted => {}
    }
    bridge.store.forget_revocation(kept.id).await?;
    Ok(tried)
}

async fn try_once(bridge: &Bridge, oauth: &OAuth, kept: &Revocation, token: &Secret) -> Result<Tried, StoreError> {
    let person = bridge.store.person(kept.person_id).await?;
    if let Some(stored) = person.as_ref().and_then(|person| person.token.as_deref()) {
        match bridge.vault.open(&token_place(&kept.person_id.to_string()), stored) {
            Ok(stored) if stored.expose() == token.expose() => return Ok(Tried::Wanted),
            Ok(_) => {}
            Err(error) => return Ok(Tried::Again(format!("nobody knows which token is stored: {error}"))),
        }
    }
    let ending = async {
        match kept.what {
            // Who has come back gave it anew: of the time before only the token ends.
            WhatEnds::Grant if person.is_none() => oauth.end_grant(token).await,
            WhatEnds::Grant | WhatEnds::Token => oauth.end_token(token).await,
        }
    };
    let late = |_| Err(OAuthError::Unknown { why: "no answer in time".to_owned() });
    Ok(match tokio::time::timeout(WITHIN, ending).await.unwrap_or_else(late) {
        Ok(()) => Tried::Ended,
        Err(error) if error.knows_no_token() => Tried::Unknown,
        Err(error) => Tried::Again(error.to_string()),
    })
}
