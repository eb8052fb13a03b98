//! Keys that webhooks are signed with, read from their text once, when the configuration is loaded: a key that is none
//! is then a fault with its place in the file, and not a refusal of every webhook.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Lengths of a key of Standard Webhooks, in bytes.
const SHARED: std::ops::RangeInclusive<usize> = 24..=64;
/// The points of small order on Curve25519 in all their encodings, without the sign bit: under such a key one signature
/// is right for many messages.
const WEAK: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// A text that is no key: one sentence that never repeats it. A person must give another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyFault(&'static str);

/// The bytes of a key that both sides hold; printed as dots, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedKey(Zeroizing<Vec<u8>>);

/// The key of a sender that signs with Ed25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// A key of Standard Webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SigningKey {
    /// `whsec_…`: HMAC-SHA256, version `v1`.
    Shared(SharedKey),
    /// `whpk_…`: Ed25519, version `v1a`.
    Public(PublicKey),
}

impl SharedKey {
    /// The text itself is the key, as most senders have it.
    #[must_use]
    pub fn of_text(secret: &Secret) -> Self {
        Self(Zeroizing::new(secret.expose().as_bytes().to_vec()))
    }

    /// The text is the key in base64.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn of_base64(secret: &Secret) -> Result<Self, KeyFault> {
        let bytes = STANDARD.decode(secret.expose()).map_err(|_| KeyFault("the key is no base64"))?;
        if bytes.is_empty() { Err(KeyFault("the key is empty")) } else { Ok(Self(Zeroizing::new(bytes))) }
    }

    /// The bytes. Every call is a place to review.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedKey(…)")
    }
}

impl PublicKey {
    /// A key as it is, unless it is one of the few under which anybody can sign.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn of_bytes(bytes: [u8; 32]) -> Result<Self, KeyFault> {
        if is_weak(bytes) {
            Err(KeyFault("this public key is a weak one, under which anybody can sign"))
        } else {
            Ok(Self(bytes))
        }
    }

    /// A key in hex, as Discord shows it.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn of_hex(text: &str) -> Result<Self, KeyFault> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyFault("a public key is 64 hex digits"))?;
        Self::of_bytes(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SigningKey {
    /// Reads `whsec_…` or `whpk_…`.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn parse(secret: &Secret) -> Result<Self, KeyFault> {
        let text = secret.expose();
        if let Some(rest) = text.strip_prefix("whsec_") {
            let key = SharedKey::of_base64(&Secret::new(rest))?;
            if !SHARED.contains(&key.expose().len()) {
                return Err(KeyFault("a key that begins with `whsec_` is 24 to 64 bytes in base64"));
            }
            return Ok(Self::Shared(key));
        }
        let Some(rest) = text.strip_prefix("whpk_") else {
            return Err(KeyFault(
                "a key of Standard Webhooks begins with `whsec_`, or with `whpk_` if it is a public one",
            ));
        };
        let bytes = STANDARD.decode(rest).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.ok_or(KeyFault("a key that begins with `whpk_` is 32 bytes in base64"))?;
        PublicKey::of_bytes(bytes).map(Self::Public)
    }
}

fn is_weak(mut point: [u8; 32]) -> bool {
    point[31] &= 0x7f;
    let shown = hex::encode(point);
    WEAK.contains(&shown.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SigningKey, KeyFault> {
        SigningKey::parse(&Secret::new(text))
    }

    #[test]
    fn a_key_is_read_by_how_it_begins_and_has_its_length() {
        assert!(matches!(parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Ok(SigningKey::Shared(_))));
        assert!(matches!(parse("whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="), Ok(SigningKey::Public(_))));
        for wrong in [
            "",
            "whsec_",
            "whsec_AAAA",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_",
            "whpk_AAAA",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        assert!(parse(&long).is_err());
        let shown = format!("{:?}", parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        assert!(!shown.contains("49") && shown.contains('…'), "{shown}");
    }

    /// Case 23.
    #[test]
    fn a_key_of_small_order_is_none() {
        for weak in WEAK {
            assert!(PublicKey::of_hex(weak).is_err(), "{weak}");
            let mut signed: [u8; 32] = hex::decode(weak).expect("hex").try_into().expect("32 bytes");
            signed[31] |= 0x80;
            assert!(PublicKey::of_bytes(signed).is_err(), "{weak} with its sign");
            assert!(parse(&format!("whpk_{}", STANDARD.encode(signed))).is_err());
        }
        assert!(PublicKey::of_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").is_ok());
    }
}
