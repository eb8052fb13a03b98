//! PostgreSQL refuses to run as root. When taskbridge is root (a container, a first try on a server)
//! its programs run as user `postgres`; otherwise they run as whoever runs taskbridge.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::EmbeddedError;

/// Under which account the server's programs run.
#[derive(Debug)]
pub(super) struct Account {
    /// The server's user number.
    pub(super) uid: u32,
    /// Set when that is not our own account.
    other: Option<Other>,
}

#[derive(Debug)]
struct Other {
    name: String,
    gid: u32,
}

impl Account {
    /// The account for a process that itself runs as `own_uid`.
    pub(super) fn serving(own_uid: u32) -> Result<Self, EmbeddedError> {
        if own_uid != 0 {
            return Ok(Self { uid: own_uid, other: None });
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(|_| EmbeddedError::NoAccount)?;
        let (uid, gid) = ids_of("postgres", &passwd).ok_or(EmbeddedError::NoAccount)?;
        Ok(Self { uid, other: Some(Other { name: "postgres".into(), gid }) })
    }

    /// A call of `program` as the server's account, free of whatever the caller's environment says
    /// about other PostgreSQL servers or languages, and out of reach of the terminal's Ctrl-C.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").env("TZ", "UTC").current_dir("/").process_group(0).stdin(Stdio::null());
        if let Some(other) = &self.other {
            command.uid(self.uid).gid(other.gid);
        }
        command
    }

    /// Makes the server's account the owner of `path`.
    pub(super) fn hand_over(&self, path: &Path) -> io::Result<()> {
        match &self.other {
            Some(other) => lchown(path, Some(self.uid), Some(other.gid)),
            None => Ok(()),
        }
    }

    /// Whether `path` is the server's own folder and closed to all others.
    pub(super) fn check_owns(&self, path: &Path, meta: &Metadata) -> Result<(), EmbeddedError> {
        if meta.is_dir() && meta.uid() == self.uid && meta.mode() & 0o022 == 0 {
            return Ok(());
        }
        Err(EmbeddedError::NotOurs { folder: path.to_owned(), found: meta.uid(), wanted: self.uid })
    }

    /// Fails with the first folder from `/` down to `path` that the server's account cannot enter.
    /// `path` must be absolute and without links.
    pub(super) fn check_reaches(&self, path: &Path) -> Result<(), EmbeddedError> {
        let Some(other) = &self.other else { return Ok(()) };
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        for folder in way {
            let meta = fs::metadata(folder).map_err(EmbeddedError::io("looking at the way to the data", folder))?;
            if !may_enter(&meta, self.uid, other.gid) {
                return Err(EmbeddedError::NotTraversable { folder: folder.to_owned(), user: other.name.clone() });
            }
        }
        Ok(())
    }

    /// Lets the server's account pass through taskbridge's own data folder (not list it).
    pub(super) fn open_way(&self, folder: &Path) -> io::Result<()> {
        let Some(other) = &self.other else { return Ok(()) };
        let meta = fs::metadata(folder)?;
        if may_enter(&meta, self.uid, other.gid) {
            return Ok(());
        }
        let mut rights = meta.permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, meta.mode() & 0o7777 | 0o001);
        fs::set_permissions(folder, rights)
    }
}

fn may_enter(meta: &Metadata, uid: u32, gid: u32) -> bool {
    let bit = match (meta.uid() == uid, meta.gid() == gid) {
        (true, _) => 0o100,
        (false, true) => 0o010,
        (false, false) => 0o001,
    };
    meta.mode() & bit != 0
}

/// User and group number of `name` in the text of a passwd file (passwd(5)).
fn ids_of(name: &str, passwd: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then_some((uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_numbers_of_an_account() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:7::/:/bin/sh\npostgres:x:105:110:PG:/var:/bin/sh\n";
        assert_eq!(ids_of("postgres", passwd), Some((105, 110)));
        assert_eq!(ids_of("nobody", passwd), None);
        assert_eq!(ids_of("root", passwd), None, "never root under another name");
    }
}
