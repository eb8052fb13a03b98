//! What an unquoted word means: the core rules of YAML 1.2 (section 10.3.2 of its text), under which
//! `yes`, `on` and `12:30` are plain text and only `true` and `false` are booleans.

use serde_json::Number;

use super::node::Kind;

/// Reads a word that stands without quotes.
pub(super) fn plain(word: &str) -> Kind {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => match integer(word).or_else(|| float(word)) {
            Some(number) => Kind::Number(number, word.to_owned()),
            None => Kind::Text(word.to_owned()),
        },
    }
}

fn integer(word: &str) -> Option<Number> {
    if let Some(digits) = word.strip_prefix("0x") {
        return unsigned(digits, 16);
    }
    if let Some(digits) = word.strip_prefix("0o") {
        return unsigned(digits, 8);
    }
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match word.strip_prefix('+').unwrap_or(word).parse::<i64>() {
        Ok(number) => Some(Number::from(number)),
        Err(_) => unsigned(digits, 10).filter(|_| !word.starts_with('-')),
    }
}

fn unsigned(digits: &str, radix: u32) -> Option<Number> {
    let clean = digits.chars().all(|digit| digit.is_digit(radix));
    clean.then(|| u64::from_str_radix(digits, radix).ok()).flatten().map(Number::from)
}

fn float(word: &str) -> Option<Number> {
    let body = word.strip_prefix(['-', '+']).unwrap_or(word);
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (body, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = all_digits(whole) && all_digits(part) && !(whole.is_empty() && part.is_empty());
    let power = exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent));
    // A float too large for us, and `.inf` and `.nan`, which no setting takes, stay text.
    if digits && power { word.parse::<f64>().ok().and_then(Number::from_f64) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_words_follow_the_core_rules() {
        let shown = |word: &str| match plain(word) {
            Kind::Null => "null".to_owned(),
            Kind::Bool(value) => format!("bool {value}"),
            Kind::Number(number, _) => format!("number {number}"),
            Kind::Text(text) => format!("text {text}"),
            Kind::List(_) | Kind::Map(_) => "never".to_owned(),
        };
        for (word, expected) in [
            ("", "null"),
            ("~", "null"),
            ("True", "bool true"),
            ("yes", "text yes"),
            ("on", "text on"),
            ("12", "number 12"),
            ("-7", "number -7"),
            ("+1", "number 1"),
            ("0x1F", "number 31"),
            ("0o17", "number 15"),
            ("18446744073709551615", "number 18446744073709551615"),
            ("1.5e3", "number 1500.0"),
            (".5", "number 0.5"),
            ("12:30", "text 12:30"),
            ("1_000", "text 1_000"),
            ("0x", "text 0x"),
            (".", "text ."),
            ("-", "text -"),
            ("e5", "text e5"),
            ("2022-11-28", "text 2022-11-28"),
            ("10m", "text 10m"),
        ] {
            assert_eq!(shown(word), expected, "{word}");
        }
    }
}
