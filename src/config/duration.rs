//! Lengths of time are written with their unit, so that no reader has to guess whether 60 means
//! seconds.

use std::fmt;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const LONGEST_DAYS: u64 = 3_650;

/// A length of time: `500ms`, `90s`, `10m`, `2h`, `30d`; ten years at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(std::time::Duration);

impl Duration {
    /// So many seconds.
    #[must_use]
    pub const fn secs(secs: u64) -> Self {
        Self(std::time::Duration::from_secs(secs))
    }

    /// So many days.
    #[must_use]
    pub const fn days(days: u64) -> Self {
        Self::secs(days * 86_400)
    }

    /// As the standard library has it.
    #[must_use]
    pub const fn std(self) -> std::time::Duration {
        self.0
    }

    /// Reads one number and one unit.
    ///
    /// # Errors
    /// One sentence that says what is wanted.
    pub fn read(text: &str) -> Result<Self, String> {
        let wanted = || "a length of time is one number and a unit (ms, s, m, h, d): `90s`, `10m`, `2h`".to_owned();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(end);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wanted)?;
        let count: u64 = digits.parse().map_err(|_| wanted())?;
        match count.checked_mul(*factor) {
            Some(millis) if millis <= LONGEST_DAYS * 86_400_000 => Ok(Self(std::time::Duration::from_millis(millis))),
            _ => Err(format!("longer than {LONGEST_DAYS} days")),
        }
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let fits = UNITS.iter().rev().find(|(_, factor)| millis > 0 && millis.is_multiple_of(u128::from(*factor)));
        let (unit, factor) = fits.copied().unwrap_or(("s", 1_000));
        write!(f, "{}{unit}", millis / u128::from(factor))
    }
}

impl serde::Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        Self::read(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "duration", "pattern": "^[0-9]+(ms|s|m|h|d)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::Duration;

    #[test]
    fn a_duration_reads_back_as_it_was_written_in_the_largest_whole_unit() {
        for (text, shown) in
            [("500ms", "500ms"), ("90s", "90s"), ("120s", "2m"), ("24h", "1d"), ("30d", "30d"), ("0s", "0s")]
        {
            assert_eq!(Duration::read(text).expect(text).to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "10", "m", "-1s", "1.5h", "1h30m", "10 m", "10M", "99999999999999999999s", "4000d", "１s"] {
            assert!(Duration::read(text).is_err(), "{text}");
        }
    }
}
