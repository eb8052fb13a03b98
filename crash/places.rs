//! The named places over all rounds of a run: how often each was visited, and which comes next. Those that were visited
//! least come first: chance alone would leave out a few even in many rounds, and a place where nothing ever died proves
//! nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use taskbridge::fail_point::{ALL, Point};

use crate::chance::Dice;
use crate::options::Options;

/// A plan names the first to so many-th time that a place is reached, until it is known how often a replica comes there.
const NTH: usize = 8;
/// That is known from so many lives.
const LIVES: u64 = 10;

/// What is done at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// The process aborts.
    Abort,
    /// It stops itself, for longer than a lease.
    Stop,
}

impl Deed {
    fn as_str(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Stop => "stop",
        }
    }
}

/// What may be done where.
pub(crate) type Card = (Point, Deed);

/// How often a place was visited.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Visits {
    pub reached: u64,
    pub aborted: u64,
    pub stopped: u64,
}

impl Visits {
    fn of(self, deed: Deed) -> u64 {
        match deed {
            Deed::Abort => self.aborted,
            Deed::Stop => self.stopped,
        }
    }
}

/// Visits by the name of the place.
pub(crate) type Counts = BTreeMap<&'static str, Visits>;

/// All that is known of the places of a run.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Ledger>);

#[derive(Debug, Default)]
struct Ledger {
    /// In the rounds that are over.
    before: Counts,
    /// How often each was dealt, whether or not anybody came there.
    dealt: BTreeMap<(&'static str, Deed), u64>,
}

impl Ledger {
    fn done(&self, now: &Counts, (point, deed): Card) -> u64 {
        [&self.before, now].map(|counts| counts.get(point.as_str()).map_or(0, |visits| visits.of(deed))).iter().sum()
    }

    fn dealt(&self, (point, deed): Card) -> u64 {
        self.dealt.get(&(point.as_str(), deed)).copied().unwrap_or(0)
    }

    /// In half of its life a replica comes there so often: who died at the first time always would live for a moment only,
    /// and others must get their work done. Two thirds of all visits are those of the last lives, which nothing cuts short.
    fn usual(&self, now: &Counts, point: Point) -> usize {
        let reached = |point: Point| -> u64 {
            [&self.before, now].map(|counts| counts.get(point.as_str()).map_or(0, |visits| visits.reached)).iter().sum()
        };
        // Each that starts comes by here once.
        match reached(Point::MigrateDone) {
            ..LIVES => NTH,
            lives => usize::try_from(reached(point) / lives / 6).unwrap_or(NTH),
        }
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A plan of the so many cards that were done least in this run, `now` being what the round has done so far; of equals
    /// those that were dealt least, of equals again some by chance.
    pub(crate) fn deal(&self, cards: &[Card], count: usize, now: &Counts, dice: &mut Dice) -> String {
        let mut ledger = self.lock();
        let mut left: Vec<_> = cards.iter().map(|card| (ledger.done(now, *card), ledger.dealt(*card), *card)).collect();
        let mut words = Vec::new();
        while words.len() < count
            && let Some(least) = left.iter().map(|(done, dealt, _)| (*done, *dealt)).min()
        {
            let among = (0..left.len()).filter(|at| (left[*at].0, left[*at].1) == least).collect::<Vec<_>>();
            let (done, dealt, (point, deed)) = left.swap_remove(*dice.pick(&among));
            *ledger.dealt.entry((point.as_str(), deed)).or_default() += 1;
            // Sooner when it came to nothing.
            let in_vain = u32::try_from(dealt.saturating_sub(done)).unwrap_or(u32::MAX);
            let nth = 1 + dice.below(ledger.usual(now, point).checked_shr(in_vain).unwrap_or(0));
            words.push(format!("{}={}@{nth}", point.as_str(), deed.as_str()));
        }
        words.join(" ")
    }

    /// A round is over.
    pub(crate) fn take_in(&self, counts: &Counts) {
        let mut ledger = self.lock();
        for (name, visits) in counts {
            let sum = ledger.before.entry(name).or_default();
            sum.reached += visits.reached;
            sum.aborted += visits.aborted;
            sum.stopped += visits.stopped;
        }
    }

    /// Of every place, also of those that were never reached, in the order of the walk.
    pub(crate) fn all(&self) -> Vec<(&'static str, Visits)> {
        let ledger = self.lock();
        let visits = |point: &Point| (point.as_str(), ledger.before.get(point.as_str()).copied().unwrap_or_default());
        ALL.iter().map(visits).collect()
    }

    /// Tells it to a person, a place a line.
    pub(crate) fn tell(&self) {
        eprintln!("{:>24} {:>9} {:>8} {:>8}", "place", "reached", "aborted", "stopped");
        for (name, of) in self.all() {
            eprintln!("{name:>24} {:>9} {:>8} {:>8}", of.reached, of.aborted, of.stopped);
        }
    }

    /// What a long run has left out, in sentences.
    pub(crate) fn left_out(&self, options: &Options) -> Vec<String> {
        let of = |deed: Deed| {
            let never = self.all().into_iter().filter(|(_, visits)| visits.of(deed) == 0);
            never.map(|(name, _)| name).collect::<Vec<_>>().join(", ")
        };
        let tell = |deed, what: &str| {
            let never = of(deed);
            (!never.is_empty()).then(|| format!("in {} rounds nothing {what} at these places: {never}", options.rounds))
        };
        let stops = options.pauses().then(|| tell(Deed::Stop, "was stopped")).flatten();
        tell(Deed::Abort, "was aborted").into_iter().chain(stops).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use taskbridge::fail_point::{ALL, Point};

    use super::{Counts, Deed, Places, Visits};
    use crate::chance::Dice;
    use crate::options::Options;

    fn visits(aborted: u64, stopped: u64) -> Visits {
        Visits { reached: 9, aborted, stopped }
    }

    #[test]
    fn what_was_done_least_comes_first_and_sooner_when_it_came_to_nothing() {
        let places = Places::default();
        places.take_in(&Counts::from([(Point::StartBegun.as_str(), visits(3, 0))]));
        let cards =
            [(Point::StartBegun, Deed::Abort), (Point::StartBegun, Deed::Stop), (Point::ReportSent, Deed::Stop)];
        let mut dice = Dice::of(1, "places");
        let now = Counts::from([(Point::ReportSent.as_str(), visits(0, 1))]);
        let dealt: Vec<String> = (0..20).map(|_| places.deal(&cards, 1, &now, &mut dice)).collect();
        assert!(dealt.iter().all(|word| word.starts_with("start-begun=stop@")), "{dealt:?}");
        assert!(dealt[3..].iter().all(|word| word.ends_with("@1")), "{dealt:?}");
        places.take_in(&Counts::from([(Point::StartBegun.as_str(), visits(0, 9))]));
        let two = places.deal(&cards, 2, &now, &mut dice);
        assert!(
            two.starts_with("report-sent=stop@") && two.contains(" start-begun=abort@"),
            "the run's sum counts: {two}"
        );
    }

    #[test]
    fn a_replica_lives_for_a_while_before_it_comes_to_its_place() {
        let cards = [(Point::ReportSent, Deed::Abort), (Point::SettleLooked, Deed::Abort)];
        let reached = |reached| Visits { reached, ..Visits::default() };
        let name = Point::as_str;
        let mut now = Counts::from([(name(Point::MigrateDone), reached(10)), (name(Point::SettleLooked), reached(59))]);
        now.insert(name(Point::ReportSent), reached(1_200));
        let nth: Vec<usize> = (0..40)
            .flat_map(|seed| {
                let words = Places::default().deal(&cards, 2, &now, &mut Dice::of(seed, "places"));
                let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
                words.sort();
                words.iter().filter_map(|word| word.split_once('@')?.1.parse().ok()).collect::<Vec<_>>()
            })
            .collect();
        assert!(nth.iter().step_by(2).all(|nth| (1..=20).contains(nth)) && nth.iter().any(|nth| *nth > 10), "{nth:?}");
        assert!(nth.iter().skip(1).step_by(2).all(|nth| *nth == 1), "few come there at all: {nth:?}");
    }

    #[test]
    fn equals_are_dealt_in_turn_and_the_same_way_for_the_same_seed() {
        let cards: Vec<_> = ALL.iter().flat_map(|point| [(*point, Deed::Abort), (*point, Deed::Stop)]).collect();
        let deal = |seed| {
            let (places, mut dice) = (Places::default(), Dice::of(seed, "places"));
            cards.iter().map(|_| places.deal(&cards, 1, &Counts::new(), &mut dice)).collect::<Vec<_>>()
        };
        let places_of = |words: Vec<String>| {
            words
                .iter()
                .filter_map(|word| Some(word.split_once('@')?.0.to_owned()))
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(deal(7), deal(7));
        assert_ne!(deal(7), deal(8));
        assert_eq!(places_of(deal(7)).len(), cards.len(), "each once before any twice");
    }

    #[test]
    fn a_place_where_nothing_died_or_slept_is_named() {
        let places = Places::default();
        let all = ALL.iter().filter(|point| **point != Point::ChatSent);
        places.take_in(&all.map(|point| (point.as_str(), visits(1, 1))).collect());
        places.take_in(&Counts::from([(Point::ChatSent.as_str(), visits(0, 1))]));
        let told = |args: &[&str]| places.left_out(&Options::parse_from([&["x", "--rounds", "20"], args].concat()));
        assert_eq!(told(&[]), ["in 20 rounds nothing was aborted at these places: chat-sent"]);
        places.take_in(&Counts::from([(Point::ChatSent.as_str(), visits(1, 0))]));
        assert!(told(&[]).is_empty());
        let none = Places::default().left_out(&Options::parse_from(["x", "--fail-points"]));
        assert_eq!(none.len(), 1, "without pauses nothing stops");
    }
}
