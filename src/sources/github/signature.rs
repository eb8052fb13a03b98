//! `X-Hub-Signature-256`: `sha256=` and 64 lower-case hex digits of HMAC-SHA256 over the raw body.
//! The official libraries compare the header as text, so upper case, spaces and lists are refused here too.
//! The older SHA-1 header is ignored.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

use super::super::request::{Refusal, only};
use crate::secret::Secret;

const HEADER: &str = "x-hub-signature-256";

/// The digest that the headers say the body has.
pub(super) fn announced(headers: &HeaderMap) -> Result<[u8; 32], Refusal> {
    let text = match only(headers, HEADER) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(Refusal::SignatureMissing),
        Err(()) if headers.get_all(HEADER).iter().count() > 1 => return Err(Refusal::SignatureDoubled),
        Err(()) => return Err(Refusal::SignatureMalformed),
    };
    digest(text).ok_or(Refusal::SignatureMalformed)
}

pub(super) fn verify(secrets: &[Secret], headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let expected = announced(headers)?;
    // Every secret is tried, whichever matches, so that the time says nothing about which.
    let mut matches = false;
    for secret in secrets {
        matches |= is_made_by(secret, body, &expected);
    }
    if matches { Ok(()) } else { Err(Refusal::SignatureWrong) }
}

fn is_made_by(secret: &Secret, body: &[u8], expected: &[u8; 32]) -> bool {
    let key = secret.expose().as_bytes();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    mac.update(body);
    !key.is_empty() && mac.verify_slice(expected).is_ok()
}

fn digest(header: &str) -> Option<[u8; 32]> {
    let hex = header.strip_prefix("sha256=")?;
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

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_str(value).expect("a header value"));
        }
        headers
    }

    fn sign(secret: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
        mac.update(body);
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn any_live_secret_is_enough_and_a_removed_one_is_not() {
        let both = [Secret::new("the newer secret"), Secret::new("the older secret")];
        let old = sign("the older secret", b"body");
        assert_eq!(verify(&both, &headers(&[&old]), b"body"), Ok(()));
        assert_eq!(verify(&both[..1], &headers(&[&old]), b"body"), Err(Refusal::SignatureWrong));
        assert_eq!(verify(&both, &headers(&[&old]), b"Body"), Err(Refusal::SignatureWrong));
    }

    /// Case 16.
    #[test]
    fn other_forms_are_refused() {
        let secrets = [Secret::new("secret")];
        let right = sign("secret", b"body");
        let upper = right.to_uppercase().replace("SHA256", "sha256");
        for wrong in ["", "sha256=", &right[..70], &format!("{right}0"), &upper, &right.replace("sha256", "sha1")] {
            assert_eq!(verify(&secrets, &headers(&[wrong]), b"body"), Err(Refusal::SignatureMalformed), "{wrong}");
        }
        assert_eq!(verify(&secrets, &headers(&[]), b"body"), Err(Refusal::SignatureMissing));
        assert_eq!(verify(&secrets, &headers(&[&right, &right]), b"body"), Err(Refusal::SignatureDoubled));
    }

    #[test]
    fn an_empty_secret_verifies_nothing() {
        assert!(verify(&[Secret::new("")], &headers(&[&sign("", b"body")]), b"body").is_err());
    }
}
