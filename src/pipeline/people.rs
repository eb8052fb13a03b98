//! People and their tokens: added by hand, opened only for the call that needs them, and marked at once
//! when GitHub refuses them (`token_ended`).

use chrono::TimeDelta;

use super::{Bridge, StepError};
use crate::domain::task::State;
use crate::github::{CallError, RepoPath, Session, Token, TokenOwner};
use crate::ids::{PersonId, TaskId};
use crate::pipeline::over_limit::{CountedAs, counted_names, limits_of, over_limit, wait_for_room};
use crate::pipeline::places::token_place;
use crate::pipeline::refresh::{NotRenewed, renew};
use crate::pipeline::revoke::{AtGithub, end_left, put_in_place, to_be_ended};
use crate::pipeline::token_ended::hold_waiting;
use crate::pipeline::transition::{lock_in_line, resume};
use crate::secret::Secret;
use crate::store::StoreError;
use crate::store::people::NewToken;
use crate::store::revocations::WhatEnds;
use crate::store::tasks::Hold;

/// Why there is nobody any more when an operator has removed them.
pub const REMOVED: &str = "an operator has removed the person";

/// A token that ends within this time is renewed before it is used.
const DYING: TimeDelta = TimeDelta::seconds(60);

/// Why there is no token to act with.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// Nobody gave one, GitHub refused it, or it has ended: a person must give one.
    #[error("{0}")]
    Missing(String),
    /// It is there and does not open: an operator must look at the sealing keys.
    #[error("the stored token does not open: {0}")]
    Sealed(#[from] crate::vault::OpenError),
    /// It must be renewed first, which did not work just now: try again later.
    #[error("{}", .0.for_person())]
    Later(CallError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A person's session with GitHub, and the sealed token it was made of.
#[derive(Debug)]
pub struct Acting {
    /// The session.
    pub session: Session,
    /// The token as stored, to mark the right one if it is refused.
    pub sealed: Vec<u8>,
}

/// Opens a person's token.
///
/// # Errors
/// [`NoToken`].
pub async fn act_as(bridge: &Bridge, id: PersonId) -> Result<Acting, NoToken> {
    let there = bridge.store.person(id).await?;
    let mut person = there
        .ok_or_else(|| NoToken::Missing(format!("taskbridge holds no token for this account; {}", how(bridge))))?;
    let now = bridge.ground.now();
    // What came to nothing a moment ago is not tried again by everybody who needs the token.
    let too_early = person.refresh_due_at.is_some_and(|due| due > now);
    if person.must_be_renewed(now) && too_early {
        let why = "the token has ended and could not be renewed yet".to_owned();
        return Err(NoToken::Later(CallError::NotSent { why }));
    }
    if person.must_be_renewed(now + DYING) && !too_early {
        match renew(bridge, id, person.token_version).await {
            // As it stands now: of the pair that was renewed, or why there is none.
            Ok(()) | Err(NotRenewed::Ended) => person = bridge.store.person(id).await?.unwrap_or(person),
            Err(NotRenewed::Later(_)) if !person.must_be_renewed(now) => {}
            Err(NotRenewed::Later(why)) => return Err(NoToken::Later(CallError::NotSent { why })),
            Err(NotRenewed::Sealed(error)) => return Err(error.into()),
            Err(NotRenewed::Store(error)) => return Err(error.into()),
        }
    }
    let sealed = match person.usable_token(bridge.ground.now()) {
        Some(sealed) => sealed.to_vec(),
        None => {
            return Err(NoToken::Missing(format!(
                "the stored token of @{} cannot be used any more{}; {}",
                person.login,
                person.token_reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default(),
                how(bridge)
            )));
        }
    };
    let row = id.to_string();
    let secret = bridge.vault.open(&token_place(&row), &sealed)?;
    Ok(Acting { session: bridge.github.with_token(Token { secret, owner: TokenOwner::Person(id) }), sealed })
}

/// The words for a person whose token a rule may not run with.
pub(super) fn not_agreed(login: &str, rule: &str) -> String {
    format!(
        "run_as: @{login} has not agreed that this rule runs with their token; record it with `taskbridge people consent \
         {login} --rule {rule}`"
    )
}

/// How there comes to be a token.
fn how(bridge: &Bridge) -> &'static str {
    match bridge.settings.connect_url {
        Some(_) => "sign in on taskbridge's page `/connect`",
        None => "an operator adds one with `taskbridge people add`",
    }
}

/// A session to look things up with: the App's where it is installed, else the person's own.
///
/// # Errors
/// [`NoReader`].
pub async fn reader(bridge: &Bridge, repo: &RepoPath, actor: PersonId) -> Result<Session, NoReader> {
    reader_and_token(bridge, repo, actor).await.map(|(session, _)| session)
}

/// The same with the sealed token, if it is the person's own, to mark it if it is refused.
///
/// # Errors
/// [`NoReader`].
pub(super) async fn reader_and_token(
    bridge: &Bridge,
    repo: &RepoPath,
    actor: PersonId,
) -> Result<(Session, Option<Vec<u8>>), NoReader> {
    if let Some(app) = bridge.github.app() {
        match app.installation_of(repo).await {
            Ok(installation) => {
                let session = app.as_installation(installation).await.map_err(NoReader::Call)?;
                return Ok((session, None));
            }
            Err(CallError::NotFound { .. }) => {}
            Err(error) => return Err(NoReader::Call(error)),
        }
    }
    match act_as(bridge, actor).await {
        Ok(acting) => Ok((acting.session, Some(acting.sealed))),
        Err(NoToken::Later(error)) => Err(NoReader::Call(error)),
        Err(error) => Err(NoReader::Token(error)),
    }
}

/// Drops the App's token that a look-up was refused with: it was revoked or has ended early, which says nothing of
/// the one that was asked about. Answers whether it was the App's, and a new one may so do better.
pub(super) async fn forget_dead(bridge: &Bridge, session: &Session, error: &CallError) -> bool {
    let (CallError::Unauthorized { .. }, TokenOwner::Installation(id)) = (error, session.owner()) else { return false };
    if let Some(app) = bridge.github.app() {
        app.forget_installation(id).await;
    }
    true
}

/// Why nothing can be looked up.
#[derive(Debug, thiserror::Error)]
pub enum NoReader {
    /// There is no App here and no token of this person.
    #[error(transparent)]
    Token(NoToken),
    /// GitHub did not let the App in.
    #[error(transparent)]
    Call(CallError),
}

/// Why a person could not be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// GitHub did not accept the token, or could not be asked.
    #[error("nothing was stored: {}", unconfirmed(.0))]
    Call(CallError),
    /// The token is somebody else's.
    #[error("this token belongs to @{actual} (account {id}), not to @{wanted}: nothing was stored")]
    OtherPerson {
        /// Whose it is.
        actual: String,
        /// Their account number.
        id: i64,
        /// Whose it was said to be.
        wanted: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Work that waited for the token could not be released yet.
    #[error(transparent)]
    Step(#[from] StepError),
}

/// Nobody tries this again by itself, so the words are others than for a task.
fn unconfirmed(error: &CallError) -> String {
    match error {
        CallError::NotSent { .. } | CallError::Away { .. } | CallError::Unknown { .. } => {
            "GitHub could not be asked whose token it is; check `github.api_url` and run the command again".to_owned()
        }
        other => other.for_person(),
    }
}

/// Stores a token for `login` after asking GitHub whose it is, and releases the tasks that waited for it.
/// Answers the account's number and how many tasks go on.
///
/// # Errors
/// [`AddError`].
pub async fn add(bridge: &Bridge, login: &str, token: Secret) -> Result<(PersonId, usize), AddError> {
    let session = bridge.github.with_token(Token { secret: token.clone(), owner: TokenOwner::Unbound });
    let me = session.me().await.map_err(AddError::Call)?;
    if !me.login.eq_ignore_ascii_case(login) {
        return Err(AddError::OtherPerson { actual: me.login, id: me.id, wanted: login.to_owned() });
    }
    let id = PersonId(me.id);
    let row = id.to_string();
    let sealed = bridge.vault.seal(&token_place(&row), token.expose().as_bytes(), &bridge.ground);
    put_in_place(bridge, id, &me.login, &NewToken::alone(&sealed.0), false).await?;
    let released = release_held(bridge, id).await?;
    Ok((id, released))
}

/// Forgets a person, with tokens, consents and chat accounts, holds what waits to run as them, and ends at GitHub what they had
/// given the app. Answers what became of that, if there was such a person; `why` is told to those who look at what waits.
///
/// # Errors
/// [`StoreError`]: nothing is changed.
pub async fn remove(bridge: &Bridge, id: PersonId, why: &str) -> Result<Option<AtGithub>, StoreError> {
    let lent = bridge.store.consents(id).await?;
    // What is kept here goes first: nothing may start with it any more, whatever GitHub says.
    let (person, kept) = loop {
        let Some(person) = bridge.store.person(id).await? else { return Ok(None) };
        let kept = to_be_ended(bridge, &person, WhatEnds::Grant);
        // A token that was put or renewed meanwhile is the one to end.
        if bridge.store.remove_person_with(id, person.token_version, kept.as_ref()).await? {
            break (person, kept);
        }
    };
    if let Err(error) = hold_waiting(bridge, id, &format!("{why}; {}", how(bridge))).await {
        tracing::warn!(person = %id, %error, "what waits for somebody who left is held when its turn comes");
    }
    if !lent.is_empty() {
        tracing::warn!(
            person = %id,
            login = person.login,
            rules = lent.join(", "),
            "rules that ran with the token of somebody who left start nothing any more, until they sign in and agree again or the \
             rules name somebody else"
        );
    }
    Ok(Some(end_left(bridge, &person, kept.as_ref()).await))
}

/// Lets tasks go on that are still held for a token that is there: whoever gave it was cut short, or the
/// sealing key was missing for a while.
///
/// # Errors
/// [`StepError`]: retry.
pub async fn release_forgotten(bridge: &Bridge) -> Result<(), StepError> {
    for person in bridge.store.people_with_held_tasks(bridge.ground.now()).await? {
        if act_as(bridge, person).await.is_ok() {
            release_held(bridge, person).await?;
        }
    }
    Ok(())
}

/// Lets the tasks go on that wait for this person's token. Whether the actor may is checked again before
/// the start of those whose right could not be looked up.
///
/// # Errors
/// [`StepError`].
pub async fn release_held(bridge: &Bridge, id: PersonId) -> Result<usize, StepError> {
    let mut tx = bridge.store.begin().await?;
    tx.alone_with(&format!("token:{id}")).await?;
    tx.commit().await?;
    let mut released = 0;
    loop {
        let held = bridge.store.tasks_held_for_token(id).await?;
        let before = released;
        for task in held {
            match release(bridge, task, Hold::Token, "a token is there again").await {
                Ok(done) => released += usize::from(done),
                // One task in trouble keeps no other waiting; the start step comes back to it.
                Err(error) => tracing::warn!(%task, %error, "a held task could not be released yet"),
            }
        }
        if released == before {
            break;
        }
    }
    // With another token the App may not be needed any more.
    bridge.store.look_for_the_app_now(None, Some(id), bridge.ground.now()).await?;
    // What GitHub did meanwhile is read at once, not after the long wait of a person without a token.
    bridge.store.hint_sweep(id, bridge.ground.now()).await?;
    bridge.store.look_again(id, bridge.ground.now()).await?;
    bridge.wake.sweeps.notify_one();
    bridge.wake.tasks.notify_one();
    bridge.wake.tell();
    Ok(released)
}

/// Lets a task go on that waits for `hold`, and `done` says why; when a limit is reached, it waits until there is room. Answers
/// whether it goes on.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn release(bridge: &Bridge, task: TaskId, hold: Hold, done: &str) -> Result<bool, StepError> {
    let mut tx = bridge.store.begin().await?;
    let Some(seen) = tx.task(task).await? else { return Ok(false) };
    tx.alone_with_all(&counted_names(&seen)).await?;
    let Some(mut task) = lock_in_line(&mut tx, task).await? else { return Ok(false) };
    if task.state != State::Held || task.hold != Some(hold) {
        return Ok(false);
    }
    // Rights may have changed while it waited: they are looked up again before the start.
    task.allow_pending |= task.actor_id.is_some();
    let limits = limits_of(bridge, &task);
    let counted = CountedAs::waiting(&task);
    if let Some((why, _)) = over_limit(bridge, &mut tx, &limits, &counted, bridge.ground.now()).await? {
        wait_for_room(&mut tx, bridge, &mut task, done, &why).await?;
        tx.commit().await?;
        return Ok(false);
    }
    resume(&mut tx, bridge, &mut task, done).await?;
    tx.commit().await?;
    Ok(true)
}
