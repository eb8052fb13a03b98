//! Time stamps that a sender signs: whoever has seen a request can send it again only for a while.

use chrono::{DateTime, Utc};

use super::super::request::Refusal;

/// How far a time stamp may be away from the present, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Into the past, in seconds.
    pub past: i64,
    /// Into the future, in seconds; none where the sender's own libraries ask for no bound.
    pub future: Option<i64>,
}

impl Window {
    /// The same in both directions.
    #[must_use]
    pub fn both(seconds: i64) -> Self {
        Self { past: seconds, future: Some(seconds) }
    }

    /// Whether a stamp in whole seconds lies in it.
    ///
    /// # Errors
    /// [`Refusal::StampUnusable`] for what is no number, [`Refusal::StampStale`] for one outside.
    pub fn holds(&self, stamp: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        self.holds_moment(whole_number(stamp).ok_or(Refusal::StampUnusable)?, now.timestamp())
    }

    /// The same for moments in any one unit.
    pub(in super::super) fn holds_moment(&self, stamp: i64, now: i64) -> Result<(), Refusal> {
        let age = now.checked_sub(stamp).ok_or(Refusal::StampStale)?;
        let fits =
            age <= self.past && self.future.is_none_or(|future| age.checked_neg().is_some_and(|ahead| ahead <= future));
        if fits { Ok(()) } else { Err(Refusal::StampStale) }
    }
}

/// ASCII digits and nothing else: no sign, no blank, no fraction.
pub(in super::super) fn whole_number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case 21.
    #[test]
    fn a_stamp_is_digits_and_within_the_window() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a moment");
        let window = Window::both(300);
        for good in ["1699999700", "1700000000", "1700000300"] {
            assert_eq!(window.holds(good, now), Ok(()), "{good}");
        }
        for stale in ["1699999699", "1700000301", "0", "9223372036854775807"] {
            assert_eq!(window.holds(stale, now), Err(Refusal::StampStale), "{stale}");
        }
        for none in [
            "",
            "-1",
            "+1700000000",
            " 1700000000",
            "1700000000.0",
            "1e9",
            "١٧",
            "yesterday",
            "9223372036854775808",
            "00000000001700000000",
        ] {
            assert_eq!(window.holds(none, now), Err(Refusal::StampUnusable), "{none}");
        }
        assert_eq!(Window { past: 300, future: None }.holds("1700003600", now), Ok(()));
    }
}
