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
    Ok(text)
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
    use super::check;

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
}
