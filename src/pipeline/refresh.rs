//! Renewing a person's pair of tokens. A refresh token works once and its use ends the access token too, so one replica at
//! a time renews for a person, that the request leaves is committed before it leaves, and the new pair before it is used.
//! When the answer is lost nothing is sent blindly: whether the old access token still works tells what happened. One that was
//! dead before tells nothing; then the refresh token itself is asked, which is good once more or was used up.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;
use uuid::Uuid;

use super::places::{refresh_place, token_place};
use super::revoke::end_unstored;
use super::token_ended::hold_waiting;
use super::{Bridge, StepError};
use crate::clock::Ground;
use crate::fail_point::{Point, reach};
use crate::github::{CallError, Next, OAuth, OAuthError, Pair, Token, TokenOwner};
use crate::ids::PersonId;
use crate::secret::Secret;
use crate::store::people::{NewToken, Person};
use crate::store::{Lease, Moment, StoreError};
use crate::vault::OpenError;

/// A pair is renewed about so long before its access token ends: time to try again, and to ask whether the old one works.
const AHEAD: TimeDelta = TimeDelta::minutes(30);
/// The next try after one that came to nothing.
pub(super) const AGAIN: Duration = Duration::from_secs(20);
/// The next try after something that only an operator can put right.
pub(super) const AGAIN_LATE: Duration = Duration::from_secs(300);
/// How often a pair that is there is put, if the database does not take it: it is nowhere else.
pub(super) const PUTS: u32 = 20;
/// By when GitHub has surely ended a token that somebody took back.
const SINKS_IN: TimeDelta = TimeDelta::seconds(60);
const STILL_WORKS: &str = "the stored token still works, and GitHub may be about to end it";
/// How many people are looked after in a batch.
const BATCH: i64 = 8;

/// Why a pair was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum NotRenewed {
    /// The person must sign in again; the row says so.
    #[error("the sign-in has ended")]
    Ended,
    /// Try again later.
    #[error("the token could not be renewed yet: {0}")]
    Later(String),
    /// An operator must look at the sealing keys.
    #[error("the stored refresh token does not open: {0}")]
    Sealed(#[from] OpenError),
    /// The database: retry.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// When a pair that ends at `end` is due to be renewed. Spread, so that those who signed in together do not come together.
pub(super) fn due_at(ground: &Ground, now: Moment, end: Option<Moment>) -> Option<Moment> {
    let lasts = end?.signed_duration_since(now).max(TimeDelta::zero());
    let ahead = AHEAD.min(lasts / 4).to_std().unwrap_or_default();
    Some(end? - TimeDelta::from_std(ground.jitter(ahead)).unwrap_or_default())
}

/// A pair as it is stored for a person.
pub(super) struct SealedPair {
    token: Vec<u8>,
    refresh: Option<Vec<u8>>,
    expires_at: Option<Moment>,
    refresh_expires_at: Option<Moment>,
    refresh_due_at: Option<Moment>,
}

impl SealedPair {
    pub(super) fn of(bridge: &Bridge, id: PersonId, pair: &Pair, now: Moment) -> Self {
        let row = id.to_string();
        let seal = |place, secret: &Secret| bridge.vault.seal(&place, secret.expose().as_bytes(), &bridge.ground).0;
        let refresh = pair.refresh.as_ref().map(|refresh| seal(refresh_place(&row), refresh));
        Self {
            token: seal(token_place(&row), &pair.token),
            expires_at: pair.expires_at,
            refresh_expires_at: pair.refresh_expires_at,
            refresh_due_at: refresh.as_ref().and_then(|_| due_at(&bridge.ground, now, pair.expires_at)),
            refresh,
        }
    }

    /// With the scopes that are known of it.
    pub(super) fn with_scopes<'a>(&'a self, scopes: &'a str) -> NewToken<'a> {
        NewToken {
            token: &self.token,
            expires_at: self.expires_at,
            refresh_token: self.refresh.as_deref(),
            refresh_expires_at: self.refresh_expires_at,
            refresh_due_at: self.refresh_due_at,
            scopes,
        }
    }
}

/// Renews the pairs that are due. Answers how many were looked after.
///
/// # Errors
/// [`StepError`]: retry.
pub async fn refresh_batch(bridge: &Bridge) -> Result<usize, StepError> {
    if bridge.github.oauth().is_none() || !bridge.github.answers().await {
        return Ok(0);
    }
    let due = bridge.store.refreshes_due(bridge.ground.now(), BATCH).await?;
    let taken = due.len();
    super::each_at_once(due, usize::MAX, |id| {
        let bridge = bridge.clone();
        async move {
            let Some(person) = bridge.store.person(id).await? else { return Ok(()) };
            match renew(&bridge, id, person.token_version).await {
                Ok(()) | Err(NotRenewed::Ended | NotRenewed::Later(_)) => Ok(()),
                Err(NotRenewed::Sealed(error)) => {
                    tracing::error!(person = %id, %error, "a stored refresh token does not open");
                    Ok(())
                }
                Err(NotRenewed::Store(error)) => Err(error.into()),
            }
        }
    })
    .await?;
    Ok(taken)
}

/// Renews a person's pair of this version, or waits until whoever does it is done. When it is good, a newer pair is stored.
///
/// # Errors
/// [`NotRenewed`].
pub async fn renew(bridge: &Bridge, id: PersonId, version: Uuid) -> Result<(), NotRenewed> {
    let call = bridge.settings.call_timeout;
    // A refresh and the questions around it fit in.
    let lasting = call * 4;
    let until = Instant::now() + call;
    loop {
        let lease = Lease::new(&bridge.ground, lasting);
        if let Some(person) = bridge.store.take_refresh(id, version, lease).await? {
            return alone(bridge, &person, lease).await;
        }
        // Somebody else is at it: what they have done is read anew, never assumed.
        match bridge.store.person(id).await? {
            Some(person) if person.token_version != version && person.token_state == "ok" => return Ok(()),
            Some(person) if person.token_state == "ok" && person.refresh_token.is_some() => {}
            _ => return Err(NotRenewed::Ended),
        }
        if Instant::now() >= until {
            return Err(NotRenewed::Later("another replica is renewing it".to_owned()));
        }
        tokio::time::sleep(bridge.ground.jitter(Duration::from_millis(50))).await;
    }
}

/// What the old access token tells after a lost answer.
enum Probe {
    /// It works: nothing was renewed.
    Works,
    /// It does not: the refresh token is used up.
    Dead,
    /// It was dead before, by its end or by a refusal: only the refresh token itself tells.
    Silent,
    /// GitHub could not be asked.
    Unknown(String),
}

async fn alone(bridge: &Bridge, person: &Person, lease: Lease) -> Result<(), NotRenewed> {
    let (id, version, now) = (person.id, person.token_version, bridge.ground.now());
    let Some(oauth) = bridge.github.oauth() else {
        return later(bridge, person, lease, true, AGAIN_LATE, "`github.sign_in` is not configured").await;
    };
    if person.refresh_expires_at.is_some_and(|end| end <= now) {
        return ended(bridge, person, "nobody was there to renew the sign-in for too long").await;
    }
    let row = id.to_string();
    let sealed = person.refresh_token.as_deref().unwrap_or_default();
    let refresh = match bridge.vault.open(&refresh_place(&row), sealed) {
        Ok(refresh) => refresh,
        Err(error) => {
            let again = now + TimeDelta::from_std(AGAIN_LATE).unwrap_or_default();
            bridge.store.end_refresh(id, lease, person.refresh_sent_at.is_none(), again).await?;
            return Err(error.into());
        }
    };
    let mut only_it_tells = false;
    if let Some(sent) = person.refresh_sent_at {
        match probe_after(bridge, person, sent).await {
            Probe::Works => {}
            Probe::Silent => only_it_tells = true,
            Probe::Dead => return ended(bridge, person, LOST).await,
            Probe::Unknown(why) => return later(bridge, person, lease, false, AGAIN, &why).await,
        }
    }
    if !bridge.store.refresh_leaves(id, version, lease, now).await? {
        return Err(NotRenewed::Later("it took too long; another replica has it now".to_owned()));
    }
    reach(Point::RefreshLeaves);
    let answer = oauth.refresh(&refresh).await;
    if answer.is_ok() {
        reach(Point::RefreshAnswered);
    }
    match answer {
        Err(error) if only_it_tells && error.next() == Next::AskPerson => ended(bridge, person, LOST).await,
        answer => take_in(bridge, oauth, person, lease, now, answer).await,
    }
}

/// Why somebody has to sign in again after an answer that was lost.
const LOST: &str = "GitHub renewed the token, and the new one was lost on the way; sign in again";

async fn take_in(
    bridge: &Bridge,
    oauth: &OAuth,
    person: &Person,
    lease: Lease,
    sent: Moment,
    answer: Result<Pair, OAuthError>,
) -> Result<(), NotRenewed> {
    match answer {
        Ok(pair) => put(bridge, person, &pair).await,
        Err(OAuthError::NotTaken { why }) => later(bridge, person, lease, true, AGAIN, &why).await,
        Err(OAuthError::Unknown { why }) => match probe_after(bridge, person, sent).await {
            Probe::Works => later(bridge, person, lease, true, AGAIN, &why).await,
            Probe::Dead => ended(bridge, person, LOST).await,
            Probe::Silent | Probe::Unknown(_) => later(bridge, person, lease, false, AGAIN, &why).await,
        },
        Err(error) if error.next() == Next::AskPerson => ended(bridge, person, &error.for_person()).await,
        Err(error) => {
            let client = oauth.client_id();
            tracing::error!(person = %person.id, client, %error, "GitHub renews no token for this app; check github.sign_in");
            later(bridge, person, lease, true, AGAIN_LATE, &error.for_person()).await
        }
    }
}

async fn put(bridge: &Bridge, person: &Person, pair: &Pair) -> Result<(), NotRenewed> {
    let now = bridge.ground.now();
    let sealed = SealedPair::of(bridge, person.id, pair, now);
    let new = sealed.with_scopes(&person.scopes);
    for nth in 1.. {
        match bridge.store.put_refreshed(person.id, person.token_version, &new, now).await {
            Ok(true) => {
                reach(Point::RefreshStored);
                tracing::info!(person = %person.id, "a token was renewed");
            }
            // Somebody signed in, or left, meanwhile: theirs is newer. Or it is there, and the word of that was lost.
            Ok(false) => {
                tracing::info!(person = %person.id, "a renewed token is not needed: another is stored, or none");
                end_unstored(bridge, person.id, &pair.token).await;
            }
            Err(error) if nth < PUTS => {
                tracing::warn!(person = %person.id, %error, nth, "a renewed token is not stored yet");
                tokio::time::sleep(bridge.ground.jitter(Duration::from_millis(500))).await;
                continue;
            }
            Err(error) => {
                tracing::error!(person = %person.id, %error, "a renewed token could not be stored and is lost");
                return Err(error.into());
            }
        }
        break;
    }
    Ok(())
}

/// What the old access token tells of a refresh that left at `sent`.
async fn probe_after(bridge: &Bridge, person: &Person, sent: Moment) -> Probe {
    match person.token_would_tell(sent, bridge.ground.now()) {
        true => probe(bridge, person).await,
        false => Probe::Silent,
    }
}

async fn probe(bridge: &Bridge, person: &Person) -> Probe {
    let row = person.id.to_string();
    let Some(sealed) = person.token.as_deref() else { return Probe::Dead };
    let secret = match bridge.vault.open(&token_place(&row), sealed) {
        Ok(secret) => secret,
        Err(error) => return Probe::Unknown(error.to_string()),
    };
    let session = bridge.github.with_token(Token { secret, owner: TokenOwner::Person(person.id) });
    match session.me().await {
        Ok(_) => Probe::Works,
        Err(CallError::Unauthorized { .. }) => Probe::Dead,
        Err(error) => Probe::Unknown(error.to_string()),
    }
}

async fn later(
    bridge: &Bridge,
    person: &Person,
    lease: Lease,
    came_back: bool,
    wait: Duration,
    why: &str,
) -> Result<(), NotRenewed> {
    let again = bridge.ground.now() + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default();
    bridge.store.end_refresh(person.id, lease, came_back, again).await?;
    tracing::warn!(person = %person.id, why, came_back, "a token could not be renewed yet");
    Err(NotRenewed::Later(why.to_owned()))
}

/// The person must sign in again, unless they have already.
async fn ended(bridge: &Bridge, person: &Person, why: &str) -> Result<(), NotRenewed> {
    if !bridge.store.end_token(person.id, person.token_version, why).await? {
        let newer = bridge.store.person(person.id).await?.filter(|now| now.token_version != person.token_version);
        return if newer.is_some() { Ok(()) } else { Err(NotRenewed::Ended) };
    }
    tracing::warn!(person = %person.id, why, "a sign-in has ended");
    match hold_waiting(bridge, person.id, why).await {
        Ok(()) => {}
        Err(StepError::Store(error)) => return Err(error.into()),
        Err(StepError::Illegal(_)) => bridge.wake.tasks.notify_one(),
    }
    Err(NotRenewed::Ended)
}

/// The person took back what they allowed, or so a webhook says: whether the token still works decides, because they may
/// have signed in again since. Answers what was found, in words.
///
/// # Errors
/// The inner error: GitHub could not be asked, or so soon after `told_at` nothing follows from its answer; try again later.
/// [`StoreError`]: retry.
pub(super) async fn taken_back(
    bridge: &Bridge,
    id: PersonId,
    told_at: Moment,
) -> Result<Result<String, String>, StoreError> {
    // What works so soon after may be what GitHub has not ended yet.
    let is_early = bridge.ground.now() < told_at + SINKS_IN;
    let Some(person) = bridge.store.person(id).await?.filter(|person| person.token_state == "ok") else {
        return Ok(Ok("the person has no usable token here".to_owned()));
    };
    if person.must_be_renewed(bridge.ground.now()) {
        // A token that has ended by itself tells nothing: whether its pair can be renewed does.
        return Ok(match renew(bridge, id, person.token_version).await {
            Ok(()) if is_early => Err(STILL_WORKS.to_owned()),
            Ok(()) => Ok("the stored pair could be renewed, and is kept".to_owned()),
            Err(NotRenewed::Ended) => Ok("the token was ended".to_owned()),
            Err(NotRenewed::Store(error)) => return Err(error),
            Err(error) => Err(error.to_string()),
        });
    }
    Ok(match probe(bridge, &person).await {
        Probe::Works if is_early => Err(STILL_WORKS.to_owned()),
        Probe::Works => Ok("the stored token still works, and is kept".to_owned()),
        Probe::Unknown(why) => Err(why),
        Probe::Dead | Probe::Silent => {
            let why = "the person took back the authorization at GitHub; sign in again";
            match ended(bridge, &person, why).await {
                Err(NotRenewed::Store(error)) => return Err(error),
                Ok(()) => Ok("a newer token is stored, and is kept".to_owned()),
                Err(_) => Ok("the token was ended".to_owned()),
            }
        }
    })
}
