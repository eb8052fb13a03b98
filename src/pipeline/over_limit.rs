//! Whether a limit is reached: when a task is to be made or tried again, and again when one goes on that was held, because
//! limits may have become narrower meanwhile.

use chrono::TimeDelta;

use super::tally::Tally;
use super::transition::{lock_in_line, note, resume, take_step, tell};
use super::{Bridge, StepError};
use crate::domain::chat::Place;
use crate::domain::rule::{Bound, Limits};
use crate::domain::task::{State, Step};
use crate::ids::{PersonId, TaskId};
use crate::store::tasks::count::Counted;
use crate::store::tasks::{Hold, Task};
use crate::store::{Moment, Tx};

/// How long until a task that waits for a limit is looked at again.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(60);

/// What a task counts as.
pub(super) struct CountedAs<'a> {
    pub rule: &'a str,
    pub repo_id: i64,
    pub repo: String,
    pub person_id: PersonId,
    pub person: &'a str,
    /// Where in a chat it was asked for.
    pub chat: Option<&'a Place>,
    pub standing: Standing,
}

/// How a task stands to those that are counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Standing {
    /// It is to be made.
    New,
    /// It has ended, was made at this moment and is to live again: within a while it was counted already.
    Ended(Moment),
    /// It is there, was made at this moment and waits: it does not stand in its own way, and of those that wait only the
    /// older ones do, so that no two wait for each other.
    Waits(TaskId, Moment),
}

impl Standing {
    fn waits(self) -> Option<TaskId> {
        match self {
            Self::Waits(id, _) => Some(id),
            Self::New | Self::Ended(_) => None,
        }
    }

    fn made_at(self) -> Option<Moment> {
        match self {
            Self::Waits(_, at) | Self::Ended(at) => Some(at),
            Self::New => None,
        }
    }
}

impl<'a> CountedAs<'a> {
    /// A task that was made and is held.
    pub(super) fn waiting(task: &'a Task) -> Self {
        Self::of(task, Standing::Waits(task.id, task.created_at))
    }

    /// A task that is there, or one that is to do its work once more.
    pub(super) fn of(task: &'a Task, standing: Standing) -> Self {
        Self {
            rule: &task.rule,
            repo_id: task.repo_id,
            repo: task.repo_full_name(),
            person_id: task.person_id,
            person: &task.person_login,
            chat: task.chat.as_ref().map(|chat| &chat.0),
            standing,
        }
    }
}

/// The limits that hold for a task now; those of a rule that is gone are gone with it.
pub(super) fn limits_of(bridge: &Bridge, task: &Task) -> Limits {
    bridge.live().rules.by_name(&task.rule).map(|rule| rule.limits.clone()).unwrap_or_default()
}

/// The first limit that is reached, with what was counted.
///
/// # Errors
/// [`StepError`]: repeat the transaction.
pub(super) async fn over_limit(
    bridge: &Bridge,
    tx: &mut Tx,
    limits: &Limits,
    task: &CountedAs<'_>,
    now: Moment,
) -> Result<Option<(String, String)>, StepError> {
    over_limit_by(&mut Tally::default(), bridge, tx, limits, task, now).await
}

/// The same, for one of many tasks that are made in a transaction.
///
/// # Errors
/// [`StepError`]: repeat the transaction.
pub(super) async fn over_limit_by<'a>(
    tally: &mut Tally<'a>,
    bridge: &Bridge,
    tx: &mut Tx,
    limits: &Limits,
    task: &CountedAs<'a>,
    now: Moment,
) -> Result<Option<(String, String)>, StepError> {
    let repo = &task.repo;
    let global = &bridge.settings.limits;
    let live = bridge.live();
    let channel = task.chat.and_then(|place| {
        let side = live.sources.get(&place.source)?.chat.as_ref()?;
        Some((place, &side.channels.get(&place.channel)?.limits))
    });
    let mut checks: Vec<(&str, &Bound, Counted<'a>, &str)> = vec![
        ("the limit per_rule", &limits.per_rule, Counted::Rule(task.rule), task.rule),
        ("the limit per_repo", &limits.per_repo, Counted::RuleInRepo(task.rule, task.repo_id), repo),
        ("the limit per_person", &limits.per_person, Counted::RuleAsPerson(task.rule, task.person_id), task.person),
        ("the overall limit per_repo", &global.per_repo, Counted::Repo(task.repo_id), repo),
        ("the overall limit per_person", &global.per_person, Counted::Person(task.person_id), task.person),
    ];
    if let Some((place, limits)) = channel {
        let of_person = Counted::Channel(place, Some(task.person_id));
        checks.extend([
            ("the channel's limit per_channel", &limits.per_channel, Counted::Channel(place, None), &*place.channel),
            ("the channel's limit per_person", &limits.per_person, of_person, task.person),
        ]);
    }
    for (name, bound, counted, of) in checks {
        if let Some(most) = bound.live {
            let live = tally.live(tx, counted, task.standing.waits()).await?;
            if live >= i64::from(most) {
                let cause =
                    format!("{name}.live is {most} for {of}, and as many tasks have not ended; try again when one has");
                return Ok(Some((cause, format!("{live} live"))));
            }
        }
        if let Some(window) = &bound.started {
            let within = TimeDelta::from_std(window.within).unwrap_or(TimeDelta::MAX);
            let since = now.checked_sub_signed(within).unwrap_or(Moment::UNIX_EPOCH);
            let (count, oldest) = tally.since(tx, counted, since).await?;
            let count = count - i64::from(task.standing.made_at().is_some_and(|at| at > since));
            if count >= i64::from(window.count) {
                let free = oldest.and_then(|oldest| oldest.checked_add_signed(within));
                let when = free.map(|at| format!(" after {}", at.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
                let cause = format!(
                    "{name}.started is {} within {} for {of}, and as many were made; try again{when}",
                    window.count,
                    words(window.within)
                );
                return Ok(Some((cause, format!("{count} made"))));
            }
        }
    }
    Ok(None)
}

/// Lets a held task wait until a limit has room. It goes on by itself.
///
/// # Errors
/// [`StepError`]: repeat the transaction.
pub(super) async fn wait_for_room(
    tx: &mut Tx,
    bridge: &Bridge,
    task: &mut Task,
    done: &str,
    why: &str,
) -> Result<(), StepError> {
    let now = bridge.ground.now();
    let is_news = task.hold != Some(Hold::Limit);
    task.release();
    task.hold = Some(Hold::Limit);
    task.due_at = now + TimeDelta::from_std(bridge.ground.jitter(LOOK_AGAIN)).unwrap_or_default();
    if !is_news {
        tx.save_task(task).await?;
        return Ok(());
    }
    task.reason = format!("{done}, and it goes on by itself when there is room: {why}");
    task.changed_at = now;
    tx.save_task(task).await?;
    note(tx, &bridge.ground, task, "note", &task.reason).await?;
    tell(tx, &bridge.ground, task).await
}

/// Holds a task that was about to start until a limit has room. It goes on by itself.
///
/// # Errors
/// [`StepError`]: repeat the transaction.
pub(super) async fn hold_for_room(tx: &mut Tx, bridge: &Bridge, task: &mut Task, why: &str) -> Result<(), StepError> {
    task.release();
    task.hold = Some(Hold::Limit);
    // Rights may change while it waits.
    task.allow_pending |= task.actor_id.is_some();
    task.due_at = bridge.ground.now() + TimeDelta::from_std(bridge.ground.jitter(LOOK_AGAIN)).unwrap_or_default();
    take_step(tx, bridge, task, Step::Hold, &format!("it goes on by itself when there is room: {why}")).await
}

/// Lets tasks go on that wait for a limit and for which there is room now. Answers how many.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn resume_limited(bridge: &Bridge) -> Result<usize, StepError> {
    let mut resumed = 0;
    for seen in bridge.store.tasks_held_for_a_limit(bridge.ground.now()).await? {
        let Some(seen) = bridge.store.task(seen).await? else { continue };
        let mut tx = bridge.store.begin().await?;
        tx.alone_with_all(&counted_names(&seen)).await?;
        let Some(mut task) = lock_in_line(&mut tx, seen.id).await? else { continue };
        if task.state != State::Held || task.hold != Some(Hold::Limit) {
            continue;
        }
        let limits = limits_of(bridge, &task);
        match over_limit(bridge, &mut tx, &limits, &CountedAs::waiting(&task), bridge.ground.now()).await? {
            Some((why, _)) => wait_for_room(&mut tx, bridge, &mut task, "", &why).await?,
            None => {
                resume(&mut tx, bridge, &mut task, "the limit has room again").await?;
                resumed += 1;
            }
        }
        tx.commit().await?;
    }
    if resumed > 0 {
        bridge.wake.tell();
    }
    Ok(resumed)
}

/// What must not change while a task is counted, in the order in which everybody takes these.
pub(super) fn counted_names(task: &Task) -> Vec<String> {
    let counted =
        [format!("person:{}", task.person_id), format!("repo:{}", task.repo_id), format!("rule:{}", task.rule)];
    task.chat.iter().map(|chat| channel_name(&chat.0)).chain(counted).collect()
}

/// The same for what is counted for a channel; it comes before the others.
pub(super) fn channel_name(place: &Place) -> String {
    format!("channel:{}:{}", place.source, place.channel)
}

fn words(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        s if s > 0 && s.is_multiple_of(86_400) => format!("{} d", s / 86_400),
        s if s > 0 && s.is_multiple_of(3600) => format!("{} h", s / 3600),
        s if s > 0 && s.is_multiple_of(60) => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
