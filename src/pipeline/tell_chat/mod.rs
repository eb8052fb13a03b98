//! Telling people in a chat: one thing of the outbox at a time in each channel, beside what is told on GitHub and
//! whatever becomes of it. What cannot be told never touches the state of its task.

mod alone;
mod telling;

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::chat::Reply;
use super::chat::gone::still_gone;
use super::chat::rotation::speak;
use super::{Bridge, StepError};
use crate::chat::{ChatError, ChatNext};
use crate::domain::backoff::Backoff;
use crate::domain::hourly::Hourly;
use crate::fail_point::{Point, reach};
use crate::store::Lease;
use crate::store::reports::{Report, ReportKind};
use telling::Telling;

/// Tries to tell one revision: about two hours in all.
const TRIES: Backoff = Backoff { first: Duration::from_secs(5), factor: 3, cap: Duration::from_secs(1800), tries: 9 };
/// What a call may take, and some more.
const CALL: Duration = Duration::from_secs(10);
/// How long something for a chat is held at least, however short `tasks.lease` is: a call must fit in.
const HELD: Duration = Duration::from_secs(20);
/// How long until an app that is gone is asked about again.
const GONE: Duration = Duration::from_secs(600);
/// How long until what has to be told first is looked at again.
const FIRST: Duration = Duration::from_secs(2);

/// Tells what is due in chats. Answers how much was taken up.
///
/// # Errors
/// [`StepError`]: it is taken up again.
pub async fn tell_chat_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let held = bridge.settings.lease.max(HELD);
    let lease = Lease::new(&bridge.ground, held);
    // Read before the lease is taken, so that this side never believes in more time than there is.
    let send_by = Instant::now() + held.saturating_sub(CALL);
    let limit = i64::try_from(bridge.settings.at_once).unwrap_or(1).max(1);
    let reports = bridge.store.claim_chat_reports(lease, bridge.ground.now(), limit).await?;
    let taken = reports.len();
    super::each_at_once(reports, usize::MAX, |report| {
        let bridge = bridge.clone();
        async move { tell_one(&bridge, lease, send_by, report).await }
    })
    .await?;
    Ok(taken)
}

async fn tell_one(bridge: &Bridge, lease: Lease, send_by: Instant, report: Report) -> Result<(), StepError> {
    let live = bridge.live();
    let place = report.chat.as_ref().map(|chat| chat.0.clone());
    let side = place.as_ref().and_then(|place| live.sources.get(&place.source)?.chat.as_ref());
    let (Some(place), Some(side)) = (place, side) else {
        let why = "its source is no longer configured";
        bridge.store.postpone_report(report.id, lease, None, true, why).await?;
        return Ok(());
    };
    let now = bridge.ground.now();
    let comment = match report.kind {
        ReportKind::Reply => comment_of(bridge, &report).await?,
        _ => None,
    };
    // A call stands under the message of its task, which so has to be there.
    let under = report.task_id.filter(|_| report.kind == ReportKind::Mention && place.thread.is_none());
    let waits_for = match under {
        _ if comment.as_ref().is_some_and(|comment| comment.state == "pending") => Some("waits for the comment"),
        Some(task) if bridge.store.chat_message_is_coming(task).await? => Some("waits for the message of its task"),
        _ => None,
    };
    if let Some(why) = waits_for {
        let again = now + TimeDelta::from_std(bridge.ground.jitter(FIRST)).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(again), false, why).await?;
        return Ok(());
    }
    if let Some(why) = still_gone(bridge, side, &place.source).await? {
        // Not for ever: what nobody could be told for long is no news any more.
        let wait = TRIES.after(u32::try_from(report.tries).unwrap_or(u32::MAX)).map(|wait| wait.max(GONE));
        let again = wait.map(|wait| now + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default());
        bridge.store.postpone_report(report.id, lease, again, true, &why).await?;
        return Ok(());
    }
    let voice = match speak(bridge, &place.source, side).await? {
        Ok(voice) => voice,
        Err(error) => return not_told(bridge, lease, &report, &error).await,
    };
    let writer = format!("chat:{}:{}", place.source, place.speaks_in());
    let clock = &bridge.settings.shared_clock;
    if !bridge.store.take_turn(&writer, lease, Hourly::of(u32::MAX), clock.shown()).await? {
        let free = bridge.store.turn_comes_in(&writer, clock.shown()).await?;
        let wait = free.max(bridge.ground.jitter(Duration::from_millis(500)));
        let again = now + TimeDelta::from_std(wait).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(again), false, "waits for its turn to speak").await?;
        return Ok(());
    }
    let platform = voice.platform();
    let telling = Telling { bridge, live: &live, platform, place: &place, report: &report, comment };
    let outcome = if Instant::now() < send_by {
        reach(Point::ChatBeforeSending);
        telling.send().await
    } else {
        Ok(Err(ChatError::NotSent("the chat", "the lease was about to end".to_owned())))
    };
    reach(Point::ChatSent);
    let pause = match &outcome {
        Ok(Err(error)) => error.pause().unwrap_or(bridge.settings.write_spacing),
        _ => bridge.settings.write_spacing,
    };
    bridge.store.end_turn(&writer, lease, pause, clock.shown()).await?;
    let task = report.task_id.map(tracing::field::display);
    let error = match outcome? {
        Ok(told) => {
            bridge.store.chat_report_sent(&report, lease, told.as_deref(), bridge.ground.now()).await?;
            reach(Point::ChatRecorded);
            tracing::info!(report = %report.id, task, kind = ?report.kind, "a chat was told");
            return Ok(());
        }
        Err(error) => error,
    };
    if voice.refused(bridge, &place.source, &error).await? {
        let again = bridge.ground.now() + TimeDelta::from_std(bridge.ground.jitter(FIRST)).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(again), false, "waits for a new token").await?;
        return Ok(());
    }
    not_told(bridge, lease, &report, &error).await
}

/// It is tried again later, if that may do better.
async fn not_told(bridge: &Bridge, lease: Lease, report: &Report, error: &ChatError) -> Result<(), StepError> {
    let now = bridge.ground.now();
    let task = report.task_id.map(tracing::field::display);
    if let Some(pause) = error.pause() {
        let until = now + TimeDelta::from_std(pause).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(until), false, &error.for_person()).await?;
        return Ok(());
    }
    let wait = match error.next() {
        ChatNext::Retry | ChatNext::AskPerson => TRIES.after(u32::try_from(report.tries).unwrap_or(u32::MAX)),
        ChatNext::GiveUp | ChatNext::OtherWay => None,
    };
    tracing::warn!(report = %report.id, task, %error, gives_up = wait.is_none(), "a chat could not be told");
    let due_at = wait.map(|wait| now + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default());
    bridge.store.postpone_report(report.id, lease, due_at, true, &error.for_person()).await?;
    Ok(())
}

/// The comment that a reply tells of.
async fn comment_of(bridge: &Bridge, reply: &Report) -> Result<Option<Report>, StepError> {
    let about: Reply = serde_json::from_str(&reply.content).unwrap_or_default();
    Ok(match about.comment {
        Some(id) => bridge.store.report(id).await?,
        None => None,
    })
}
