//! One replica of the service: started, killed in one way or another, started again.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::chance::Dice;
use crate::ending::{Life, log_of};
use crate::stage::{Fatal, LEASE, Stage};
use crate::watcher::{Armoury, POISON, was_aborted};

/// How long a replica may take to end by itself after SIGTERM.
const TERM_LIMIT: Duration = Duration::from_secs(30);
/// A pause is longer than a lease, and shorter than lease and grace together: what was sent long before its caller
/// fell asleep may be done, and what was not sent must not be any more.
const PAUSE_MS: (u64, u64) = (LEASE.as_millis() as u64 + 500, LEASE.as_millis() as u64 + 2_000);

/// Runs replica `number` until told to stop, and then ends it by SIGTERM.
///
/// Cases 1, 2, 41, 42.
pub(crate) async fn live(
    stage: Arc<Stage>,
    armoury: Arc<Armoury>,
    number: usize,
    stop: CancellationToken,
) -> Result<(), Fatal> {
    let mut dice = Dice::of(stage.seed, &format!("replica {number}"));
    let mut generation = stage.generation.subscribe();
    while !stop.is_cancelled() {
        let born = *generation.borrow_and_update();
        let plan = if stage.options.arms() { armoury.arm(&stage, &mut dice) } else { String::new() };
        let life = Life::begin(&stage, number);
        let mut child = start(&stage, number, &plan)?;
        // Asked now: a process that has ended has no number.
        let pid = pid_of(&child);
        armoury.read_configuration(number, born);
        stage.tally.add("replicas.started", 1);
        let mut rest = dice.millis(1_000, 6_000);
        loop {
            tokio::select! {
                status = child.wait() => {
                    life.ended(&stage, pid, status?);
                    break;
                }
                () = stop.cancelled() => {
                    term(&stage, &life, &mut child).await?;
                    break;
                }
                _ = generation.changed() => {
                    term(&stage, &life, &mut child).await?;
                    break;
                }
                () = sleep(rest) => {}
            }
            match dice.below(100) {
                // It sleeps at named places as well: that is enough.
                0..15 if stage.options.pauses() && stage.options.arms() => {
                    rest = dice.millis(500, 5_000);
                    continue;
                }
                0..30 if stage.options.pauses() => {
                    pause(&stage, &child, dice.millis(PAUSE_MS.0, PAUSE_MS.1)).await;
                    rest = dice.millis(500, 5_000);
                    continue;
                }
                0..75 => {
                    child.kill().await?;
                    stage.died();
                    stage.tally.add("kills.kill9", 1);
                }
                _ => term(&stage, &life, &mut child).await?,
            }
            break;
        }
        sleep(dice.millis(0, 1_000)).await;
    }
    Ok(())
}

/// Runs replica `number` with nothing done to it until told to stop, and then ends it by SIGTERM. What kills whoever reads it
/// kills this one too: it is started again, as a supervisor would, so that what was sent late is parked as the rest is.
pub(crate) async fn keep(stage: Arc<Stage>, number: usize, stop: CancellationToken) -> Result<(), Fatal> {
    let plan = if stage.options.arms() { POISON } else { "" };
    let mut generation = stage.generation.subscribe();
    while !stop.is_cancelled() {
        let life = Life::begin(&stage, number);
        generation.mark_unchanged();
        let mut child = start(&stage, number, plan)?;
        let pid = pid_of(&child);
        tokio::select! {
            status = child.wait() => {
                let status = status?;
                if was_aborted(&stage, pid) {
                    stage.died();
                } else {
                    stage.wrong(format!("replica {number} ended by itself with {status} while nothing was done to it"));
                    return Ok(());
                }
            }
            () = stop.cancelled() => term(&stage, &life, &mut child).await?,
            _ = generation.changed() => term(&stage, &life, &mut child).await?,
        }
    }
    Ok(())
}

/// Starts a replica with a plan of fail points.
pub(crate) fn start(stage: &Stage, number: usize, plan: &str) -> Result<Child, Fatal> {
    let address = stage.addresses[number].to_string();
    let mut command = stage.service(&["serve", "--listen", &address], &log_of(number))?;
    if !plan.is_empty() {
        command.env(taskbridge::fail_point::PLAN, plan);
    }
    Ok(command.spawn()?)
}

/// SIGTERM: it must end by itself, in time.
async fn term(stage: &Stage, life: &Life, child: &mut Child) -> Result<(), Fatal> {
    let pid = pid_of(child);
    signal(pid, Signal::TERM);
    let began = Instant::now();
    match timeout(TERM_LIMIT, child.wait()).await {
        Ok(status) => {
            // While the database is away, it cannot give back what it holds.
            stage.died();
            stage.tally.add("kills.term", 1);
            life.obeyed(stage, pid, status?);
        }
        Err(_) => {
            stage.wrong(format!("{life} did not end within {:?} after SIGTERM", began.elapsed()));
            child.kill().await?;
        }
    }
    Ok(())
}

async fn pause(stage: &Stage, child: &Child, length: Duration) {
    let pid = pid_of(child);
    signal(pid, Signal::STOP);
    sleep(length).await;
    signal(pid, Signal::CONT);
    stage.tally.add("pauses.random", 1);
}

/// Wakes a process that stopped itself at a fail point.
pub(crate) async fn wake(pid: i32, dice: &mut Dice) {
    sleep(dice.millis(PAUSE_MS.0, PAUSE_MS.1)).await;
    signal(Some(pid), Signal::CONT);
}

fn pid_of(child: &Child) -> Option<i32> {
    child.id().and_then(|id| i32::try_from(id).ok())
}

fn signal(pid: Option<i32>, signal: Signal) {
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        // One that is gone needs no signal.
        let _ = kill_process(pid, signal);
    }
}
