//! How long to wait before the next try, and when to stop trying: one arithmetic for everything that
//! retries, so that a limit is written once and tested once. Jitter is added by the caller, who has the chance.

use std::time::Duration;

/// Waits that grow by a factor up to a cap, for a bounded number of tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failed try.
    pub first: Duration,
    /// What each further wait is multiplied by.
    pub factor: u32,
    /// No wait is longer than this.
    pub cap: Duration,
    /// How many tries there are in all, the first one included.
    pub tries: u32,
}

impl Backoff {
    /// How long to wait after `tries_so_far` failed tries; `None` means give up. Before the first try
    /// (`0`) there is nothing to wait for.
    #[must_use]
    pub fn after(&self, tries_so_far: u32) -> Option<Duration> {
        if tries_so_far >= self.tries {
            return None;
        }
        let Some(growths) = tries_so_far.checked_sub(1) else {
            return Some(Duration::ZERO);
        };
        let wait = match self.factor.checked_pow(growths) {
            Some(factor) => self.first.saturating_mul(factor),
            None if self.first.is_zero() => Duration::ZERO,
            None => self.cap,
        };
        Some(wait.min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_secs(2), factor: 3, cap: Duration::from_secs(60), tries: 6 };

    #[test]
    fn waits_grow_to_the_cap_and_then_end() {
        let waits: Vec<_> = (0..8).map(|tries| BACKOFF.after(tries).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [Some(0), Some(2), Some(6), Some(18), Some(54), Some(60), None, None]);
    }

    #[test]
    fn large_numbers_stop_at_the_cap() {
        let forever = Backoff { tries: u32::MAX, ..BACKOFF };
        assert_eq!(forever.after(u32::MAX - 1), Some(BACKOFF.cap));
        let huge = Backoff { first: Duration::MAX, cap: Duration::MAX, ..forever };
        assert_eq!(huge.after(30), Some(Duration::MAX));
    }

    #[test]
    fn a_factor_of_one_keeps_the_wait_and_no_tries_means_never() {
        let steady = Backoff { factor: 1, ..BACKOFF };
        assert_eq!(steady.after(5), Some(steady.first));
        assert_eq!(Backoff { tries: 0, ..BACKOFF }.after(0), None);
    }
}
