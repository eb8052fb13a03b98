//! Interleaved rounds: within a round everything is measured once, one after the other, so that a change of the
//! machine's mood touches all of it. What is compared are medians of the ratios of each round.

use std::sync::Arc;
use std::time::Duration;

use taskbridge::pipeline::Bridge;
use taskbridge::pipeline::record::{recorder, recorder_of};
use tokio::runtime::Runtime;

use crate::ceiling::{self, Row, Rows};
use crate::clear::clear;
use crate::doors;
use crate::load::{Load, Outcome};
use crate::machine::Watch;
use crate::report::Report;
use crate::service::Service;

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The product.
    Product,
    /// The product with batches of one delivery.
    BatchOfOne,
    /// The product's verify step and one INSERT a request, on as many connections as there are for it.
    InsertEach,
    /// The product's verify step and nothing else: what HTTP alone costs.
    VerifyOnly,
}

/// One measurement.
struct Slot {
    kind: Kind,
    connections: usize,
    outcome: Outcome,
}

/// All of them.
pub(crate) struct Rounds {
    ceilings: Vec<f64>,
    ended: Vec<f64>,
    slots: Vec<Slot>,
}

/// The same measurement in each round.
pub(crate) struct Many<'a>(Vec<&'a Outcome>);

/// In the order in which a round goes through them; the ceiling comes before and after.
const ORDER: [(Kind, usize); 6] = [
    (Kind::Product, 64),
    (Kind::BatchOfOne, 64),
    (Kind::Product, 32),
    (Kind::InsertEach, 64),
    (Kind::Product, 256),
    (Kind::VerifyOnly, 64),
];

impl Rounds {
    pub(crate) fn run(
        server: &Runtime,
        url: &str,
        bridge: &Bridge,
        load: &Load,
        rounds: usize,
        report: &Report,
    ) -> Self {
        let mut all = Self { ceilings: Vec::new(), ended: Vec::new(), slots: Vec::new() };
        let rows = Arc::new(Rows::new(&load.requests));
        for round in 1..=rounds {
            let before = ceiling_once(server, url, &rows, load.lasting, Row::Waits, report);
            for (kind, connections) in ORDER {
                let watch = Watch::start();
                let outcome = one(server, url, bridge, &Load { connections, ..load.clone() }, kind);
                report.say(&format!(
                    "round {round}: {kind:?} at {connections}: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms, {} refused, foreign {:.0} %",
                    outcome.per_s,
                    outcome.ms(0.5),
                    outcome.ms(0.99),
                    outcome.refused,
                    watch.share().foreign * 100.0
                ));
                all.slots.push(Slot { kind, connections, outcome });
            }
            all.ended.push(ceiling_once(server, url, &rows, load.lasting, Row::Ended, report));
            let after = ceiling_once(server, url, &rows, load.lasting, Row::Waits, report);
            all.ceilings.push(f64::midpoint(before, after));
        }
        all
    }

    pub(crate) fn of(&self, kind: Kind, connections: usize) -> Many<'_> {
        let same = self.slots.iter().filter(|slot| slot.kind == kind && slot.connections == connections);
        Many(same.map(|slot| &slot.outcome).collect())
    }

    /// Rows a second.
    pub(crate) fn ceiling(&self) -> f64 {
        median(self.ceilings.clone()).round()
    }

    /// Rows a second that have their end already.
    pub(crate) fn ended(&self) -> f64 {
        median(self.ended.clone()).round()
    }

    /// To the ceiling of the same round.
    pub(crate) fn ratio(&self, many: &Many<'_>) -> f64 {
        median(many.0.iter().zip(&self.ceilings).map(|(outcome, ceiling)| outcome.per_s / ceiling).collect())
    }

    /// How many times as fast as another in the same round.
    pub(crate) fn times(&self, many: &Many<'_>, other: &Many<'_>) -> f64 {
        median(many.0.iter().zip(&other.0).map(|(one, other)| one.per_s / other.per_s).collect())
    }
}

impl Many<'_> {
    pub(crate) fn per_s(&self) -> f64 {
        median(self.0.iter().map(|outcome| outcome.per_s).collect())
    }

    /// The median over the rounds of a latency; of the largest latency (1.0) the largest.
    pub(crate) fn ms(&self, share: f64) -> f64 {
        let all: Vec<f64> = self.0.iter().map(|outcome| outcome.ms(share)).collect();
        if share >= 1.0 { all.into_iter().fold(0.0, f64::max) } else { median(all) }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ceiling_once(server: &Runtime, url: &str, rows: &Arc<Rows>, lasting: Duration, row: Row, report: &Report) -> f64 {
    server.block_on(clear(url));
    let watch = Watch::start();
    let per_s = server.block_on(ceiling::rows_per_s(url, rows, lasting, row));
    report.say(&format!("ceiling ({row:?}): {per_s:.0} rows/s, foreign {:.0} %", watch.share().foreign * 100.0));
    per_s
}

/// Measures once, beginning with an empty table.
pub(crate) fn one(server: &Runtime, url: &str, bridge: &Bridge, load: &Load, kind: Kind) -> Outcome {
    let service = server.block_on(async {
        clear(url).await;
        let (store, ground) = (bridge.store.clone(), bridge.ground.clone());
        match kind {
            Kind::Product => Service::of(bridge, recorder(store, ground)).await,
            Kind::BatchOfOne => Service::of(bridge, recorder_of(store, ground, 1)).await,
            Kind::InsertEach => Service::start(doors::insert_each(bridge, url).await).await,
            Kind::VerifyOnly => Service::start(doors::verify_only(bridge)).await,
        }
    });
    let outcome = Load { address: service.address, ..load.clone() }.run();
    server.block_on(service.stop());
    outcome
}
