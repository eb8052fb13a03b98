//! What came of an attempt to start a task: GitHub has it, GitHub refused it, it surely was not sent, or nobody knows.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::installed::{Reach, reach_of, wait_for_the_app};
use super::people::Acting;
use super::token_ended::{hold_waiting, refuse_in, still_without_token};
use super::transition::{note, take_step};
use super::{Bridge, StepError};
use crate::domain::backoff::Backoff;
use crate::domain::task::{State, Step};
use crate::github::{CallError, Next, RemoteTask, RepoPath};
use crate::store::attempts::Outcome;
use crate::store::tasks::{Hold, Task};
use crate::store::{Lease, Tx};

/// Waits between attempts that surely created nothing.
const AGAIN: Backoff =
    Backoff { first: Duration::from_secs(5), factor: 2, cap: Duration::from_secs(600), tries: u32::MAX };
/// The first look at an uncertain task comes soon: most often the task is there.
const FIRST_LOOK: TimeDelta = TimeDelta::seconds(15);

/// Records what came of an attempt, trying for as long as the lease may last: the answer must not be lost
/// only because the database is away for a moment.
///
/// # Errors
/// [`StepError`]: the lease runs out, and the task is settled by looking.
pub(super) async fn record(
    bridge: &Bridge,
    lease: Lease,
    task: &Task,
    acting: &Acting,
    outcome: Result<RemoteTask, CallError>,
) -> Result<(), StepError> {
    let give_up = Instant::now() + bridge.settings.lease;
    loop {
        match try_record(bridge, lease, task, acting, &outcome).await {
            Err(StepError::Store(error)) if error.is_passing() && Instant::now() < give_up => {
                tracing::warn!(task = %task.id, %error, "the answer to an attempt could not be recorded yet");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            other => return other,
        }
    }
}

async fn try_record(
    bridge: &Bridge,
    lease: Lease,
    task: &Task,
    acting: &Acting,
    outcome: &Result<RemoteTask, CallError>,
) -> Result<(), StepError> {
    let moved_to = match outcome {
        Err(CallError::Moved { .. }) => Some(acting.session.repo_by_id(task.repo_id).await.map(|repo| repo.path)),
        _ => None,
    };
    // It is refused, too, when the App went away unnoticed.
    let reach = match outcome {
        Err(CallError::Forbidden { .. } | CallError::NotFound { .. }) => reach_of(bridge, task, true).await?,
        _ => Reach::There,
    };
    let mut tx = bridge.store.begin().await?;
    if let Err(CallError::Unauthorized { .. }) = outcome {
        // Before the row, as everybody does who holds a task for a token.
        tx.alone_with(&format!("token:{}", task.person_id)).await?;
    }
    // Fenced: if the lease was lost, the task is uncertain by now and is settled by its marker.
    let Some(mut task) = tx.lock_leased_task(task.id, lease).await? else {
        tracing::warn!(task = %task.id, "an answer came after the lease was lost; the task is settled by looking");
        return Ok(());
    };
    task.release();
    match outcome {
        Ok(remote) => adopt(bridge, &mut tx, &mut task, remote, Outcome::Created, "GitHub has it").await?,
        Err(error) => turned_down(bridge, &mut tx, &mut task, acting, error, moved_to, reach).await?,
    }
    tx.commit().await?;
    if task.state == State::Held && task.hold == Some(Hold::Token) {
        hold_waiting(bridge, task.person_id, &task.reason).await?;
    }
    bridge.wake.tell();
    bridge.wake.sweeps.notify_one();
    Ok(())
}

/// Takes a remote task as this task's own.
///
/// # Errors
/// [`StepError`]: repeat the transaction.
pub(super) async fn adopt(
    bridge: &Bridge,
    tx: &mut Tx,
    task: &mut Task,
    remote: &RemoteTask,
    outcome: Outcome,
    text: &str,
) -> Result<(), StepError> {
    let now = bridge.ground.now();
    let status = (outcome == Outcome::Created).then_some(201);
    tx.end_attempt(task.id, outcome, status, text, now).await?;
    task.remote_id = Some(remote.id.clone());
    task.remote_state = Some(remote.state.clone());
    task.remote_url.clone_from(&remote.html_url);
    task.remote_updated_at = remote.updated_at.or(remote.created_at);
    task.uncertain_since = None;
    task.started_at = Some(now);
    task.looked_at = Some(now);
    task.look_at = Some(now + TimeDelta::minutes(15));
    let state = State::from_remote(&remote.state);
    take_step(tx, bridge, task, Step::Adopt(state), text).await?;
    let overlap = TimeDelta::from_std(bridge.settings.sweep_overlap).unwrap_or_default();
    let soon = TimeDelta::from_std(bridge.settings.sweep_min).unwrap_or_default();
    tx.sweep_soon(task.person_id, now - overlap, now + soon).await?;
    tracing::info!(task = %task.id, remote = remote.id, state = %task.state, "a task was started");
    Ok(())
}

async fn turned_down(
    bridge: &Bridge,
    tx: &mut Tx,
    task: &mut Task,
    acting: &Acting,
    error: &CallError,
    moved_to: Option<Result<RepoPath, CallError>>,
    reach: Reach,
) -> Result<(), StepError> {
    let ground = &bridge.ground;
    let now = ground.now();
    let (mut words, status) = (error.for_person(), status_of(error));
    let later = || {
        let wait = AGAIN.after(u32::try_from(task.attempt_count).unwrap_or(1)).unwrap_or(AGAIN.cap);
        now + ground.jitter(wait)
    };
    tracing::warn!(task = %task.id, %error, attempt = task.attempt_count, "an attempt did not start a task");
    let (outcome, step) = match error {
        CallError::NotSent { .. } => {
            task.due_at = later();
            (Outcome::Deferred, Step::Defer)
        }
        CallError::Limited { until, .. } | CallError::Away { until } => {
            task.due_at = *until;
            (Outcome::Deferred, Step::Defer)
        }
        CallError::Moved { .. } => match moved_to {
            Some(Ok(path)) if !path.to_string().eq_ignore_ascii_case(&task.repo_full_name()) => {
                note(tx, ground, task, "note", &format!("the repository is {path} now")).await?;
                path.owner().clone_into(&mut task.repo_owner);
                path.name().clone_into(&mut task.repo_name);
                task.due_at = now;
                (Outcome::Deferred, Step::Defer)
            }
            // Where it is now could not be asked: nothing was made, so it can wait.
            Some(Err(why)) if matches!(why.next(), Next::Retry | Next::Look) => {
                task.due_at = later();
                (Outcome::Deferred, Step::Defer)
            }
            _ => {
                words = "GitHub points elsewhere, and the repository is not found under another name".to_owned();
                (Outcome::Refused, Step::Refuse)
            }
        },
        CallError::Unauthorized { .. } => {
            refuse_in(bridge, tx, task.person_id, &acting.sealed, error).await?;
            if still_without_token(bridge, tx, task.person_id).await? {
                task.hold = Some(Hold::Token);
                (Outcome::Unauthorized, Step::Hold)
            } else {
                // A newer token came while the old one was being refused, or it is renewed before the next attempt.
                task.due_at = now;
                (Outcome::Unauthorized, Step::Defer)
            }
        }
        CallError::Forbidden { .. } | CallError::NotFound { .. } if !matches!(reach, Reach::There) => match reach {
            Reach::Gone(why) => {
                words = wait_for_the_app(bridge, task, &why);
                (Outcome::Refused, Step::Hold)
            }
            _ => {
                // Whether it was for that could not be asked: nothing was made, so it can wait.
                task.due_at = later();
                (Outcome::Deferred, Step::Defer)
            }
        },
        error if error.next() == Next::Look => {
            task.uncertain_since = Some(now);
            task.empty_listings = 0;
            task.absent_since = None;
            task.due_at = now + FIRST_LOOK;
            (Outcome::Unknown, Step::LoseSight)
        }
        _ => (Outcome::Refused, Step::Refuse),
    };
    tx.end_attempt(task.id, outcome, status, &words, now).await?;
    take_step(tx, bridge, task, step, &words).await
}

fn status_of(error: &CallError) -> Option<u16> {
    match error {
        CallError::Unauthorized { .. } => Some(401),
        CallError::Forbidden { .. } => Some(403),
        CallError::NotFound { .. } => Some(404),
        CallError::Gone { .. } => Some(410),
        CallError::Invalid { .. } => Some(422),
        CallError::Refused { status, .. } => Some(*status),
        CallError::Unknown { status, .. } => *status,
        CallError::NotSent { .. } | CallError::Away { .. } | CallError::Limited { .. } | CallError::Moved { .. } => {
            None
        }
    }
}
