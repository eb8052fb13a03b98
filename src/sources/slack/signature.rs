//! `X-Slack-Signature`: `v0=` and 64 lower-case hex digits of HMAC-SHA256 over `v0:{stamp}:{raw body}`, where the stamp is
//! the text of `X-Slack-Request-Timestamp`. A stamp more than five minutes away from the present, to either side, is
//! refused, so that a request that was overheard is soon worth nothing.
//! Facts from Slack's documentation "Verifying requests from Slack".

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

use super::super::{Refusal, only};
use crate::secret::Secret;

const SIGNATURE: &str = "x-slack-signature";
const STAMP: &str = "x-slack-request-timestamp";
/// How far the stamp may be away from the present, in seconds.
const WINDOW: u64 = 300;

/// What the headers say: the digest, and the stamp as text and as number.
pub(super) struct Announced<'a> {
    digest: [u8; 32],
    stamp: &'a str,
    seconds: i64,
}

pub(super) fn announced(headers: &HeaderMap) -> Result<Announced<'_>, Refusal> {
    let text = match only(headers, SIGNATURE) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(Refusal::SignatureMissing),
        Err(()) if headers.get_all(SIGNATURE).iter().count() > 1 => return Err(Refusal::SignatureDoubled),
        Err(()) => return Err(Refusal::SignatureMalformed),
    };
    let digest = digest(text).ok_or(Refusal::SignatureMalformed)?;
    let Ok(Some(stamp)) = only(headers, STAMP) else { return Err(Refusal::StampUnusable) };
    // Digits alone: a sign, a blank or a fraction is no stamp of Slack's.
    let digits = (1..=19).contains(&stamp.len()) && stamp.bytes().all(|b| b.is_ascii_digit());
    let seconds = stamp.parse().ok().filter(|_| digits).ok_or(Refusal::StampUnusable)?;
    Ok(Announced { digest, stamp, seconds })
}

pub(super) fn verify(secrets: &[Secret], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), Refusal> {
    let announced = announced(headers)?;
    if now.timestamp().abs_diff(announced.seconds) > WINDOW {
        return Err(Refusal::StampStale);
    }
    // Every secret is tried, whichever matches, so that the time says nothing about which.
    let mut matches = false;
    for secret in secrets {
        matches |= is_made_by(secret, body, &announced);
    }
    if matches { Ok(()) } else { Err(Refusal::SignatureWrong) }
}

fn is_made_by(secret: &Secret, body: &[u8], announced: &Announced<'_>) -> bool {
    let key = secret.expose().as_bytes();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    for part in [b"v0:".as_slice(), announced.stamp.as_bytes(), b":", body] {
        mac.update(part);
    }
    !key.is_empty() && mac.verify_slice(&announced.digest).is_ok()
}

fn digest(header: &str) -> Option<[u8; 32]> {
    let hex = header.strip_prefix("v0=")?;
    if hex.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const NOW: i64 = 1_531_420_618;
    const BODY: &[u8] = b"token=x&text=fix+it%21";

    fn sign(secret: &str, stamp: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
        mac.update(format!("v0:{stamp}:").as_bytes());
        mac.update(body);
        format!("v0={}", hex::encode(mac.finalize().into_bytes()))
    }

    fn headers(signature: &str, stamp: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, HeaderValue::from_str(signature).expect("a header value"));
        headers.insert(STAMP, HeaderValue::from_str(stamp).expect("a header value"));
        headers
    }

    fn check(stamp: &str, body: &[u8]) -> Result<(), Refusal> {
        let now = DateTime::from_timestamp(NOW, 0).expect("a time");
        let secrets = [Secret::new("the newer secret"), Secret::new("the older secret")];
        verify(&secrets, &headers(&sign("the older secret", stamp, BODY), stamp), body, now)
    }

    /// Case 21.
    #[test]
    fn a_stamp_counts_for_five_minutes_to_both_sides() {
        for near in [0, 300, -300] {
            assert_eq!(check(&(NOW + near).to_string(), BODY), Ok(()), "{near}");
        }
        for far in [301, -301] {
            assert_eq!(check(&(NOW + far).to_string(), BODY), Err(Refusal::StampStale), "{far}");
        }
        assert_eq!(check(&i64::MAX.to_string(), BODY), Err(Refusal::StampStale));
        for wrong in ["", "-1531420618", "+1531420618", " 1531420618", "1531420618.0", "0x5b47", "9223372036854775808"]
        {
            let refusal = check(wrong, BODY);
            assert_eq!(refusal, Err(Refusal::StampUnusable), "{wrong}");
        }
    }

    /// Case 22.
    #[test]
    fn a_body_that_was_encoded_anew_on_its_way_is_not_the_one_that_was_signed() {
        assert_eq!(check(&NOW.to_string(), b"token=x&text=fix%20it!"), Err(Refusal::SignatureWrong));
    }

    #[test]
    fn other_forms_are_refused() {
        let right = sign("the older secret", &NOW.to_string(), BODY);
        for wrong in ["", "v0=", &right[..60], &right.to_uppercase(), &right.replace("v0", "v1"), &format!("{right}0")]
        {
            let refusal = announced(&headers(wrong, "1")).map(|_| ());
            assert_eq!(refusal, Err(Refusal::SignatureMalformed), "{wrong}");
        }
        assert_eq!(announced(&HeaderMap::new()).map(|_| ()), Err(Refusal::SignatureMissing));
        let mut doubled = headers(&right, "1");
        doubled.append(SIGNATURE, HeaderValue::from_str(&right).expect("a header value"));
        assert_eq!(announced(&doubled).map(|_| ()), Err(Refusal::SignatureDoubled));
    }
}
