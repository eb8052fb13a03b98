//! What can be said on the command line.

use clap::Parser;
use taskbridge::clock::Ground;

/// A round of so many seconds comes everywhere.
const LONG_ROUND: u64 = 60;
/// In so many rounds nothing is left to chance.
const MANY_ROUNDS: u64 = 20;

/// Runs taskbridge, kills it again and again, and sees whether its promises hold.
#[derive(Debug, Clone, Parser)]
#[command(name = "taskbridge-crash")]
pub(crate) struct Options {
    /// How many replicas of the service run.
    #[arg(long, default_value_t = 2)]
    pub replicas: usize,
    /// How long a round is disturbed, in seconds; coming to rest takes up to some minutes more.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Rounds, one after the other, each with a fresh database and the next seed.
    #[arg(long, default_value_t = 1)]
    pub rounds: u64,
    /// Where all chance of the first round comes from; random, and printed, if not given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// New events a second.
    #[arg(long, default_value_t = 5)]
    pub rate: u64,
    /// Kill, stop and restart the database.
    #[arg(long)]
    pub kill_database: bool,
    /// Stop replicas for longer than a lease, and let them go on.
    #[arg(long)]
    pub pause: bool,
    /// Let the simulated GitHub misbehave.
    #[arg(long)]
    pub faults: bool,
    /// Abort and stop replicas at the fail points.
    #[arg(long)]
    pub fail_points: bool,
    /// Let the service send a start of unknown outcome again without looking: the verdict is then good only if the
    /// tasks made twice were seen.
    #[arg(long)]
    pub control: bool,
    /// Print the totals as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Keep the folder of each round, not only of one that fails.
    #[arg(long)]
    pub keep: bool,
}

impl Options {
    fn all(&self) -> bool {
        !(self.kill_database || self.pause || self.faults || self.fail_points)
    }

    /// Whether the database is killed: when asked for, or when nothing special was.
    pub(crate) fn kills_database(&self) -> bool {
        self.kill_database || self.all()
    }

    /// Whether replicas are paused.
    pub(crate) fn pauses(&self) -> bool {
        self.pause || self.all()
    }

    /// Whether GitHub misbehaves.
    pub(crate) fn disturbs_github(&self) -> bool {
        self.faults || self.control || self.all()
    }

    /// Whether fail points are armed.
    pub(crate) fn arms(&self) -> bool {
        self.fail_points || self.all()
    }

    /// Whether every named place must be reached in a round.
    pub(crate) fn must_reach_all(&self) -> bool {
        !self.control && self.seconds >= LONG_ROUND && self.arms() && self.disturbs_github()
    }

    /// Whether the run is long enough to leave nothing out: something died and slept at every named place.
    pub(crate) fn must_leave_out_nothing(&self) -> bool {
        self.must_reach_all() && self.rounds >= MANY_ROUNDS
    }

    /// In words.
    pub(crate) fn disturbances(&self) -> String {
        let all = [
            (true, "kills"),
            (self.kills_database(), "database kills"),
            (self.pauses(), "pauses"),
            (self.disturbs_github(), "faults of GitHub"),
            (self.arms(), "fail points"),
            (self.control, "and it retries blindly"),
        ];
        all.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
    }

    /// The seed given, or a random one.
    pub(crate) fn first_seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| u64::from(u32::from_le_bytes(Ground::system().bytes())))
    }
}
