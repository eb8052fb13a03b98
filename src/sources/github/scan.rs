//! One pass over the bytes before any parser sees them: depth (a parser that skips unknown fields does not
//! bound it) and `\u0000` (which the database cannot keep as text).

/// GitHub's own payloads stay below 12.
const DEPTH_LIMIT: usize = 64;

pub(super) fn check(json: &[u8]) -> Result<(), &'static str> {
    if json.iter().all(u8::is_ascii_whitespace) {
        return Err("it is empty");
    }
    if json.starts_with(b"\xef\xbb\xbf") {
        return Err("it begins with a byte order mark, which JSON does not allow");
    }
    if std::str::from_utf8(json).is_err() {
        return Err("it is not UTF-8");
    }
    let mut depth = 0usize;
    let mut in_text = false;
    let mut bytes = json.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (in_text, byte) {
            (_, b'"') => in_text = !in_text,
            (true, b'\\') => {
                if json[at + 1..].starts_with(b"u0000") {
                    return Err("a text holds \\u0000");
                }
                bytes.next();
            }
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > DEPTH_LIMIT {
                    return Err("it is nested too deeply");
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
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
    }
}
