//! `approve`, written in a comment: what waits there for somebody who may write goes on, and the comment is answered.

use super::Concern;
use super::waited_enough;
use super::weigh::{Weighed, actor_and_repo, notice};
use crate::domain::rule::Allow;
use crate::pipeline::decide::Settled;
use crate::pipeline::guard::{May, may};
use crate::pipeline::steer::{self, SteerError};
use crate::pipeline::{Bridge, StepError};
use crate::store::deliveries::DeliveryState;

/// Lets the tasks of this issue or pull request go on that wait for approval, or the one that is named. A stranger gets no
/// answer, as for every command.
pub(super) async fn approve(
    bridge: &Bridge,
    concern: &Concern,
    mut settled: Settled,
    named: Option<&str>,
) -> Result<Weighed, StepError> {
    let event = &concern.heard.event;
    let number = event.subject.as_ref().and_then(|subject| subject.number);
    let (Some((actor, path)), Some(repo), Some(number)) = (actor_and_repo(event), &event.repo, number) else {
        settled.finished.end.state = DeliveryState::Ignored;
        settled.finished.end.reason = "an approval by nobody, or of nothing".to_owned();
        return Ok(Weighed::Settled(Box::new(settled)));
    };
    settled.finished.end.reason = match may(bridge, &Allow::default(), &path, actor).await {
        May::Yes(_) => {
            let held = bridge.store.tasks_held_for_approval(repo.id, number).await?;
            let by = format!("@{}", actor.login);
            let mut told = Vec::new();
            for id in held.into_iter().filter(|id| named.is_none_or(|named| id.to_string().eq_ignore_ascii_case(named)))
            {
                match steer::approve(bridge, id, &by).await {
                    Ok(_) => told.push(format!("task {id} is approved")),
                    Err(SteerError::Conflict { message, .. }) => told.push(format!("task {id} still waits: {message}")),
                    Err(SteerError::NotFound) => {}
                    Err(SteerError::Store(error)) => return Err(error.into()),
                }
            }
            if told.is_empty() {
                told.push("nothing here waits for approval".to_owned());
            }
            let text = told.join("; ");
            settled.notices.extend(notice(bridge, concern, "answer", format!("{by}: {text}.")));
            format!("answered: {text}")
        }
        May::Later(later) if !waited_enough(bridge, &concern.delivery) => return Ok(Weighed::Later(later)),
        May::Later(later) => format!("not approved: {}", later.why),
        May::No { saw, .. } => format!("not approved, only people who can write may: {saw}"),
        May::NoReader(why) => format!("not approved: {why}"),
    };
    Ok(Weighed::Settled(Box::new(settled)))
}
