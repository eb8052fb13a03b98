//! The misbehaviour of GitHub: answers that are lost or spoiled, limits, lists that lag, and calls that are done long
//! after their caller was let go. Nothing here is a refusal: each wish must become a task in the end.

use std::time::Duration;

use taskbridge::sandbox::{Fault, FaultKind};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::chance::Dice;
use crate::stage::Stage;

/// Starting a task.
const CREATE: &str = "/agents/repos/*/*/tasks$";
/// What a task is looked up with: lists of a repository and of a person, and one task.
const LISTS: [&str; 2] = ["/agents/repos/*/*/tasks$", "/agents/tasks$"];
/// Telling: to make, to edit, to take off.
const WRITES: [&str; 3] = ["POST", "PATCH", "DELETE"];
/// How far a list may lag, and how late a call may be done, in seconds: well below the grace of the service.
const LAG_S: i64 = 2;

/// Arranges faults until told to stop.
pub(crate) async fn disturb(stage: &Stage, stop: &CancellationToken) {
    let mut dice = Dice::of(stage.seed, "faults");
    let control = stage.control();
    let mut since_cleared = 0;
    loop {
        let wait = if stage.options.control { dice.millis(50, 200) } else { dice.millis(150, 700) };
        tokio::select! {
            () = stop.cancelled() => break,
            () = sleep(wait) => {}
        }
        control.inject(one(&mut dice, stage.options.control));
        stage.tally.add("faults.arranged", 1);
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
}

fn one(dice: &mut Dice, only_lost: bool) -> Fault {
    let status = *dice.pick(&[500, 502, 503, 504]);
    let lost = [
        FaultKind::DropAfter,
        FaultKind::StatusAfter { status },
        FaultKind::Truncate,
        FaultKind::Html,
        FaultKind::NoId,
        FaultKind::OtherStatus { status: 200 },
        FaultKind::DelayAfter { ms: 2_500 },
    ];
    if only_lost || dice.percent(35) {
        return Fault::new(dice.pick(&lost).clone()).on("POST", CREATE).times(1);
    }
    let not_done = [
        FaultKind::DropBefore,
        FaultKind::StatusBefore { status },
        FaultKind::Delay { ms: 800 },
        FaultKind::SecondaryLimit { status: 429, retry_after: Some("1".to_owned()) },
        FaultKind::SecondaryLimit { status: 403, retry_after: Some("2".to_owned()) },
    ];
    match dice.below(6) {
        0 => Fault::new(FaultKind::Late { ms: LAG_S * 1_000 }).on("POST", CREATE).times(1),
        1 => Fault::new(dice.pick(&not_done).clone()).on("POST", CREATE).times(1),
        2 => {
            Fault::new(FaultKind::Stale { seconds: LAG_S, tasks: 0 }).on("GET", LISTS[dice.below(LISTS.len())]).times(3)
        }
        3 => Fault::new(dice.pick(&not_done).clone()).on("GET", "/").times(1),
        // Comments, labels, reactions: done or not, and the answer lost.
        4 => Fault::new(dice.pick(&not_done).clone()).on(WRITES[dice.below(3)], "/repos").times(1),
        _ => {
            let kinds = [FaultKind::DropAfter, FaultKind::StatusAfter { status }, FaultKind::Truncate];
            Fault::new(dice.pick(&kinds).clone()).on(WRITES[dice.below(2)], "/repos").times(1)
        }
    }
}

/// Lets calls that are still to be done late be done.
pub(crate) async fn let_late_ones_happen() {
    sleep(Duration::from_secs(u64::try_from(LAG_S).unwrap_or(2) + 1)).await;
}
