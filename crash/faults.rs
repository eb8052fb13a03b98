//! The misbehaviour of GitHub: answers that are lost or spoiled, limits, lists that lag, and calls that are done long
//! after their caller was let go. Nothing here is a refusal: each wish must become a task in the end.

use std::time::Duration;

use taskbridge::sandbox::{Fault, FaultKind};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::chance::Dice;
use crate::options::Options;
use crate::stage::Stage;
use crate::tally::Tally;

/// Starting a task.
const CREATE: &str = "/agents/repos/*/*/tasks$";
/// What a task is looked up with: lists of a repository and of a person, and one task.
const LISTS: [&str; 2] = ["/agents/repos/*/*/tasks$", "/agents/tasks$"];
/// Telling: to make, to edit, to take off.
const WRITES: [&str; 3] = ["POST", "PATCH", "DELETE"];
/// How far a list may lag, and how late a call may be done, in seconds: well below the grace of the service.
const LAG_S: i64 = 2;

/// Arranges faults until told to stop, and counts how often each kind was arranged and how many calls it met.
pub(crate) async fn disturb(stage: &Stage, stop: &CancellationToken) {
    let mut dice = Dice::of(stage.seed, "faults");
    let control = stage.control();
    let (mut since_cleared, mut arranged) = (0, Vec::new());
    loop {
        let wait = if stage.options.control { dice.millis(50, 200) } else { dice.millis(150, 700) };
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(wait) => {}
        }
        let (calls, fault) = one(&mut dice, stage.options.control);
        let name = name(calls, &fault.kind);
        stage.tally.add("faults.arranged", 1);
        stage.tally.add(&format!("fault.{name}.arranged"), 1);
        arranged.push((control.inject(fault), name));
        since_cleared += 1;
        if since_cleared > 30 {
            // Those that met no call are out of date.
            control.clear_faults();
            since_cleared = 0;
        }
        // Nobody is to be stopped by the hourly limit of a token.
        for someone in &stage.people {
            let _ = control.set_rate(&someone.login, 5_000, 3_600);
        }
    }
    control.clear_faults();
    for (id, name) in arranged {
        stage.tally.add("faults.met", control.fault_met(id));
        stage.tally.add(&format!("fault.{name}.met"), control.fault_met(id));
    }
}

/// The calls that a fault is for, and its kind.
fn name(calls: Calls, kind: &FaultKind) -> String {
    let kind = serde_json::to_value(kind).unwrap_or_default();
    format!("{}.{}", calls.as_str(), kind["kind"].as_str().unwrap_or_default())
}

/// Which calls a fault is for.
#[derive(Debug, Clone, Copy)]
enum Calls {
    Starts,
    Lists,
    Reads,
    Writes,
}

impl Calls {
    fn as_str(self) -> &'static str {
        match self {
            Self::Starts => "starts",
            Self::Lists => "lists",
            Self::Reads => "reads",
            Self::Writes => "writes",
        }
    }
}

/// The start is done, and its caller does not learn it.
fn lost(status: u16) -> [FaultKind; 7] {
    [
        FaultKind::DropAfter,
        FaultKind::StatusAfter { status },
        FaultKind::Truncate,
        FaultKind::Html,
        FaultKind::NoId,
        FaultKind::OtherStatus { status: 200 },
        FaultKind::DelayAfter { ms: 2_500 },
    ]
}

/// Something else is done, and its caller does not learn it.
fn write_lost(status: u16) -> [FaultKind; 3] {
    [FaultKind::DropAfter, FaultKind::StatusAfter { status }, FaultKind::Truncate]
}

/// Nothing is done, or only late.
fn not_done(status: u16) -> [FaultKind; 5] {
    [
        FaultKind::DropBefore,
        FaultKind::StatusBefore { status },
        FaultKind::Delay { ms: 800 },
        FaultKind::SecondaryLimit { status: 429, retry_after: Some("1".to_owned()) },
        FaultKind::SecondaryLimit { status: 403, retry_after: Some("2".to_owned()) },
    ]
}

const LATE: FaultKind = FaultKind::Late { ms: LAG_S * 1_000 };
const STALE: FaultKind = FaultKind::Stale { seconds: LAG_S, tasks: 0 };

/// One fault, as likely in every round.
fn one(dice: &mut Dice, only_lost: bool) -> (Calls, Fault) {
    let status = *dice.pick(&[500, 502, 503, 504]);
    let once = |kind: &FaultKind, method: &str, path: &str| Fault::new(kind.clone()).on(method, path).times(1);
    if only_lost || dice.percent(35) {
        return (Calls::Starts, once(dice.pick(&lost(status)), "POST", CREATE));
    }
    match dice.below(6) {
        0 => (Calls::Starts, once(&LATE, "POST", CREATE)),
        1 => (Calls::Starts, once(dice.pick(&not_done(status)), "POST", CREATE)),
        2 => (Calls::Lists, Fault::new(STALE).on("GET", LISTS[dice.below(LISTS.len())]).times(3)),
        3 => (Calls::Reads, once(dice.pick(&not_done(status)), "GET", "/")),
        // Comments, labels, reactions: done or not, and the answer lost.
        4 => (Calls::Writes, once(dice.pick(&not_done(status)), WRITES[dice.below(3)], "/repos")),
        _ => (Calls::Writes, once(dice.pick(&write_lost(status)), WRITES[dice.below(2)], "/repos")),
    }
}

/// The faults that no call has met in all rounds, in a sentence.
pub(crate) fn never_met(options: &Options, sum: &Tally) -> Option<String> {
    let of = |calls: Calls, kinds: &[FaultKind]| kinds.iter().map(|kind| name(calls, kind)).collect::<Vec<_>>();
    let mut all = [
        of(Calls::Starts, &lost(500)),
        of(Calls::Starts, &not_done(500)),
        of(Calls::Starts, &[LATE]),
        of(Calls::Lists, &[STALE]),
        of(Calls::Reads, &not_done(500)),
        of(Calls::Writes, &not_done(500)),
        of(Calls::Writes, &write_lost(500)),
    ]
    .concat();
    all.dedup();
    all.retain(|name| sum.get(&format!("fault.{name}.met")) == 0);
    (!all.is_empty()).then(|| format!("in {} rounds no call met these faults: {}", options.rounds, all.join(", ")))
}

/// Lets calls that are still to be done late be done.
pub(crate) async fn let_late_ones_happen() {
    sleep(Duration::from_secs(u64::try_from(LAG_S).unwrap_or(2) + 1)).await;
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{never_met, one};
    use crate::chance::Dice;
    use crate::options::Options;
    use crate::tally::Tally;

    #[test]
    fn each_fault_that_may_be_arranged_must_be_met() {
        let options = Options::parse_from(["x", "--rounds", "20"]);
        let (sum, mut dice) = (Tally::default(), Dice::of(1, "faults"));
        let all = never_met(&options, &sum).unwrap_or_default();
        for _ in 0..2_000 {
            let (calls, fault) = one(&mut dice, false);
            let name = super::name(calls, &fault.kind);
            assert!(all.contains(&name), "{name} is not in: {all}");
            if name != "writes.truncate" {
                sum.add(&format!("fault.{name}.met"), 1);
            }
        }
        let told = "in 20 rounds no call met these faults: writes.truncate";
        assert_eq!(never_met(&options, &sum).as_deref(), Some(told));
        sum.add("fault.writes.truncate.met", 1);
        assert_eq!(never_met(&options, &sum), None);
    }
}
