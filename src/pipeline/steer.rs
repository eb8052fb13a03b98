//! What operators and people may do to a task or delivery. It is the same for every door.

use super::over_limit::{CountedAs, Standing, counted_names, limits_of, over_limit, wait_for_room};
use super::transition::{lock_in_line, made, resume, take_step, tell};
use super::{Bridge, StepError};
use crate::domain::task::{IllegalStep, State, Step};
use crate::domain::trust::Marker;
use crate::ids::{DeliveryId, TaskId};
use crate::store::tasks::make::NewTask;
use crate::store::tasks::{Hold, Task};
use crate::store::unlabels::Labelling;
use crate::store::{StoreError, Tx};

/// Why something cannot be done to a task or delivery.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// There is none of this id.
    #[error("there is none with this id")]
    NotFound,
    /// Its state does not allow it; the text says what can be done instead.
    #[error("{message}")]
    Conflict {
        /// Why not, and what instead.
        message: String,
        /// A page where it can be done, if there is one.
        link: Option<String>,
        /// The tasks in the way, if there are any.
        tasks: Vec<TaskId>,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who moves something, and the wish it was said in, if it was said in an event: said twice, it is done once.
#[derive(Debug, Clone, Copy)]
pub struct Mover<'a> {
    /// As the story of the task tells it.
    pub name: &'a str,
    /// The keys of the wish ([`crate::domain::intent::keys`]); none for an operator's call.
    pub wish: &'a [[u8; 32]],
}

impl<'a> From<&'a str> for Mover<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, wish: &[] }
    }
}

impl From<StepError> for SteerError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Store(error) => Self::Store(error),
            StepError::Illegal(IllegalStep { from, .. }) => conflict(format!("the task is {from}"), None),
        }
    }
}

fn conflict(message: impl Into<String>, link: Option<String>) -> SteerError {
    SteerError::Conflict { message: message.into(), link, tasks: Vec::new() }
}

async fn lock(tx: &mut Tx, id: TaskId) -> Result<Task, SteerError> {
    tx.lock_task(id).await?.ok_or(SteerError::NotFound)
}

/// Cancels a task that has not started.
///
/// # Errors
/// [`SteerError::Conflict`] once its request may have left: GitHub has no call to stop a task, so the answer
/// links to the page with the stop button.
pub async fn cancel(bridge: &Bridge, id: TaskId, by: &str) -> Result<Task, SteerError> {
    let mut tx = bridge.store.begin().await?;
    let mut task = lock(&mut tx, id).await?;
    if task.state == State::Cancelled {
        return Ok(task);
    }
    if task.state.is_end() {
        return Err(conflict(format!("the task has ended already: it is {}", task.state), task.remote_url));
    }
    if task.state.may_have_left() {
        let message = "the task may have started, and GitHub has no call to stop one: stop it on its page";
        return Err(conflict(message, task.remote_url));
    }
    task.release();
    take_step(&mut tx, bridge, &mut task, Step::Cancel, &format!("cancelled before the start by {by}")).await?;
    tx.commit().await?;
    bridge.wake.tell();
    bridge.wake.tasks.notify_one();
    Ok(task)
}

/// Cancels the tasks that a label started before it was taken off and that have not been sent, and remembers it for
/// those whose making is still under way. Answers how many.
///
/// # Errors
/// [`StepError`]: retry.
pub async fn cancel_by_label(bridge: &Bridge, off: Labelling<'_>, by: &str) -> Result<usize, StepError> {
    let mut tx = bridge.store.begin().await?;
    // Who makes a task of this label now either ends first, so that the task is found below, or sees this.
    tx.alone_with(&off.lock()).await?;
    tx.remember_unlabel(off, bridge.ground.now()).await?;
    tx.commit().await?;
    let mut cancelled = 0;
    for id in bridge.store.unstarted_by_label(off).await? {
        let mut tx = bridge.store.begin().await?;
        let Some(mut task) = tx.lock_task(id).await? else { continue };
        if task.state.is_end() || task.state.may_have_left() {
            continue;
        }
        task.release();
        let why = format!("the label `{}` was taken off by @{by} before the start", off.label);
        take_step(&mut tx, bridge, &mut task, Step::Cancel, &why).await?;
        tx.commit().await?;
        cancelled += 1;
    }
    if cancelled > 0 {
        bridge.wake.tell();
        bridge.wake.tasks.notify_one();
    }
    Ok(cancelled)
}

/// Tries a task once more: `start_failed` gets a new attempt, an ended one a new task of its own, an uncertain
/// one a new attempt only when a person says that GitHub does not have it. Answers the task that now waits.
///
/// What had ended is counted like a new task, whoever asks: who needs more raises the limit. An uncertain one lives and is
/// counted already.
///
/// # Errors
/// [`SteerError::Conflict`] when it lives, or is uncertain and nobody has looked, or a limit is reached.
pub async fn retry<'a>(
    bridge: &Bridge,
    id: TaskId,
    by: impl Into<Mover<'a>>,
    known_absent: bool,
) -> Result<Task, SteerError> {
    let ground = &bridge.ground;
    let Mover { name: by, wish } = by.into();
    let mut tx = bridge.store.begin().await?;
    let seen = tx.task(id).await?.ok_or(SteerError::NotFound)?;
    let counted = counted_names(&seen);
    tx.alone_with_all(&counted).await?;
    // The same words came through another hook, or we died before the delivery ended: what they did stands.
    if let Some((_, done)) = tx.tasks_of_intents(wish).await?.into_iter().next() {
        return lock(&mut tx, done).await;
    }
    let mut task = lock_in_line(&mut tx, id).await?.ok_or(SteerError::NotFound)?;
    if counted_names(&task) != counted {
        // Its repository was found between our look and now.
        return Err(StoreError::Raced.into());
    }
    task.due_at = ground.now();
    // Rights may have changed since: they are looked up again before the start.
    task.allow_pending |= task.actor_id.is_some();
    if task.state.is_end() {
        not_beside_another(bridge, &mut tx, &task).await?;
    }
    let retried = match task.state {
        State::StartFailed => {
            within_limits(bridge, &mut tx, &task, Standing::Ended(task.created_at)).await?;
            take_step(&mut tx, bridge, &mut task, Step::Retry, &format!("tried again by {by}")).await?;
            task
        }
        State::Uncertain if known_absent => {
            task.release();
            task.uncertain_since = None;
            task.restarts = task.restarts.saturating_add(1);
            take_step(&mut tx, bridge, &mut task, Step::Absent, &format!("{by} says that GitHub does not have it"))
                .await?;
            task
        }
        State::Uncertain => {
            let message =
                "it is not known whether GitHub has this task: look there first, and say `known_absent` if it does not";
            return Err(conflict(message, None));
        }
        State::Completed | State::Failed | State::TimedOut | State::Cancelled | State::Lost => {
            again(bridge, &mut tx, &task, by).await?
        }
        state => return Err(conflict(format!("the task is {state}: it has not ended"), task.remote_url)),
    };
    if !tx.claim_intents(&[(retried.id, wish)], ground.now()).await? {
        // Another transaction claimed it between our look and now.
        return Err(StoreError::Raced.into());
    }
    tx.commit().await?;
    bridge.wake.tasks.notify_one();
    bridge.wake.tell();
    Ok(retried)
}

/// A retry keeps the promise of `once_per` too: one live task a key.
async fn not_beside_another(bridge: &Bridge, tx: &mut Tx, ended: &Task) -> Result<(), SteerError> {
    let Some(key) = &ended.once_key else { return Ok(()) };
    let live = tx.tasks_with_key(&ended.rule, key, bridge.ground.now()).await?;
    match live.iter().find(|other| other.id != ended.id && other.retry_of != Some(ended.id)) {
        None => Ok(()),
        Some(other) => Err(SteerError::Conflict {
            message: format!("once_per: task {} with the same key is live; it must end first", other.id),
            link: other.remote_url.clone(),
            tasks: vec![other.id],
        }),
    }
}

/// A retry is counted as what a rule makes is.
async fn within_limits(bridge: &Bridge, tx: &mut Tx, task: &Task, standing: Standing) -> Result<(), SteerError> {
    let (limits, counted) = (limits_of(bridge, task), CountedAs::of(task, standing));
    match over_limit(bridge, tx, &limits, &counted, bridge.ground.now()).await? {
        Some((why, _)) => Err(conflict(why, None)),
        None => Ok(()),
    }
}

/// A new task for the work of an ended one. Pressed twice, the second finds the first's.
async fn again(bridge: &Bridge, tx: &mut Tx, ended: &Task, by: &str) -> Result<Task, SteerError> {
    if let Some(live) = tx.live_retry_of(ended.id).await? {
        return Err(SteerError::Conflict {
            message: format!("it is being tried again already: task {live}"),
            link: None,
            tasks: vec![live],
        });
    }
    within_limits(bridge, tx, ended, Standing::New).await?;
    let marker = Marker::from_bytes(bridge.ground.bytes()).into();
    let new = NewTask::again(ended, TaskId::new(&bridge.ground), marker);
    let task = tx.make_task(&new, bridge.ground.now()).await?;
    made(tx, bridge, &[(&task, format!("made by {by} to repeat task {}", ended.id))]).await?;
    tell(tx, &bridge.ground, &task).await?;
    Ok(task)
}

/// Lets a task go on that waits for approval; when a limit is reached, it waits until there is room.
///
/// # Errors
/// [`SteerError::Conflict`] when it does not wait for that.
pub async fn approve(bridge: &Bridge, id: TaskId, by: &str) -> Result<Task, SteerError> {
    let mut tx = bridge.store.begin().await?;
    let seen = tx.task(id).await?.ok_or(SteerError::NotFound)?;
    tx.alone_with_all(&counted_names(&seen)).await?;
    let mut task = lock_in_line(&mut tx, id).await?.ok_or(SteerError::NotFound)?;
    if task.state != State::Held || task.hold != Some(Hold::Approval) {
        return Err(conflict(format!("the task is {} and does not wait for approval", task.state), task.remote_url));
    }
    task.unapproved = false;
    // Rights may have changed while it waited: those of the one who asked are looked up again before the start.
    task.allow_pending |= task.actor_id.is_some();
    let (limits, counted, now) = (limits_of(bridge, &task), CountedAs::waiting(&task), bridge.ground.now());
    let full = over_limit(bridge, &mut tx, &limits, &counted, now).await?;
    let done = format!("approved by {by}");
    match full {
        Some((why, _)) => wait_for_room(&mut tx, bridge, &mut task, &done, &why).await?,
        None => resume(&mut tx, bridge, &mut task, &done).await?,
    }
    tx.commit().await?;
    bridge.wake.tasks.notify_one();
    bridge.wake.tell();
    Ok(task)
}

/// Lets the match step see a delivery again.
///
/// # Errors
/// [`SteerError::Conflict`] when it has tasks (they are retried, not the delivery), waits already, or its body
/// is no longer kept.
pub async fn replay(bridge: &Bridge, id: DeliveryId) -> Result<(), SteerError> {
    let delivery = bridge.store.delivery(id).await?.ok_or(SteerError::NotFound)?;
    let tasks = bridge.store.tasks_of_delivery(id).await?;
    if !tasks.is_empty() {
        return Err(SteerError::Conflict {
            message: "this delivery has tasks: retry them instead".to_owned(),
            link: None,
            tasks: tasks.into_iter().map(|task| task.id).collect(),
        });
    }
    if !bridge.store.replay_delivery(id, bridge.ground.now()).await? {
        let message = if delivery.state == crate::store::deliveries::DeliveryState::Received {
            "this delivery waits to be processed already"
        } else {
            "the body of this delivery is no longer kept"
        };
        return Err(conflict(message, None));
    }
    bridge.wake.deliveries.notify_one();
    Ok(())
}
