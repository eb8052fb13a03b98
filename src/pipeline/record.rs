//! From a verified request to a committed row. All who wait at a moment are written with one statement
//! and one commit; two batches are in flight, so that one is built while the other is being synced. While only few wait,
//! the second one waits for the first, and more come to share its statement: what a statement costs however many rows it
//! has is most of what few rows cost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::verify::Verified;
use crate::clock::Ground;
use crate::domain::backoff::Backoff;
use crate::fail_point::{Point, reach};
use crate::ids::DeliveryId;
use crate::store::deliveries::{End, NewDelivery, Recorded};
use crate::store::{Store, StoreError};

/// Most deliveries of one statement.
const BATCH: usize = 128;
/// Most bytes of one statement, if it is more than one delivery.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Batches being written at once.
const IN_FLIGHT: usize = 2;
/// A batch of fewer waits while another is being written, but only for so long.
const WORTH_IT: usize = 12;
const GATHER: Duration = Duration::from_millis(4);
/// How long a sender is kept waiting: it gives up by itself after about ten seconds, and learns less from that.
const PATIENCE: Duration = Duration::from_secs(9);
/// Waits after the database broke a race: short, because a sender waits, and few, because it comes again.
const CONTENDED: Backoff =
    Backoff { first: Duration::from_millis(10), factor: 3, cap: Duration::from_millis(100), tries: 5 };
/// A connection that fails sooner than this was dead before it was used.
const DEAD_LINE: Duration = Duration::from_millis(300);
/// Requests that may wait for the writer; more are told to come again.
const QUEUE: usize = 4096;

/// The way into the writer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Waiting>,
    ground: Ground,
}

struct Waiting {
    delivery: NewDelivery,
    answer: oneshot::Sender<Result<Recorded, NotRecorded>>,
}

/// The delivery is not known to be stored: the sender must be told to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// The database is away.
    #[error("the database is not available")]
    Unavailable,
    /// Too many wait already.
    #[error("too many deliveries wait to be recorded")]
    Overloaded,
    /// The database refused it: a fault in this program.
    #[error("the delivery could not be recorded")]
    Fault,
}

/// The writer itself; [`Writer::run`] ends when all recorders are gone and the last batch is written.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Receiver<Waiting>,
    store: Store,
    ground: Ground,
    batch: usize,
}

/// A recorder and its writer.
#[must_use]
pub fn recorder(store: Store, ground: Ground) -> (Recorder, Writer) {
    recorder_of(store, ground, BATCH)
}

/// The same with another batch size: one shows what batching is worth.
#[must_use]
pub fn recorder_of(store: Store, ground: Ground, batch: usize) -> (Recorder, Writer) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let writer = Writer { queue: receiver, store, ground: ground.clone(), batch: batch.max(1) };
    (Recorder { queue: sender, ground }, writer)
}

impl Recorder {
    /// Records a delivery, with its end if that is known already; returns once it is committed, or when the sender's patience
    /// (if it has less than most) is over. It is written all the same then, if it can be.
    ///
    /// # Errors
    /// [`NotRecorded`]: it may or may not be stored; the same delivery can be sent again.
    pub async fn record(
        &self,
        verified: Verified,
        end: Option<End>,
        patience: Option<Duration>,
    ) -> Result<Recorded, NotRecorded> {
        let envelope = verified.envelope();
        let delivery = NewDelivery {
            id: DeliveryId::new(&self.ground),
            source: verified.source().to_owned(),
            hook_id: envelope.hook_id.clone(),
            sender_id: envelope.sender_id.clone(),
            event_name: envelope.event_name.clone(),
            content_type: envelope.content_type.clone(),
            body: verified.body().clone(),
            body_hash: verified.body_hash(),
            received_at: self.ground.now(),
            end,
        };
        let (answer, outcome) = oneshot::channel();
        self.queue.try_send(Waiting { delivery, answer }).map_err(|_| NotRecorded::Overloaded)?;
        match tokio::time::timeout(patience.unwrap_or(PATIENCE).min(PATIENCE), outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(NotRecorded::Unavailable),
        }
    }
}

impl Writer {
    /// Writes until all recorders are gone.
    pub async fn run(mut self) {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut writes = JoinSet::new();
        loop {
            // A free slot first: while none is, the batch goes on growing in the queue.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
            let Some(batch) = self.next_batch(&mut writes).await else { break };
            let (store, ground) = (self.store.clone(), self.ground.clone());
            writes.spawn(async move {
                write(&store, &ground, batch).await;
                drop(slot);
            });
        }
        while writes.join_next().await.is_some() {}
    }

    async fn next_batch(&mut self, writes: &mut JoinSet<()>) -> Option<Vec<Waiting>> {
        let mut batch = Vec::new();
        self.fill(&mut batch);
        if batch.is_empty() {
            batch.push(self.queue.recv().await?);
            self.fill(&mut batch);
        }
        while writes.try_join_next().is_some() {}
        let gathered = tokio::time::sleep(GATHER);
        tokio::pin!(gathered);
        while batch.len() < WORTH_IT.min(self.batch) && bytes_of(&batch) < BATCH_BYTES && !writes.is_empty() {
            tokio::select! {
                next = self.queue.recv() => match next {
                    Some(next) => batch.push(next),
                    None => break,
                },
                _ = writes.join_next() => {}
                () = &mut gathered => break,
            }
            self.fill(&mut batch);
        }
        Some(batch)
    }

    /// Adds those who wait already.
    fn fill(&mut self, batch: &mut Vec<Waiting>) {
        let mut bytes = bytes_of(batch);
        while batch.len() < self.batch && bytes < BATCH_BYTES {
            let Ok(next) = self.queue.try_recv() else { break };
            bytes += next.delivery.body.len();
            batch.push(next);
        }
    }
}

fn bytes_of(batch: &[Waiting]) -> usize {
    batch.iter().map(|waiting| waiting.delivery.body.len()).sum()
}

/// Records a batch, again when the database broke a race or a connection was dead already: whatever became of it, the same
/// keys change nothing more.
async fn record_all(store: &Store, ground: &Ground, batch: &[NewDelivery]) -> Result<Vec<Recorded>, StoreError> {
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        let outcome = store.record_deliveries(batch).await;
        tries += 1;
        let again = match &outcome {
            Err(StoreError::Contended(_)) => true,
            // A database that was restarted a moment ago; one that is away takes longer to say so.
            Err(StoreError::Unavailable(_) | StoreError::Busy(_)) => begun.elapsed() < DEAD_LINE,
            _ => false,
        };
        match CONTENDED.after(tries).filter(|_| again) {
            Some(wait) => tokio::time::sleep(ground.jitter(wait)).await,
            None => return outcome,
        }
    }
}

async fn write(store: &Store, ground: &Ground, batch: Vec<Waiting>) {
    let (deliveries, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.delivery, w.answer)).unzip();
    reach(Point::IntakeBeforeCommit);
    match record_all(store, ground, &deliveries).await {
        Ok(recorded) => {
            reach(Point::IntakeCommitted);
            for (answer, recorded) in answers.into_iter().zip(recorded) {
                // A requester that has hung up will ask again and be told `duplicate`.
                let _ = answer.send(Ok(recorded));
            }
        }
        // One that the database will not take must not take the others with it, each time it comes.
        Err(error) if !error.is_passing() && deliveries.len() > 1 => {
            tracing::warn!(%error, deliveries = deliveries.len(), "deliveries are recorded one by one: one of them is refused");
            for (delivery, answer) in deliveries.into_iter().zip(answers) {
                Box::pin(write(store, ground, vec![Waiting { delivery, answer }])).await;
            }
        }
        Err(error) => {
            let why = if error.is_passing() { NotRecorded::Unavailable } else { NotRecorded::Fault };
            tracing::error!(%error, deliveries = deliveries.len(), "deliveries could not be recorded");
            for answer in answers {
                let _ = answer.send(Err(why));
            }
        }
    }
}
