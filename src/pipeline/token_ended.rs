//! A token that GitHub does not accept: if it can be renewed, that is tried once before the sign-in ends; when it has ended,
//! what waits to be started is held at once and says why.

use chrono::TimeDelta;

use super::transition::take_step;
use super::{Bridge, StepError};
use crate::domain::task::{State, Step};
use crate::github::{CallError, Token, TokenOwner};
use crate::ids::PersonId;
use crate::secret::Secret;
use crate::store::refreshes::Refusal;
use crate::store::tasks::Hold;
use crate::store::{Moment, Tx};

/// A pair whose new access token is refused too, so soon after the last one, is not renewed a second time.
pub(super) const ONCE_IN: TimeDelta = TimeDelta::hours(1);

/// Marks a token that GitHub does not accept, whoever finds out, unless a newer one was put since. One that can be renewed is
/// renewed before its next use.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn refuse(
    bridge: &Bridge,
    id: PersonId,
    sealed: &[u8],
    error: &CallError,
) -> Result<Refusal, StepError> {
    let mut tx = bridge.store.begin().await?;
    let refusal = refuse_in(bridge, &mut tx, id, sealed, error).await?;
    tx.commit().await?;
    if refusal == Refusal::Ended {
        hold_waiting(bridge, id, &error.for_person()).await?;
    }
    Ok(refusal)
}

/// Asks GitHub once whether it takes a stored token, and marks it if not. A doubt is no "no".
///
/// # Errors
/// [`StepError`]: its next use tells.
pub(super) async fn still_taken(
    bridge: &Bridge,
    id: PersonId,
    sealed: &[u8],
    token: &Secret,
) -> Result<bool, StepError> {
    let session = bridge.github.with_token(Token { secret: token.clone(), owner: TokenOwner::Person(id) });
    match session.me().await {
        Err(error @ CallError::Unauthorized { .. }) => Ok(match refuse(bridge, id, sealed, &error).await? {
            Refusal::Ended | Refusal::Renewable => false,
            // A newer one was put, or somebody else has just marked this one.
            Refusal::Newer => bridge.store.person(id).await?.is_some_and(|person| {
                person.token_state == "ok" && person.token.is_some_and(|stored| stored != sealed)
            }),
        }),
        _ => Ok(true),
    }
}

/// The same within a transaction; then the caller holds what waits, with [`hold_waiting`], after its end.
///
/// # Errors
/// [`StepError`]: repeat the transaction.
pub(super) async fn refuse_in(
    bridge: &Bridge,
    tx: &mut Tx,
    id: PersonId,
    sealed: &[u8],
    error: &CallError,
) -> Result<Refusal, StepError> {
    let now = bridge.ground.now();
    if bridge.github.oauth().is_some()
        && tx.expire_refused(id, sealed, now, now.checked_sub_signed(ONCE_IN).unwrap_or(Moment::UNIX_EPOCH)).await?
    {
        tracing::warn!(person = %id, "GitHub refused a token before its end; it is renewed once");
        return Ok(Refusal::Renewable);
    }
    Ok(if tx.refuse_token(id, sealed, &error.for_person()).await? { Refusal::Ended } else { Refusal::Newer })
}

/// Holds what waits to be started and runs as somebody whose token has ended.
///
/// # Errors
/// [`StepError`]: the start step holds what is left.
pub(super) async fn hold_waiting(bridge: &Bridge, id: PersonId, why: &str) -> Result<(), StepError> {
    loop {
        let waiting = bridge.store.waiting_tasks_of(id).await?;
        let mut held = 0;
        for task in waiting {
            let mut tx = bridge.store.begin().await?;
            if !still_without_token(bridge, &mut tx, id).await? {
                return Ok(());
            }
            let Some(mut task) = tx.lock_task(task).await? else { continue };
            if task.state != State::Pending {
                continue;
            }
            // Whoever has it under a lease finds it changed before anything leaves.
            task.release();
            task.hold = Some(Hold::Token);
            take_step(&mut tx, bridge, &mut task, Step::Hold, why).await?;
            tx.commit().await?;
            held += 1;
        }
        if held == 0 {
            return Ok(());
        }
        bridge.wake.tell();
    }
}

/// Whether a task may still be held for a token: none has come meanwhile. The lock is held to the end of the
/// transaction, so that whoever gives a token finds every task that is held for it.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn still_without_token(bridge: &Bridge, tx: &mut Tx, id: PersonId) -> Result<bool, StepError> {
    tx.alone_with(&format!("token:{id}")).await?;
    Ok(!tx.has_usable_token(id, bridge.ground.now()).await?)
}
