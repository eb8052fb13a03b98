//! How often each step of the pipeline runs. One loop, written once; a worker is a name, a wake-up, a pace and
//! the step. All stop in two beats: no new work, then, after a grace, no more patience.

/// The loop.
pub mod driver;
/// Sockets of chats.
pub mod sockets;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::pipeline::chat::rotation;
use crate::pipeline::{
    Bridge, Settings, forget, match_rules, outgoing, refresh, report, revoke, settle_uncertain, start_task,
    sweep_tasks, tell_chat,
};
use driver::{Pace, run};

/// Deliveries a batch of the match step.
const MATCH_BATCH: i64 = 64;

/// How long giving back may take at least when the process stops, and how long until it is tried again.
const GIVE_BACK: Duration = Duration::from_secs(5);
const GIVE_BACK_AGAIN: Duration = Duration::from_millis(200);

/// The running workers.
#[derive(Debug)]
pub struct Workers {
    tasks: JoinSet<()>,
    stop: CancellationToken,
    bridge: Bridge,
}

impl Workers {
    /// Starts all of them.
    #[must_use]
    pub fn start(bridge: &Bridge) -> Self {
        let mut workers = Self { tasks: JoinSet::new(), stop: CancellationToken::new(), bridge: bridge.clone() };
        let deadline = deadline(&bridge.settings);
        let pace = move |name, millis| Pace { name, poll: Duration::from_millis(millis), deadline };
        // These read lists to their end, page by page and task by task.
        let long = move |name, millis| Pace { deadline: deadline * 4, ..pace(name, millis) };
        workers.add(bridge, |b, stop| async move {
            let step = || match_batch(b.clone());
            run(pace("match_rules", 1000), b.ground.clone(), stop, Some(&b.wake.deliveries), step).await;
        });
        // Together they look every half second.
        for _ in 0..start_task::LANES {
            workers.add(bridge, |b, stop| async move {
                let step = || start_batch(b.clone());
                run(pace("start_task", 2000), b.ground.clone(), stop, Some(&b.wake.tasks), step).await;
            });
        }
        workers.add(bridge, |b, stop| async move {
            let step = || resume_batch(b.clone());
            run(pace("resume", 1000), b.ground.clone(), stop, None, step).await;
        });
        workers.add(bridge, |b, stop| async move {
            let step = || settle_batch(b.clone());
            run(long("settle_uncertain", 1000), b.ground.clone(), stop, None, step).await;
        });
        workers.add(bridge, |b, stop| async move {
            let step = || sweep_batch(b.clone());
            run(long("sweep_tasks", 1000), b.ground.clone(), stop, Some(&b.wake.sweeps), step).await;
        });
        workers.add(bridge, |b, stop| async move {
            let step = || report_batch(b.clone());
            run(pace("report", 500), b.ground.clone(), stop, Some(&b.wake.reports), step).await;
        });
        // Each receiver alone, so that a slow one delays no other.
        for lane in 0..outgoing::LANES {
            workers.add(bridge, move |b, stop| async move {
                let step = || outgoing_batch(b.clone(), lane);
                run(pace("outgoing", 1000), b.ground.clone(), stop, None, step).await;
            });
        }
        workers.add(bridge, |b, stop| async move {
            let step = || refresh_batch(b.clone());
            run(pace("refresh", 5000), b.ground.clone(), stop, None, step).await;
        });
        workers.add(bridge, |b, stop| async move {
            let step = || rotate_batch(b.clone());
            run(pace("rotate", 5000), b.ground.clone(), stop, None, step).await;
        });
        workers.add(bridge, |b, stop| async move {
            let step = || tell_chat_batch(b.clone());
            run(pace("tell_chat", 500), b.ground.clone(), stop, Some(&b.wake.chats), step).await;
        });
        workers.add(bridge, |b, stop| async move {
            let step = || forget_batch(b.clone());
            run(pace("forget", 600_000), b.ground.clone(), stop, None, step).await;
        });
        workers
    }

    fn add<F>(&mut self, bridge: &Bridge, worker: impl FnOnce(Bridge, CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(worker(bridge.clone(), self.stop.clone()));
    }

    /// First beat: no new work. Second beat, after `grace`: what still runs is dropped; deliveries are given back,
    /// other leases run out, and it is taken up by another. Answers whether all ended by themselves.
    pub async fn stop(mut self, grace: Duration) -> bool {
        let until = Instant::now() + grace;
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout_at(until, ended).await.is_ok();
        self.tasks.shutdown().await;
        if tokio::time::timeout_at(until.max(Instant::now() + GIVE_BACK), give_back(&self.bridge)).await.is_err() {
            tracing::warn!("deliveries in hand are taken up again when their lease runs out; it counts as a crash");
        }
        in_time
    }
}

/// Gives back what is in hand, also to a database that is away for a while: what is not given back counts as a crash.
async fn give_back(bridge: &Bridge) {
    while let Err(error) = match_rules::give_back(bridge).await {
        tracing::debug!(%error, "deliveries in hand could not be given back; it is tried again");
        tokio::time::sleep(GIVE_BACK_AGAIN).await;
    }
}

/// How long a step may take: what it may take by its own bounds, and some more. The longest of them is a start: rights
/// are looked up, then the request leaves only while a whole call fits into the lease, then its outcome is recorded for
/// as long as a lease. So no request is cut off before its own time-out, and no answer on its way into the database.
fn deadline(settings: &Settings) -> Duration {
    settings.lease * 3 + settings.call_timeout * 6
}

async fn match_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    match_rules::match_batch(&bridge, MATCH_BATCH).await
}

async fn start_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    start_task::start_batch(&bridge).await
}

async fn resume_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    start_task::resume_batch(&bridge).await
}

async fn settle_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    settle_uncertain::settle_batch(&bridge).await
}

async fn sweep_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    sweep_tasks::sweep_batch(&bridge).await
}

async fn report_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    report::report_batch(&bridge).await
}

async fn refresh_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    Ok(refresh::refresh_batch(&bridge).await? + revoke::revoke_batch(&bridge).await?)
}

async fn rotate_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    rotation::rotate_batch(&bridge).await
}

async fn tell_chat_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    tell_chat::tell_chat_batch(&bridge).await
}

async fn outgoing_batch(bridge: Bridge, lane: usize) -> Result<usize, crate::pipeline::StepError> {
    outgoing::send_batch(&bridge, lane).await
}

/// Goes on at once only while there is more than one run may delete.
async fn forget_batch(bridge: Bridge) -> Result<usize, crate::pipeline::StepError> {
    let forgotten = forget::forget(&bridge).await?;
    Ok(usize::from(forgotten.is_some_and(|forgotten| forgotten.more())))
}
