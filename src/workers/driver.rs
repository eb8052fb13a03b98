//! The loop of every worker: work while there is work, else wait for a wake-up or the poll, and after a failure
//! wait longer. A panic in a step is logged and counts as a failure, and so does a step that does not end: the
//! loop lives on.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Ground;
use crate::domain::backoff::Backoff;
use crate::pipeline::StepError;

/// Waits after failed steps.
const TROUBLE: Backoff =
    Backoff { first: Duration::from_millis(500), factor: 2, cap: Duration::from_secs(30), tries: u32::MAX };

/// How often a worker looks for work that nobody woke it for.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Its name in logs.
    pub name: &'static str,
    /// The poll, jittered.
    pub poll: Duration,
    /// A step that takes longer is dropped with all that it runs: something that it waits for is gone without a
    /// word, and only a new connection helps. What it worked on is taken up again when its lease has run out.
    pub deadline: Duration,
}

/// Runs `step` until `stop`. A step that runs then is let end, within its deadline.
pub async fn run<F>(pace: Pace, ground: Ground, stop: CancellationToken, wake: Option<&Notify>, step: impl Fn() -> F)
where
    F: Future<Output = Result<usize, StepError>> + Send + 'static,
{
    let mut failures = 0;
    while !stop.is_cancelled() {
        let mut running = JoinSet::new();
        running.spawn(tokio::time::timeout(pace.deadline, step()));
        let wait = match running.join_next().await {
            Some(Ok(Ok(Ok(0)))) | None => {
                failures = 0;
                ground.jitter(pace.poll)
            }
            Some(Ok(Ok(Ok(_)))) => {
                failures = 0;
                continue;
            }
            Some(Ok(Ok(Err(error)))) => {
                failures += 1;
                tracing::warn!(worker = pace.name, %error, failures, "a worker's step failed");
                ground.jitter(TROUBLE.after(failures).unwrap_or(TROUBLE.cap))
            }
            Some(Ok(Err(_))) => {
                failures += 1;
                let deadline = pace.deadline;
                tracing::error!(worker = pace.name, ?deadline, failures, "a worker's step did not end and was dropped");
                ground.jitter(TROUBLE.after(failures).unwrap_or(TROUBLE.cap))
            }
            Some(Err(panic)) => {
                failures += 1;
                tracing::error!(worker = pace.name, %panic, failures, "a worker's step panicked");
                ground.jitter(TROUBLE.after(failures).unwrap_or(TROUBLE.cap))
            }
        };
        let woken = async {
            match wake {
                // After a failure a wake-up does not shorten the wait.
                Some(wake) if failures == 0 => wake.notified().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = woken => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Case 35.
    #[tokio::test]
    async fn a_worker_whose_step_panics_goes_on() {
        let (stop, steps) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let step = || {
            let (steps, stop) = (steps.clone(), stop.clone());
            async move {
                match steps.fetch_add(1, Ordering::Relaxed) {
                    0 => panic!("a step that panics"),
                    1 => Ok(1),
                    _ => {
                        stop.cancel();
                        Ok(0)
                    }
                }
            }
        };
        let pace = Pace { name: "test", poll: Duration::from_millis(1), deadline: Duration::from_secs(20) };
        run(pace, Ground::system(), stop.clone(), None, step).await;
        assert_eq!(steps.load(Ordering::Relaxed), 3);
    }
}
