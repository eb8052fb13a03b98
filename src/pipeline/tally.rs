//! What limits are compared with, in a transaction that makes many tasks: the database is asked once for each count, and what
//! the transaction makes is added to the answer. Nobody else adds anything meanwhile: the transaction is alone with what is counted.

use std::collections::HashMap;

use crate::ids::TaskId;
use crate::store::tasks::count::Counted;
use crate::store::tasks::make::NewTask;
use crate::store::{Moment, StoreError, Tx};

/// The counts of one transaction.
#[derive(Debug, Default)]
pub(super) struct Tally<'a> {
    live: HashMap<Counted<'a>, i64>,
    since: HashMap<(Counted<'a>, Moment), (i64, Option<Moment>)>,
    /// Made, and not in the table yet.
    unwritten: Vec<(&'a NewTask, Moment)>,
}

impl<'a> Tally<'a> {
    /// Tasks that have not ended; for one that waits itself, of those that wait only the older ones.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub(super) async fn live(
        &mut self,
        tx: &mut Tx,
        what: Counted<'a>,
        waiting: Option<TaskId>,
    ) -> Result<i64, StoreError> {
        if let Some(count) = self.live.get(&what) {
            return Ok(*count);
        }
        let count = tx.live_tasks(what, waiting).await?;
        let count = self.unwritten.iter().filter(|(task, _)| what.counts(task)).fold(count, |count, _| count + 1);
        self.live.insert(what, count);
        Ok(count)
    }

    /// Tasks made since a moment, and the oldest of them.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub(super) async fn since(
        &mut self,
        tx: &mut Tx,
        what: Counted<'a>,
        since: Moment,
    ) -> Result<(i64, Option<Moment>), StoreError> {
        if let Some(made) = self.since.get(&(what, since)) {
            return Ok(*made);
        }
        let made = tx.tasks_since(what, since).await?;
        let made = self.unwritten.iter().filter(|(task, _)| what.counts(task)).fold(made, one_more);
        self.since.insert((what, since), made);
        Ok(made)
    }

    /// A task is made, and written later.
    pub(super) fn add(&mut self, task: &'a NewTask, now: Moment) {
        let new = (task, now);
        self.live.iter_mut().filter(|(what, _)| what.counts(task)).for_each(|(_, count)| *count += 1);
        self.since
            .iter_mut()
            .filter(|((what, _), _)| what.counts(task))
            .for_each(|(_, made)| *made = one_more(*made, &new));
        self.unwritten.push(new);
    }

    /// What was made is in the table now.
    pub(super) fn written(&mut self) {
        self.unwritten.clear();
    }

    /// Tasks have ended: what is live is counted anew.
    pub(super) fn some_ended(&mut self) {
        self.live.clear();
    }
}

fn one_more((count, oldest): (i64, Option<Moment>), (_, now): &(&NewTask, Moment)) -> (i64, Option<Moment>) {
    (count + 1, oldest.or(Some(*now)))
}
