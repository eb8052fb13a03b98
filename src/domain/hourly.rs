//! How many writes an hour are made with one token. GitHub lets about five hundred through and then refuses all of that
//! user's, also those that the person makes by hand; so they are counted ahead here, before it has to say so.

use std::time::Duration;

const HOUR_US: u64 = 3_600_000_000;

/// A part of an hour's writes may be made at once, and the rest is spread over the hour. Together they are what an hour
/// may hold, whichever hour one looks at: one that begins with a whole burst behind it, and one in the middle of steady
/// work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hourly {
    /// How far each write fills the time ahead.
    pub each: Duration,
    /// How far the time ahead may be filled when one more write is made.
    pub ahead: Duration,
}

impl Hourly {
    /// At most `count` writes in any hour, two fifths of them at once; two at the least.
    #[must_use]
    pub fn of(count: u32) -> Self {
        let count = count.max(2);
        let at_once = (count / 5 * 2).max(1);
        // Never too short a part. The database counts in whole microseconds.
        let each = Duration::from_micros(HOUR_US.div_ceil(u64::from(count - at_once)));
        Self { each, ahead: each * (at_once - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When writes are made by somebody who always has one more to make, in microseconds from the first.
    fn times(hourly: Hourly, count: usize) -> Vec<u128> {
        let (mut now, mut booked, mut times) = (0, 0, Vec::new());
        for _ in 0..count {
            now = now.max(u128::saturating_sub(booked, hourly.ahead.as_micros()));
            times.push(now);
            booked = booked.max(now) + hourly.each.as_micros();
        }
        times
    }

    #[test]
    fn no_hour_holds_more_than_it_may_and_steady_work_gets_its_share() {
        for count in [2, 3, 10, 77, 500, 100_000] {
            let times = times(Hourly::of(count), 3 * count as usize);
            let mut one_more = times.windows(count as usize + 1);
            assert!(one_more.all(|writes| writes[count as usize] - writes[0] > u128::from(HOUR_US)), "{count}");
        }
        let day = times(Hourly::of(500), 24 * 300);
        assert!(day[24 * 300 - 1] <= 24 * u128::from(HOUR_US), "three hundred an hour go on for as long as one likes");
        assert_eq!(day.iter().filter(|at| **at == 0).count(), 200, "and two hundred at once");
    }
}
