//! One pass over the bytes before any parser sees them: depth (a parser that skips unknown fields does not
//! bound it) and `\u0000` (which the database cannot keep as text).

/// GitHub's own payloads stay below 12.
const DEPTH_LIMIT: usize = 64;

pub(super) fn check(json: &[u8]) -> Result<&str, &'static str> {
    if json.iter().all(u8::is_ascii_whitespace) {
        return Err("it is empty");
    }
    if json.starts_with(b"\xef\xbb\xbf") {
        return Err("it begins with a byte order mark, which JSON does not allow");
    }
    let text = std::str::from_utf8(json).map_err(|_| "it is not UTF-8")?;
    if !looks_harmless(json) {
        look_closely(json)?;
    }
    Ok(text)
}

/// Whether a look that knows nothing of texts suffices, as it does for most of what comes: a level begins with a bracket at the
/// beginning of a value (in texts some more look so), and a NUL with `\u`. The processor does many bytes at once of it.
fn looks_harmless(json: &[u8]) -> bool {
    /// No sum of so many overflows a byte.
    const STEP: usize = 128;
    let begins = |before: u8| before <= b' ' || matches!(before, b':' | b',' | b'{' | b'[');
    // The first byte is after no other.
    let (mut levels, mut coded) = (1usize, false);
    let mut rest = json;
    while rest.len() > 1 {
        let step = &rest[..rest.len().min(STEP + 1)];
        let mut opened = 0u8;
        for (&before, &byte) in step.iter().zip(&step[1..]) {
            opened += u8::from(matches!(byte, b'{' | b'[') & begins(before));
            coded |= (before == b'\\') & (byte == b'u');
        }
        levels += usize::from(opened);
        rest = rest.get(STEP..).unwrap_or_default();
    }
    levels <= DEPTH_LIMIT && !coded
}

/// The same exactly.
fn look_closely(json: &[u8]) -> Result<(), &'static str> {
    let mut depth = 0usize;
    let mut rest = json;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = after_text(rest)?,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_LIMIT {
                    return Err("it is nested too deeply");
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// What follows the text that has just begun. Nearly all of a payload is text, so what ends nothing is
/// passed over in steps that the processor does at once.
fn after_text(mut rest: &[u8]) -> Result<&[u8], &'static str> {
    let matters = |byte: &u8| matches!(byte, b'"' | b'\\');
    loop {
        while let Some((step, after)) = rest.split_first_chunk::<16>() {
            if step.iter().fold(false, |found, byte| found | matters(byte)) {
                break;
            }
            rest = after;
        }
        let Some(at) = rest.iter().position(matters) else { return Ok(&[]) };
        let (found, after) = (rest[at], &rest[at + 1..]);
        if found == b'"' {
            return Ok(after);
        }
        if after.starts_with(b"u0000") {
            return Err("a text holds \\u0000");
        }
        rest = after.get(1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::{check, look_closely};

    #[test]
    fn depth_and_nul_are_seen_and_their_look_alikes_are_not() {
        assert!(check(br#"{"a":"[[[[","b":"\\u0000"}"#).is_ok());
        assert!(check(br#"{"a":"\u0000"}"#).is_err());
        assert!(check(br#"{"a":"\\\u0000"}"#).is_err());
        assert!(check("[".repeat(65).as_bytes()).is_err());
        assert!(check("[]".repeat(1000).as_bytes()).is_ok());
        assert!(check(b" \n").is_err() && check(b"\xef\xbb\xbf{}").is_err() && check(b"\"caf\xe9\"").is_err());
        assert!(check(b"\"\\").is_ok(), "cut in the middle of an escape");
        let long = "a text that is longer than a step".repeat(3);
        assert!(check(format!("{{\"{long}\\u0000\":1}}").as_bytes()).is_err());
        assert!(check(format!("{{\"{long}\\\"\":\"[[\\\\\"}}{}", "[".repeat(65)).as_bytes()).is_err());
        assert!(check(format!("{{\"{long}\\\"\":\"{}\"}}", "[".repeat(65)).as_bytes()).is_ok());
    }

    #[test]
    fn the_quick_look_passes_nothing_that_the_exact_one_refuses() {
        for between in ["", " ", "\n", "\t \r\n"] {
            for levels in ["[", "{\"a\":", "[1,[", "[{},"] {
                for depth in [1, 63, 64, 65, 66, 130] {
                    let json = format!("{levels}{between}").repeat(depth);
                    assert_eq!(check(json.as_bytes()).is_ok(), look_closely(json.as_bytes()).is_ok(), "{depth} {json}");
                }
            }
        }
        for at in 0..300 {
            let (before, after) = ("x".repeat(at), "y".repeat(299 - at));
            assert!(check(format!("\"{before}\\u0000{after}\"").as_bytes()).is_err(), "{at}");
            assert!(check(format!("\"{before}\\u0001{after}\"").as_bytes()).is_ok(), "{at}");
            assert!(check(format!("[{}{}]", "[],".repeat(at), "[".repeat(63)).as_bytes()).is_ok(), "{at}");
            assert!(check(format!("[{}{}]", "[],".repeat(at), "[".repeat(64)).as_bytes()).is_err(), "{at}");
        }
    }
}
