//! The marker: a random name, the visible last line of a prompt, by which a remote task whose start went
//! unanswered is found again. It works only because nobody else can put one into a prompt.

const NAME: &str = "Taskbridge-Ref";
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const LENGTH: usize = 26;
/// What stands where a marker stood.
const MASK: &str = "…";

/// 128 random bits that stand for one attempt. Not printed by `Debug`: it is shown in the prompt only.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Marker([u8; 16]);

impl Marker {
    /// The marker made of these bytes, which come from the caller's chance.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes it was made of, to be kept.
    #[must_use]
    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }

    /// 26 lower-case letters and digits (base32 of RFC 4648 without padding).
    #[must_use]
    pub fn text(&self) -> String {
        let bits = u128::from_be_bytes(self.0);
        // 26 digits of 5 bits are 130: the last digit carries 3 bits and two zeros.
        (0..LENGTH).map(|digit| char::from(ALPHABET[digit_of(bits, digit)])).collect()
    }

    /// `Taskbridge-Ref: <26 characters>`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{NAME}: {}", self.text())
    }

    /// The marker with this text, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != LENGTH {
            return None;
        }
        let mut bits = 0_u128;
        for (digit, byte) in text.bytes().enumerate() {
            let value = u128::try_from(ALPHABET.iter().position(|letter| *letter == byte)?).ok()?;
            bits = if digit + 1 == LENGTH {
                if value & 0b11 != 0 {
                    return None;
                }
                bits << 3 | value >> 2
            } else {
                bits << 5 | value
            };
        }
        Some(Self(bits.to_be_bytes()))
    }
}

fn digit_of(bits: u128, digit: usize) -> usize {
    let value = if digit + 1 == LENGTH { bits << 2 } else { bits >> (123 - 5 * digit) } & 0b1_1111;
    usize::try_from(value).expect("five bits fit")
}

impl std::fmt::Debug for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Marker(…)")
    }
}

/// The text of a task's marker, as kept. Not printed by `Debug`; every call of [`Self::expose`] is a place to review.
#[derive(Clone, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct MarkerText(String);

impl MarkerText {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text`, which GitHub wrote and which may repeat the prompt, without this marker, be it whole or cut off after
    /// its name.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let text = if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, MASK) };
        let (mut kept, mut rest) = (String::with_capacity(text.len()), text.as_str());
        while let Some((before, after)) = rest.split_once(NAME) {
            let value = after.trim_start_matches([':', ' ']);
            let hidden = value.trim_start_matches(|c: char| c.is_ascii_lowercase() || matches!(c, '2'..='7'));
            kept.extend([before, NAME, &after[..after.len() - value.len()]]);
            if hidden.len() < value.len() {
                kept.push_str(MASK);
            }
            rest = hidden;
        }
        kept + rest
    }
}

impl From<Marker> for MarkerText {
    fn from(marker: Marker) -> Self {
        Self(marker.text())
    }
}

impl std::fmt::Debug for MarkerText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MarkerText(…)")
    }
}

/// `prompt`, free of any other marker, with this one as its visible last line.
#[must_use]
pub fn with_marker(prompt: &str, marker: &Marker) -> String {
    format!("{}\n\n{}", strip_markers(prompt).trim_end(), marker.line())
}

/// The marker of a prompt: the last line that is exactly one.
#[must_use]
pub fn find_marker(prompt: &str) -> Option<Marker> {
    prompt.lines().rev().find_map(|line| Marker::parse(line.trim().strip_prefix(NAME)?.strip_prefix(": ")?))
}

/// `text` without the lines that are, or look like, a marker: in any case, spacing or quotation, and with
/// invisible characters in between.
#[must_use]
pub fn strip_markers(text: &str) -> String {
    if !text.contains([':', '：']) {
        return text.to_owned();
    }
    text.split_inclusive('\n').filter(|line| !looks_like_marker(line)).collect()
}

fn looks_like_marker(line: &str) -> bool {
    let visible = super::hidden::remove_invisible(line);
    let mut letters = visible
        .chars()
        .filter(|c| !c.is_whitespace())
        .skip_while(|c| !c.is_alphanumeric())
        .filter(|c| c.is_alphanumeric() || matches!(c, ':' | '：'));
    "taskbridgeref".chars().all(|wanted| letters.next().is_some_and(|c| c.to_ascii_lowercase() == wanted))
        && letters.next().is_some_and(|c| !c.is_alphanumeric())
}
