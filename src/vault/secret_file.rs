//! A file for one secret: readable by its owner only, never put over another, and on disk before its maker goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A new file that is empty yet. Dropped like that, it is gone again: half a secret is worse than none, and the next try must
/// be able to make it.
#[derive(Debug)]
pub struct SecretFile {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl SecretFile {
    /// Takes the place, where nothing is yet; that it is taken is on disk.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::AlreadyExists`] when something is there. Nothing of it is left.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let made = Self { path: path.to_owned(), file, kept: false };
        sync_folder(&made.path)?;
        Ok(made)
    }

    /// Takes room for so many bytes, for a secret that comes once.
    ///
    /// # Errors
    /// What the system says.
    pub fn reserve(&mut self, bytes: usize) -> io::Result<()> {
        self.file.write_all(&vec![b'\n'; bytes])?;
        self.file.sync_all()?;
        self.file.rewind()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the secret, for good.
    ///
    /// # Errors
    /// What the system says; nothing is left of the file then.
    pub fn keep(mut self, secret: &[u8]) -> io::Result<()> {
        self.file.write_all(secret)?;
        self.file.set_len(secret.len() as u64)?;
        self.file.sync_all()?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the folder's entry durable, not only the file's content.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
