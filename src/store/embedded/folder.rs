//! The data folder: who owns it, what lies where in it, and the lock that keeps a second taskbridge out.
//!
//! ```text
//! <data_dir>/taskbridge.lock   held by the one taskbridge that owns the folder
//! <data_dir>/postgres/         the cluster
//! <data_dir>/postgres.log      what the server says
//! <data_dir>/run/              its socket
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::account::Account;
use super::error::EmbeddedError;

/// Over this size, in bytes, the log is emptied at the next start.
const LOG_LIMIT: u64 = 10 * 1024 * 1024;
/// How much of the log's end goes into an error, in bytes.
const TAIL: u64 = 800;
/// The kernel holds 104 bytes (macOS) to 108 (Linux) for a socket's path, of which the file's name takes 15.
const SOCKET_DIR_LIMIT: usize = 85;
/// How long a shared start waits for the start of another process.
const SHARED_WAIT: Duration = Duration::from_secs(60);

/// The cluster's folder and the owner's lock, in the data folder.
pub(super) const CLUSTER: &str = "postgres";
const LOCK: &str = "taskbridge.lock";

/// Who holds the lock of a folder, if somebody does. Makes nothing.
pub(super) fn owner(data_dir: &Path) -> Option<EmbeddedError> {
    let file = File::open(data_dir.join(LOCK)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            Some(EmbeddedError::InUse { folder: data_dir.canonicalize().ok()?, pid: written_pid(&file) })
        }
        _ => None,
    }
}

/// The process number that the owner has written into its lock.
fn written_pid(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The owner's lock. It ends with this and not with the file alone, of which a program that is just being started by another
/// thread has a copy for a moment.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be unlocked is so when the file is closed.
        let _ = self.0.unlock();
    }
}

/// The data folder, made and known to be writable.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// The user number that this process writes files with.
    pub(super) own_uid: u32,
}

impl Folder {
    /// Makes the folder if it is missing and proves that it can be written.
    pub(super) fn open(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let unwritable = |source| EmbeddedError::Unwritable { folder: data_dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o711).create(data_dir).map_err(unwritable)?;
        let root = data_dir.canonicalize().map_err(unwritable)?;
        // The owner of a new file is who we are: the only way to ask without unsafe code.
        let probe = root.join(format!(".probe-{}", std::process::id()));
        let own_uid = File::create(&probe).and_then(|file| file.metadata()).map_err(unwritable)?.uid();
        // Another start in this process may have removed it already.
        let _ = fs::remove_file(&probe);
        Ok(Self { root, own_uid })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.root.join(CLUSTER)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    fn lock_file(&self) -> Result<(File, PathBuf), EmbeddedError> {
        let path = self.root.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file =
            options.open(&path).map_err(|source| EmbeddedError::Unwritable { folder: self.root.clone(), source })?;
        Ok((file, path))
    }

    /// Takes the owner's lock, which lasts as long as it is held, or says who has it.
    pub(super) fn lock(&self) -> Result<Lock, EmbeddedError> {
        let (mut file, path) = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(EmbeddedError::InUse { folder: self.root.clone(), pid: written_pid(&file) });
            }
            Err(TryLockError::Error(source)) => return Err(EmbeddedError::io("locking", path)(source)),
        }
        let mark = |file: &mut File| -> io::Result<()> {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())
        };
        mark(&mut file).map_err(EmbeddedError::io("writing", path))?;
        Ok(Lock(file))
    }

    /// Takes the same lock for a start that several processes may be about to make; they queue.
    pub(super) async fn lock_for_start(&self) -> Result<Lock, EmbeddedError> {
        let give_up = tokio::time::Instant::now() + SHARED_WAIT;
        loop {
            match self.lock() {
                Err(EmbeddedError::InUse { .. }) if tokio::time::Instant::now() < give_up => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                done => return done,
            }
        }
    }

    /// The folder for the socket: in the data folder, or a stable one under the temporary folder
    /// when the path would be too long for the kernel or is not text.
    pub(super) fn socket_dir(&self, account: &Account) -> Result<PathBuf, EmbeddedError> {
        let near = self.root.join("run");
        if near.to_str().is_some_and(|text| text.len() <= SOCKET_DIR_LIMIT) {
            return self.private_dir(near, account);
        }
        let hash = hex::encode(&Sha256::digest(self.root.as_os_str().as_bytes())[..8]);
        // The temporary folder may itself be too long; /tmp never is.
        let temp = std::env::temp_dir().canonicalize().ok().filter(|dir| {
            dir.to_str().is_some_and(|text| text.len() + "/taskbridge-".len() + hash.len() <= SOCKET_DIR_LIMIT)
        });
        let far = temp.unwrap_or_else(|| PathBuf::from("/tmp")).join(format!("taskbridge-{hash}"));
        self.private_dir(far, account)
    }

    /// Makes `dir` the server's own, or checks that it already is. The temporary folder is open to
    /// everyone, so a folder or link that someone else laid there is refused.
    pub(super) fn private_dir(&self, dir: PathBuf, account: &Account) -> Result<PathBuf, EmbeddedError> {
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => account.hand_over(&dir).map_err(EmbeddedError::io("handing over", &dir))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(EmbeddedError::io("making a folder", dir)(source)),
        }
        let look = || fs::symlink_metadata(&dir).map_err(EmbeddedError::io("looking at", &dir));
        let meta = look()?;
        if meta.is_dir() && meta.uid() == self.own_uid && meta.uid() != account.uid {
            // We died between making it and handing it over.
            account.hand_over(&dir).map_err(EmbeddedError::io("handing over", &dir))?;
        }
        account.check_owns(&dir, &look()?)?;
        if let Some(parent) = dir.parent() {
            account.check_reaches(parent)?;
        }
        Ok(dir)
    }

    /// The log, open for appending, emptied first when it has grown too large.
    pub(super) fn open_log(&self) -> Result<File, EmbeddedError> {
        let path = self.log();
        let open = || -> io::Result<File> {
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            if file.metadata()?.len() > LOG_LIMIT {
                file.set_len(0)?;
            }
            Ok(file)
        };
        open().map_err(EmbeddedError::io("opening", &path))
    }

    /// The end of the log from byte `from` on, on one line.
    pub(super) fn log_tail(&self, from: u64) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(self.log())?;
            let len = file.metadata()?.len();
            // It was emptied since `from` was noted if it is shorter now.
            let from = if from > len { 0 } else { from };
            file.seek(SeekFrom::Start(from.max(len.saturating_sub(TAIL))))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        one_line(&read().unwrap_or_default())
    }
}

/// What a program said, its last [`TAIL`] bytes, as one line fit for an error.
pub(super) fn one_line(said: &[u8]) -> String {
    let from = said.len().saturating_sub(usize::try_from(TAIL).unwrap_or(usize::MAX));
    let text = String::from_utf8_lossy(&said[from..]);
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { "it said nothing".into() } else { words.join(" ") }
}
