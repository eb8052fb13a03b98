//! The named places where a process may die: between any two of them lies one promise of the walk. With the cargo
//! feature `fail-points` an environment variable says at which of them the process aborts or stops; without it, as in
//! every release, nothing of this is compiled.

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// A place of the walk, in its order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Point {
            $($(#[doc = $doc])+ $name,)+
        }

        /// All of them.
        pub const ALL: &[Point] = &[$(Point::$name,)+];

        impl Point {
            /// Its name in the plan and in counts.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

points! {
    /// A webhook is verified and not yet written.
    IntakeBeforeCommit = "intake-before-commit",
    /// It is committed, and the sender has no answer.
    IntakeCommitted = "intake-committed",
    /// Deliveries are taken up.
    MatchClaimed = "match-claimed",
    /// One of them is about to be read.
    MatchReading = "match-reading",
    /// Its tasks and its end are written and not committed.
    MatchBeforeCommit = "match-before-commit",
    /// They are committed.
    MatchCommitted = "match-committed",
    /// Tasks are taken up to be started.
    StartClaimed = "start-claimed",
    /// The attempt is committed, and its request has not left.
    StartBegun = "start-begun",
    /// GitHub has answered, and nobody has written that down.
    StartAnswered = "start-answered",
    /// The answer is written down.
    StartRecorded = "start-recorded",
    /// Nobody has looked yet for a task of unknown outcome.
    SettleBeforeLooking = "settle-before-looking",
    /// GitHub was looked at, and nothing follows from it yet.
    SettleLooked = "settle-looked",
    /// It is settled, or looked for again later.
    SettleRecorded = "settle-recorded",
    /// A page of a person's tasks is read, and none of them is taken in.
    SweepListed = "sweep-listed",
    /// One of them is taken in.
    SweepTaken = "sweep-taken",
    /// All are taken in, and the round is not ended.
    SweepBeforeCommit = "sweep-before-commit",
    /// A report is taken up, and nothing is said.
    ReportBeforeSending = "report-before-sending",
    /// It is said, and nobody has written that down.
    ReportSent = "report-sent",
    /// It is written down.
    ReportRecorded = "report-recorded",
    /// That a refresh token leaves is written down, and it has not left.
    RefreshLeaves = "refresh-leaves",
    /// GitHub has given a new pair, and nobody has written it down.
    RefreshAnswered = "refresh-answered",
    /// The new pair is written down.
    RefreshStored = "refresh-stored",
    /// That an app's refresh token leaves is written down, and it has not left.
    RotationLeaves = "rotation-leaves",
    /// Slack has given a new pair, and nobody has written it down.
    RotationAnswered = "rotation-answered",
    /// The new pair is written down.
    RotationStored = "rotation-stored",
    /// Something for a chat is taken up, and nothing is said.
    ChatBeforeSending = "chat-before-sending",
    /// It is said, and nobody has written that down.
    ChatSent = "chat-sent",
    /// It is written down.
    ChatRecorded = "chat-recorded",
    /// A message for a receiver is taken up, and has not left.
    OutgoingBeforeSending = "outgoing-before-sending",
    /// The receiver has answered, and nobody has written that down.
    OutgoingAnswered = "outgoing-answered",
    /// It is written down.
    OutgoingRecorded = "outgoing-recorded",
    /// The tables are about to be made or brought up to date.
    MigrateBefore = "migrate-before",
    /// They are up to date, and nothing else has begun.
    MigrateDone = "migrate-done",
    /// A token is sealed with the first key, others are not yet.
    ResealBetween = "reseal-between",
    /// All tokens are sealed with the first key, and the proof of the keys is not.
    ResealBeforeProof = "reseal-before-proof",
}

#[cfg(not(feature = "fail-points"))]
mod plan {
    use super::Point;

    /// Says that the process is here.
    #[inline(always)]
    pub fn reach(_point: Point) {}

    /// Says that it is here with something that has a name.
    #[inline(always)]
    pub fn reach_with(_point: Point, _name: &str) {}

    /// Whether a start whose outcome is unknown is sent again without looking.
    #[inline(always)]
    #[must_use]
    pub fn retries_blindly() -> bool {
        false
    }
}

#[cfg(feature = "fail-points")]
mod plan {
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{ALL, Point};

    /// What is to happen: `NAME=abort@3 NAME=stop@1 NAME=abort~TEXT`, parted by spaces. `@3` is the third time that
    /// the point is reached, `~TEXT` each time that it is reached with a name that holds the text.
    pub const PLAN: &str = "TASKBRIDGE_FAIL_POINTS";
    /// A file that gets a line each time a point is reached: `NAME PID`, then `abort` or `stop` if it was the place.
    pub const LOG: &str = "TASKBRIDGE_FAIL_LOG";
    /// Set to anything: a start whose outcome is unknown is sent again without looking. Proves that the crash program
    /// sees what that does.
    pub const BLIND: &str = "TASKBRIDGE_FAIL_BLIND";

    #[derive(Debug, Clone, Copy)]
    enum Deed {
        Abort,
        Stop,
    }

    #[derive(Debug)]
    enum When {
        Nth(u64),
        Named(String),
    }

    type Order = (Point, Deed, When);

    struct Plan {
        orders: Vec<Order>,
        log: Option<File>,
        reached: Vec<AtomicU64>,
    }

    static PLAN_OF_PROCESS: OnceLock<Plan> = OnceLock::new();

    fn plan() -> &'static Plan {
        PLAN_OF_PROCESS.get_or_init(|| Plan {
            orders: std::env::var(PLAN).map(|text| parse(&text)).unwrap_or_default(),
            log: std::env::var_os(LOG).and_then(|path| File::options().create(true).append(true).open(path).ok()),
            reached: ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        })
    }

    fn parse(text: &str) -> Vec<Order> {
        text.split_whitespace().filter_map(parse_one).collect()
    }

    fn parse_one(word: &str) -> Option<Order> {
        let (name, rest) = word.split_once('=')?;
        let point = *ALL.iter().find(|point| point.as_str() == name)?;
        let at = rest.find(['@', '~'])?;
        let deed = match &rest[..at] {
            "abort" => Deed::Abort,
            "stop" => Deed::Stop,
            _ => return None,
        };
        let text = &rest[at + 1..];
        let when = if rest[at..].starts_with('@') { When::Nth(text.parse().ok()?) } else { When::Named(text.into()) };
        Some((point, deed, when))
    }

    /// Says that the process is here.
    pub fn reach(point: Point) {
        reach_with(point, "");
    }

    /// Says that it is here with something that has a name.
    pub fn reach_with(point: Point, name: &str) {
        let plan = plan();
        let nth = plan.reached[point as usize].fetch_add(1, Ordering::Relaxed) + 1;
        let is_now = |when: &When| match when {
            When::Nth(wanted) => *wanted == nth,
            When::Named(text) => name.contains(text.as_str()),
        };
        let deed = plan.orders.iter().find(|(at, _, when)| *at == point && is_now(when)).map(|(_, deed, _)| *deed);
        let word = match deed {
            Some(Deed::Abort) => " abort",
            Some(Deed::Stop) => " stop",
            None => "",
        };
        if let Some(mut log) = plan.log.as_ref() {
            // One write, so that lines of several processes do not mix. What cannot be counted is not counted.
            let _ = log.write_all(format!("{} {}{word}\n", point.as_str(), std::process::id()).as_bytes());
        }
        match deed {
            Some(Deed::Abort) => std::process::abort(),
            Some(Deed::Stop) => {
                // Whoever arranged it lets it go on.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
            }
            None => {}
        }
    }

    /// Whether a start whose outcome is unknown is sent again without looking.
    #[must_use]
    pub fn retries_blindly() -> bool {
        std::env::var_os(BLIND).is_some()
    }
}

#[cfg(feature = "fail-points")]
pub use plan::{BLIND, LOG, PLAN};
pub use plan::{reach, reach_with, retries_blindly};
