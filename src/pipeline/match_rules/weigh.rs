//! Rule by rule: which one is selected, and whether its guards allow it. The first selected rule has the
//! delivery unless it says `continue`; a refusal ends the delivery too, so that somebody who is denied by one
//! rule never reaches a looser one.

use super::super::refresh::taken_back;
use super::super::sort::{Said, app_is_gone, describe, is_thread_event, moves_the_app, nobody_listens, takes_back};
use super::concern::{Concern, waited_enough};
use super::gate::Gate;
use super::plan;
use super::thread;
use super::weighed::{Weighed, notice, told_alone};
use crate::domain::rule::Rule;
use crate::domain::view::View;
use crate::ids::PersonId;
use crate::pipeline::chat::gone::app_gone;
use crate::pipeline::chat::{Hearing, hear, no_such_repo};
use crate::pipeline::decide::{Notice, Settled, refusal_text};
use crate::pipeline::guard::{Later, OWN_DOING, own_action};
use crate::pipeline::installed::app_moved;
use crate::pipeline::sight::{Raw, Sight};
use crate::pipeline::{Bridge, Live, StepError, steer};
use crate::store::decisions::Finished;
use crate::store::decisions::{NewDecision, Verdict};
use crate::store::deliveries::DeliveryState;
use crate::store::unlabels::Labelling;

pub(super) async fn weigh(bridge: &Bridge, live: &Live, concern: &Concern) -> Result<Weighed, StepError> {
    match hear(bridge, live, &concern.delivery, &concern.heard).await? {
        None => weigh_rules(bridge, live, concern).await,
        Some(Hearing::Rules(event, command)) => weigh_rules(bridge, live, &concern.as_heard(*event, command)).await,
        Some(Hearing::Later(later)) if !waited_enough(bridge, &concern.delivery) => Ok(Weighed::Later(later)),
        Some(Hearing::Later(later)) => {
            let text = "Nothing was done: GitHub could not be asked for a day what this needs. Ask once more.";
            let told = told_alone(bridge, concern, "later:end", text);
            Ok(ended(live, concern, &format!("GitHub could not be asked: {}", later.why), told))
        }
        Some(Hearing::Silent(reason)) => Ok(ended(live, concern, &reason, None)),
        Some(Hearing::Ended { reason, tell, wish }) => {
            let mut settled = settled(live, concern, DeliveryState::Processed);
            settled.finished.end.reason = reason;
            settled.notices.extend(tell.into_iter().map(|place| Notice { place }));
            settled.chat_wish = wish;
            Ok(Weighed::Settled(Box::new(settled)))
        }
    }
}

fn settled(live: &Live, concern: &Concern, state: DeliveryState) -> Settled {
    let end = describe(live, &concern.heard.event, state);
    Settled {
        finished: Finished { id: concern.delivery.id, lease: concern.lease, end, decisions: Vec::new() },
        plans: Vec::new(),
        notices: Vec::new(),
        chat_wish: None,
    }
}

fn ended(live: &Live, concern: &Concern, reason: &str, told: Option<Notice>) -> Weighed {
    let mut settled = settled(live, concern, DeliveryState::Ignored);
    settled.finished.end.reason = reason.to_owned();
    settled.notices.extend(told);
    Weighed::Settled(Box::new(settled))
}

async fn weigh_rules(bridge: &Bridge, live: &Live, concern: &Concern) -> Result<Weighed, StepError> {
    let event = &concern.heard.event;
    let mut settled = settled(live, concern, DeliveryState::Processed);
    if let Some(why) = own_action(bridge, event).await? {
        settled.finished.end.state = DeliveryState::Ignored;
        settled.finished.end.reason = format!("{OWN_DOING}: {why}");
        touch_tasks(bridge, concern).await?;
        return Ok(Weighed::Settled(Box::new(settled)));
    }
    let touched = if takes_back(event)
        && let Some(actor) = &event.actor
    {
        match taken_back(bridge, PersonId(actor.id), concern.delivery.received_at).await? {
            Err(why) if !waited_enough(bridge, &concern.delivery) => return Ok(Weighed::Later(Later::soon(&why))),
            found => Some(format!("@{} took back the authorization: {}", actor.login, found.unwrap_or_else(|why| why))),
        }
    } else if app_is_gone(event)
        && let Some(chat) = live.sources.get(&event.source).and_then(|source| source.chat.as_ref())
    {
        Some(app_gone(bridge, chat, &event.source, &event.action).await?)
    } else if moves_the_app(event)
        && let Some(app) = bridge.github.app()
    {
        let done = app_moved(bridge, app, event.installed_in.as_deref()).await?;
        let what = if event.name == "installation" { "the App was" } else { "repositories of the App were" };
        Some(format!("{what} {}: {done}", event.action))
    } else {
        touch_tasks(bridge, concern).await?
    };
    if let Said::Answer(_) | Said::Own(_) | Said::Help = &concern.heard.said {
        return thread::answer(bridge, live, concern, settled).await;
    }
    let command = match &concern.heard.said {
        Said::Command(command) => Some(command),
        _ => None,
    };
    let body = concern.delivery.body.as_deref().zip(live.sources.get(&concern.delivery.source));
    let raw = body.map(|(body, source)| Raw { source: &source.source, envelope: &concern.envelope, body });
    let sight = Sight::new(event, command, raw);
    for &position in &concern.heard.candidates {
        let Some(rule) = live.rules.rules.get(position) else { continue };
        let decided = match consider(bridge, live, concern, &sight, rule, position).await? {
            Considered::NotMatched(decision) => {
                settled.finished.decisions.push(decision);
                continue;
            }
            Considered::Later { later, .. } if !waited_enough(bridge, &concern.delivery) => {
                return Ok(Weighed::Later(later));
            }
            Considered::Later { later, known } => {
                let cause = format!("what a guard needs could not be looked up for a day: {}", later.why);
                Considered::Refused(decision(position, rule, Verdict::Refused, cause, ""), known)
            }
            other => other,
        };
        match decided {
            Considered::Wanted(plan) => settled.plans.push(*plan),
            Considered::Refused(decision, tell) => {
                if decision.verdict == Verdict::Failed {
                    // Why may quote the event, and stands in the decision.
                    let delivery = concern.delivery.id;
                    tracing::warn!(%delivery, rule = rule.name, "a rule failed; `taskbridge explain` says why");
                }
                if event.chat.is_some() {
                    settled.notices.extend(whispered(bridge, concern, &rule.name, &decision.cause, tell));
                } else if tell && rule.report.comment {
                    let actor = event.actor.as_ref().map(|actor| actor.login.as_str()).unwrap_or_default();
                    let text = refusal_text(actor, &rule.name, &decision.cause);
                    settled.notices.extend(notice(bridge, concern, &rule.name, text));
                }
                settled.finished.decisions.push(decision);
            }
            Considered::NotMatched(_) | Considered::Later { .. } => {}
        }
        if !rule.proceed {
            break;
        }
    }
    if settled.finished.decisions.is_empty() && settled.plans.is_empty() {
        settled.finished.end.state = DeliveryState::Ignored;
        let put_on = event.label.as_ref().filter(|_| is_thread_event(event, "labeled"));
        settled.finished.end.reason =
            touched.unwrap_or_else(|| nobody_listens(event, put_on.map(|label| label.name.as_str())));
    }
    if event.chat.is_some() && settled.plans.is_empty() && settled.notices.is_empty() {
        settled.notices.extend(whispered(bridge, concern, "", "no rule takes this here", true));
    }
    Ok(Weighed::Settled(Box::new(settled)))
}

/// Why nothing starts, for the one who asked in a chat alone. Who may not know that the repository is there is told what
/// everybody is told of one that is not.
fn whispered(bridge: &Bridge, concern: &Concern, rule: &str, cause: &str, tell: bool) -> Option<Notice> {
    let event = &concern.heard.event;
    let repo = event.repo.as_ref().map(crate::domain::event::Repo::full_name).unwrap_or_default();
    let text = match tell {
        true if rule.is_empty() => format!("Nothing was started: {cause}."),
        true => format!("The rule `{rule}` did not start a task: {cause}."),
        false => no_such_repo(&repo),
    };
    told_alone(bridge, concern, &format!("refused:{rule}"), text)
}

/// What one rule says.
enum Considered {
    NotMatched(NewDecision),
    /// With whether the one who asked may be told.
    Refused(NewDecision, bool),
    Wanted(Box<crate::pipeline::decide::Plan>),
    /// With whether the one who asked is known to be allowed, and may so be told.
    Later {
        later: Later,
        known: bool,
    },
}

fn decision(position: usize, rule: &Rule, verdict: Verdict, cause: impl Into<String>, saw: &str) -> NewDecision {
    NewDecision { position, rule: rule.name.clone(), verdict, cause: cause.into(), saw: saw.to_owned(), task_id: None }
}

async fn consider(
    bridge: &Bridge,
    live: &Live,
    concern: &Concern,
    sight: &Sight<'_>,
    rule: &Rule,
    position: usize,
) -> Result<Considered, StepError> {
    let view = match sight.of(rule) {
        Ok(view) => view,
        Err(why) => return Ok(Considered::Refused(decision(position, rule, Verdict::Failed, why, ""), false)),
    };
    match when(rule, view) {
        When::Holds => {}
        When::False { cause, saw } => {
            return Ok(Considered::NotMatched(decision(position, rule, Verdict::NotMatched, cause, &saw)));
        }
        // An error refuses; it does not fall through to a rule below.
        When::Broken { cause, saw } => {
            return Ok(Considered::Refused(decision(position, rule, Verdict::Failed, cause, &saw), false));
        }
    }
    Ok(match plan::plan(bridge, live, concern, sight, rule, position).await? {
        Gate::Open(plan) => Considered::Wanted(plan),
        Gate::Refused { cause, saw, tell } => {
            Considered::Refused(decision(position, rule, Verdict::Refused, cause, &saw), tell)
        }
        Gate::Failed(why) => {
            let cause = format!("the rule failed: {why}");
            Considered::Refused(decision(position, rule, Verdict::Failed, cause, ""), true)
        }
        Gate::Later { later, known } => Considered::Later { later, known },
    })
}

/// What the condition of a rule says.
pub(in crate::pipeline) enum When {
    Holds,
    False { cause: String, saw: String },
    Broken { cause: String, saw: String },
}

/// Evaluates `when`; a rule without one holds.
pub(in crate::pipeline) fn when(rule: &Rule, view: &View) -> When {
    let Some(when) = &rule.when else { return When::Holds };
    match when.evaluate(view) {
        Ok(outcome) if outcome.holds => When::Holds,
        Ok(outcome) => {
            let saw = outcome.saw.iter().map(|(path, value)| format!("{path} = {value}")).collect::<Vec<_>>();
            When::False { cause: format!("when is false: {}", when.source().trim()), saw: saw.join(", ") }
        }
        Err(error) => When::Broken {
            cause: format!("when could not be evaluated: {}", error.message),
            saw: when.source().to_owned(),
        },
    }
}

/// What an event means for tasks that exist: a label taken off cancels, news of a task's own branch is a hint.
/// Answers what was done, in words.
async fn touch_tasks(bridge: &Bridge, concern: &Concern) -> Result<Option<String>, StepError> {
    let event = &concern.heard.event;
    let Some(repo) = &event.repo else { return Ok(None) };
    if is_thread_event(event, "unlabeled")
        && let (Some(label), Some(number)) = (&event.label, event.subject.as_ref().and_then(|subject| subject.number))
    {
        let by = event.actor.as_ref().map(|actor| actor.login.as_str()).unwrap_or("somebody");
        let off = Labelling {
            repo: repo.id,
            subject: number,
            label: &label.name,
            at: event.at.unwrap_or(concern.delivery.received_at),
            delivery: concern.delivery.id,
        };
        let cancelled = steer::cancel_by_label(bridge, off, by).await?;
        if cancelled > 0 {
            return Ok(Some(format!(
                "the label `{}` was taken off: {cancelled} task(s) that had not started were cancelled",
                label.name
            )));
        }
    }
    if event.name.starts_with("pull_request")
        && let Some(branches) = event.subject.as_ref().and_then(|subject| subject.branches.as_ref())
        // A fork may have a branch of the same name; what happens there is no news of ours.
        && branches.head_repo_id == Some(repo.id)
        && let Some((task, person)) = bridge.store.task_on_branch(repo.id, &branches.head_ref).await?
    {
        let now = bridge.ground.now();
        bridge.store.hint_sweep(person, now).await?;
        bridge.store.look_soon(task, now).await?;
        bridge.wake.sweeps.notify_one();
        return Ok(Some(format!("news of the branch of task {task}: GitHub is asked soon")));
    }
    Ok(None)
}
