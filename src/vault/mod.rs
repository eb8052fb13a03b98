//! Tokens are readable only in memory and only while used: at rest they are sealed, each to its own
//! place, so that a stolen dump shows nothing and a value copied to another row does not open there.
//!
//! The first key seals, every key opens; a rotation is: put a new key in front, reseal, drop the old one.
//!
//! A sealed value is: version (1 byte), key id (8), nonce (24), ciphertext and tag (16 more than the text).
//! Version, key id, table, row and column are authenticated with it. XChaCha20-Poly1305, because its nonce
//! is long enough to be drawn at random (<https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha>).

mod key;
mod key_file;
mod secret_file;
#[cfg(test)]
mod tests;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::clock::Ground;
use crate::secret::Secret;
pub use key::{Key, KeyError, KeyId};
pub use key_file::{KeyFileError, KeyFileWarning};
pub use secret_file::SecretFile;

const VERSION: u8 = 1;
const NONCE_AT: usize = 1 + 8;
const NONCE_SIZE: usize = 24;
const TEXT_AT: usize = NONCE_AT + NONCE_SIZE;

/// Where the proof lives, as far as sealing is concerned, and what it says.
const PROOF_PLACE: Place<'static> = Place { table: "vault", row: "proof", column: "sealed" };
const PROOF_TEXT: &[u8] = b"taskbridge: these are the right keys";

/// The one cell of the database that a sealed value belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The table's name.
    pub table: &'a str,
    /// The row's key as text; it must not change while the value is kept.
    pub row: &'a str,
    /// The column's name.
    pub column: &'a str,
}

/// A sealed value, as it is stored (`bytea`).
#[derive(Debug, Clone, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Sealed(pub Vec<u8>);

/// Why a sealed value does not open. Neither goes away by trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Its key is not among ours: the operator must give that key as well.
    #[error("sealed with key {id}, which is not among the keys given: add that key after the first one")]
    UnknownKey {
        /// The key it was sealed with.
        id: KeyId,
    },
    /// Changed, cut, or moved to another row: the token is lost and its person must be added again.
    #[error("the sealed value is damaged or was moved from another place; its owner has to be added again")]
    Damaged,
}

/// The keys given are not those that the database was sealed with. The operator must give the right ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongKey {
    /// Another key.
    #[error(
        "this database was sealed with key {sealed_with}, but the first key given is {first} and {sealed_with} is not \
         among the others: give the old key back (in a rotation: after the new one). If it is lost for good, the \
         stored tokens are too: start on an empty database, and add every person again"
    )]
    Other {
        /// The key that sealed the proof.
        sealed_with: KeyId,
        /// The key that would seal now.
        first: KeyId,
    },
    /// The proof itself does not open although its key is here.
    #[error("the database's proof of its sealing key is damaged: restore the database from a backup")]
    Damaged,
}

/// A key made for one purpose: 32 bytes that `Debug` does not show.
#[derive(Clone)]
pub struct Subkey(Zeroizing<[u8; key::SIZE]>);

impl Subkey {
    /// The bytes. Every call is a place to review.
    #[must_use]
    pub fn expose(&self) -> &[u8; key::SIZE] {
        &self.0
    }
}

impl std::fmt::Debug for Subkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subkey(…)")
    }
}

/// The keys, and all that is done with them.
#[derive(Debug, Clone)]
pub struct Vault {
    first: Key,
    older: Vec<Key>,
}

impl Vault {
    /// A vault of `keys`: the first seals, every one opens.
    ///
    /// # Errors
    /// When there is none, or one twice.
    pub fn new(keys: Vec<Key>) -> Result<Self, KeyError> {
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|earlier| earlier.id() == key.id()) {
                return Err(KeyError::Twice(key.id()));
            }
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyError::None)?;
        Ok(Self { first, older: keys.collect() })
    }

    /// The key that seals.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.first.id()
    }

    /// Seals `plain` to `place`. What is to be opened with [`Vault::open`] must be UTF-8.
    #[must_use]
    pub fn seal(&self, place: &Place<'_>, plain: &[u8], ground: &Ground) -> Sealed {
        let nonce: [u8; NONCE_SIZE] = ground.bytes();
        let aad = associated(place, self.first.id());
        let text = cipher(&self.first)
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
            .expect("only texts of more than 256 GiB are refused, and none fits in memory");
        let mut sealed = Vec::with_capacity(TEXT_AT + text.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.first.id().0);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Sealed(sealed)
    }

    /// Opens what was sealed to the same place with any of the keys.
    ///
    /// # Errors
    /// See [`OpenError`]; a text that is not UTF-8 counts as damaged.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
        let mut plain = self.open_bytes(place, sealed)?;
        match String::from_utf8(std::mem::take(&mut *plain)) {
            Ok(text) => Ok(Secret::new(text)),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                Err(OpenError::Damaged)
            }
        }
    }

    /// Like [`Vault::open`], for what is not text.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_bytes(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let id = key_id_of(sealed).ok_or(OpenError::Damaged)?;
        let key = self.keys().find(|key| key.id() == id).ok_or(OpenError::UnknownKey { id })?;
        let (nonce, text) =
            sealed.get(NONCE_AT..).and_then(|rest| rest.split_first_chunk::<NONCE_SIZE>()).ok_or(OpenError::Damaged)?;
        let aad = associated(place, id);
        let plain = cipher(key).decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: &aad });
        plain.map(Zeroizing::new).map_err(|_| OpenError::Damaged)
    }

    /// Whether `sealed` should be opened and sealed again: it is not of the first key, or not of today's form.
    #[must_use]
    pub fn needs_reseal(&self, sealed: &[u8]) -> bool {
        key_id_of(sealed) != Some(self.key_id())
    }

    /// The key for `purpose` of the key that seals; for signing.
    #[must_use]
    pub fn subkey(&self, purpose: &str) -> Subkey {
        Subkey(self.first.derive("subkey v1", purpose))
    }

    /// The key for `purpose` of every key, the signing one first: what was signed before a rotation
    /// verifies for as long as the old key is still listed.
    #[must_use]
    pub fn subkeys(&self, purpose: &str) -> Vec<Subkey> {
        self.keys().map(|key| Subkey(key.derive("subkey v1", purpose))).collect()
    }

    /// A value to keep in the database, by which a later start notices that it was given other keys.
    /// To be written anew at the end of a rotation.
    #[must_use]
    pub fn proof(&self, ground: &Ground) -> Vec<u8> {
        self.seal(&PROOF_PLACE, PROOF_TEXT, ground).0
    }

    /// Checks the value that [`Vault::proof`] made.
    ///
    /// # Errors
    /// When none of the keys opens it, with a sentence for the operator.
    pub fn verify_proof(&self, proof: &[u8]) -> Result<(), WrongKey> {
        match self.open_bytes(&PROOF_PLACE, proof) {
            Ok(text) if *text == PROOF_TEXT => Ok(()),
            Err(OpenError::UnknownKey { id }) => Err(WrongKey::Other { sealed_with: id, first: self.key_id() }),
            Ok(_) | Err(OpenError::Damaged) => Err(WrongKey::Damaged),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.older)
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*key.derive("seal v1", "")).into())
}

/// The id of the key that `sealed` says it was sealed with, if it is of a form we know.
fn key_id_of(sealed: &[u8]) -> Option<KeyId> {
    let (version, rest) = sealed.split_first()?;
    (*version == VERSION).then_some(())?;
    rest.first_chunk().map(|id| KeyId(*id))
}

/// What is authenticated beside the text. Each part with its length, so that no two places read the same.
fn associated(place: &Place<'_>, id: KeyId) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&id.0);
    for part in [place.table, place.row, place.column] {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out
}
