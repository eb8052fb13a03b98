//! Looking up a repository as somebody sees it. When the token to look with is missing while a task is made, it is done
//! right before the start, and the limits that count by repository hold from then on.

use std::time::Duration;

use chrono::TimeDelta;

use super::guard::{Later, RENEWED_FIRST};
use super::installed::{Reach, hold, reach, reach_of};
use super::over_limit::{CountedAs, counted_names, hold_for_room, limits_of, over_limit};
use super::people::{Acting, NoReader, NoToken, forget_dead, reader_and_token};
use super::token_ended::refuse;
use super::transition::{put_off, take_step};
use super::{Bridge, StepError};
use crate::domain::task::Step;
use crate::github::{CallError, Next, RepoInfo, RepoPath};
use crate::ids::PersonId;
use crate::store::Lease;
use crate::store::refreshes::Refusal;
use crate::store::tasks::Task;

/// How long until GitHub is asked again.
const AGAIN: Duration = Duration::from_secs(60);

/// What there is to see.
pub(super) enum Seen {
    /// The repository, as it is called now.
    There(Box<RepoInfo>),
    /// There is no App there, and no token of the person that can be used.
    NoToken,
    /// The App is not there, on which the token of the person depends: why, and what to do.
    NoApp(String),
    /// It is not there, or not for this person.
    Unreadable(CallError),
    /// It could not be looked up now.
    Later(Later),
}

/// Looks a repository up, with the App or as the person. A token that GitHub refuses is marked, so that what runs as its
/// person waits for another.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn see_repo(bridge: &Bridge, path: &RepoPath, person: PersonId) -> Result<Seen, StepError> {
    let (session, own) = match reader_and_token(bridge, path, person).await {
        Ok(reader) => reader,
        Err(NoReader::Token(NoToken::Store(error))) => return Err(error.into()),
        Err(NoReader::Token(NoToken::Missing(_))) => return Ok(Seen::NoToken),
        Err(NoReader::Token(NoToken::Sealed(error))) => {
            tracing::error!(%person, %error, "a stored token does not open");
            return Ok(Seen::Later(Later::soon("a stored token does not open")));
        }
        Err(NoReader::Call(error) | NoReader::Token(NoToken::Later(error))) => {
            return Ok(Seen::Later(Later::from(&error)));
        }
    };
    let error = match session.repo(path).await {
        Ok(repo) => return Ok(Seen::There(Box::new(repo))),
        Err(error) => error,
    };
    if forget_dead(bridge, &session, &error).await {
        return Ok(Seen::Later(Later::soon("GitHub no longer accepts the App's token; a new one is asked for")));
    }
    if error.next() == Next::GiveUp
        && own.is_some()
        && let Reach::Gone(why) = reach(bridge, person, path, true).await?
    {
        return Ok(Seen::NoApp(why));
    }
    Ok(match (error.next(), own) {
        (Next::AskPerson, Some(sealed)) if matches!(error, CallError::Unauthorized { .. }) => {
            match refuse(bridge, person, &sealed, &error).await? {
                Refusal::Ended => Seen::NoToken,
                Refusal::Renewable | Refusal::Newer => Seen::Later(Later::soon(RENEWED_FIRST)),
            }
        }
        (Next::GiveUp | Next::AskPerson, _) => Seen::Unreadable(error),
        (Next::Retry | Next::Look, _) => Seen::Later(Later::from(&error)),
    })
}

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
    // The App may have gone unnoticed.
    if let Reach::Gone(why) = reach_of(bridge, task, true).await? {
        hold(bridge, lease, task, &why).await?;
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
    // So that it is among those that are counted.
    tx.save_task(&task).await?;
    let limits = limits_of(bridge, &task);
    let full = over_limit(bridge, &mut tx, &limits, &CountedAs::waiting(&task), bridge.ground.now()).await?;
    if let Some((why, _)) = full {
        hold_for_room(&mut tx, bridge, &mut task, &why).await?;
        tx.commit().await?;
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(task))
}
