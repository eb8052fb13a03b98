//! What the loader may see of the machine: the environment and files. It comes in as an argument, so
//! that a test needs neither.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// What a file holds, and on unix its mode bits.
#[derive(Clone)]
pub struct FileText {
    /// The bytes, which may be secret.
    pub bytes: Vec<u8>,
    /// The permission bits; `None` where the system has none.
    pub mode: Option<u32>,
}

/// What is said of a file that is not there.
pub(super) const NO_FILE: &str = "there is no such file";

type ReadEnv = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;
type ReadFile = Box<dyn Fn(&Path, usize) -> io::Result<FileText> + Send + Sync>;
type ListFolder = Box<dyn Fn(&Path) -> io::Result<Vec<PathBuf>> + Send + Sync>;

/// The environment and the files that a configuration may use.
pub struct Reader {
    env: ReadEnv,
    file: ReadFile,
    folder: ListFolder,
    secrets: Secrets,
}

/// Which secrets of a configuration are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// All, and each must be there.
    All,
    /// All but those of hooks.
    NotOfHooks,
    /// Those of the database and of the sealing; those of GitHub if they are there; none of hooks.
    Own,
    /// None.
    None,
}

impl Reader {
    /// The real machine.
    #[must_use]
    pub fn system() -> Self {
        Self {
            env: Box::new(|name| std::env::var(name).ok()),
            file: Box::new(read_file),
            folder: Box::new(|path| std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect()),
            secrets: Secrets::All,
        }
    }

    /// A machine that has nothing but this: files are `(path, text)`, readable by their owner only.
    #[must_use]
    pub fn fixed(env: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        let env: BTreeMap<String, String> = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let files: BTreeMap<PathBuf, FileText> = files
            .iter()
            .map(|(path, text)| (path.into(), FileText { bytes: text.as_bytes().to_vec(), mode: Some(0o600) }))
            .collect();
        Self::of(env, files)
    }

    /// The same from maps, with modes.
    #[must_use]
    pub fn of(env: BTreeMap<String, String>, files: BTreeMap<PathBuf, FileText>) -> Self {
        let names: Vec<PathBuf> = files.keys().cloned().collect();
        Self {
            env: Box::new(move |name| env.get(name).cloned()),
            file: Box::new(move |path, _| files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())),
            folder: Box::new(move |path| {
                let inside: Vec<PathBuf> = names.iter().filter(|name| name.parent() == Some(path)).cloned().collect();
                if inside.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(inside) }
            }),
            secrets: Secrets::All,
        }
    }

    /// The same for a command that takes in no webhook: the secrets of sources are not fetched, and none of them
    /// verifies anything.
    #[must_use]
    pub fn without_hook_secrets(self) -> Self {
        Self { secrets: Secrets::NotOfHooks, ..self }
    }

    /// The same for one that asks GitHub nothing either: what GitHub is asked with may be missing.
    #[must_use]
    pub fn with_own_secrets(self) -> Self {
        Self { secrets: Secrets::Own, ..self }
    }

    /// The same for a command that looks at nothing secret.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self { secrets: Secrets::None, ..self }
    }

    /// Which secrets are needed.
    pub(super) fn secrets(&self) -> Secrets {
        self.secrets
    }

    /// A variable of the environment; one that is not text counts as absent.
    pub(super) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// All bytes of a file of at most `limit` bytes.
    pub(super) fn bytes(&self, path: &Path, limit: usize) -> Result<FileText, String> {
        let read = (self.file)(path, limit).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => NO_FILE.to_owned(),
            io::ErrorKind::PermissionDenied => "this process may not read the file".to_owned(),
            _ => format!("the file cannot be read: {error}"),
        })?;
        if read.bytes.len() > limit { Err(format!("the file is larger than {limit} bytes")) } else { Ok(read) }
    }

    /// The text of a file of at most `limit` bytes, and its mode.
    pub(super) fn text(&self, path: &Path, limit: usize) -> Result<(String, Option<u32>), String> {
        let FileText { bytes, mode } = self.bytes(path, limit)?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok((text, mode)),
            Err(_) => Err("the file is not UTF-8 text".to_owned()),
        }
    }

    /// The files of a folder, sorted by name.
    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = (self.folder)(folder)?;
        paths.sort();
        Ok(paths)
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

/// Reads one byte more than `limit` at most, so that a device or a growing file cannot fill memory.
fn read_file(path: &Path, limit: usize) -> io::Result<FileText> {
    // Asked before opening: opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = std::fs::File::open(path)?;
    let mode = mode_of(&file.metadata()?);
    let mut bytes = Vec::new();
    file.take(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(FileText { bytes, mode })
}

#[cfg(unix)]
fn mode_of(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(metadata.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode_of(_: &std::fs::Metadata) -> Option<u32> {
    None
}
