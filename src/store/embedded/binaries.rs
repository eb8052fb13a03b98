//! Finds the programs of PostgreSQL. Distributions keep them off the PATH, several versions side by
//! side, and data written by one major version is unreadable to the next.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::error::EmbeddedError;

const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// Where versions live side by side: the folder that is listed, how a name in it begins, and what follows the name.
/// Debian and Ubuntu; the PostgreSQL project's RPMs; Homebrew on ARM and on Intel.
const VERSIONED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

/// A folder with all programs needed, of one major version.
#[derive(Debug)]
pub(super) struct Binaries {
    dir: PathBuf,
    /// The major version.
    pub(super) major: u32,
}

impl Binaries {
    /// The programs in `bindir` and nowhere else when it is given; otherwise those that fit data of
    /// version `wanted`, or the newest. May return another version than `wanted`: the caller tells.
    pub(super) async fn find(
        bindir: Option<&Path>,
        wanted: Option<u32>,
        account: &Account,
    ) -> Result<Self, EmbeddedError> {
        if let Some(dir) = bindir {
            if let Some(missing) = first_missing(dir) {
                return Err(EmbeddedError::BadBindir { dir: dir.to_owned(), missing });
            }
            return Self::at(dir, account).await;
        }
        let mut newest: Option<Self> = None;
        for dir in usual_places(std::env::var_os("PATH").as_deref()) {
            if first_missing(&dir).is_some() {
                continue;
            }
            let found = Self::at(&dir, account).await?;
            if wanted.is_none_or(|wanted| wanted == found.major) {
                return Ok(found);
            }
            newest = newest.or(Some(found));
        }
        newest.ok_or(EmbeddedError::NoBinaries)
    }

    async fn at(dir: &Path, account: &Account) -> Result<Self, EmbeddedError> {
        let dir = dir.canonicalize().map_err(EmbeddedError::io("looking for PostgreSQL", dir))?;
        account.check_reaches(&dir)?;
        let program = dir.join("postgres");
        let bad = |reason: String| EmbeddedError::BadProgram { program: program.clone(), reason };
        let output = tokio::process::Command::from(account.command(&program))
            .arg("--version")
            .output()
            .await
            .map_err(|error| bad(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let major = major_of(&said).ok_or_else(|| bad("it does not tell its version".into()))?;
        Ok(Self { dir, major })
    }

    /// The path of one program.
    pub(super) fn program(&self, name: &'static str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The major version in `postgres (PostgreSQL) 15.14 (Debian 15.14-0)`, also `18beta1`.
fn major_of(said: &str) -> Option<u32> {
    let version = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn first_missing(dir: &Path) -> Option<&'static str> {
    PROGRAMS.into_iter().find(|name| !dir.join(name).is_file())
}

fn usual_places(path: Option<&OsStr>) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for (parent, begin, tail) in VERSIONED {
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let version = entry.file_name().to_str()?.strip_prefix(begin)?.parse().ok()?;
                Some((version, entry.path().join(tail)))
            })
            .collect();
        versions.sort_unstable_by(|a, b| b.cmp(a));
        places.extend(versions.into_iter().map(|(_, dir)| dir));
    }
    places.extend(path.into_iter().flat_map(std::env::split_paths).filter(|dir| dir.is_absolute()));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("sh: not found"), None);
    }

    #[test]
    fn the_path_comes_last_and_only_with_absolute_folders() {
        let places = usual_places(Some(OsStr::new("bin:/opt/pg/bin")));
        assert_eq!(places.last().map(PathBuf::as_path), Some(Path::new("/opt/pg/bin")));
        assert!(!places.contains(&PathBuf::from("bin")));
    }
}
