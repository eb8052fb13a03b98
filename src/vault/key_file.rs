//! The sealing key in a file of its own, made at the first start when none was given.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Vault;
use super::key::{Key, KeyError, SIZE};
use super::secret_file::SecretFile;
use crate::clock::Ground;
use crate::secret::Secret;

/// A key file is one line; more than this many bytes is another kind of file.
const LIMIT: u64 = 1024;

/// Why a key file could not be made or read. Waits for a person.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is already there; a key is never overwritten, as what it sealed would be lost.
    #[error("the key file {} is already there and is never overwritten: use it, or choose another path", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("the key file {} cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("the key file {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds no key.
    #[error("the key file {} holds no key: {source}; put the right one back from your backup", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with the text, without the text.
        source: KeyError,
    },
}

/// Something about a key file that a person should mend; it works meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFileWarning {
    /// Others on the machine can read or change it.
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl std::fmt::Display for KeyFileWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::OpenToOthers { path, mode } = self;
        let path = path.display();
        write!(f, "the key file {path} is open to others (mode {mode:04o}): close it with `chmod 600 {path}`")
    }
}

impl Vault {
    /// Makes a new key and the file for it, readable by its owner only, on disk before this returns.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] and [`KeyFileError::Write`].
    pub fn generate_key_file(path: &Path, ground: &Ground) -> Result<Key, KeyFileError> {
        let mut bytes = Zeroizing::new([0; SIZE]);
        ground.chance.fill(&mut *bytes);
        let mut line = Zeroizing::new([b'\n'; SIZE * 2 + 1]);
        hex::encode_to_slice(bytes.as_slice(), &mut line[..SIZE * 2]).expect("two digits a byte fit exactly");

        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
            _ => KeyFileError::Write { path: path.to_owned(), source },
        };
        SecretFile::create(path).and_then(|file| file.keep(&*line)).map_err(failed)?;
        Ok(Key::from_bytes(bytes))
    }

    /// Reads a key file, and says when others can read it too.
    ///
    /// # Errors
    /// [`KeyFileError::Read`] and [`KeyFileError::Content`].
    pub fn load_key_file(path: &Path) -> Result<(Key, Option<KeyFileWarning>), KeyFileError> {
        let unreadable = |source| KeyFileError::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
        // Room for all that may be read, so that no half-grown buffer with the key in it is left behind.
        let mut text = String::with_capacity(usize::try_from(LIMIT).unwrap_or_default());
        (&mut file).take(LIMIT).read_to_string(&mut text).map_err(unreadable)?;
        let key =
            Key::parse(&Secret::new(text)).map_err(|source| KeyFileError::Content { path: path.to_owned(), source })?;
        let open = mode & 0o077 != 0;
        Ok((key, open.then(|| KeyFileWarning::OpenToOthers { path: path.to_owned(), mode })))
    }
}
