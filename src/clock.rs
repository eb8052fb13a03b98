//! Time and chance enter here and nowhere else, so that a test can hold both still.
//!
//! Leases do not use this clock: they run on the database's, which all replicas share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// What time it is, for everything except leases.
pub trait Clock: Send + Sync {
    /// The present moment, in whole microseconds (PostgreSQL keeps no more).
    fn now(&self) -> DateTime<Utc>;
}

/// The source of random bytes: ids, markers, keys, jitter.
pub trait Chance: Send + Sync {
    /// Fills `bytes` with unpredictable values.
    fn fill(&self, bytes: &mut [u8]);
}

/// The two arguments that nearly everything takes, passed as one.
#[derive(Clone)]
pub struct Ground {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub chance: Arc<dyn Chance>,
}

impl Ground {
    /// The machine's clock and the operating system's random source.
    #[must_use]
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), chance: Arc::new(SystemChance) }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// A delay between 80 % and 120 % of `delay`, so that many waiters do not wake together.
    #[must_use]
    pub fn jitter(&self, delay: Duration) -> Duration {
        let roll = f64::from(u16::from_le_bytes(self.bytes())) / f64::from(u16::MAX);
        delay.mul_f64(0.8 + 0.4 * roll)
    }
}

impl std::fmt::Debug for Ground {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ground")
    }
}

/// The clock of what all replicas must agree on, such as pauses between writes: the database's, unless a story moves the
/// time. That one cannot be moved, so all replicas of a story take another for it.
#[derive(Clone, Default)]
pub struct SharedClock(Option<Arc<dyn Clock>>);

impl SharedClock {
    /// For a story: `clock` is taken for the database's.
    #[must_use]
    pub fn moved(clock: Arc<dyn Clock>) -> Self {
        Self(Some(clock))
    }

    /// What it shows, if it is not the database's.
    #[must_use]
    pub fn shown(&self) -> Option<DateTime<Utc>> {
        self.0.as_ref().map(|clock| clock.now())
    }
}

impl std::fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "moved" } else { "the database's" })
    }
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that may read the wall clock")]
    fn now(&self) -> DateTime<Utc> {
        let now = Utc::now();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }
}

/// A clock that stands still until told to move; for stories that cannot wait ten minutes.
#[derive(Debug)]
pub struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn at(start: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(start)))
    }

    /// Sets the clock, also back.
    pub fn set(&self, to: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = to;
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now += TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy)]
pub struct SystemChance;

impl Chance for SystemChance {
    #[expect(clippy::disallowed_methods, reason = "the one place that may draw ambient randomness")]
    fn fill(&self, bytes: &mut [u8]) {
        use rand::Rng as _;
        rand::rng().fill_bytes(bytes);
    }
}
