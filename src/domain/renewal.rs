//! Pairs of tokens that are renewed: what the old access token tells after an answer that was lost.

use chrono::{DateTime, Utc};

/// Whether it says anything of a refresh that left at `sent` when an access token that ends at `end` is refused at `now`:
/// nothing when it was refused before, or has ended by itself since. A refusal that is known sets the end.
#[must_use]
pub fn refusal_tells(
    end: Option<DateTime<Utc>>,
    refused: Option<DateTime<Utc>>,
    sent: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    end.is_none_or(|end| end > now || end > sent && refused == Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_that_would_live_otherwise_tells() {
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0);
        let (sent, now) = (at(10).unwrap_or_default(), at(20).unwrap_or_default());
        assert!(refusal_tells(None, None, sent, now), "it never ends");
        assert!(refusal_tells(at(30), None, sent, now), "it has not ended");
        assert!(!refusal_tells(at(5), None, sent, now), "it had ended before");
        assert!(!refusal_tells(at(15), None, sent, now), "it has ended meanwhile");
        assert!(!refusal_tells(at(5), at(5), sent, now), "it was refused before");
        assert!(refusal_tells(at(15), at(15), sent, now), "it is refused since");
        assert!(!refusal_tells(at(15), at(3), sent, now), "it has ended meanwhile, and one before was refused");
    }
}
