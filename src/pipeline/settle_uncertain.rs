//! Settling tasks whose start has an unknown outcome: by looking for the marker, never by sending again
//! blindly. Absence counts only when two complete listings past the grace show nothing; then the task is
//! started once more by itself, or, where the configuration says `wait`, left to a person.
//!
//! Replicas' clocks may be wrong. The grace therefore runs on GitHub's: from the `Date` of the first complete listing
//! that did not show the task to the `Date` of a later one. Our own clock only says when to look, and, with room for
//! an error, where a listing begins.

use std::collections::HashSet;

use chrono::TimeDelta;

use super::people::{NoToken, act_as};
use super::record_start::adopt;
use super::token_ended::refuse;
use super::transition::{note, note_news, take_step, tell};
use super::{Bridge, StepError};
use crate::domain::task::{State, Step};
use crate::domain::trust::find_marker;
use crate::fail_point::{Point, reach};
use crate::github::{CallError, Next, RemoteTask, RepoPath, Session, TaskQuery};
use crate::store::attempts::{Attempt, Outcome};
use crate::store::tasks::Task;
use crate::store::{Lease, Moment};

/// Between two looks while the grace lasts, and after it.
const NEXT_LOOK: TimeDelta = TimeDelta::seconds(60);
/// Between looks once a person must settle it: somebody may still find it on GitHub.
const SLOW_LOOK: TimeDelta = TimeDelta::minutes(30);
/// Complete listings that must show nothing.
const EMPTY_LISTINGS: i16 = 2;
/// How far before an attempt a listing begins. The marker identifies, the time only narrows: the clock that wrote
/// down the attempt may have been an hour ahead of GitHub's, and then some.
const SKEW: TimeDelta = TimeDelta::hours(2);
/// Most pages of a listing, and most candidates that are looked at.
const PAGES: usize = 20;
const CANDIDATES: usize = 200;

/// Takes uncertain tasks that are due, and those that a dead worker left in `starting`.
///
/// # Errors
/// [`StepError`]: they are taken up again.
pub async fn settle_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    let limit = i64::try_from(bridge.settings.at_once).unwrap_or(1).max(1);
    for task in bridge.store.claim_abandoned_starts(lease, limit).await? {
        lose_sight(bridge, lease, &task).await?;
    }
    if !bridge.github.answers().await {
        return Ok(0);
    }
    let tasks = bridge.store.claim_uncertain(lease, bridge.ground.now(), limit).await?;
    let taken = tasks.len();
    super::each_at_once(tasks, usize::MAX, |task| {
        let bridge = bridge.clone();
        async move { settle(&bridge, lease, task).await }
    })
    .await?;
    Ok(taken)
}

async fn lose_sight(bridge: &Bridge, lease: Lease, task: &Task) -> Result<(), StepError> {
    let mut tx = bridge.store.begin().await?;
    let Some(mut task) = tx.lock_leased_task(task.id, lease).await? else { return Ok(()) };
    let now = bridge.ground.now();
    task.release();
    task.uncertain_since = Some(now);
    task.empty_listings = 0;
    task.absent_since = None;
    task.due_at = now;
    let why = "the worker that was starting it is gone; nobody knows whether its request left";
    tx.end_attempt(task.id, Outcome::Unknown, None, why, now).await?;
    take_step(&mut tx, bridge, &mut task, Step::LoseSight, why).await?;
    tx.commit().await?;
    Ok(())
}

/// What a look at GitHub shows.
enum Look {
    /// The remote task, and others with the same marker.
    Found(Box<RemoteTask>, Vec<String>),
    /// A complete listing without it, and GitHub's time of it.
    Absent(Moment),
    /// No conclusion: why.
    Unclear(String),
    /// GitHub does not answer at all: it was not looked, and is not before this time.
    Away(Moment),
}

async fn settle(bridge: &Bridge, lease: Lease, task: Task) -> Result<(), StepError> {
    reach(Point::SettleBeforeLooking);
    let look = match act_as(bridge, task.person_id).await {
        Ok(acting) => match look(bridge, &acting.session, &task).await? {
            Ok(look) => look,
            Err(CallError::Away { until }) => Look::Away(until),
            Err(error) => {
                if error.next() == Next::AskPerson {
                    refuse(bridge, task.person_id, &acting.sealed, &error).await?;
                }
                Look::Unclear(format!("GitHub could not be read: {}", error.for_person()))
            }
        },
        Err(NoToken::Store(error)) => return Err(error.into()),
        Err(error) => Look::Unclear(error.to_string()),
    };
    reach(Point::SettleLooked);
    let mut tx = bridge.store.begin().await?;
    let Some(mut task) = tx.lock_leased_task(task.id, lease).await? else { return Ok(()) };
    if task.state != State::Uncertain {
        return Ok(());
    }
    let now = bridge.ground.now();
    task.release();
    // While GitHub did not answer at all, nobody could look: that is no reason to call a person.
    let since = task.uncertain_since.unwrap_or(task.changed_at).max(bridge.github.back_since().unwrap_or_default());
    let grace = TimeDelta::from_std(bridge.settings.uncertain_grace).unwrap_or(TimeDelta::MAX);
    task.due_at = now + if task.needs_person { SLOW_LOOK } else { NEXT_LOOK.min(grace.max(TimeDelta::seconds(1))) };
    match look {
        Look::Found(remote, others) => {
            if !others.is_empty() {
                tracing::error!(task = %task.id, first = remote.id, others = ?others, "DUPLICATE: two remote tasks carry one marker; the first is kept");
                note(
                    &mut tx,
                    &bridge.ground,
                    &task,
                    "note",
                    &format!("DUPLICATE: other remote tasks carry the same marker: {}", others.join(", ")),
                )
                .await?;
            }
            adopt(bridge, &mut tx, &mut task, &remote, Outcome::Adopted, "found on GitHub by its marker").await?;
        }
        Look::Unclear(why) => {
            note_news(&mut tx, &bridge.ground, &task, &format!("looked, and cannot tell yet: {why}")).await?;
            if !task.needs_person && now.signed_duration_since(since) >= grace * 6 {
                need_person(bridge, &mut tx, &mut task, &format!("GitHub's list could not be read completely: {why}"))
                    .await?;
            }
            tx.save_task(&task).await?;
        }
        Look::Away(until) => {
            task.due_at = until;
            tx.save_task(&task).await?;
        }
        Look::Absent(said_at) => {
            let absent_since = *task.absent_since.get_or_insert(said_at);
            if said_at.signed_duration_since(absent_since) >= grace {
                task.empty_listings = task.empty_listings.saturating_add(1);
            }
            if task.empty_listings < EMPTY_LISTINGS {
                tx.save_task(&task).await?;
            } else if bridge.settings.restart_uncertain && task.restarts == 0 && !task.needs_person {
                task.restarts += 1;
                task.uncertain_since = None;
                task.due_at = now;
                tx.end_attempt(task.id, Outcome::Absent, None, "complete listings do not show it", now).await?;
                let why = "complete listings past the grace do not show it: it is started once more";
                take_step(&mut tx, bridge, &mut task, Step::Absent, why).await?;
            } else {
                if !task.needs_person {
                    let why = "complete listings do not show it, and it is not started again by itself";
                    need_person(bridge, &mut tx, &mut task, why).await?;
                }
                tx.save_task(&task).await?;
            }
        }
    }
    tx.commit().await?;
    reach(Point::SettleRecorded);
    bridge.wake.tasks.notify_one();
    bridge.wake.tell();
    Ok(())
}

async fn need_person(bridge: &Bridge, tx: &mut crate::store::Tx, task: &mut Task, why: &str) -> Result<(), StepError> {
    task.needs_person = true;
    task.reason = format!("{why}. A person must look on GitHub and retry it only if it is not there");
    task.due_at = bridge.ground.now() + SLOW_LOOK;
    note(tx, &bridge.ground, task, "note", &task.reason).await?;
    tell(tx, &bridge.ground, task).await
}

/// Lists what the person made in the repository since the attempt, archived or not, and asks for each
/// candidate: lists carry no prompt.
async fn look(bridge: &Bridge, session: &Session, task: &Task) -> Result<Result<Look, CallError>, StepError> {
    let unclear = |why: &str| Ok(Ok(Look::Unclear(why.to_owned())));
    let attempts = bridge.store.attempts(task.id).await?;
    let Some(began_at) = first_unsettled(&attempts) else { return unclear("no attempt is recorded") };
    let Ok(path) = RepoPath::new(&task.repo_owner, &task.repo_name) else {
        return unclear("the repository's name cannot be used");
    };
    let (candidates, said_at) = match candidates(session, &path, task, began_at - SKEW).await {
        Ok(Ok(listing)) => listing,
        Ok(Err(why)) => return unclear(why),
        Err(error) => return Ok(Err(error)),
    };
    let ids: Vec<String> = candidates.iter().map(|candidate| candidate.id.clone()).collect();
    let known: HashSet<String> =
        bridge.store.tasks_by_remote(&task.host, &ids).await?.into_iter().filter_map(|task| task.remote_id).collect();
    let candidates: Vec<_> = candidates.into_iter().filter(|candidate| !known.contains(&candidate.id)).collect();
    let mut found: Vec<RemoteTask> = Vec::new();
    let mut unread = (candidates.len() > CANDIDATES).then(|| "there are too many candidates".to_owned());
    for candidate in candidates.iter().take(CANDIDATES) {
        match session.task_in_repo(&path, &candidate.id).await {
            Ok(remote) => match carries_marker(&remote, task.marker.expose()) {
                Some(true) => found.push(remote),
                Some(false) => {}
                None => unread = Some("a candidate does not show its prompt".to_owned()),
            },
            Err(error) if error.next() == Next::AskPerson || matches!(error, CallError::Away { .. }) => {
                return Ok(Err(error));
            }
            Err(error) => unread = Some(format!("a candidate could not be read: {}", error.for_person())),
        }
    }
    found.sort_by_key(|remote| remote.created_at);
    let mut found = found.into_iter();
    Ok(Ok(match (found.next(), unread) {
        (Some(first), _) => Look::Found(Box::new(first), found.map(|other| other.id).collect()),
        (None, Some(why)) => Look::Unclear(why),
        (None, None) => Look::Absent(said_at),
    }))
}

/// When the first attempt began that may have made a task: what an earlier one made can show up late, and all
/// attempts carry one marker.
fn first_unsettled(attempts: &[Attempt]) -> Option<Moment> {
    let open = |attempt: &&Attempt| matches!(attempt.outcome.as_deref(), None | Some("unknown" | "absent"));
    attempts.iter().find(open).or(attempts.last()).map(|attempt| attempt.began_at)
}

/// Whether a prompt of the task carries the marker; nothing when no prompt is shown.
fn carries_marker(remote: &RemoteTask, marker: &str) -> Option<bool> {
    let prompts = || remote.sessions.iter().flatten().filter_map(|session| session.prompt.as_deref());
    prompts().next()?;
    Some(prompts().filter_map(find_marker).any(|found| found.text() == marker))
}

/// All tasks of both listings that could be ours: same creator and repository, not made long before the attempt. In
/// the order of their making, which does not move while pages are read. With it the time, on GitHub's clock, of the
/// first answer: nothing in the listing is older. Answers why the list is no whole one.
async fn candidates(
    session: &Session,
    path: &RepoPath,
    task: &Task,
    since: Moment,
) -> Result<Result<(Vec<RemoteTask>, Moment), &'static str>, CallError> {
    let mut all = Vec::new();
    let mut began = None;
    for archived in [false, true] {
        let mut next: Option<String> = None;
        for page_number in 0.. {
            if page_number == PAGES {
                return Ok(Err("the list has too many pages"));
            }
            let query = TaskQuery {
                since: Some(since),
                archived,
                creator_id: Some(task.person_id.0),
                by_creation: true,
                next: next.as_deref(),
                etag: None,
            };
            let page = session.list_repo_tasks(path, query).await?;
            if page.unreadable > 0 {
                return Ok(Err("the list holds entries that cannot be read"));
            }
            let Some(said_at) = page.said_at else { return Ok(Err("GitHub's answer does not say when it was made")) };
            began.get_or_insert(said_at);
            all.extend(page.tasks);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
    }
    all.retain(|remote| {
        remote.creator_id.is_none_or(|id| id == task.person_id.0)
            && remote.repository_id.is_none_or(|id| id == task.repo_id)
            && remote.created_at.is_none_or(|at| at >= since)
    });
    Ok(began.map(|began| (all, began)).ok_or("there was no answer"))
}
