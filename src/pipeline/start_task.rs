//! From a pending task to a remote one, exactly once. The attempt is committed before the request leaves; a
//! request whose outcome is unknown is never sent again from here: that is settled by looking.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::guard::{Later, May, may};
use super::people::{Acting, NoToken, act_as, release_forgotten, still_without_token};
use super::transition::{note, take_step};
use super::{Bridge, StepError};
use crate::domain::backoff::Backoff;
use crate::domain::event::{Account, AccountKind};
use crate::domain::task::{State, Step};
use crate::domain::trust::{Marker, with_marker};
use crate::github::{CallError, NewTask, Next, RemoteTask, RepoPath};
use crate::ids::AttemptId;
use crate::store::attempts::Outcome;
use crate::store::tasks::{Hold, Task};
use crate::store::{Lease, Moment, Tx};

/// Waits between attempts that surely created nothing.
const AGAIN: Backoff =
    Backoff { first: Duration::from_secs(5), factor: 2, cap: Duration::from_secs(600), tries: u32::MAX };

/// The first look at an uncertain task comes soon: most often the task is there.
const FIRST_LOOK: TimeDelta = TimeDelta::seconds(15);

/// Takes pending tasks and starts them. Answers how many were taken.
///
/// # Errors
/// [`StepError`]: what was begun is settled by [`super::settle_uncertain`].
pub async fn start_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    let now = bridge.ground.now();
    let limit = i64::try_from(bridge.settings.at_once).unwrap_or(1).max(1);
    release_forgotten(bridge).await?;
    take_turns(bridge, now).await?;
    if !bridge.github.answers().await {
        return Ok(0);
    }
    let tasks = bridge.store.claim_startable(lease, now, limit).await?;
    let taken = tasks.len();
    super::each_at_once(tasks, usize::MAX, |task| {
        let bridge = bridge.clone();
        async move { start_one(&bridge, lease, task).await }
    })
    .await?;
    Ok(taken)
}

/// Lets tasks go on whose turn has come (`once_per: wait`).
async fn take_turns(bridge: &Bridge, now: Moment) -> Result<(), StepError> {
    for id in bridge.store.tasks_whose_turn_it_is(now).await? {
        let mut tx = bridge.store.begin().await?;
        let Some(mut task) = tx.lock_task(id).await? else { continue };
        if task.state == State::Held && task.hold == Some(Hold::Turn) {
            task.due_at = now;
            take_step(&mut tx, &bridge.ground, &mut task, Step::Resume, "its turn has come").await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

async fn start_one(bridge: &Bridge, lease: Lease, task: Task) -> Result<(), StepError> {
    let acting = match act_as(bridge, task.person_id).await {
        Ok(acting) => acting,
        Err(NoToken::Missing(why)) => return hold(bridge, lease, &task, &why, true).await,
        Err(NoToken::Sealed(error)) => {
            tracing::error!(task = %task.id, %error, "a stored token does not open");
            return hold(
                bridge,
                lease,
                &task,
                "the stored token does not open; an operator must look at the sealing keys",
                false,
            )
            .await;
        }
        Err(NoToken::Store(error)) => return Err(error.into()),
    };
    if let Some(until) = acting.session.paused_until().filter(|until| *until > bridge.ground.now()) {
        return put_off(bridge, lease, &task, until, "GitHub asked for a pause").await;
    }
    if task.allow_pending && !allowed_now(bridge, lease, &task).await? {
        return Ok(());
    }
    let writer = format!("person:{}", task.person_id);
    // Read before turn and lease are taken, so that this side never believes in more time than there is.
    let leased_at = Instant::now();
    if !bridge.store.take_turn(&writer, lease, bridge.ground.now()).await? {
        return put_off(bridge, lease, &task, bridge.ground.now() + TimeDelta::seconds(1), "").await;
    }
    let outcome = begin_and_send(bridge, lease, &task, &acting, leased_at).await;
    let spacing = TimeDelta::from_std(bridge.settings.write_spacing).unwrap_or_default();
    let free_at = bridge.ground.now() + spacing;
    // A pause that GitHub asked for holds for the other replicas too.
    let free_at = acting.session.paused_until().map_or(free_at, |until| free_at.max(until));
    bridge.store.end_turn(&writer, lease, free_at).await?;
    outcome
}

async fn begin_and_send(
    bridge: &Bridge,
    lease: Lease,
    task: &Task,
    acting: &Acting,
    leased_at: Instant,
) -> Result<(), StepError> {
    if !begin(bridge, lease, task).await? {
        return Ok(());
    }
    let sent_by = leased_at + bridge.settings.lease.saturating_sub(bridge.settings.call_timeout);
    if Instant::now() >= sent_by {
        // This worker was asleep: another may hold the task before the answer is here. Nothing has left yet.
        return record(
            bridge,
            lease,
            task,
            acting,
            Err(CallError::NotSent { why: "the lease was about to end".into() }),
        )
        .await;
    }
    let outcome = send(task, acting).await;
    record(bridge, lease, task, acting, outcome).await
}

/// Commits the attempt. Answers false when the task is no longer ours to start.
async fn begin(bridge: &Bridge, lease: Lease, task: &Task) -> Result<bool, StepError> {
    let mut tx = bridge.store.begin().await?;
    let Some(mut task) = tx.lock_leased_task(task.id, lease).await? else { return Ok(false) };
    if task.state != State::Pending {
        return Ok(false);
    }
    let now = bridge.ground.now();
    task.attempt_count += 1;
    tx.begin_attempt(AttemptId::new(&bridge.ground), task.id, task.attempt_count, task.person_id, now).await?;
    tx.renew_lease(&mut task, lease).await?;
    let words = format!("attempt {}", task.attempt_count);
    take_step(&mut tx, &bridge.ground, &mut task, Step::Begin, &words).await?;
    tx.commit().await?;
    Ok(true)
}

async fn send(task: &Task, acting: &Acting) -> Result<RemoteTask, CallError> {
    let unsendable = |message: &str| CallError::Invalid { message: message.to_owned(), details: Vec::new() };
    let path = RepoPath::new(&task.repo_owner, &task.repo_name).map_err(|error| unsendable(&error.to_string()))?;
    let marker = Marker::parse(task.marker.expose()).ok_or_else(|| unsendable("the stored marker cannot be read"))?;
    let new = NewTask {
        prompt: with_marker(&task.prompt, &marker),
        model: task.model.clone(),
        custom_agent: task.custom_agent.clone(),
        create_pull_request: task.create_pull_request,
        base_ref: task.base_ref.clone(),
        head_ref: task.head_ref.clone(),
    };
    // What GitHub says may repeat the prompt; it goes into logs and comments.
    acting.session.start_task(&path, &new).await.map_err(|error| error.reworded(|text| task.marker.mask(text)))
}

/// Records what came of an attempt, trying for as long as the lease may last: the answer must not be lost
/// only because the database is away for a moment.
async fn record(
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
        Err(error) => turned_down(bridge, &mut tx, &mut task, acting, error, moved_to).await?,
    }
    tx.commit().await?;
    bridge.wake.reports.notify_one();
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
    take_step(tx, &bridge.ground, task, Step::Adopt(state), text).await?;
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
            tx.refuse_token(task.person_id, &acting.sealed, &words).await?;
            if still_without_token(bridge, tx, task.person_id).await? {
                task.hold = Some(Hold::Token);
                (Outcome::Unauthorized, Step::Hold)
            } else {
                // A newer token came while the old one was being refused.
                task.due_at = now;
                (Outcome::Unauthorized, Step::Defer)
            }
        }
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
    take_step(tx, ground, task, step, &words).await
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

/// Looks up the right of an actor who was let wait for a token. Answers whether the task may start.
async fn allowed_now(bridge: &Bridge, lease: Lease, task: &Task) -> Result<bool, StepError> {
    let answer = match (RepoPath::new(&task.origin_owner, &task.origin_name), task.actor_id) {
        (Ok(path), Some(id)) => {
            let actor = Account { id, login: task.actor_login.clone(), kind: AccountKind::User };
            may(bridge, &task.allow_rule, &path, &actor).await
        }
        _ => May::No { needs: "a known actor".into(), saw: String::new(), insider: false },
    };
    let mut tx = bridge.store.begin().await?;
    let Some(mut task) = tx.lock_leased_task(task.id, lease).await? else { return Ok(false) };
    match answer {
        May::Yes(why) => {
            task.allow_pending = false;
            tx.save_task(&task).await?;
            note(&mut tx, &bridge.ground, &task, "note", &format!("allowed: {why}")).await?;
            tx.commit().await?;
            return Ok(true);
        }
        May::No { needs, saw, .. } => {
            task.release();
            let why = format!("allow: @{} needs {needs} ({saw})", task.actor_login);
            take_step(&mut tx, &bridge.ground, &mut task, Step::Refuse, &why).await?;
        }
        May::Later(Later { why, .. }) | May::NoReader(why) => {
            task.release();
            // The longer it has waited, the longer until the next try: somebody must do something first.
            let age = bridge.ground.now().signed_duration_since(task.created_at).to_std().unwrap_or_default();
            let wait = age.clamp(Duration::from_secs(60), Duration::from_secs(3600));
            task.due_at = bridge.ground.now() + bridge.ground.jitter(wait);
            tx.save_task(&task).await?;
            note(&mut tx, &bridge.ground, &task, "note", &format!("the right could not be looked up: {why}")).await?;
        }
    }
    tx.commit().await?;
    Ok(false)
}

/// Holds a task for a token; with `unless_given` only if none has come meanwhile.
async fn hold(bridge: &Bridge, lease: Lease, task: &Task, why: &str, unless_given: bool) -> Result<(), StepError> {
    let mut tx = bridge.store.begin().await?;
    let without = still_without_token(bridge, &mut tx, task.person_id).await?;
    let Some(mut task) = tx.lock_leased_task(task.id, lease).await? else { return Ok(()) };
    task.release();
    if unless_given && !without {
        tx.save_task(&task).await?;
        tx.commit().await?;
        return Ok(());
    }
    task.hold = Some(Hold::Token);
    take_step(&mut tx, &bridge.ground, &mut task, Step::Hold, why).await?;
    tx.commit().await?;
    Ok(())
}

async fn put_off(bridge: &Bridge, lease: Lease, task: &Task, until: Moment, why: &str) -> Result<(), StepError> {
    let mut tx = bridge.store.begin().await?;
    let Some(mut task) = tx.lock_leased_task(task.id, lease).await? else { return Ok(()) };
    task.release();
    task.due_at = until;
    if !why.is_empty() {
        note(&mut tx, &bridge.ground, &task, "note", &format!("{why}; goes on at {}", until.format("%H:%M:%S UTC")))
            .await?;
    }
    tx.save_task(&task).await?;
    tx.commit().await?;
    Ok(())
}
