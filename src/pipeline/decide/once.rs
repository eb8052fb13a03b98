//! `once_per`: what a second wish with the same key becomes.

use chrono::TimeDelta;

use super::settled::Plan;
use crate::domain::rule::OnceThen;
use crate::domain::task::{State, Step};
use crate::ids::TaskId;
use crate::pipeline::transition::{note, take_step};
use crate::pipeline::{Bridge, StepError};
use crate::store::tasks::make::NewTask;
use crate::store::tasks::{Hold, Task};
use crate::store::{Moment, StoreError, Tx};

/// How a note begins that tells of a further wish of the same key, from wherever it came.
pub(in crate::pipeline) const AGAIN: &str = "again: ";

/// Most notes in the story of a task before further wishes with its key are no longer written there.
const STORY_LIMIT: i64 = 200;

/// `once_per.window`: the task that a further wish with its key belongs to, and why; the wish is written into its story.
pub(super) async fn folded(
    bridge: &Bridge,
    tx: &mut Tx,
    plan: &Plan,
    now: Moment,
) -> Result<Option<(TaskId, String)>, StepError> {
    let (Some(key), Some(window)) = (&plan.task.once_key, plan.once_window) else { return Ok(None) };
    let within = TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX);
    let since = now.checked_sub_signed(within).unwrap_or(Moment::UNIX_EPOCH);
    let Some(first) = tx.newest_with_key(&plan.task.rule, key, since, now).await? else { return Ok(None) };
    let Some(first) = tx.lock_task(first).await? else { return Ok(None) };
    let why = if first.created_at > since {
        let until = first.created_at.checked_add_signed(within).unwrap_or(now);
        format!(
            "was made for the same key, and until {} a further wish starts nothing",
            until.format("%Y-%m-%d %H:%M UTC")
        )
    } else {
        "is live for the same key".to_owned()
    };
    let cause = format!("once_per: task {} {why}; this one is written into its timeline", first.id);
    let added = tx.notes_of(first.id, STORY_LIMIT).await?;
    match STORY_LIMIT - added {
        left if left > 1 => note(tx, &bridge.ground, &first, "note", &format!("{AGAIN}{}", plan.told)).await?,
        1 => {
            let text = format!("{AGAIN}{}; later ones are only among the deliveries", plan.told);
            note(tx, &bridge.ground, &first, "note", &text).await?;
        }
        _ => {}
    }
    Ok(Some((first.id, cause)))
}

/// `once_per`: why the wish is refused, if it is; else the new task may have become one that waits.
pub(super) async fn once_per(
    bridge: &Bridge,
    tx: &mut Tx,
    plan: &Plan,
    new: &mut NewTask,
    now: Moment,
) -> Result<Option<(String, String)>, StepError> {
    let (Some(key), Some(then)) = (&new.once_key, plan.once_then) else { return Ok(None) };
    let live = tx.tasks_with_key(&new.rule, key, now).await?;
    let Some(first) = live.first() else { return Ok(None) };
    let saw = format!("task {} is {} with the key `{key}`", first.id, first.state);
    match then {
        OnceThen::Skip => {
            let waits = waits(bridge, first);
            let cause = format!("once_per: a task with the same key is live ({}){waits}; it must end first", first.id);
            Ok(Some((cause, saw)))
        }
        OnceThen::Wait => {
            if new.state == State::Pending {
                new.state = State::Held;
                new.hold = Some(Hold::Turn);
                new.reason = format!("waits until task {} has ended", first.id);
            }
            Ok(None)
        }
        OnceThen::Replace => {
            if let Some(started) = live.iter().find(|task| task.state.may_have_left()) {
                let cause =
                    format!("once_per: the live task {} has started already and cannot be replaced", started.id);
                return Ok(Some((cause, saw)));
            }
            for old in live {
                let Some(mut old) = tx.lock_task(old.id).await? else { continue };
                if old.state.may_have_left() || old.state.is_end() {
                    // It moved between our look and the lock.
                    return Err(StoreError::Raced.into());
                }
                take_step(tx, bridge, &mut old, Step::Cancel, &format!("replaced by task {}", new.id)).await?;
            }
            Ok(None)
        }
    }
}

/// What a live task waits for that somebody must do. Whoever reads it is not always the one.
fn waits(bridge: &Bridge, task: &Task) -> String {
    let page = bridge.settings.connect_url.as_ref().map(|url| format!(" at {url}")).unwrap_or_default();
    let what = match task.hold.filter(|_| task.state == State::Held) {
        Some(Hold::Token) => format!("`{}` to sign in{page}", task.person_login),
        Some(Hold::Approval) => "approval".to_owned(),
        Some(Hold::Installation) => "the GitHub App to be installed".to_owned(),
        Some(Hold::Turn | Hold::Limit) | None => return String::new(),
    };
    let label = task.label_name.as_ref().map(|_| "; taking the label off cancels it").unwrap_or_default();
    format!(" and waits for {what}{label}")
}
