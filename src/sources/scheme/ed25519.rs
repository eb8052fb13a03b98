//! Ed25519 signatures. A key of small order, under which anybody can sign, is refused when it is read, and a number in a
//! signature that is not the smallest of its kind by `ring`, so that nobody can make a second signature from a first.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::super::request::{Refusal, needed};
use super::stamp::Window;
use crate::domain::signing_key::PublicKey;

/// A signature in hex over a time stamp and the body, as Discord has it.
#[derive(Debug)]
pub struct Ed25519 {
    /// The sender's keys; any one is enough.
    pub keys: Vec<PublicKey>,
    /// The header of the signature.
    pub header: Cow<'static, str>,
    /// The header of the time stamp.
    pub stamp: Cow<'static, str>,
    /// How far it may be away.
    pub window: Window,
}

impl Ed25519 {
    pub(super) fn announced<'a>(&self, headers: &'a HeaderMap) -> Result<([u8; 64], &'a str), Refusal> {
        let text = needed(headers, &self.header)?;
        let stamp = needed(headers, &self.stamp)?;
        let mut signature = [0; 64];
        hex::decode_to_slice(text, &mut signature).map_err(|_| Refusal::SignatureMalformed)?;
        Ok((signature, stamp))
    }

    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), Refusal> {
        let (signature, stamp) = self.announced(headers)?;
        self.window.holds(stamp, now)?;
        let signed = [stamp.as_bytes(), body].concat();
        let mut right = false;
        for key in &self.keys {
            right |= is_made_by(key, &signed, &signature);
        }
        if right { Ok(()) } else { Err(Refusal::SignatureWrong) }
    }
}

/// Whether the holder of `key` has signed `message` so.
#[must_use]
pub fn is_made_by(key: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, key.bytes()).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    const NOW: i64 = 1_700_000_000;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("any seed")
    }

    fn scheme() -> Ed25519 {
        let key = PublicKey::of_bytes(pair(1).public_key().as_ref().try_into().expect("32 bytes")).expect("a good key");
        Ed25519 { keys: vec![key], header: "x-signature".into(), stamp: "x-stamp".into(), window: Window::both(300) }
    }

    fn answer(signature: &[u8], stamp: &str, body: &[u8]) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.append("x-signature", HeaderValue::from_str(&hex::encode(signature)).expect("hex"));
        headers.append("x-stamp", HeaderValue::from_str(stamp).expect("text"));
        scheme().verify(&headers, body, DateTime::from_timestamp(NOW, 0).expect("a moment"))
    }

    /// Case 23.
    #[test]
    fn only_the_right_key_over_these_bytes_at_this_time_is_right() {
        let stamp = NOW.to_string();
        let right = pair(1).sign(format!("{stamp}{{}}").as_bytes());
        assert_eq!(answer(right.as_ref(), &stamp, b"{}"), Ok(()));
        assert_eq!(answer(right.as_ref(), &stamp, b"{} "), Err(Refusal::SignatureWrong));
        let other = pair(2).sign(format!("{stamp}{{}}").as_bytes());
        assert_eq!(answer(other.as_ref(), &stamp, b"{}"), Err(Refusal::SignatureWrong));
        for bit in 0..512 {
            let mut flipped = right.as_ref().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(answer(&flipped, &stamp, b"{}"), Err(Refusal::SignatureWrong), "bit {bit}");
        }
        let old = (NOW - 301).to_string();
        let late = pair(1).sign(format!("{old}{{}}").as_bytes());
        assert_eq!(answer(late.as_ref(), &old, b"{}"), Err(Refusal::StampStale));
    }

    /// The same signature with the order of the group added to its number: the same equation holds.
    ///
    /// Case 23.
    #[test]
    fn a_signature_has_no_second_form() {
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let stamp = NOW.to_string();
        let mut other = pair(1).sign(format!("{stamp}{{}}").as_bytes()).as_ref().to_vec();
        let mut carry = 0u16;
        for (byte, order) in other[32..].iter_mut().zip(ORDER) {
            carry += u16::from(*byte) + u16::from(order);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert_eq!(carry, 0, "it fits");
        assert_eq!(answer(&other, &stamp, b"{}"), Err(Refusal::SignatureWrong));
    }
}
