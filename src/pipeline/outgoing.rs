//! Telling receivers of webhooks: a message is put into the outbox in the transaction of the change that it tells of, and sent
//! from there, each receiver by itself. A receiver that is slow or away delays nobody but itself.

use std::time::Duration;

use chrono::TimeDelta;

use super::{Bridge, StepError};
use crate::domain::backoff::Backoff;
use crate::domain::outgoing::{Change, without};
use crate::domain::task::State;
use crate::fail_point::{Point, reach};
use crate::ids::ReportId;
use crate::outgoing::{Message, PostError, Receiver};
use crate::store::outgoing::{NewOutgoing, Outgoing};
use crate::store::tasks::Task;
use crate::store::{Lease, Tx};

/// How many receivers there can be; the configuration allows no more.
pub const LANES: usize = 16;
/// Tries to send one message: about a day in all.
const TRIES: Backoff = Backoff { first: Duration::from_secs(5), factor: 3, cap: Duration::from_secs(7200), tries: 19 };
/// Messages that are under way to one receiver at once, of as many tasks.
const AT_ONCE: i64 = 8;

/// Puts a change of a task into the outbox, for each receiver that wants it. It is in the task's timeline already.
///
/// # Errors
/// [`StepError::Store`]: repeat the transaction.
pub(super) async fn send_out(tx: &mut Tx, bridge: &Bridge, task: &Task, from: Option<State>) -> Result<(), StepError> {
    let mut wanting = bridge.live().outgoing.clone();
    wanting.retain(|receiver| receiver.choice.wants(&task.rule, task.state));
    if wanting.is_empty() {
        return Ok(());
    }
    let sequence = tx.changes_of(task.id).await?;
    let now = bridge.ground.now();
    let repo = task.repo_full_name();
    // GitHub's messages are not ours: should one repeat the prompt, neither it nor the marker must show.
    let reason = without(&task.marker.mask(&task.reason), &task.prompt);
    let change = Change {
        task: task.id.0,
        sequence,
        at: now,
        rule: &task.rule,
        repo: &repo,
        person: &task.person_login,
        from,
        to: task.state,
        reason: &reason,
        remote_url: task.remote_url.as_deref(),
        pull_url: task.pull_url.as_deref(),
    };
    let content = change.body();
    for receiver in &wanting {
        let id = ReportId::new(&bridge.ground);
        let new = NewOutgoing { id, receiver: &receiver.name, seq: sequence, content: &content };
        tx.send_out(task, &new, now).await?;
    }
    Ok(())
}

/// Sends what is due to the receiver of this lane, if there is one. Answers how many messages were taken up.
///
/// # Errors
/// [`StepError`]: they are taken up again.
pub async fn send_batch(bridge: &Bridge, lane: usize) -> Result<usize, StepError> {
    let live = bridge.live();
    let Some(receiver) = live.outgoing.get(lane) else { return Ok(0) };
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    let messages = bridge.store.claim_outgoing(&receiver.name, lease, bridge.ground.now(), AT_ONCE).await?;
    let taken = messages.len();
    super::each_at_once(messages, usize::MAX, |message| {
        let (bridge, receiver) = (bridge.clone(), receiver.clone());
        async move { send_one(&bridge, lease, &receiver, &message).await }
    })
    .await?;
    Ok(taken)
}

async fn send_one(bridge: &Bridge, lease: Lease, receiver: &Receiver, message: &Outgoing) -> Result<(), StepError> {
    let id = message.id.to_string();
    let text = Message { id: &id, body: &message.content };
    reach(Point::OutgoingBeforeSending);
    let outcome = bridge.poster.post(receiver, text, bridge.ground.now()).await;
    reach(Point::OutgoingAnswered);
    let now = bridge.ground.now();
    let (name, task) = (receiver.name.as_str(), message.task_id.map(tracing::field::display));
    let Err(error) = outcome else {
        bridge.store.outgoing_sent(message.id, lease, now).await?;
        reach(Point::OutgoingRecorded);
        tracing::info!(report = %message.id, task, receiver = name, "a receiver was told");
        return Ok(());
    };
    let tries = u32::try_from(message.tries).unwrap_or(u32::MAX);
    let wait = match &error {
        PostError::Gone => None,
        PostError::Refused { later: Some(later), .. } => TRIES.after(tries).map(|wait| wait.max(*later)),
        _ => TRIES.after(tries),
    };
    tracing::warn!(report = %message.id, task, receiver = name, %error, tries, gives_up = wait.is_none(), "a receiver could not be told");
    let due_at = wait.map(|wait| now + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default());
    bridge.store.postpone_outgoing(message.id, lease, due_at, now, &error.to_string()).await?;
    Ok(())
}
