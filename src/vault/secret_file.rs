//! A file for one secret: readable by its owner only, never put over another, and on disk before its maker goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
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
    /// Takes the place, where nothing is yet.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::AlreadyExists`] when something is there.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self { path: path.to_owned(), file, kept: false })
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
        self.file.sync_all()?;
        sync_folder(&self.path)?;
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
