//! The sender: it makes things happen, tells of them as GitHub does, sends again what was not acknowledged, and
//! remembers exactly what was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::chance::Dice;
use crate::stage::{Fatal, Stage};
use crate::webhook::{Envelope, Wish, happen, poison};

/// How long the last deliveries may take once nothing is disturbed any more.
const PATIENCE: Duration = Duration::from_secs(60);
/// Deliveries of a burst.
const BURST: usize = 60;

/// What was sent and what was acknowledged.
#[derive(Default)]
pub(crate) struct Book {
    pub wishes: Vec<Wish>,
    /// Every delivery that was begun to be sent.
    pub sent: BTreeSet<(String, String)>,
    /// Those that somebody answered 2xx for, and how often.
    pub acknowledged: BTreeMap<(String, String), u64>,
    pub poisons: u64,
}

/// The sender of a round.
pub(crate) struct Load {
    stage: Arc<Stage>,
    book: Arc<Mutex<Book>>,
    sending: JoinSet<()>,
    dice: Dice,
}

impl Load {
    pub(crate) fn new(stage: Arc<Stage>) -> Self {
        let dice = Dice::of(stage.seed, "load");
        Self { stage, book: Arc::default(), sending: JoinSet::new(), dice }
    }

    /// Makes things happen until told to stop.
    pub(crate) async fn run(&mut self, stop: &CancellationToken) -> Result<(), Fatal> {
        let mut number = 0;
        let mean = 1_000 / self.stage.options.rate.max(1);
        let (burst_every, poison_every) = (Duration::from_secs(20), Duration::from_secs(30));
        let mut next_burst = Instant::now() + burst_every / 2;
        let mut next_poison = Instant::now() + poison_every / 6;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(self.dice.millis(mean / 2, mean * 3 / 2)) => {}
            }
            let mut count = 1;
            if Instant::now() >= next_burst {
                next_burst += burst_every;
                count = BURST;
            }
            for _ in 0..count {
                number += 1;
                let wish = happen(&self.stage, &mut self.dice, number)?;
                for envelope in &wish.envelopes {
                    self.send(envelope);
                    if self.dice.percent(15) {
                        // The same one again, at the same time.
                        self.send(envelope);
                    }
                }
                self.lock().wishes.push(wish);
            }
            if self.stage.options.arms() && Instant::now() >= next_poison {
                next_poison += poison_every;
                number += 1;
                self.lock().poisons += 1;
                self.send(&poison(number));
            }
            while self.sending.try_join_next().is_some() {}
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&mut self, envelope: &Envelope) {
        self.lock().sent.insert(envelope.key());
        let dice = Dice::of(self.stage.seed, &format!("{}:{}", envelope.delivery, self.dice.below(1_000_000)));
        self.sending.spawn(send(Arc::clone(&self.stage), Arc::clone(&self.book), envelope.clone(), dice));
    }

    /// Waits until all is acknowledged, and gives the book away.
    pub(crate) async fn finish(mut self) -> Book {
        let all = async { while self.sending.join_next().await.is_some() {} };
        if timeout(PATIENCE, all).await.is_err() {
            self.stage.wrong(format!("{} deliveries were not acknowledged by a healthy service", self.sending.len()));
            self.sending.shutdown().await;
        }
        std::mem::take(&mut *self.lock())
    }
}

/// Sends one delivery until it is acknowledged, and sometimes once more after that.
async fn send(stage: Arc<Stage>, book: Arc<Mutex<Book>>, envelope: Envelope, mut dice: Dice) {
    let mut again = dice.percent(10);
    loop {
        let address = *dice.pick(&stage.addresses);
        match envelope.request(&stage, address).send().await.map(|answer| answer.status().as_u16()) {
            Ok(200..300) => {
                let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
                *book.acknowledged.entry(envelope.key()).or_default() += 1;
                drop(book);
                stage.tally.add("answers.acknowledged", 1);
                if !std::mem::take(&mut again) {
                    return;
                }
            }
            Ok(503) => stage.tally.add("answers.unavailable", 1),
            Ok(status) => {
                stage.wrong(format!("delivery {:?} was answered {status}", envelope.key()));
                return;
            }
            // Nobody listens, or the connection ended without an answer.
            Err(_) => stage.tally.add("answers.none", 1),
        }
        sleep(dice.millis(200, 1_200)).await;
    }
}
