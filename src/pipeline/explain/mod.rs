//! Why a delivery became what it became, rule by rule: from what was stored when it was decided, or, for a
//! payload that never came, as a dry run that asks nobody.

mod dry;
mod silent;
mod told;
mod words;

use std::collections::HashMap;

use super::read_again::read_again;
use super::sort::{self, Said};
use super::{Bridge, StepError};
use crate::domain::event::Event;
use crate::ids::{DeliveryId, TaskId};
use crate::pipeline::Live;
use crate::store::decisions::{Decision, Verdict};
use crate::store::deliveries::{Delivery, DeliveryState};
use crate::store::tasks::Task;
use silent::{Heard, Written};
use told::InChat;

pub use dry::of_payload;
pub use told::{Answer, Explanation, RuleTold, TaskTold};

/// Explains a recorded delivery; `None` when there is none of this id.
///
/// # Errors
/// [`StepError`]: retry.
pub async fn of_delivery(bridge: &Bridge, id: DeliveryId) -> Result<Option<Explanation>, StepError> {
    let Some(delivery) = bridge.store.delivery(id).await? else { return Ok(None) };
    let decisions = bridge.store.decisions(id).await?;
    let mut tasks = HashMap::new();
    for task in decisions.iter().filter_map(|decision| decision.task_id) {
        tasks.extend(bridge.store.task(task).await?.map(|found| (task, found)));
    }
    let live = bridge.live();
    let event = read_again(bridge, &live, id).await?.map(|(event, _)| event);
    let mut told = Explanation {
        delivery: Some(id),
        source: delivery.source.clone(),
        event: delivery.full_name(),
        actor: some(delivery.actor_login.as_ref()),
        repo: some(delivery.repo_name.as_ref()),
        subject_url: some(delivery.subject_url.as_ref()),
        label: None,
        command: None,
        alert: None,
        chat: None,
        received_at: Some(delivery.received_at),
        state: Some(delivery.state),
        outcome: outcome(&delivery, &decisions, &tasks),
        rule_version: some(delivery.rule_version.as_ref()),
        rules: Vec::new(),
        notes: Vec::new(),
    };
    match &event {
        Some(event) => add_facts(&mut told, event, &live),
        None => told.notes.push(
            "its body is no longer kept, not readable or not for us, so labels and commands in it cannot be looked at again"
                .to_owned(),
        ),
    }
    let written = match &told.rule_version {
        Some(version) => bridge.store.rule_version(version).await?.map(|rules| silent::written(&rules)),
        None => None,
    };
    let mut rules = Vec::new();
    match written {
        Some(written) => {
            for (position, rule) in written.iter().enumerate() {
                let found = decisions.iter().find(|d| usize::try_from(d.position) == Ok(position));
                let answer = match found {
                    Some(decision) => decided(decision, &tasks),
                    None => undecided(&told, event.is_some(), &written, rule, position, &decisions),
                };
                rules.push(answer);
            }
        }
        None => {
            if !decisions.is_empty() {
                told.notes.push("the rules of that time are no longer kept; only decisions are shown".to_owned());
            }
            rules.extend(decisions.iter().map(|decision| decided(decision, &tasks)));
        }
    }
    told.rules = rules;
    Ok(Some(told))
}

/// The same for the id that GitHub gave it (`X-GitHub-Delivery`), or another sender its own: one explanation for each
/// source and hook that told of it.
///
/// # Errors
/// [`StepError`]: retry.
pub async fn of_sender_id(bridge: &Bridge, sender_id: &str) -> Result<Vec<Explanation>, StepError> {
    let mut told = Vec::new();
    for id in bridge.store.deliveries_called(sender_id).await? {
        told.extend(of_delivery(bridge, id).await?);
    }
    Ok(told)
}

/// What is in the event, as it reads today.
fn add_facts(told: &mut Explanation, event: &Event, live: &Live) {
    told.event = event.full_name();
    told.actor = event.actor.as_ref().map(|actor| actor.login.clone());
    told.repo = event.repo.as_ref().map(crate::domain::event::Repo::full_name);
    told.subject_url = event.subject.as_ref().map(|subject| subject.url.clone()).filter(|url| !url.is_empty());
    told.label = sort::put_on(event).map(str::to_owned);
    told.alert = sort::alert_state(event).map(str::to_owned);
    let Some(source) = live.sources.get(&event.source) else { return };
    let said = sort::said(event, source);
    told.chat = event.chat.as_deref().map(|chat| match &said {
        Said::Command(_) => InChat::Wanted {
            command: sort::chat_command(source, chat).to_owned(),
            usual: sort::counts_as_usual(source, chat),
            only: sort::rule_of_channel(source, chat).map(str::to_owned),
        },
        _ => InChat::ForUs,
    });
    if let Said::Command(command) = said {
        told.command = Some(command.name);
    }
}

fn some(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn outcome(delivery: &Delivery, decisions: &[Decision], kept: &HashMap<TaskId, Task>) -> String {
    let reason = delivery.reason.clone().unwrap_or_default();
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    match delivery.state {
        DeliveryState::Received if delivery.tries > 0 || !reason.is_empty() => {
            format!("it waits to be matched again{because}")
        }
        DeliveryState::Received => "it waits to be matched against the rules".to_owned(),
        DeliveryState::Ignored => format!("nothing was started{because}"),
        DeliveryState::Failed => format!("it failed{because}"),
        DeliveryState::Duplicate => match delivery.duplicate_of {
            Some(first) if reason.is_empty() => format!("it repeats delivery {first}"),
            _ => format!("it is a duplicate{because}"),
        },
        DeliveryState::Processed => {
            let tasks: Vec<TaskId> = decisions.iter().filter_map(|decision| decision.task_id).collect();
            // Those of another delivery were there already: what was wanted was written into their stories.
            let was_there = |id: &&TaskId| kept.get(id).is_some_and(|task| task.delivery_id != delivery.id);
            let folded = tasks.iter().filter(was_there).count();
            let counted = |many| if many == 1 { "a task".to_owned() } else { format!("{many} tasks") };
            match (tasks.len() - folded, folded) {
                (0, 0) if decisions.is_empty() => format!("nothing was started{because}"),
                (0, 0) => "rules looked at it, and none started a task".to_owned(),
                (made, 0) => format!("it became {}", counted(made)),
                (0, folded) => {
                    format!("it belongs to {} that was there before; nothing more was started", counted(folded))
                }
                (made, folded) => {
                    format!("it became {}, and belongs to {} that was there before", counted(made), counted(folded))
                }
            }
        }
    }
}

fn decided(decision: &Decision, tasks: &HashMap<TaskId, Task>) -> RuleTold {
    let task = decision.task_id.map(|id| match tasks.get(&id) {
        Some(task) => TaskTold {
            id,
            state: Some(task.state),
            reason: task.reason.clone(),
            person: task.person_login.clone(),
            url: task.remote_url.clone(),
        },
        None => TaskTold { id, state: None, reason: "no longer kept".to_owned(), person: String::new(), url: None },
    });
    RuleTold {
        rule: decision.rule.clone(),
        answer: match decision.verdict {
            Verdict::Matched => Answer::Matched,
            Verdict::NotMatched => Answer::NotMatched,
            Verdict::Refused => Answer::Refused,
            Verdict::Failed => Answer::Failed,
        },
        why: decision.cause.clone(),
        saw: decision.saw.clone(),
        task,
        prompt: None,
    }
}

/// Why a rule has no decision: it listens to something else, or its turn did not come.
fn undecided(
    told: &Explanation,
    body_known: bool,
    all: &[Written],
    rule: &Written,
    position: usize,
    decisions: &[Decision],
) -> RuleTold {
    let (answer, why) = if let Some(why) = silent::why(rule, all, Heard::of(told), body_known) {
        (Answer::NotListening, why)
    } else if let Some(above) = decisions
        .iter()
        .filter(|decision| decision.verdict != Verdict::NotMatched)
        .rfind(|decision| usize::try_from(decision.position).is_ok_and(|above| above < position))
    {
        (Answer::NotReached, format!("not asked: `{}` above had the delivery, and does not say `continue`", above.rule))
    } else {
        (Answer::NotReached, format!("not asked: {}", told.outcome))
    };
    RuleTold { rule: rule.name.clone(), answer, why, saw: String::new(), task: None, prompt: None }
}
