//! The one place where a task changes its state: the state, the timeline entry and the reports that tell
//! of it are one transaction.

use super::outgoing::send_out;
use super::whisper::{Whisper, whisper};
use super::{Bridge, StepError};
use crate::clock::Ground;
use crate::domain::chat::Place;
use crate::domain::rule::Reaction;
use crate::domain::task::{State, Step};
use crate::domain::telling::chat::calls;
use crate::ids::{ReportId, TaskId};
use crate::store::reports::{NewReport, ReportKind};
use crate::store::tasks::story::TimelineEntry;
use crate::store::tasks::{Hold, Task};
use crate::store::{Lease, Moment, Tx};

/// Takes a step with a locked task, for a reason told in words, and saves it with whatever else the caller
/// has changed of it.
///
/// # Errors
/// [`StepError::Illegal`] when the state does not allow the step: give up. [`StepError::Store`]: the whole
/// transaction is to be repeated.
pub async fn take_step(
    tx: &mut Tx,
    bridge: &Bridge,
    task: &mut Task,
    step: Step,
    reason: &str,
) -> Result<(), StepError> {
    let ground = &bridge.ground;
    let from = task.state;
    let to = from.after(step)?;
    let now = ground.now();
    task.state = to;
    reason.clone_into(&mut task.reason);
    task.changed_at = now;
    if to != State::Held {
        task.hold = None;
    }
    if to != State::Uncertain {
        task.needs_person = false;
    }
    task.ended_at = to.is_end().then(|| task.ended_at.unwrap_or(now));
    tx.save_task(task).await?;
    // Why stands in its timeline; it may hold words of strangers.
    tracing::info!(task = %task.id, %from, %to, "a task changes its state");
    let entry = TimelineEntry {
        at: now,
        kind: "state".to_owned(),
        from_state: Some(from.to_string()),
        to_state: Some(to.to_string()),
        text: reason.to_owned(),
    };
    tx.add_to_timeline(crate::ids::uuid_v7(ground), task.id, &entry).await?;
    if from != to {
        send_out(tx, bridge, task, Some(from)).await?;
    }
    tell(tx, ground, task).await
}

/// Writes down that tasks were made, each with how, and lets receivers hear of them.
///
/// # Errors
/// [`StepError::Store`]: repeat the transaction.
pub async fn made(tx: &mut Tx, bridge: &Bridge, tasks: &[(&Task, String)]) -> Result<(), StepError> {
    let ground = &bridge.ground;
    let entries: Vec<TimelineEntry> = tasks.iter().map(|(_, how)| entry(ground, "made", how)).collect();
    let new: Vec<_> =
        tasks.iter().zip(&entries).map(|((task, _), entry)| (crate::ids::uuid_v7(ground), task.id, entry)).collect();
    tx.add_all_to_timeline(&new).await?;
    for (task, _) in tasks {
        send_out(tx, bridge, task, None).await?;
    }
    Ok(())
}

/// Locks a task whose `once_per` key will be looked at: first its rule, then its row, as everybody does who
/// counts or lines up the tasks of a rule.
///
/// # Errors
/// [`StepError::Store`]: repeat the transaction.
pub async fn lock_in_line(tx: &mut Tx, id: TaskId) -> Result<Option<Task>, StepError> {
    let Some(task) = tx.task(id).await? else { return Ok(None) };
    if task.once_key.is_some() {
        tx.alone_with(&format!("rule:{}", task.rule)).await?;
    }
    Ok(tx.lock_task(id).await?)
}

/// Lets a task go on that was held and locked in its line, unless a live task with its `once_per` key is still
/// in front of it: then it waits for its turn.
///
/// # Errors
/// As [`take_step`].
pub async fn resume(tx: &mut Tx, bridge: &Bridge, task: &mut Task, reason: &str) -> Result<(), StepError> {
    let ground = &bridge.ground;
    let now = ground.now();
    task.due_at = now;
    let in_front = match &task.once_key {
        Some(key) => tx.tasks_with_key(&task.rule, key, now).await?.into_iter().find(|other| other.line < task.line),
        None => None,
    };
    // The first sign of life, if nobody could give it while the task was held.
    react(tx, ground, task).await?;
    let Some(first) = in_front else { return take_step(tx, bridge, task, Step::Resume, reason).await };
    task.hold = Some(Hold::Turn);
    task.reason = format!("waits until task {} has ended", first.id);
    task.changed_at = now;
    tx.save_task(task).await?;
    note(tx, ground, task, "note", &format!("{reason}; {}", task.reason)).await?;
    tell(tx, ground, task).await
}

/// Puts a start off, with a note of why if there is something to say.
///
/// # Errors
/// [`StepError`]: the task is taken up again when its lease has ended.
pub(super) async fn put_off(
    bridge: &Bridge,
    lease: Lease,
    task: &Task,
    until: Moment,
    why: &str,
) -> Result<(), StepError> {
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

/// Writes down something about a task that is no change of its state.
///
/// # Errors
/// [`StepError::Store`]: repeat the transaction.
pub async fn note(tx: &mut Tx, ground: &Ground, task: &Task, kind: &str, text: &str) -> Result<(), StepError> {
    tx.add_to_timeline(crate::ids::uuid_v7(ground), task.id, &entry(ground, kind, text)).await?;
    Ok(())
}

/// The same of what is found again and again: it is written down when it is news. A look that tells nothing new for weeks must
/// not push out of the story what does.
///
/// # Errors
/// [`StepError::Store`]: repeat the transaction.
pub async fn note_news(tx: &mut Tx, ground: &Ground, task: &Task, text: &str) -> Result<(), StepError> {
    if tx.newest_entry(task.id).await?.as_deref() == Some(text) {
        return Ok(());
    }
    note(tx, ground, task, "note", text).await
}

/// An entry of a story that is no change of the state.
fn entry(ground: &Ground, kind: &str, text: &str) -> TimelineEntry {
    TimelineEntry { at: ground.now(), kind: kind.to_owned(), from_state: None, to_state: None, text: text.to_owned() }
}

/// Puts the task's living reports into the outbox, to be told anew.
///
/// # Errors
/// [`StepError::Store`]: repeat the transaction.
pub async fn tell(tx: &mut Tx, ground: &Ground, task: &Task) -> Result<(), StepError> {
    Ok(tx.tell_all(&living(ground, task), ground.now()).await?)
}

/// What tells how a task stands.
pub(super) fn living(ground: &Ground, task: &Task) -> Vec<NewReport> {
    let mut reports = task.chat.as_ref().map(|place| in_chat(ground, task, place)).unwrap_or_default();
    let Some(number) = task.subject_number else { return reports };
    let labels = &task.report.labels;
    let wanted = [
        (task.report.comment, ReportKind::Comment, "comment"),
        (labels.running.is_some() || labels.done.is_some() || labels.failed.is_some(), ReportKind::Labels, "labels"),
    ];
    let wanted = wanted.into_iter().filter(|(wanted, ..)| *wanted);
    reports.extend(wanted.map(|(_, kind, name)| on_subject(ground, task, number, kind, format!("{name}:{}", task.id))));
    reports
}

/// The living message, and once for each state that wants somebody the one who asked is called.
fn in_chat(ground: &Ground, task: &Task, place: &Place) -> Vec<NewReport> {
    let report = |kind, dedupe, content: &str| NewReport {
        chat: Some(place.clone()),
        content: content.to_owned(),
        ..on_subject(ground, task, 0, kind, dedupe)
    };
    let mut reports = vec![report(ReportKind::Chat, format!("chat:{}", task.id), "")];
    if task.state == State::Held && task.hold == Some(Hold::Token) {
        // What others may read says that it waits; how it goes on is for the one who asked.
        let what = if task.actor_id == Some(task.person_id.0) {
            Whisper::with_sign_in(format!(
                "Your task {} waits: there is no sign-in of yours that can be used. It goes on by itself when you have signed in.",
                task.id
            ))
        } else {
            Whisper::words(format!("Your task {} waits until @{} has signed in.", task.id, task.person_login))
        };
        let since = task.changed_at.timestamp_millis();
        let nth = format!("held:{}:{since}", task.id);
        reports.push(whisper(ground, task.delivery_id, place, &nth, &what));
    }
    if calls(task.state) {
        let dedupe = format!("mention:{}:{}", task.id, task.state);
        reports.push(report(ReportKind::Mention, dedupe, task.state.as_str()));
    }
    reports
}

/// Puts the immediate reaction into the outbox.
///
/// # Errors
/// [`StepError::Store`]: repeat the transaction.
pub async fn react(tx: &mut Tx, ground: &Ground, task: &Task) -> Result<(), StepError> {
    if let Some(report) = reaction(ground, task) {
        tx.tell(&report, ground.now()).await?;
    }
    Ok(())
}

/// The immediate reaction, if the rule wants one.
pub(super) fn reaction(ground: &Ground, task: &Task) -> Option<NewReport> {
    let (number, reaction) = (task.subject_number?, task.report.reaction.map(Reaction::as_str)?);
    // One reaction on one thing, however many rules it selected.
    let on = task.comment_id.map_or_else(|| format!("issue:{number}"), |id| format!("comment:{id}"));
    let dedupe = format!("reaction:{}:{on}:{reaction}:{}", task.origin_repo_id, task.delivery_id);
    let mut report = on_subject(ground, task, number, ReportKind::Reaction, dedupe);
    report.content = reaction.to_owned();
    Some(report)
}

fn on_subject(ground: &Ground, task: &Task, number: i64, kind: ReportKind, dedupe: String) -> NewReport {
    NewReport {
        id: ReportId::new(ground),
        task_id: Some(task.id),
        delivery_id: Some(task.delivery_id),
        kind,
        dedupe,
        repo_id: task.origin_repo_id,
        repo_owner: task.origin_owner.clone(),
        repo_name: task.origin_name.clone(),
        subject_number: number,
        comment_id: task.comment_id,
        comment_on_diff: task.comment_on_diff,
        person_id: Some(task.person_id),
        content: String::new(),
        chat: None,
    }
}
