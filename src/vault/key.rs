//! A sealing key: read from text, known by a number that tells nothing about it, printed by nobody.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Size of a key, in bytes.
pub(super) const SIZE: usize = 32;

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// The public name of a key: eight bytes of a hash of it, written as 16 hex digits. Stored in front
/// of everything the key sealed, and safe to log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(super) [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A text or a list of texts that is no use as keys. A person must give another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 32 bytes in hex or base64.
    #[error(
        "a sealing key must be 32 random bytes, written as 64 hex digits or in base64 \
         (`openssl rand -base64 32` makes one)"
    )]
    NotAKey,
    /// No key at all.
    #[error("at least one sealing key must be given: without one no token can be stored")]
    None,
    /// The same key more than once.
    #[error("the sealing key {0} is given twice: after a rotation list the new key first and the old one after it")]
    Twice(KeyId),
}

/// A sealing key. Wiped from memory when dropped; `Debug` shows its id only.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    bytes: Zeroizing<[u8; SIZE]>,
}

impl Key {
    /// Reads a key from hex or base64 (both alphabets, padded or not); white space around it is ignored.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`], which does not quote the text.
    pub fn parse(text: &Secret) -> Result<Self, KeyError> {
        let text = text.expose().trim();
        let mut bytes = Zeroizing::new([0; SIZE]);
        if text.len() == SIZE * 2 {
            hex::decode_to_slice(text, &mut *bytes).map_err(|_| KeyError::NotAKey)?;
            return Ok(Self::from_bytes(bytes));
        }
        // 32 bytes are 43 or 44 characters; the decoder wants room for what 44 could hold.
        let mut room = Zeroizing::new([0; SIZE + 4]);
        if !(43..=44).contains(&text.len()) {
            return Err(KeyError::NotAKey);
        }
        let engine = if text.contains(['-', '_']) { BASE64_URL } else { BASE64 };
        match engine.decode_slice(text, &mut *room) {
            Ok(SIZE) => bytes.copy_from_slice(&room[..SIZE]),
            _ => return Err(KeyError::NotAKey),
        }
        Ok(Self::from_bytes(bytes))
    }

    pub(super) fn from_bytes(bytes: Zeroizing<[u8; SIZE]>) -> Self {
        let hash = Sha256::new().chain_update(b"taskbridge key id v1\0").chain_update(bytes.as_slice()).finalize();
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        Self { id: KeyId(id), bytes }
    }

    /// The key's public name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// A key for one purpose; from it neither this key nor that of another purpose can be told.
    pub(super) fn derive(&self, kind: &str, purpose: &str) -> Zeroizing<[u8; SIZE]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.bytes.as_slice()).expect("HMAC takes keys of any length");
        mac.update(b"taskbridge ");
        mac.update(kind.as_bytes());
        mac.update(b"\0");
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}
