//! From a pending task to a remote one, exactly once. The attempt is committed before the request leaves; a
//! request whose outcome is unknown is never sent again from here: that is settled by looking.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::asked::Asked;
use super::find_repo::find_repo;
use super::guard::{Later, May, may};
use super::installed::{self, Reach, resume_installed};
use super::over_limit::resume_limited;
use super::people::{Acting, NoToken, act_as, not_agreed, release_forgotten};
use super::record_start::record;
use super::token_ended::still_without_token;
use super::transition::{note, note_news, put_off, take_step};
use super::{Bridge, StepError};
use crate::domain::event::{Account, AccountKind};
use crate::domain::task::{State, Step};
use crate::domain::trust::{Marker, with_marker};
use crate::fail_point::{Point, reach, retries_blindly};
use crate::github::{CallError, NewTask, Next, RemoteTask, RepoPath, Write};
use crate::ids::AttemptId;
use crate::store::Lease;
use crate::store::tasks::{Hold, REPO_UNKNOWN, Task};

/// So many workers take tasks to be started, and share what may run at once: a call that GitHub does not answer holds up
/// those that were taken with it, and nobody else.
pub const LANES: usize = 4;

/// Takes pending tasks and starts them. Answers how many were taken.
///
/// # Errors
/// [`StepError`]: what was begun is settled by [`super::settle_uncertain`].
pub async fn start_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    let now = bridge.ground.now();
    let limit = i64::try_from(bridge.settings.at_once.div_ceil(LANES)).unwrap_or(1).max(1);
    if !bridge.github.answers().await {
        return Ok(0);
    }
    let limit = bridge.github.room(Write::Start, limit);
    if limit == 0 {
        return Ok(0);
    }
    let shown = bridge.settings.shared_clock.shown();
    let tasks = bridge.store.claim_startable(lease, now, shown, limit).await?;
    let taken = tasks.len();
    if taken > 0 {
        reach(Point::StartClaimed);
    }
    super::each_at_once(tasks, usize::MAX, |task| {
        let bridge = bridge.clone();
        async move { start_one(&bridge, lease, task).await }
    })
    .await?;
    Ok(taken)
}

/// Lets held tasks go on for which what they wait for is there: a token that somebody gave and could not see through, or
/// their turn (`once_per: wait`), room under a limit, or the App. Answers how many go on.
///
/// # Errors
/// [`StepError`]: retry.
pub async fn resume_batch(bridge: &Bridge) -> Result<usize, StepError> {
    release_forgotten(bridge).await?;
    let now = bridge.ground.now();
    let turns = bridge.store.tasks_whose_turn_it_is(now).await?;
    let mut taken = super::chat::match_linked(bridge).await? + resume_limited(bridge).await?;
    taken += resume_installed(bridge).await?;
    for id in turns {
        let mut tx = bridge.store.begin().await?;
        let Some(mut task) = tx.lock_task(id).await? else { continue };
        if task.state == State::Held && task.hold == Some(Hold::Turn) {
            task.due_at = now;
            take_step(&mut tx, bridge, &mut task, Step::Resume, "its turn has come").await?;
            tx.commit().await?;
            taken += 1;
        }
    }
    if taken > 0 {
        bridge.wake.tasks.notify_one();
    }
    Ok(taken)
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
        Err(NoToken::Later(error)) => {
            let again = bridge.ground.now() + TimeDelta::seconds(15);
            tracing::warn!(task = %task.id, %error, "a start waits until the token is renewed");
            return put_off(bridge, lease, &task, again, "").await;
        }
        Err(NoToken::Store(error)) => return Err(error.into()),
    };
    if let Some(until) = acting.session.paused_until().filter(|until| *until > bridge.ground.now()) {
        return put_off(bridge, lease, &task, until, "GitHub asked for a pause").await;
    }
    if task.actor_id != Some(task.person_id.0) && !still_agreed(bridge, lease, &task).await? {
        return Ok(());
    }
    if let Reach::Gone(why) = installed::reach_of(bridge, &task, false).await? {
        return installed::hold(bridge, lease, &task, &why).await;
    }
    let task = match task.repo_id {
        REPO_UNKNOWN => match find_repo(bridge, lease, &task, &acting).await? {
            Some(task) => task,
            None => return Ok(()),
        },
        _ => task,
    };
    if task.allow_pending && !allowed_now(bridge, lease, &task).await? {
        return Ok(());
    }
    let writer = format!("person:{}", task.person_id);
    // Read before turn and lease are taken, so that this side never believes in more time than there is.
    let leased_at = Instant::now();
    let (hourly, clock) = (bridge.settings.hourly_writes, &bridge.settings.shared_clock);
    if !bridge.store.take_turn(&writer, lease, hourly, clock.shown()).await? {
        return put_off(bridge, lease, &task, bridge.ground.now() + TimeDelta::seconds(1), "").await;
    }
    let outcome = begin_and_send(bridge, lease, &task, &acting, leased_at).await;
    // A pause that GitHub asked for holds for the other replicas too.
    let paused = acting.session.paused_until().map(|until| until.signed_duration_since(bridge.ground.now()));
    let paused = paused.and_then(|paused| paused.to_std().ok()).unwrap_or_default();
    bridge.store.end_turn(&writer, lease, paused.max(bridge.settings.write_spacing), clock.shown()).await?;
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
    reach(Point::StartBegun);
    let mut outcome = if Instant::now() < sent_by {
        send(task, acting).await
    } else {
        // This worker was asleep: another may hold the task before the answer is here. Nothing has left yet.
        Err(CallError::NotSent { why: "the lease was about to end".into() })
    };
    if retries_blindly() && outcome.as_ref().is_err_and(|error| error.next() == Next::Look) {
        outcome = send(task, acting).await;
    }
    reach(Point::StartAnswered);
    record(bridge, lease, task, acting, outcome).await?;
    reach(Point::StartRecorded);
    Ok(())
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
    take_step(&mut tx, bridge, &mut task, Step::Begin, &words).await?;
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

/// Whether the person whose token a rule runs with, without their doing, still agrees to it: they may have left and come back.
async fn still_agreed(bridge: &Bridge, lease: Lease, task: &Task) -> Result<bool, StepError> {
    if bridge.store.consents(task.person_id).await?.contains(&task.rule) {
        return Ok(true);
    }
    let mut tx = bridge.store.begin().await?;
    if let Some(mut task) = tx.lock_leased_task(task.id, lease).await? {
        task.release();
        let why = not_agreed(&task.person_login, &task.rule);
        take_step(&mut tx, bridge, &mut task, Step::Refuse, &why).await?;
        tx.commit().await?;
    }
    Ok(false)
}

/// Looks up the right of an actor who was let wait for a token. Answers whether the task may start.
async fn allowed_now(bridge: &Bridge, lease: Lease, task: &Task) -> Result<bool, StepError> {
    let answer = match (RepoPath::new(&task.origin_owner, &task.origin_name), task.actor_id) {
        (Ok(path), Some(id)) => {
            let actor = Account { id, login: task.actor_login.clone(), kind: AccountKind::User };
            may(bridge, &Asked::default(), &task.allow_rule, &path, &actor).await
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
            take_step(&mut tx, bridge, &mut task, Step::Refuse, &why).await?;
        }
        May::Later(Later { why, .. }) | May::NoReader(why) => {
            task.release();
            // The longer it has waited, the longer until the next try: somebody must do something first.
            let age = bridge.ground.now().signed_duration_since(task.created_at).to_std().unwrap_or_default();
            let wait = age.clamp(Duration::from_secs(60), Duration::from_secs(3600));
            task.due_at = bridge.ground.now() + bridge.ground.jitter(wait);
            tx.save_task(&task).await?;
            note_news(&mut tx, &bridge.ground, &task, &format!("the right could not be looked up: {why}")).await?;
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
    take_step(&mut tx, bridge, &mut task, Step::Hold, why).await?;
    tx.commit().await?;
    Ok(())
}
