//! Signature headers. An input is header lines, an empty line, and a body; in a header `{1}` and `{2}` stand for the
//! right code under the two live secrets, `{3}` for that under a removed one.
//!
//! Promise: a request is accepted exactly when it has one signature header, and that is `sha256=` with the code of a live
//! secret in lower-case hex, and its other headers are usable. What is turned away early would be turned away at the end.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use taskbridge::secret::Secret;
use taskbridge::sources::Source;
use taskbridge::sources::github::GithubSource;

use super::Target;

pub(crate) const SIGNATURE: Target = Target {
    name: "signature",
    check,
    words: &[
        "x-hub-signature-256: ",
        "x-hub-signature: sha1=",
        "sha256=",
        "sha256={1}",
        "{1}",
        "{2}",
        "{3}",
        "SHA256=",
        "\n",
        "\n\n",
        "x-github-delivery: ",
        "x-github-event: ",
        "x-github-hook-id: ",
        "content-type: ",
        ",",
        " ",
        "0",
        "v1,",
        "=",
        "0x",
        "\u{212a}",
    ],
    slowest_ms: 1_000,
};

const LIVE: [&str; 2] = ["the newer of two secrets", "the older of two secrets"];
const REMOVED: &str = "a secret that is gone";
const HEADER: &str = "x-hub-signature-256";

fn check(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((data, &[][..]), |at| (&data[..at], &data[at + 2..]));
    let codes = [LIVE[0], LIVE[1], REMOVED].map(|secret| code(secret, body));
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let value = with_codes(line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..]), &codes);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    let source = Source::Github(GithubSource::new(LIVE.map(Secret::new).to_vec(), "github.com".to_owned()));
    let verified = source.verify(&headers, body, taskbridge::store::Moment::UNIX_EPOCH);
    let early = source.looks_signed(&headers);

    let signatures: Vec<&[u8]> = headers.get_all(HEADER).iter().map(HeaderValue::as_bytes).collect();
    let signed =
        matches!(signatures[..], [one] if codes[..2].iter().any(|code| one == format!("sha256={code}").as_bytes()));
    let only = |name: &str| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().map(HeaderValue::as_bytes);
        assert!(first.is_some() || all.next().is_none());
        (first, all.next().is_none())
    };
    let usable = |name: &str, needed: bool| match only(name) {
        (_, false) => false,
        (None, true) => !needed,
        (Some(text), true) => (1..=128).contains(&text.len()) && text.iter().all(|b| (0x20..0x7f).contains(b)),
    };
    let named = usable("x-github-delivery", true)
        && usable("x-github-event", true)
        && usable("x-github-hook-id", false)
        && usable("content-type", false);
    assert_eq!(verified.is_ok(), signed && named, "{headers:?} {verified:?}");
    match (early, &verified) {
        (Err(early), late) => assert_eq!(late.as_ref().err(), Some(&early)),
        (Ok(()), Ok(envelope)) => {
            assert_eq!(Some(envelope.sender_id.as_bytes()), only("x-github-delivery").0);
            assert_eq!(Some(envelope.event_name.as_bytes()), only("x-github-event").0);
            assert_eq!(envelope.hook_id.as_bytes(), only("x-github-hook-id").0.unwrap_or_default());
        }
        (Ok(()), Err(_)) => assert_eq!(signatures.len(), 1),
    }
    if signed && !body.is_empty() {
        let mut other = body.to_vec();
        other[body.len() / 2] ^= 1 << (body.len() % 8);
        assert!(
            source.verify(&headers, &Bytes::from(other), taskbridge::store::Moment::UNIX_EPOCH).is_err(),
            "one bit is another body"
        );
    }
}

fn code(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn with_codes(value: &[u8], codes: &[String; 3]) -> Vec<u8> {
    let mut made = Vec::new();
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        match rest {
            [b'{', digit @ b'1'..=b'3', b'}', after @ ..] => {
                made.extend_from_slice(codes[usize::from(digit - b'1')].as_bytes());
                rest = after;
            }
            _ => {
                made.push(*first);
                rest = after;
            }
        }
    }
    made
}
