//! One transaction in which wishes become tasks. What many need is looked up once for all of them, and what is made is written
//! together; only a wish that must see another's task in the table has it written before its own turn.

use std::collections::{BTreeSet, HashSet};
use std::mem::take;

use super::once::{folded, once_per};
use super::refusal;
use super::settled::{Plan, Settled};
use crate::domain::identity::Identity;
use crate::domain::task::State;
use crate::ids::{DeliveryId, TaskId};
use crate::pipeline::over_limit::{CountedAs, Standing, channel_name, over_limit_by};
use crate::pipeline::tally::Tally;
use crate::pipeline::token_ended::still_without_token;
use crate::pipeline::transition::{living, made, reaction};
use crate::pipeline::{Bridge, StepError};
use crate::store::decisions::{Finished, NewDecision, Verdict};
use crate::store::reports::NewReport;
use crate::store::tasks::make::NewTask;
use crate::store::tasks::{Hold, Task};
use crate::store::unlabels::Labelling;
use crate::store::{Moment, StoreError, Tx};

/// Why a wish by a label becomes nothing. Nobody is told: who took the label off knows.
const TAKEN_OFF: &str = "the label was taken off before the task was made";

/// The transaction, what it has seen, and what it has still to write.
pub(super) struct Making<'a> {
    bridge: &'a Bridge,
    tx: Tx,
    now: Moment,
    /// Wishes that are tasks, in the order in which they became some.
    known: Vec<([u8; 32], TaskId)>,
    /// Deliveries whose label was taken off again.
    taken_off: HashSet<DeliveryId>,
    tally: Tally<'a>,
    new: Vec<(NewTask, &'a Plan)>,
    reports: Vec<NewReport>,
    finished: Vec<Finished>,
    settled: Vec<&'a Settled>,
    made: usize,
}

impl<'a> Making<'a> {
    /// Opens the transaction, alone with what is counted, and looks up what all need. Answers also for whom it is alone with all
    /// that counts. A group does not wait for what another transaction holds, so that nobody waits for what they do not need; who
    /// is by itself stands in line.
    pub(super) async fn begin(
        bridge: &'a Bridge,
        group: &[&'a Settled],
        waits: bool,
    ) -> Result<(Self, Vec<bool>), StepError> {
        let mut tx = bridge.store.begin().await?;
        let wanted: Vec<BTreeSet<String>> = group.iter().map(|settled| lock_names(settled)).collect();
        // Sorted, so that of two that stand in line neither waits for the other.
        let names: BTreeSet<&String> = wanted.iter().flatten().collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        let mut taken = HashSet::new();
        if waits {
            tx.alone_with_all(&names).await?;
        } else if !names.is_empty() {
            taken.extend(tx.try_alone_with(&names).await?);
        }
        let free: Vec<bool> = wanted.iter().map(|names| !names.iter().any(|name| taken.contains(name))).collect();
        // Not before: what others made until then is older.
        let now = bridge.ground.now();
        let plans = || group.iter().flat_map(|settled| &settled.plans);
        let wishes: Vec<[u8; 32]> = plans().flat_map(|plan| plan.intents.iter().copied()).collect();
        let known = if wishes.is_empty() { Vec::new() } else { tx.tasks_of_intents(&wishes).await? };
        let put_on: Vec<Labelling<'_>> = plans().filter_map(|plan| labelling(&plan.task, now)).collect();
        let off = if put_on.is_empty() { Vec::new() } else { tx.taken_off_since(&put_on).await? };
        let taken_off = put_on.iter().zip(off).filter(|(_, off)| *off).map(|(on, _)| on.delivery).collect();
        let (tally, new, reports, settled) = (Tally::default(), Vec::new(), Vec::new(), Vec::new());
        Ok((
            Self { bridge, tx, now, known, taken_off, tally, new, reports, finished: Vec::new(), settled, made: 0 },
            free,
        ))
    }

    /// Decides what one delivery becomes.
    pub(super) async fn settle(&mut self, settled: &'a Settled) -> Result<(), StepError> {
        let mut finished = settled.finished.clone();
        for plan in &settled.plans {
            let decision = self.wish(plan).await?;
            if decision.verdict == Verdict::Refused && decision.cause != TAKEN_OFF {
                self.reports.extend(refusal::told(&self.bridge.ground, plan, &decision.cause));
            }
            finished.decisions.push(decision);
        }
        finished.decisions.sort_by_key(|decision| decision.position);
        self.finished.push(finished);
        self.settled.push(settled);
        self.reports.extend(settled.notices.iter().map(|notice| notice.place.clone()));
        Ok(())
    }

    /// Writes all that is left, and ends the deliveries. Answers the transaction, to be committed, and how many tasks it makes;
    /// nothing if a lease was lost.
    pub(super) async fn write_all(mut self) -> Result<Option<(Tx, usize)>, StepError> {
        self.write().await?;
        let mut wishes: Vec<(&Identity, DeliveryId)> = self
            .settled
            .iter()
            .filter_map(|settled| Some((settled.chat_wish.as_ref()?, settled.finished.id)))
            .collect();
        // Two transactions never wait for each other.
        wishes.sort_by_key(|(who, id)| (who.platform(), who.team(), who.account(), *id));
        for (who, delivery) in wishes {
            self.tx.keep_chat_wish(delivery, who, self.now).await?;
        }
        let done = self.tx.finish_deliveries(&self.bridge.ground, &self.finished).await?;
        Ok((done.len() == self.finished.len()).then_some((self.tx, self.made)))
    }

    async fn wish(&mut self, plan: &'a Plan) -> Result<NewDecision, StepError> {
        let decision = |verdict, cause: String, saw: &str, task_id| NewDecision {
            position: plan.position,
            rule: plan.task.rule.clone(),
            verdict,
            cause,
            saw: saw.to_owned(),
            task_id,
        };
        if let Some((_, first)) = self.known.iter().find(|(wish, _)| plan.intents.contains(wish)) {
            let cause = format!("the same wish came before, through another delivery: it is task {first}");
            return Ok(decision(Verdict::Matched, cause, &plan.saw, Some(*first)));
        }
        if plan.task.label_name.is_some() && self.taken_off.contains(&plan.task.delivery_id) {
            return Ok(decision(Verdict::Refused, TAKEN_OFF.to_owned(), &plan.saw, None));
        }
        let mut new = plan.task.clone();
        if new.once_key.is_some() {
            // What has the same key must be in the table.
            self.write().await?;
            if let Some((first, cause)) = folded(self.bridge, &mut self.tx, plan, self.now).await? {
                return Ok(decision(Verdict::Matched, cause, &plan.saw, Some(first)));
            }
            if let Some(refused) = once_per(self.bridge, &mut self.tx, plan, &mut new, self.now).await? {
                return Ok(decision(Verdict::Refused, refused.0, &refused.1, None));
            }
            self.tally.some_ended();
        }
        let counted = counted_as(&plan.task);
        let full = over_limit_by(&mut self.tally, self.bridge, &mut self.tx, &plan.limits, &counted, self.now);
        if let Some((cause, saw)) = full.await? {
            return Ok(decision(Verdict::Refused, cause, &saw, None));
        }
        if new.hold == Some(Hold::Token) && !still_without_token(self.bridge, &mut self.tx, new.person_id).await? {
            (new.state, new.hold) = (State::Pending, None);
            new.reason.clear();
        }
        self.known.extend(plan.intents.iter().map(|wish| (*wish, new.id)));
        self.tally.add(&plan.task, self.now);
        let made = decision(Verdict::Matched, plan.allowed.clone(), &plan.saw, Some(new.id));
        self.new.push((new, plan));
        Ok(made)
    }

    /// Writes what was made so far.
    async fn write(&mut self) -> Result<(), StepError> {
        let new = take(&mut self.new);
        if !new.is_empty() {
            self.write_tasks(&new).await?;
        }
        self.tx.tell_all(&take(&mut self.reports), self.now).await?;
        Ok(())
    }

    async fn write_tasks(&mut self, new: &[(NewTask, &'a Plan)]) -> Result<(), StepError> {
        let rows: Vec<&NewTask> = new.iter().map(|(task, _)| task).collect();
        let tasks = self.tx.make_tasks(&rows, self.now).await?;
        self.tally.written();
        self.made += tasks.len();
        let claims: Vec<(TaskId, &[[u8; 32]])> =
            new.iter().map(|(task, plan)| (task.id, plan.intents.as_slice())).collect();
        if !self.tx.claim_intents(&claims, self.now).await? {
            // Another transaction claimed one of them between our look and now.
            return Err(StoreError::Raced.into());
        }
        let how = |(task, (_, plan)): (_, &(NewTask, &Plan))| -> (&Task, String) {
            let task: &Task = task;
            (task, format!("made by the rule {}; {}", task.rule, plan.allowed))
        };
        made(&mut self.tx, self.bridge, &tasks.iter().zip(new).map(how).collect::<Vec<_>>()).await?;
        for task in &tasks {
            self.reports.extend(reaction(&self.bridge.ground, task));
            self.reports.extend(living(&self.bridge.ground, task));
            tracing::info!(task = %task.id, rule = task.rule, person = task.person_login, state = %task.state, "a task was made");
        }
        Ok(())
    }
}

/// What must not change while the wishes of a delivery are counted.
fn lock_names(settled: &Settled) -> BTreeSet<String> {
    let names = settled.plans.iter().flat_map(|plan| {
        let task = &plan.task;
        let token = (task.hold == Some(Hold::Token)).then(|| format!("token:{}", task.person_id));
        let label = labelling(task, Moment::UNIX_EPOCH).map(|on| on.lock());
        let counted =
            [format!("rule:{}", task.rule), format!("repo:{}", task.repo_id), format!("person:{}", task.person_id)];
        let channel = task.chat.as_ref().map(channel_name);
        counted.into_iter().chain(token).chain(label).chain(channel)
    });
    names.collect()
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
