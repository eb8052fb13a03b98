//! Rotating the sealing key while all else goes on, as an operator of several replicas does: the new key last, so that everybody
//! opens what the first ones will seal with it; then first; all tokens sealed anew by a command that is cut short twice; then the
//! old key taken away. Everybody is started anew for each step.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::chance::Dice;
use crate::places::Deed;
use crate::stage::{Fatal, Stage};
use crate::watcher::{Armoury, OF_RESEALING, count};

/// Tries of a command while its database comes and goes.
const TRIES: usize = 40;

/// Rotates the key again and again, until told to stop; a rotation that was begun is brought to its end.
///
/// Case 60.
pub(crate) async fn rotate(stage: &Stage, armoury: &Armoury, stop: &CancellationToken) -> Result<(), Fatal> {
    let mut dice = Dice::of(stage.seed, "rotation");
    let mut old = "sealing-1.key".to_owned();
    for number in 2.. {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(dice.millis(8_000, 20_000)) => {}
        }
        stage.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(dice.hex::<32>());
        let new = stage.new_key_file(number)?;
        for keys in [[&old, &new], [&new, &old]] {
            stage.write_configuration(&keys.map(Clone::clone))?;
            if !all_anew(stage, armoury, stop).await {
                return Ok(());
            }
        }
        if stage.options.arms() {
            let third = format!("reseal-between=abort@{}", 1 + dice.below(stage.people.len() - 1));
            for plan in [third.as_str(), "reseal-before-proof=abort@1"] {
                reseal(stage, plan).await?;
            }
        }
        reseal(stage, &sleep_at(stage, &mut dice)).await?;
        if !nothing_is_half_told(stage, stop).await {
            return Ok(());
        }
        stage.write_configuration(std::slice::from_ref(&new))?;
        stage.tally.add("rotations", 1);
        if !all_anew(stage, armoury, stop).await {
            return Ok(());
        }
        old = new;
    }
    Ok(())
}

/// The plan of the last resealing: it stops itself at one of its places, the one that was visited less in this run.
fn sleep_at(stage: &Stage, dice: &mut Dice) -> String {
    if !(stage.options.arms() && stage.options.pauses()) {
        return String::new();
    }
    stage.places.deal(&OF_RESEALING.map(|point| (point, Deed::Stop)), 1, &count(stage), dice)
}

/// Has every replica read the configuration anew. Answers false when it was told to stop: the configuration is good
/// as it is, and whoever starts next reads it.
async fn all_anew(stage: &Stage, armoury: &Armoury, stop: &CancellationToken) -> bool {
    let mut next = 0;
    stage.generation.send_modify(|generation| {
        *generation += 1;
        next = *generation;
    });
    tokio::select! {
        () = armoury.all_have_read(next) => true,
        () = stop.cancelled() => false,
    }
}

/// Waits until no comment may stand on GitHub that only the old key recognises and that nobody knows of: an operator
/// keeps the old key for as long as a report is tried. Answers false when it was told to stop; both keys stay then.
async fn nothing_is_half_told(stage: &Stage, stop: &CancellationToken) -> bool {
    const HALF_TOLD: &str =
        "SELECT EXISTS (SELECT FROM reports WHERE kind IN ('comment', 'notice') AND external_id IS NULL
        AND state = 'pending' AND (tries > 0 OR revision > 1) AND made_at < $1)";
    let since = stage.ground.now();
    while !stop.is_cancelled() {
        if let Ok(pool) = stage.database.pool().await {
            let half = sqlx::query_scalar::<_, bool>(HALF_TOLD).bind(since).fetch_one(&pool).await;
            pool.close().await;
            if matches!(half, Ok(false)) {
                return true;
            }
        }
        sleep(Duration::from_millis(500)).await;
    }
    false
}

/// Runs `taskbridge keys reseal`, to its end or until it dies as planned. One that stops itself is woken as a replica is.
async fn reseal(stage: &Stage, plan: &str) -> Result<(), Fatal> {
    for _ in 0..TRIES {
        let mut command = stage.service(&["keys", "reseal"], "keys.log")?;
        command.env(taskbridge::fail_point::PLAN, plan);
        let status = command.status().await?;
        if status.signal().is_some() && !plan.is_empty() {
            stage.tally.add("rotations.cut_short", 1);
            return Ok(());
        }
        if status.success() {
            if plan.contains("=abort@") {
                stage.wrong(format!("`keys reseal` never came to `{plan}`"));
            }
            return Ok(());
        }
        sleep(Duration::from_millis(300)).await;
    }
    Err("`keys reseal` did not succeed: see keys.log".into())
}
