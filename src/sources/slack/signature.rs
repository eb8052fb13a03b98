//! `X-Slack-Signature`: `v0=` and 64 lower-case hex digits of HMAC-SHA256 over `v0:{stamp}:{raw body}`, where the stamp is
//! the text of `X-Slack-Request-Timestamp`. A stamp more than five minutes away from the present, to either side, is
//! refused, so that a request that was overheard is soon worth nothing.
//! Facts from Slack's documentation "Verifying requests from Slack".

use super::super::scheme::Scheme;
use super::super::scheme::hmac::{Hmac, Part, Stamp};
use super::super::scheme::stamp::Window;
use crate::domain::signing_key::SharedKey;

const SIGNATURE: &str = "x-slack-signature";
const STAMP: &str = "x-slack-request-timestamp";
/// How far the stamp may be away from the present, in seconds.
const WINDOW: i64 = 300;

/// How Slack proves itself.
#[must_use]
pub fn scheme(keys: Vec<SharedKey>) -> Scheme {
    Scheme::Hmac(Hmac {
        signed: vec![Part::Text("v0:".into()), Part::Stamp, Part::Text(":".into()), Part::Body],
        stamp: Stamp::Header(STAMP.into(), Window::both(WINDOW)),
        ..Hmac::over_body(keys, SIGNATURE, "v0=")
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use hmac::{Hmac, KeyInit, Mac};
    use http::{HeaderMap, HeaderValue};
    use sha2::Sha256;

    use super::{SIGNATURE, STAMP, scheme};
    use crate::domain::signing_key::SharedKey;
    use crate::secret::Secret;
    use crate::sources::Refusal;

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

    fn looks_signed(headers: &HeaderMap) -> Result<(), Refusal> {
        scheme(Vec::new()).looks_signed(headers)
    }

    fn check(stamp: &str, body: &[u8]) -> Result<(), Refusal> {
        let now = DateTime::from_timestamp(NOW, 0).expect("a time");
        let keys = ["the newer secret", "the older secret"].map(|text| SharedKey::of_text(&Secret::new(text)));
        scheme(keys.to_vec()).verify(&headers(&sign("the older secret", stamp, BODY), stamp), body, now)
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
            let refusal = looks_signed(&headers(wrong, "1"));
            assert_eq!(refusal, Err(Refusal::SignatureMalformed), "{wrong}");
        }
        assert_eq!(looks_signed(&HeaderMap::new()), Err(Refusal::SignatureMissing));
        let mut doubled = headers(&right, "1");
        doubled.append(SIGNATURE, HeaderValue::from_str(&right).expect("a header value"));
        assert_eq!(looks_signed(&doubled), Err(Refusal::SignatureDoubled));
    }
}
