//! One transaction from selected rules to tasks: limits and keys are counted, wishes claimed, tasks made,
//! reports put into the outbox, decisions written and the delivery ended; all of it or nothing.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::over_limit::{CountedAs, Standing, channel_name, over_limit};
use super::token_ended::still_without_token;
use super::transition::{made, note, react, take_step, tell};
use super::whisper::{Whisper, whisper};
use super::{Bridge, StepError};
use crate::domain::identity::Identity;
use crate::domain::rule::{Limits, OnceThen};
use crate::domain::task::{State, Step};
use crate::fail_point::{Point, reach};
use crate::ids::{ReportId, TaskId};
use crate::store::decisions::{Finished, NewDecision, Verdict};
use crate::store::reports::{NewReport, ReportKind};
use crate::store::tasks::Hold;
use crate::store::tasks::make::NewTask;
use crate::store::unlabels::Labelling;
use crate::store::{Lease, Moment, StoreError, Tx};

/// How a note begins that tells of a further wish of the same key, from wherever it came.
pub(super) const AGAIN: &str = "again: ";

/// Most notes in the story of a task before further wishes with its key are no longer written there.
const STORY_LIMIT: i64 = 200;
/// Why a wish by a label becomes nothing. Nobody is told: who took the label off knows.
const TAKEN_OFF: &str = "the label was taken off before the task was made";

/// A task that a rule wants, if the guards that count allow it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Place of the rule in its set.
    pub position: usize,
    /// The task.
    pub task: NewTask,
    /// The wishes that it fulfils; the first is made of signed fields only.
    pub intents: Vec<[u8; 32]>,
    /// What a second wish with its `once_per` key does.
    pub once_then: Option<OnceThen>,
    /// For how long after a task with its key was made it only becomes part of that one's story.
    pub once_window: Option<std::time::Duration>,
    /// What would be written there.
    pub told: String,
    /// The limits of the rule.
    pub limits: Limits,
    /// Why it was allowed, for the decision.
    pub allowed: String,
    /// The values that were seen on the way.
    pub saw: String,
}

/// Something to tell the one who asked although nothing starts.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Where, and as whom if no App tells it.
    pub place: NewReport,
}

/// The end of a delivery's match step, with what follows from it.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The end, with the decisions made before any counting.
    pub finished: Finished,
    /// Tasks wanted, in the order of their rules.
    pub plans: Vec<Plan>,
    /// Things to tell.
    pub notices: Vec<Notice>,
    /// The chat account whose wish this delivery is, and waits until somebody is linked to it.
    pub chat_wish: Option<Identity>,
}

/// Commits what was settled for one delivery. Answers false when the lease was lost: another worker does it.
///
/// # Errors
/// [`StepError::Store`]: nothing is done; the lease runs out and it is done again.
pub async fn commit(bridge: &Bridge, lease: Lease, settled: &Settled) -> Result<bool, StepError> {
    let mut tries = 0;
    loop {
        match try_commit(bridge, lease, settled).await {
            // Lost a race for the same wish or lock: the second look finds the winner's task.
            Err(StepError::Store(StoreError::Contended(_) | StoreError::Raced)) if tries < 3 => tries += 1,
            other => return other,
        }
    }
}

async fn try_commit(bridge: &Bridge, lease: Lease, settled: &Settled) -> Result<bool, StepError> {
    let mut tx = bridge.store.begin().await?;
    if !settled.plans.is_empty() {
        tx.alone_with_all(&lock_names(&settled.plans)).await?;
    }
    let mut finished = settled.finished.clone();
    for plan in &settled.plans {
        let decision = make(bridge, &mut tx, plan).await?;
        let told = plan.task.report.comment || plan.task.chat.is_some();
        if decision.verdict == Verdict::Refused && told && decision.cause != TAKEN_OFF {
            tell_refusal(bridge, &mut tx, plan, &decision.cause).await?;
        }
        finished.decisions.push(decision);
    }
    for notice in &settled.notices {
        tx.tell(&notice.place, bridge.ground.now()).await?;
    }
    if let Some(who) = &settled.chat_wish {
        tx.keep_chat_wish(finished.id, who, bridge.ground.now()).await?;
    }
    finished.decisions.sort_by_key(|decision| decision.position);
    let done = tx.finish_deliveries(&bridge.ground, lease, std::slice::from_ref(&finished)).await?;
    if done.is_empty() {
        return Ok(false);
    }
    reach(Point::MatchBeforeCommit);
    tx.commit().await?;
    reach(Point::MatchCommitted);
    bridge.wake.tasks.notify_one();
    bridge.wake.tell();
    Ok(true)
}

/// What is counted must not change meanwhile; sorted, so that two transactions never wait for each other.
fn lock_names(plans: &[Plan]) -> Vec<String> {
    let names: BTreeSet<String> = plans
        .iter()
        .flat_map(|plan| {
            let task = &plan.task;
            let token = (task.hold == Some(Hold::Token)).then(|| format!("token:{}", task.person_id));
            let label = labelling(task, Moment::UNIX_EPOCH).map(|on| on.lock());
            let counted =
                [format!("rule:{}", task.rule), format!("repo:{}", task.repo_id), format!("person:{}", task.person_id)];
            let channel = task.chat.as_ref().map(channel_name);
            counted.into_iter().chain(token).chain(label).chain(channel)
        })
        .collect();
    names.into_iter().collect()
}

/// The label that starts a task, if one does.
fn labelling(task: &NewTask, now: Moment) -> Option<Labelling<'_>> {
    Some(Labelling {
        repo: task.origin_repo_id,
        subject: task.subject_number?,
        label: task.label_name.as_deref()?,
        at: task.event_at.unwrap_or(now),
        delivery: task.delivery_id,
    })
}

async fn make(bridge: &Bridge, tx: &mut Tx, plan: &Plan) -> Result<NewDecision, StepError> {
    let decision = |verdict, cause: String, saw: &str, task_id| NewDecision {
        position: plan.position,
        rule: plan.task.rule.clone(),
        verdict,
        cause,
        saw: saw.to_owned(),
        task_id,
    };
    if let Some(first) = tx.task_of_intent(&plan.intents).await? {
        let cause = format!("the same wish came before, through another delivery: it is task {first}");
        return Ok(decision(Verdict::Matched, cause, &plan.saw, Some(first)));
    }
    let now = bridge.ground.now();
    if let Some(on) = labelling(&plan.task, now)
        && tx.taken_off_since(on).await?
    {
        return Ok(decision(Verdict::Refused, TAKEN_OFF.to_owned(), &plan.saw, None));
    }
    if let Some((first, cause)) = folded(bridge, tx, plan, now).await? {
        return Ok(decision(Verdict::Matched, cause, &plan.saw, Some(first)));
    }
    let mut new = plan.task.clone();
    if let Some(refused) = once_per(bridge, tx, plan, &mut new, now).await? {
        return Ok(decision(Verdict::Refused, refused.0, &refused.1, None));
    }
    if let Some((cause, saw)) = over_limit(bridge, tx, &plan.limits, &counted_as(&plan.task), now).await? {
        return Ok(decision(Verdict::Refused, cause, &saw, None));
    }
    if new.hold == Some(Hold::Token) && !still_without_token(bridge, tx, new.person_id).await? {
        (new.state, new.hold) = (State::Pending, None);
        new.reason.clear();
    }
    let task = tx.make_task(&new, now).await?;
    if !tx.claim_intents(task.id, &plan.intents, now).await? {
        // Another transaction claimed one of them between our look and now.
        return Err(StoreError::Raced.into());
    }
    made(tx, bridge, &task, &format!("made by the rule {}; {}", task.rule, plan.allowed)).await?;
    react(tx, &bridge.ground, &task).await?;
    tell(tx, &bridge.ground, &task).await?;
    tracing::info!(task = %task.id, rule = task.rule, person = task.person_login, state = %task.state, "a task was made");
    Ok(decision(Verdict::Matched, plan.allowed.clone(), &plan.saw, Some(task.id)))
}

/// `once_per.window`: the task that a further wish with its key belongs to, and why; the wish is written into its story.
async fn folded(bridge: &Bridge, tx: &mut Tx, plan: &Plan, now: Moment) -> Result<Option<(TaskId, String)>, StepError> {
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
async fn once_per(
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
            Ok(Some((format!("once_per: a task with the same key is live ({}); it must end first", first.id), saw)))
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

/// What a task that is to be made counts as.
fn counted_as(task: &NewTask) -> CountedAs<'_> {
    CountedAs {
        rule: &task.rule,
        repo_id: task.repo_id,
        repo: format!("{}/{}", task.repo_owner, task.repo_name),
        person_id: task.person_id,
        person: &task.person_login,
        chat: task.chat.as_ref(),
        standing: Standing::New,
    }
}

async fn tell_refusal(bridge: &Bridge, tx: &mut Tx, plan: &Plan, cause: &str) -> Result<(), StepError> {
    let task = &plan.task;
    if let Some(place) = &task.chat {
        let text = format!("The rule `{}` did not start a task: {cause}.", task.rule);
        let nth = format!("refused:{}", task.rule);
        let report = whisper(&bridge.ground, task.delivery_id, place, &nth, &Whisper::words(text));
        tx.tell(&report, bridge.ground.now()).await?;
        return Ok(());
    }
    let (Some(number), Some(wish)) = (task.subject_number, plan.intents.first()) else { return Ok(()) };
    let report = NewReport {
        id: ReportId::new(&bridge.ground),
        task_id: None,
        delivery_id: Some(task.delivery_id),
        kind: ReportKind::Notice,
        dedupe: notice_key(wish),
        repo_id: task.origin_repo_id,
        repo_owner: task.origin_owner.clone(),
        repo_name: task.origin_name.clone(),
        subject_number: number,
        comment_id: None,
        comment_on_diff: false,
        person_id: Some(task.person_id),
        content: refusal_text(&task.actor_login, &task.rule, cause),
        chat: None,
    };
    tx.tell(&report, bridge.ground.now()).await?;
    Ok(())
}

/// The text of a notice that says why nothing was started.
#[must_use]
pub fn refusal_text(actor: &str, rule: &str, cause: &str) -> String {
    format!("@{actor}, the rule `{rule}` did not start a task: {cause}.")
}

/// One notice a wish: a comment that two hooks tell of is answered once.
#[must_use]
pub fn notice_key(wish: &[u8; 32]) -> String {
    format!("notice:{}", hex::encode(wish))
}
