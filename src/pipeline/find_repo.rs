//! Where the agent works, when nobody could look that up before: the token to look with was missing. It is done with the
//! person's token right before the start, and the limits that count by repository hold from then on.

use std::time::Duration;

use chrono::TimeDelta;

use super::over_limit::{CountedAs, counted_names, hold_for_room, limits_of, over_limit};
use super::people::Acting;
use super::token_ended::refuse;
use super::transition::{put_off, take_step};
use super::{Bridge, StepError};
use crate::domain::task::Step;
use crate::github::{CallError, Next, RepoInfo, RepoPath};
use crate::store::Lease;
use crate::store::refreshes::Refusal;
use crate::store::tasks::Task;

/// How long until GitHub is asked again.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks the repository up. Answers the task as it stands then; `None` when it does not go on now.
///
/// # Errors
/// [`StepError`]: the task is taken up again when its lease has ended.
pub(super) async fn find_repo(
    bridge: &Bridge,
    lease: Lease,
    task: &Task,
    acting: &Acting,
) -> Result<Option<Task>, StepError> {
    let found = match RepoPath::new(&task.repo_owner, &task.repo_name) {
        Ok(path) => acting.session.repo(&path).await,
        Err(error) => Err(CallError::Invalid { message: error.to_string(), details: Vec::new() }),
    };
    let error = match found {
        Ok(repo) => return take_in(bridge, lease, task, &repo).await,
        Err(error) => error,
    };
    if matches!(error, CallError::Unauthorized { .. }) {
        // When it has ended, all that waits for it is held, this task too.
        if refuse(bridge, task.person_id, &acting.sealed, &error).await? != Refusal::Ended {
            put_off(bridge, lease, task, bridge.ground.now(), "").await?;
        }
        return Ok(None);
    }
    if matches!(error.next(), Next::Retry | Next::Look) {
        let wait = TimeDelta::from_std(bridge.ground.jitter(AGAIN)).unwrap_or_default();
        put_off(bridge, lease, task, bridge.ground.now() + wait, "").await?;
        return Ok(None);
    }
    let mut tx = bridge.store.begin().await?;
    if let Some(mut task) = tx.lock_leased_task(task.id, lease).await? {
        task.release();
        let why = format!("task.repo: {} cannot be looked up: {}", task.repo_full_name(), error.for_person());
        take_step(&mut tx, bridge, &mut task, Step::Refuse, &why).await?;
        tx.commit().await?;
    }
    Ok(None)
}

async fn take_in(bridge: &Bridge, lease: Lease, task: &Task, repo: &RepoInfo) -> Result<Option<Task>, StepError> {
    let mut found = task.clone();
    found.repo_id = repo.id;
    let mut tx = bridge.store.begin().await?;
    tx.alone_with_all(&counted_names(&found)).await?;
    let Some(mut task) = tx.lock_leased_task(task.id, lease).await? else { return Ok(None) };
    task.repo_id = repo.id;
    repo.path.owner().clone_into(&mut task.repo_owner);
    repo.path.name().clone_into(&mut task.repo_name);
    let limits = limits_of(bridge, &task);
    let full = over_limit(bridge, &mut tx, &limits, &CountedAs::waiting(&task), bridge.ground.now()).await?;
    if let Some((why, _)) = full {
        hold_for_room(&mut tx, bridge, &mut task, &why).await?;
        tx.commit().await?;
        return Ok(None);
    }
    tx.save_task(&task).await?;
    tx.commit().await?;
    Ok(Some(task))
}
