//! Fail points from outside: which are armed, which were reached, and who must be woken again.

use std::fs;
use std::sync::Arc;

use taskbridge::fail_point::{ALL, Point};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use crate::chance::Dice;
use crate::places::{Card, Counts, Deed};
use crate::replica::wake;
use crate::stage::Stage;

/// Points that no replica comes to: `keys reseal` does, and dies and sleeps there.
pub(crate) const OF_RESEALING: [Point; 2] = [Point::ResealBetween, Point::ResealBeforeProof];

/// The plan by which some deliveries kill whoever reads them.
pub(crate) const POISON: &str = "match-reading=abort~poison";

/// So many places in one plan: few replicas live long enough to come to a certain one.
const AT_ONCE: usize = 2;

/// Deals out fail points, those first that were visited least in this run.
pub(crate) struct Armoury {
    aborts: Vec<Card>,
    /// None when nothing is paused.
    stops: Vec<Card>,
    /// The generation of the configuration that each replica has read.
    read: watch::Sender<Vec<u64>>,
}

impl Armoury {
    pub(crate) fn new(stage: &Stage) -> Self {
        let read = watch::channel(vec![0; stage.addresses.len()]).0;
        let points = || ALL.iter().filter(|point| !OF_RESEALING.contains(point));
        // Deliveries that kill do so at one of them, and are counted.
        let aborts =
            points().filter(|point| **point != Point::MatchReading).map(|point| (*point, Deed::Abort)).collect();
        let stops = points().filter(|_| stage.options.pauses()).map(|point| (*point, Deed::Stop)).collect();
        Self { aborts, stops, read }
    }

    /// A plan for one life of a replica.
    ///
    /// Each of these points is one of these cases.
    ///
    /// Cases 35, 36, 37, 38, 39, 40, 41.
    pub(crate) fn arm(&self, stage: &Stage, dice: &mut Dice) -> String {
        if dice.percent(55) {
            return POISON.to_owned();
        }
        // A pause holds up what the process has in hand for longer than a crash does: with many of them little gets done.
        let cards = if !self.stops.is_empty() && dice.percent(25) { &self.stops } else { &self.aborts };
        format!("{POISON} {}", stage.places.deal(cards, AT_ONCE, &count(stage), dice))
    }

    /// A replica that starts now reads this generation.
    pub(crate) fn read_configuration(&self, number: usize, generation: u64) {
        self.read.send_modify(|read| read[number] = generation);
    }

    /// Waits until every replica runs with this generation or a later one.
    pub(crate) async fn all_have_read(&self, generation: u64) {
        let mut read = self.read.subscribe();
        // The sender lives as long as `self`.
        let _ = read.wait_for(|read| read.iter().all(|own| *own >= generation)).await;
    }
}

/// Whether this process died at a fail point.
pub(crate) fn was_aborted(stage: &Stage, pid: Option<i32>) -> bool {
    let text = fs::read_to_string(stage.fail_log()).unwrap_or_default();
    pid.is_some_and(|pid| text.lines().any(|line| line.ends_with(&format!(" {pid} abort"))))
}

/// Wakes those who stopped themselves, until told to stop and all are awake.
pub(crate) async fn wake_sleepers(stage: Arc<Stage>, stop: CancellationToken) {
    let mut seen = 0;
    let mut sleepers = JoinSet::new();
    loop {
        let text = fs::read_to_string(stage.fail_log()).unwrap_or_default();
        let stops: Vec<i32> = text
            .lines()
            .filter_map(|line| line.strip_suffix(" stop")?.split_whitespace().nth(1)?.parse().ok())
            .collect();
        for pid in &stops[seen.min(stops.len())..] {
            let (pid, seed) = (*pid, stage.seed);
            sleepers.spawn(async move { wake(pid, &mut Dice::of(seed, &format!("sleeper {pid}"))).await });
        }
        seen = stops.len();
        if stop.is_cancelled() {
            while sleepers.join_next().await.is_some() {}
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// How often each point was visited in this round.
pub(crate) fn count(stage: &Stage) -> Counts {
    let mut counts = Counts::new();
    let text = fs::read_to_string(stage.fail_log()).unwrap_or_default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(point) = words.next().and_then(|name| ALL.iter().find(|point| point.as_str() == name)) else {
            continue;
        };
        let visits = counts.entry(point.as_str()).or_default();
        visits.reached += 1;
        match words.nth(1) {
            Some("abort") => visits.aborted += 1,
            Some("stop") => visits.stopped += 1,
            _ => {}
        }
    }
    counts
}
