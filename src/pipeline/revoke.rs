//! What people gave this app is ended at GitHub when it is no longer wanted here: the token of an earlier sign-in, and all
//! that somebody gave who leaves. That it is to be ended is written down before GitHub is asked, with the token sealed for this
//! alone, together with what makes it unwanted: the removal of a person, or the token that takes its place. What fails in passing
//! is tried again for a day. Never is that token ended that is stored, nor a grant that its person is known to have given anew.

use std::time::Duration;

use chrono::TimeDelta;

use super::places::{revocation_place, token_place};
use super::token_ended::still_taken;
use super::{Bridge, StepError};
use crate::github::{OAuth, OAuthError};
use crate::ids::{PersonId, uuid_v7};
use crate::secret::Secret;
use crate::store::StoreError;
use crate::store::people::{NewToken, Person};
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
pub(super) fn to_be_ended(bridge: &Bridge, person: &Person, what: WhatEnds) -> Option<Revocation> {
    if bridge.github.oauth().is_none() || !person.signed_in {
        return None;
    }
    match bridge.vault.open(&token_place(&person.id.to_string()), person.token.as_deref()?) {
        Ok(token) => Some(sealed(bridge, person.id, what, &token)),
        Err(error) => {
            tracing::warn!(person = %person.id, %error, "a token that is no longer wanted does not open, and lives on at GitHub");
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

/// Stores a token that somebody gave, or an operator, and with it that the one of an earlier sign-in is to be ended, which is
/// tried at once. Answers whether nothing was known of its person before.
///
/// # Errors
/// [`StoreError`]: nothing is changed.
pub(super) async fn put_in_place(
    bridge: &Bridge,
    id: PersonId,
    login: &str,
    new: &NewToken<'_>,
    signed_in: bool,
) -> Result<bool, StoreError> {
    loop {
        let mut tx = bridge.store.begin().await?;
        let before = tx.lock_person(id).await?;
        let kept = before.as_ref().and_then(|before| to_be_ended(bridge, before, WhatEnds::Token));
        let is_new = tx.put_token(id, login, new, signed_in, bridge.ground.now()).await?;
        if before.is_none() && !is_new {
            // Somebody put one in between: that is the one to end.
            continue;
        }
        if let Some(kept) = &kept {
            tx.keep_revocation(kept).await?;
        }
        tx.commit().await?;
        if let Some((oauth, kept)) = bridge.github.oauth().zip(kept) {
            end_kept(bridge, oauth, &kept).await;
        }
        return Ok(is_new);
    }
}

/// Ends a token that came of a renewal, unless it is the one that is stored.
pub(super) async fn end_unstored(bridge: &Bridge, id: PersonId, old: &Secret) {
    let Some(oauth) = bridge.github.oauth() else { return };
    let kept = sealed(bridge, id, WhatEnds::Token, old);
    if let Err(error) = keep(bridge, &kept).await {
        tracing::warn!(person = %id, %error, "that an unstored token is to be ended could not be written down; it is tried once");
    }
    end_kept(bridge, oauth, &kept).await;
}

async fn keep(bridge: &Bridge, kept: &Revocation) -> Result<(), StoreError> {
    let mut tx = bridge.store.begin().await?;
    tx.keep_revocation(kept).await?;
    tx.commit().await
}

async fn end_kept(bridge: &Bridge, oauth: &OAuth, kept: &Revocation) {
    if let Err(error) = try_kept(bridge, oauth, kept).await {
        tracing::warn!(person = %kept.person_id, %error, "what became of a token that is to be ended could not be written down");
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
    let ended = tokio::time::timeout(WITHIN, ending).await.unwrap_or_else(late);
    if kept.what == WhatEnds::Grant && person.is_none() {
        look_again(bridge, kept.person_id).await?;
    }
    Ok(match ended {
        Ok(()) => Tried::Ended,
        Err(error) if error.knows_no_token() => Tried::Unknown,
        Err(error) => Tried::Again(error.to_string()),
    })
}

/// With a grant ends what its person gave while GitHub was being asked. Then they have to give it once more, and are told so now
/// and not when it is needed.
async fn look_again(bridge: &Bridge, id: PersonId) -> Result<(), StoreError> {
    let Some(person) = bridge.store.person(id).await? else { return Ok(()) };
    let Some(sealed) = person.token.as_deref() else { return Ok(()) };
    if let Ok(token) = bridge.vault.open(&token_place(&id.to_string()), sealed)
        && let Err(error) = still_taken(bridge, id, sealed, &token).await
    {
        tracing::warn!(person = %id, %error, "whether a token outlived the grant of the time before is seen at its next use");
    }
    Ok(())
}
