//! Webhooks of senders other than GitHub, each kind asked with the same headers and body. An input is header lines, an empty
//! line, and a body; in a header `{1}` stands for the right code over the body, `{2}` for that over a time stamp, a dot and
//! the body, and `{3}` for that of Standard Webhooks with the id `m-1`.
//!
//! Promise: who accepts it has found the right code in one of its headers, and takes no other body under it; what is turned
//! away early would be turned away at the end, for the same reason; names that are kept are short and plain; what was accepted
//! reads the same twice.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use taskbridge::cli::live_of;
use taskbridge::config::{Reader, load};
use taskbridge::sources::Reading;

use super::Target;

pub(crate) const SENDER: Target = Target {
    name: "sender",
    check,
    words: &[
        "x-sig: {1}",
        "x-sig: {2}",
        "x-time: 1800000000",
        "webhook-id: m-1",
        "webhook-timestamp: 1800000000",
        "webhook-signature: v1,{3}",
        "stripe-signature: t=1800000000,v1={2}",
        "x-pagerduty-signature: v1={1},v1={2}",
        "sentry-hook-signature: {1}",
        "linear-signature: {1}",
        "x-hub-signature: sha256={1}",
        "x-gitea-signature: {1}",
        "content-type: application/x-www-form-urlencoded",
        "{1}",
        "{2}",
        "{3}",
        "\n",
        "\n\n",
        ",v1=",
        " v1a,",
        "payload=",
        "{\"event\":{\"id\":\"1\",\"event_type\":\"incident.triggered\"}}",
        "{\"webhookTimestamp\":1800000000000}",
        "\u{0}",
        "\\ud800",
    ],
    slowest_ms: 3_000,
};

const SECRET: &str = "a secret of every sender here";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW: &str = "1800000000";
const CONFIG: &str = "
sources:
  plain: { type: hmac, secrets: '${SECRET}', header: x-sig, reads: { id: { body: /id }, title: /a/0, text: /b } }
  stamped:
    type: hmac
    secrets: '${SECRET}'
    header: x-sig
    signed: '{timestamp}.{body}'
    timestamp: { header: x-time }
  standard: { type: standard-webhooks, secrets: '${KEY}' }
  stripe: { type: stripe, secrets: '${SECRET}' }
  pagerduty: { type: pagerduty, secrets: '${SECRET}' }
  sentry: { type: sentry, secrets: '${SECRET}' }
  linear: { type: linear, secrets: '${SECRET}' }
  jira: { type: jira, secrets: '${SECRET}' }
  gitea: { type: gitea, secrets: '${SECRET}' }
rules: []
";

fn check(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((data, &[][..]), |at| (&data[..at], &data[at + 2..]));
    let key = STANDARD.decode(&KEY["whsec_".len()..]).unwrap();
    let stamped = [NOW.as_bytes(), b".", body].concat();
    let codes = [
        hex::encode(code(SECRET.as_bytes(), body)),
        hex::encode(code(SECRET.as_bytes(), &stamped)),
        STANDARD.encode(code(&key, &[b"m-1.", &stamped[..]].concat())),
    ];
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = codes.iter().zip(["{1}", "{2}", "{3}"]).fold(value.trim().to_owned(), |v, (c, p)| v.replace(p, c));
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            headers.append(name, value);
        }
    }
    let reader = Reader::fixed(&[("SECRET", SECRET), ("KEY", KEY)], &[("t.yaml", CONFIG)]);
    let loaded = load(std::path::Path::new("t.yaml"), &reader).unwrap();
    for (name, source) in live_of(&loaded, "github.com").sources {
        ask(&name, &source.source, &headers, body, &codes);
    }
}

fn ask(name: &str, source: &taskbridge::sources::Source, headers: &HeaderMap, body: &[u8], codes: &[String; 3]) {
    let now = DateTime::from_timestamp(NOW.parse().unwrap(), 0).unwrap();
    let verified = source.verify(headers, body, now);
    if let Err(early) = source.looks_signed(headers) {
        assert_eq!(verified.as_ref().err(), Some(&early), "{name}");
    }
    let Ok(envelope) = verified else { return };
    // A form of Gitea is signed over the text inside it.
    let right = BTreeMap::from([("stamped", 1), ("stripe", 1), ("standard", 2)]);
    let code = &codes[right.get(name).copied().unwrap_or(0)];
    if envelope.content_type.is_empty() || name != "gitea" {
        let shown = headers.values().any(|value| value.to_str().is_ok_and(|text| text.contains(code.as_str())));
        assert!(shown, "{name} accepts what nobody signed: {headers:?}");
        if !body.is_empty() {
            let mut other = body.to_vec();
            other[body.len() / 2] ^= 1 << (body.len() % 8);
            assert!(source.verify(headers, &other, now).is_err(), "{name}: one bit is another body");
        }
    }
    for kept in [&envelope.sender_id, &envelope.event_name] {
        assert!(
            (1..=128).contains(&kept.len()) && kept.bytes().all(|b| (b' '..=b'~').contains(&b)),
            "{name}: {kept:?}"
        );
    }
    let read = || match source.read(name, &envelope, body) {
        Ok(Reading::Event(event)) => format!("{event:?}"),
        other => format!("{other:?}"),
    };
    assert_eq!(read(), read(), "{name}");
}

fn code(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}
