//! The tokens of an app whose chat lets them end: renewed ahead of their end by one replica at a time, as people's are. That
//! the request leaves is committed before it leaves, and the new pair before it is used. After a lost answer the old token
//! is asked about first; while it works, and where it was dead before, the refresh token itself is asked once more, which
//! gives a pair or says that it was used up. Then the operator is told, and puts a new one into the configuration.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;
use uuid::Uuid;

use crate::chat::slack::SlackError;
use crate::chat::slack::rotation::{SlackPair, is_dead};
use crate::chat::{ChatError, ChatNext, Platform};
use crate::fail_point::{Point, reach};
use crate::pipeline::bridge::{ChatSide, Rotation};
use crate::pipeline::links::hash;
use crate::pipeline::people::NoToken;
use crate::pipeline::places::{chat_refresh_place, chat_token_place};
use crate::pipeline::refresh::{AGAIN, AGAIN_LATE, NotRenewed, PUTS, due_at};
use crate::pipeline::token_ended::ONCE_IN;
use crate::pipeline::{Bridge, StepError};
use crate::secret::Secret;
use crate::store::chat_tokens::{ChatToken, NewChatToken};
use crate::store::{Lease, Moment, StoreError};

/// A token that ends within this time is renewed before it is used.
const DYING: TimeDelta = TimeDelta::seconds(60);
/// How long it is waited for another replica that renews, and a quarter of how long the right to renew is held: a refresh
/// and the question before it fit in.
const CALL: Duration = Duration::from_secs(8);
/// Why an operator must act after an answer that was lost.
const LOST: &str = "Slack renewed the app's token, and the new one was lost on the way";
const CURE: &str = "install the app again at Slack and put the new refresh token into `rotation.refresh_token`";

/// A chat as it can be spoken to now.
pub(in crate::pipeline) enum Voice<'a> {
    /// Its token does not end.
    Steady(&'a Platform),
    /// With the token of a pair, as it was stored.
    Rotated(Box<Platform>, Vec<u8>),
}

impl Voice<'_> {
    /// The chat.
    pub(in crate::pipeline) fn platform(&self) -> &Platform {
        match self {
            Self::Steady(platform) => platform,
            Self::Rotated(platform, _) => platform,
        }
    }

    /// The chat did not take the token: it is renewed before its next use, once. Answers whether another try may do better.
    ///
    /// # Errors
    /// [`StepError`]: retry.
    pub(in crate::pipeline) async fn refused(
        &self,
        bridge: &Bridge,
        source: &str,
        error: &ChatError,
    ) -> Result<bool, StepError> {
        let (Self::Rotated(_, sealed), ChatError::BadToken { .. }) = (self, error) else { return Ok(false) };
        let now = bridge.ground.now();
        let before = now.checked_sub_signed(ONCE_IN).unwrap_or(Moment::UNIX_EPOCH);
        if bridge.store.expire_chat_token(source, sealed, now, before).await? {
            tracing::warn!(source, %error, "a chat refused a token before its end; it is renewed once");
            return Ok(true);
        }
        let stored = bridge.store.chat_token(source).await?;
        if stored.as_ref().is_some_and(|stored| stored.token.as_deref() != Some(sealed)) {
            return Ok(true);
        }
        if stored.is_some_and(|stored| stored.ended_at.is_none()) {
            let why = "the chat refuses the app's token, and the one before it too";
            bridge.store.end_chat_app(source, why, now).await?;
            tracing::error!(source, why, "nothing is told in the chat any more; {CURE}");
        }
        Ok(false)
    }
}

/// Renews the pairs that are due, and begins with refresh tokens that are new in the configuration. Answers how many were
/// looked after.
///
/// # Errors
/// [`StepError`]: retry.
pub async fn rotate_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let (live, mut taken) = (bridge.live(), 0);
    for (source, side) in &live.sources {
        let Some(rotation) = side.chat.as_ref().and_then(|side| side.rotation.as_ref()) else { continue };
        let row = chain(bridge, source, rotation).await?;
        if row.ended_at.is_some() {
            bridge.store.wipe_chat_token(source, bridge.ground.now()).await?;
        }
        if row.ended_at.is_some() || row.due_at.is_none_or(|due| due > bridge.ground.now()) {
            continue;
        }
        taken += 1;
        match renew(bridge, source, rotation, row.version).await {
            Ok(()) | Err(NotRenewed::Ended | NotRenewed::Later(_)) => {}
            Err(NotRenewed::Sealed(error)) => tracing::error!(source, %error, "a stored refresh token does not open"),
            Err(NotRenewed::Store(error)) => return Err(error.into()),
        }
    }
    Ok(taken)
}

/// The chat as it can be spoken to now; its token is renewed first if it has ended, or ends within the minute.
///
/// # Errors
/// The inner error: there is no token to speak with. [`StepError`]: retry.
pub(in crate::pipeline) async fn speak<'a>(
    bridge: &Bridge,
    source: &str,
    side: &'a ChatSide,
) -> Result<Result<Voice<'a>, ChatError>, StepError> {
    let Some(rotation) = &side.rotation else { return Ok(Ok(Voice::Steady(&side.platform))) };
    let mut row = chain(bridge, source, rotation).await?;
    let now = bridge.ground.now();
    let mut why = "its token has ended and could not be renewed yet".to_owned();
    // What came to nothing a moment ago is not tried again by everybody who has something to say.
    let early = row.due_at.is_none_or(|due| due > now);
    if row.ended_at.is_none() && !early && row.usable(now + DYING).is_none() {
        match renew(bridge, source, rotation, row.version).await {
            Ok(()) | Err(NotRenewed::Ended) => row = chain(bridge, source, rotation).await?,
            Err(NotRenewed::Later(later)) => why = later,
            Err(NotRenewed::Sealed(error)) => why = NoToken::Sealed(error).to_string(),
            Err(NotRenewed::Store(error)) => return Err(error.into()),
        }
    }
    let Some(sealed) = row.usable(bridge.ground.now()) else {
        return Ok(Err(match row.ended_reason {
            Some(said) => ChatError::Refused { advice: format!("{said}; {CURE}"), said, next: ChatNext::AskPerson },
            None => ChatError::NotSent("Slack", why),
        }));
    };
    Ok(match bridge.vault.open(&chat_token_place(source), sealed) {
        Ok(token) => {
            let platform = Platform::Slack(rotation.rotator.speaking_with(token));
            Ok(Voice::Rotated(Box::new(platform), sealed.to_vec()))
        }
        Err(error) => Err(ChatError::NotSent("Slack", NoToken::Sealed(error).to_string())),
    })
}

/// Asks whether the chat lets the app in. A token that it does not take is renewed once before that is believed.
///
/// # Errors
/// The inner error: it does not, or could not be asked. [`StepError`]: retry.
pub(in crate::pipeline) async fn lets_in(
    bridge: &Bridge,
    source: &str,
    side: &ChatSide,
) -> Result<Result<(), ChatError>, StepError> {
    let mut last = false;
    loop {
        let voice = match speak(bridge, source, side).await? {
            Ok(voice) => voice,
            Err(error) => return Ok(Err(error)),
        };
        match voice.platform().works().await {
            Err(error) if !last && voice.refused(bridge, source, &error).await? => last = true,
            asked => return Ok(asked),
        }
    }
}

/// Whether the pair of a source can no longer be renewed, so that it is broken although its token may still work for a while.
///
/// # Errors
/// [`StoreError`]: retry.
pub(super) async fn is_ended(bridge: &Bridge, source: &str, side: &ChatSide) -> Result<bool, StoreError> {
    Ok(side.rotation.is_some() && bridge.store.chat_token(source).await?.is_some_and(|row| row.ended_at.is_some()))
}

/// The pair as it stands now; a configured refresh token that was never seen begins anew.
async fn chain(bridge: &Bridge, source: &str, rotation: &Rotation) -> Result<ChatToken, StoreError> {
    let configured = hash(rotation.configured.expose());
    loop {
        let row = bridge.store.chat_token(source).await?;
        if let Some(row) = row.filter(|row| row.seen.iter().any(|seen| *seen == configured)) {
            return Ok(row);
        }
        let sealed = seal(bridge, chat_refresh_place(source), &rotation.configured);
        if bridge.store.begin_chat_token(source, &configured, &sealed, bridge.ground.now()).await? {
            tracing::info!(source, "the configured refresh token is new: the app's tokens begin with it");
        }
    }
}

fn seal(bridge: &Bridge, place: crate::vault::Place<'_>, secret: &Secret) -> Vec<u8> {
    bridge.vault.seal(&place, secret.expose().as_bytes(), &bridge.ground).0
}

/// One source whose pair is renewed under a lease.
struct Renewal<'a> {
    bridge: &'a Bridge,
    source: &'a str,
    rotation: &'a Rotation,
    row: ChatToken,
    lease: Lease,
}

/// Renews the pair of this version, or waits until whoever does it is done. When it is good, a newer pair is stored.
///
/// # Errors
/// [`NotRenewed`].
pub async fn renew(bridge: &Bridge, source: &str, rotation: &Rotation, version: Uuid) -> Result<(), NotRenewed> {
    let until = Instant::now() + CALL;
    loop {
        let lease = Lease::new(&bridge.ground, CALL * 4);
        if let Some(row) = bridge.store.take_rotation(source, version, lease).await? {
            return Renewal { bridge, source, rotation, row, lease }.alone().await;
        }
        // Somebody else is at it: what they have done is read anew, never assumed.
        match bridge.store.chat_token(source).await? {
            Some(row) if row.ended_at.is_some() => return Err(NotRenewed::Ended),
            Some(row) if row.version != version => return Ok(()),
            _ if Instant::now() >= until => {
                return Err(NotRenewed::Later("another replica is renewing it".to_owned()));
            }
            _ => tokio::time::sleep(bridge.ground.jitter(Duration::from_millis(50))).await,
        }
    }
}

impl Renewal<'_> {
    async fn alone(&self) -> Result<(), NotRenewed> {
        let (store, now) = (&self.bridge.store, self.bridge.ground.now());
        let refresh = match self.bridge.vault.open(&chat_refresh_place(self.source), &self.row.refresh_token) {
            Ok(refresh) => refresh,
            Err(error) => {
                let again = now + TimeDelta::from_std(AGAIN_LATE).unwrap_or_default();
                store.end_rotation(self.source, self.lease, self.row.sent_at.is_none(), again).await?;
                return Err(error.into());
            }
        };
        // The answer before was lost.
        if let Some(sent) = self.row.sent_at
            && self.row.token_would_tell(sent, now)
        {
            match self.old_token().await {
                Ok(true) => {}
                Ok(false) => return self.ended(LOST, false).await,
                Err(why) => return self.later(false, AGAIN, &why).await,
            }
        }
        if !store.rotation_leaves(self.source, self.row.version, self.lease, now).await? {
            return Err(NotRenewed::Later("it took too long; another replica has it now".to_owned()));
        }
        reach(Point::RotationLeaves);
        match self.rotation.rotator.refresh(&refresh, now).await {
            Ok(pair) => {
                reach(Point::RotationAnswered);
                self.put(&pair).await
            }
            Err(error @ SlackError::Unclear(_)) => self.later(false, AGAIN, &error.to_string()).await,
            Err(SlackError::Limited(pause)) => self.later(true, pause.max(AGAIN), "Slack asked for a pause").await,
            Err(SlackError::Refused(word)) if is_dead(&word) => match self.row.sent_at {
                Some(_) => self.ended(LOST, true).await,
                None => self.ended(&format!("Slack does not take the app's refresh token (`{word}`)"), true).await,
            },
            Err(error @ SlackError::Refused(_)) => {
                tracing::error!(source = self.source, %error, "Slack renews no token for this app; check `rotation`");
                self.later(true, AGAIN_LATE, &error.to_string()).await
            }
            Err(error) => self.later(true, AGAIN, &error.to_string()).await,
        }
    }

    /// Whether the old token still works, or why that is not known.
    async fn old_token(&self) -> Result<bool, String> {
        let sealed = self.row.token.as_deref().unwrap_or_default();
        let token =
            self.bridge.vault.open(&chat_token_place(self.source), sealed).map_err(|error| error.to_string())?;
        match self.rotation.rotator.speaking_with(token).works().await {
            Ok(()) => Ok(true),
            Err(error) if error.is_of_token() => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn put(&self, pair: &SlackPair) -> Result<(), NotRenewed> {
        let (bridge, source) = (self.bridge, self.source);
        let token = seal(bridge, chat_token_place(source), &pair.token);
        let refresh_token = seal(bridge, chat_refresh_place(source), &pair.refresh);
        let due = due_at(&bridge.ground, bridge.ground.now(), Some(pair.expires_at));
        let new =
            NewChatToken { token: &token, expires_at: pair.expires_at, refresh_token: &refresh_token, due_at: due };
        for nth in 1.. {
            match bridge.store.put_rotated(source, self.row.version, &new).await {
                Ok(true) => {
                    reach(Point::RotationStored);
                    tracing::info!(source, "an app's token was renewed");
                }
                // The operator has begun anew meanwhile. Or it is there, and the word of that was lost.
                Ok(false) => tracing::info!(source, "an app's renewed token is not needed: another is stored"),
                Err(error) if nth < PUTS => {
                    tracing::warn!(source, %error, nth, "an app's renewed token is not stored yet");
                    tokio::time::sleep(bridge.ground.jitter(Duration::from_millis(500))).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(source, %error, "an app's renewed token could not be stored and is lost");
                    return Err(error.into());
                }
            }
            break;
        }
        bridge.wake.chats.notify_one();
        Ok(())
    }

    async fn later(&self, came_back: bool, wait: Duration, why: &str) -> Result<(), NotRenewed> {
        let bridge = self.bridge;
        let again = bridge.ground.now() + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default();
        bridge.store.end_rotation(self.source, self.lease, came_back, again).await?;
        tracing::warn!(source = self.source, why, came_back, "an app's token could not be renewed yet");
        Err(NotRenewed::Later(why.to_owned()))
    }

    /// An operator must begin anew, unless they have already.
    async fn ended(&self, why: &str, token_works: bool) -> Result<(), NotRenewed> {
        let (store, now) = (&self.bridge.store, self.bridge.ground.now());
        if store.end_chat_token(self.source, self.row.version, why, token_works, now).await? {
            tracing::error!(source = self.source, why, "soon nothing can be told in the chat any more; {CURE}");
        }
        Err(NotRenewed::Ended)
    }
}
