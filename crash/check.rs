//! What was promised against what is there: deliveries and wishes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use taskbridge::fail_point;

use crate::load::Book;
use crate::stage::{Fatal, Stage};
use crate::tally::Tally;
use crate::tasks::Found;
use crate::webhook::{HOOK, Kind, Wish};

/// Most lines of one kind of fault that are told.
const TOLD: usize = 5;
/// A delivery that was in hand at so many kills of replicas within its first second is parked, whoever killed them. In a
/// round with an end every two seconds it may happen once; more would be no chance any more.
const DEATHS: usize = 3;
const PARKED_BY_CHANCE: usize = 1;
/// And one more for so many ends of replicas without a warning.
const ONE_MORE_IN: u64 = 30;

/// Hooks and ids of deliveries.
pub(crate) type Keys = BTreeSet<(String, String)>;
type Row = (String, String, String, Option<String>, DateTime<Utc>, Option<DateTime<Utc>>);

/// Notes faults of one kind: all are counted, the first are told.
pub(crate) fn note(stage: &Stage, kind: &str, faults: &[String]) {
    if faults.is_empty() {
        return;
    }
    stage.tally.add(&format!("wrong.{kind}"), faults.len() as u64);
    for fault in faults.iter().take(TOLD) {
        stage.wrong(format!("{kind}: {fault}"));
    }
    if faults.len() > TOLD {
        stage.wrong(format!("{kind}: and {} more", faults.len() - TOLD));
    }
}

/// How many healthy deliveries may be parked by chance in a round.
fn may_be_parked(tally: &Tally) -> usize {
    let ends = tally.get("kills.kill9") + tally.get("kills.at_fail_points");
    PARKED_BY_CHANCE + usize::try_from(ends / ONE_MORE_IN).unwrap_or_default()
}

/// Every acknowledged delivery has exactly one row, and no row is of a delivery that nobody sent. Answers those that were
/// parked by chance.
///
/// Cases 1, 2, 3, 26, 35.
pub(crate) async fn deliveries(stage: &Stage, pool: &PgPool, book: &Book) -> Result<Keys, Fatal> {
    let rows: Vec<Row> =
        sqlx::query_as("SELECT hook_id, sender_id, state, reason, received_at, processed_at FROM deliveries")
            .fetch_all(pool)
            .await?;
    let there: BTreeMap<(String, String), (String, String)> = rows
        .iter()
        .map(|(hook, id, state, why, ..)| {
            ((hook.clone(), id.clone()), (state.clone(), why.clone().unwrap_or_default()))
        })
        .collect();
    let by_chance: Keys = rows
        .iter()
        .filter(|(_, id, _, why, from, to)| {
            let parked = why.as_deref().is_some_and(|why| why.contains("parked")) && !id.starts_with("poison-");
            parked && to.is_some_and(|to| stage.deaths_between(*from, to) >= DEATHS)
        })
        .map(|(hook, id, ..)| (hook.clone(), id.clone()))
        .take(may_be_parked(&stage.tally))
        .collect();
    stage.tally.add("deliveries.parked_by_chance", by_chance.len() as u64);
    let told = |key: &(String, String)| format!("{} through hook {}", key.1, key.0);
    let lost: Vec<String> = book.acknowledged.keys().filter(|key| !there.contains_key(*key)).map(told).collect();
    note(stage, "acknowledged_and_lost", &lost);
    let twice = rows.len() - there.len();
    note(stage, "recorded_twice", &vec![String::from("a delivery has two rows"); twice]);
    let invented: Vec<String> = there.keys().filter(|key| !book.sent.contains(*key)).map(told).collect();
    note(stage, "never_sent", &invented);
    let failed: Vec<String> = there
        .iter()
        .filter(|(key, (state, _))| state == "failed" && !key.1.starts_with("poison-") && !by_chance.contains(*key))
        .map(|(key, (_, why))| format!("{}: {why}", told(key)))
        .collect();
    note(stage, "failed_deliveries", &failed);
    let poisons = there.iter().filter(|(key, _)| key.1.starts_with("poison-"));
    let (parked, loose): (Vec<_>, Vec<_>) =
        poisons.partition(|(_, (state, why))| state == "failed" && why.contains("parked"));
    stage.tally.add("poisons.sent", book.poisons);
    stage.tally.add("poisons.parked", parked.len() as u64);
    let loose: Vec<String> =
        loose.into_iter().map(|(key, (state, why))| format!("{} is {state}: {why}", told(key))).collect();
    note(stage, "poison_not_parked", &loose);
    let aborts = crate::watcher::count(stage).get("match-reading").map_or(0, |visits| visits.aborted);
    let met = book.acknowledged.keys().any(|key| key.1.starts_with("poison-"));
    if met && aborts == 0 {
        note(stage, "poison_never_read", &["it was acknowledged, and killed nobody".to_owned()]);
    }
    if aborts > book.poisons * 3 {
        note(stage, "poison_killed_too_often", &[format!("{aborts} times for {} deliveries", book.poisons)]);
    }
    stage.tally.add("deliveries.sent", book.sent.len() as u64);
    stage.tally.add("deliveries.acknowledged", book.acknowledged.len() as u64);
    Ok(by_chance)
}

/// Every acknowledged wish of somebody who may became one task, here and on GitHub, whatever was lost on the way there or
/// back; no other became any.
///
/// Cases 36, 37, 38.
pub(crate) fn wishes(stage: &Stage, book: &Book, found: &Found, by_chance: &Keys) {
    let (mut missing, mut doubled, mut unwanted) = (Vec::new(), Vec::new(), Vec::new());
    let (mut never_started, mut started_twice) = (Vec::new(), Vec::new());
    for wish in &book.wishes {
        let tasks: Vec<_> = found.tasks.iter().filter(|task| task.prompt.contains(&wish.token)).collect();
        let remote = found.remote_prompts.iter().filter(|prompt| prompt.contains(&wish.token)).count();
        let told =
            || format!("{} in {}#{}: {} tasks, {remote} on GitHub", wish.token, wish.repo, wish.issue, tasks.len());
        if !wish.must_start() {
            if !tasks.is_empty() || remote > 0 {
                unwanted.push(told());
            }
            continue;
        }
        if tasks.is_empty() && acknowledged(wish, book, by_chance) {
            missing.push(told());
        }
        if tasks.len() > 1 {
            doubled.push(told());
        }
        if remote > 1 {
            started_twice.push(told());
        }
        let waits_for_person = tasks.iter().any(|task| task.needs_person);
        if remote == 0 && !tasks.is_empty() && !waits_for_person {
            never_started.push(told());
        }
    }
    note(stage, "wishes_without_task", &missing);
    note(stage, "wishes_with_two_tasks", &doubled);
    note(stage, "unwanted_tasks", &unwanted);
    note(stage, "started_twice", &started_twice);
    note(stage, "never_started", &never_started);
    let count = |kind: Kind| book.wishes.iter().filter(|wish| wish.kind == kind).count() as u64;
    stage.tally.add("wishes.of_labels", count(Kind::Label));
    stage.tally.add("wishes.of_commands", count(Kind::Command));
    stage.tally.add("wishes.of_the_chat", count(Kind::Chat));
    stage.tally.add("wishes.refused", count(Kind::CommandOfReader));
    stage.tally.add("wishes.none", count(Kind::Nothing));
}

fn acknowledged(wish: &Wish, book: &Book, parked: &Keys) -> bool {
    let mut keys = wish.envelopes.iter().map(|envelope| envelope.key());
    keys.any(|key| book.acknowledged.contains_key(&key) && !parked.contains(&key))
}

/// Every named place of the walk was reached: one that never is proves nothing.
pub(crate) fn points(stage: &Stage) {
    let options = &stage.options;
    if !options.must_reach_all() {
        return;
    }
    let counts = crate::watcher::count(stage);
    let never: Vec<String> = fail_point::ALL
        .iter()
        .filter(|point| !counts.contains_key(point.as_str()))
        .map(|point| point.as_str().to_owned())
        .collect();
    note(stage, "points_never_reached", &never);
}

/// No two tasks on GitHub carry the same marker, whoever made them.
pub(crate) fn markers(stage: &Stage) {
    let twice: Vec<String> = stage
        .control()
        .creations_by_last_line()
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(_, count)| format!("{count} tasks carry one marker"))
        .collect();
    stage.tally.add("duplicates.seen", twice.len() as u64);
    note(stage, "one_marker_twice", &twice);
}

/// Deliveries that are one delivery for the first hook.
pub(crate) fn through_two_hooks(book: &Book) -> u64 {
    let ids: BTreeSet<&String> = book.sent.iter().filter(|(hook, _)| hook != HOOK).map(|(_, id)| id).collect();
    ids.len() as u64
}
