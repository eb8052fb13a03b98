//! Taking in what GitHub says about a task. Lists, single looks and hints all lead here, and an older
//! message never overwrites a newer one.

use chrono::TimeDelta;

use super::transition::{note, take_step, tell};
use super::{Bridge, StepError};
use crate::domain::task::{News, Observation, State, Step, weigh};
use crate::domain::trust::clean_line;
use crate::github::{Artifact, CallError, PullInfo, RemoteSession, RemoteTask, RepoPath, Session};
use crate::ids::TaskId;
use crate::store::tasks::Task;
use crate::store::tasks::story::SessionRow;

/// Between looks at a lost task, while ended tasks are watched: its repository may come into reach again.
const LOST_LOOK: TimeDelta = TimeDelta::hours(6);
/// First wait before a quiet task is asked for by itself; doubled up to [`QUIET_CAP`].
const QUIET_FIRST: TimeDelta = TimeDelta::minutes(15);
const QUIET_CAP: TimeDelta = TimeDelta::hours(1);
/// First wait, doubled each time, and most looks in a row for a pull request that GitHub tells of and that could not
/// be looked up: about an hour in all.
const PULL_FIRST: TimeDelta = TimeDelta::minutes(1);
const PULL_LOOKS: i16 = 6;

/// Asks GitHub for one task and takes in the answer. Answers why it could not be asked, if so.
///
/// # Errors
/// [`StepError`]: repeat, an observation is idempotent.
pub async fn look_at(bridge: &Bridge, session: &Session, task: &Task) -> Result<Option<CallError>, StepError> {
    let Some(remote_id) = &task.remote_id else { return Ok(None) };
    match session.task(remote_id).await {
        Ok(remote) => {
            let pull = find_pull(session, task, &remote).await;
            take_in(bridge, task.id, &remote, pull.as_ref()).await?;
            Ok(None)
        }
        Err(CallError::NotFound { .. } | CallError::Gone { .. }) => {
            let why =
                "GitHub has answered `not found` for a long time: it was deleted, or its repository is out of reach";
            missing(bridge, task.id, "GitHub does not find it", why).await?;
            Ok(None)
        }
        Err(error) => Ok(Some(error)),
    }
}

/// A pull artifact holds a resource id; people want the number. A failed look-up is repeated with the next
/// observation, for which [`take_in`] cares.
async fn find_pull(session: &Session, task: &Task, remote: &RemoteTask) -> Option<PullInfo> {
    if task.pull_number.is_some() {
        return None;
    }
    let path = RepoPath::new(&task.repo_owner, &task.repo_name).ok()?;
    session.resolve_pull(&path, remote).await.unwrap_or_default()
}

/// Takes in what GitHub said.
///
/// # Errors
/// [`StepError`]: repeat.
pub async fn take_in(
    bridge: &Bridge,
    id: TaskId,
    remote: &RemoteTask,
    pull: Option<&PullInfo>,
) -> Result<(), StepError> {
    let ground = &bridge.ground;
    let now = ground.now();
    let mut tx = bridge.store.begin().await?;
    let Some(mut task) = tx.lock_task(id).await? else { return Ok(()) };
    if task.remote_id.as_deref() != Some(remote.id.as_str()) {
        return Ok(());
    }
    let observation = Observation { raw_state: remote.state.clone(), updated_at: remote.updated_at };
    let known_raw = task.remote_state.as_deref().filter(|_| task.missing_since.is_none() || !task.state.is_end());
    let news = weigh(task.state, known_raw, task.remote_updated_at, &observation);
    task.looked_at = Some(now);
    let was_missing = task.missing_since.take().is_some();
    let details = if news == News::Old { false } else { take_details(&mut task, remote, pull) };
    let told = remote.sessions.iter().flatten().filter(|_| news != News::Old);
    let sessions: Vec<SessionRow> = told.map(|session| row(&task, session)).collect();
    let used = tx.save_sessions(&sessions).await?;
    let quiet = matches!(news, News::Old | News::Same) && !details && !used;
    task.quiet_looks = if quiet { task.quiet_looks.saturating_add(1) } else { 0 };
    let has_pull = remote.artifacts.iter().any(|artifact| matches!(artifact, Artifact::Pull { .. }));
    let owes_pull = has_pull && task.pull_number.is_none() && task.quiet_looks < PULL_LOOKS;
    let first = if owes_pull { PULL_FIRST } else { QUIET_FIRST };
    let wait = first * 2_i32.pow(u32::try_from(task.quiet_looks.clamp(0, PULL_LOOKS)).unwrap_or(0));
    task.look_at = Some(
        now + TimeDelta::from_std(ground.jitter(wait.min(QUIET_CAP).to_std().unwrap_or_default())).unwrap_or(wait),
    );
    match news {
        News::Moved(state) | News::Reopened(state) => {
            if state.is_end() && !owes_pull {
                // An ended task is watched by its person's rounds, and then left alone.
                task.look_at = None;
            }
            let words = moved_words(&task, &news, &remote.state);
            let had_ended = task.state.is_end();
            take_step(&mut tx, bridge, &mut task, Step::Observe(state), &words).await?;
            if had_ended && !state.is_end() {
                // Its person's rounds may have been put aside.
                let soon = TimeDelta::from_std(bridge.settings.sweep_min).unwrap_or_default();
                tx.sweep_soon(task.person_id, now, now + soon).await?;
            }
            tracing::info!(task = %task.id, state = %task.state, raw = remote.state, "GitHub moved a task on");
        }
        News::Old | News::Same => {
            if task.state.is_end() && !owes_pull {
                task.look_at = None;
            }
            tx.save_task(&task).await?;
            if details || used || was_missing {
                note(&mut tx, ground, &task, "observation", &details_words(&task, details, was_missing)).await?;
                tell(&mut tx, ground, &task).await?;
            }
        }
    }
    tx.commit().await?;
    bridge.wake.tell();
    Ok(())
}

fn moved_words(task: &Task, news: &News, raw: &str) -> String {
    match news {
        News::Reopened(_) => format!(
            "GitHub says {raw}, after {}: a new session",
            task.remote_state.as_deref().unwrap_or("another state")
        ),
        _ => format!("GitHub says {raw}"),
    }
}

fn details_words(task: &Task, details: bool, was_missing: bool) -> String {
    if was_missing {
        return "GitHub shows it again".to_owned();
    }
    match (details, task.pull_number) {
        (true, Some(number)) => format!("pull request #{number}"),
        (true, None) => "news of its branch or error".to_owned(),
        (false, _) => "news of its sessions".to_owned(),
    }
}

/// Copies what is not the state. Answers whether any of it is news for people.
fn take_details(task: &mut Task, remote: &RemoteTask, pull: Option<&PullInfo>) -> bool {
    task.remote_state = Some(clean_line(&remote.state, 100));
    task.remote_updated_at = remote.updated_at.or(task.remote_updated_at);
    if let Some(url) = &remote.html_url {
        task.remote_url = Some(url.clone());
    }
    let mut news = false;
    let branch = remote
        .artifacts
        .iter()
        .find_map(|artifact| match artifact {
            Artifact::Branch { head_ref, .. } => Some(head_ref.clone()),
            _ => None,
        })
        .or_else(|| remote.sessions.iter().flatten().rev().find_map(|session| session.head_ref.clone()));
    if branch.is_some() && branch != task.branch {
        task.branch = branch;
        news = true;
    }
    if let Some(pull) = pull {
        task.pull_number = Some(pull.number);
        task.pull_url = Some(pull.html_url.clone().unwrap_or_default());
        news = true;
    }
    let error = remote
        .sessions
        .iter()
        .flatten()
        .max_by_key(|session| session.created_at)
        .and_then(|session| session.error_message.as_deref())
        .map(|message| clean_line(&task.marker.mask(message), 500));
    if remote.sessions.is_some() && error != task.remote_error {
        task.remote_error = error;
        news = true;
    }
    news
}

fn row(task: &Task, session: &RemoteSession) -> SessionRow {
    let usage = session.usage.as_ref().and_then(|usage| Some((usage.kind.clone(), nano(usage)?)));
    let (usage_kind, usage_nano) = usage.unzip();
    SessionRow {
        task_id: task.id,
        remote_id: session.id.chars().take(255).collect(),
        state: session.state.clone(),
        created_at: session.created_at,
        completed_at: session.completed_at,
        usage_kind,
        usage_nano,
        error: session.error_message.as_deref().map(|message| clean_line(&task.marker.mask(message), 500)),
    }
}

/// Billionths of the unit: what GitHub sends for `ai_credits`; anything else is in whole units.
fn nano(usage: &crate::github::Usage) -> Option<i64> {
    if usage.kind == "ai_credits" {
        return usage.whole();
    }
    if let Some(whole) = usage.whole() {
        return whole.checked_mul(1_000_000_000);
    }
    let amount = usage.amount.as_f64()? * 1e9;
    #[expect(clippy::cast_possible_truncation, reason = "rounded, and bounded by the comparison")]
    (amount.abs() < 9e18).then(|| amount.round() as i64)
}

/// Nobody's token sees a task any more: whoever it ran as was removed here. It counts as lost after a while, so that it keeps no
/// place for ever; a token of theirs finds it again.
///
/// # Errors
/// [`StepError`]: looked at again later.
pub async fn out_of_sight(bridge: &Bridge, id: TaskId) -> Result<(), StepError> {
    let why = "the person whom it runs as was removed here, and no other token sees it; at GitHub it goes on";
    missing(bridge, id, "nobody's token sees it any more", why).await
}

/// GitHub answers 404 for a task. It counts as lost only after a while: lists lag, repositories move.
async fn missing(bridge: &Bridge, id: TaskId, noted: &str, why: &str) -> Result<(), StepError> {
    let now = bridge.ground.now();
    let mut tx = bridge.store.begin().await?;
    let Some(mut task) = tx.lock_task(id).await? else { return Ok(()) };
    let since = *task.missing_since.get_or_insert(now);
    let patience = TimeDelta::from_std(bridge.settings.lost_after).unwrap_or(TimeDelta::MAX);
    task.look_at = Some(now + TimeDelta::minutes(5).min(patience));
    let watch = TimeDelta::from_std(bridge.settings.settled_watch).unwrap_or(TimeDelta::MAX);
    if task.state.is_end() {
        let watched =
            task.state == State::Lost && task.ended_at.is_some_and(|at| now.signed_duration_since(at) < watch);
        task.look_at = watched.then_some(now + LOST_LOOK);
        tx.save_task(&task).await?;
    } else if now.signed_duration_since(since) >= patience {
        task.look_at = Some(now + LOST_LOOK);
        take_step(&mut tx, bridge, &mut task, Step::Forgotten, why).await?;
    } else {
        tx.save_task(&task).await?;
        if since == now {
            note(&mut tx, &bridge.ground, &task, "observation", noted).await?;
        }
    }
    tx.commit().await?;
    bridge.wake.tell();
    Ok(())
}
