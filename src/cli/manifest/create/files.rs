//! Where the App's secrets go: three new files that only their owner can read. Their places are taken before the code is sent,
//! so that nothing stands in the way once the secrets are there.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::cli::CliError;
use crate::github::MadeApp;
use crate::vault::SecretFile;

/// The private key.
pub(super) const KEY: &str = "github-app.pem";
/// What the App's webhooks are signed with.
pub(super) const WEBHOOK: &str = "github-webhook.secret";
/// What stands beside the client id.
pub(super) const CLIENT: &str = "github-client.secret";
/// Room that is taken for each, in bytes: more than any of them needs.
const ROOM: usize = 33 * 1024;

/// The folder of the files.
pub(super) struct Places {
    folder: PathBuf,
    /// Seen from the configuration's folder, whose files are named so; whole, if it lies elsewhere.
    named: PathBuf,
}

impl Places {
    /// The folder asked for, or the configuration's own.
    pub(super) fn of(config: &Path, out: Option<&Path>) -> Result<Self, CliError> {
        let own = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let whole = |folder: &Path| {
            let found = folder.canonicalize().ok().filter(|folder| folder.is_dir());
            found.ok_or_else(|| {
                CliError::Said(format!("{} is no folder: make it first, or name another", folder.display()))
            })
        };
        let (own, folder) = (whole(own)?, whole(out.unwrap_or(own))?);
        if folder.to_str().is_none() {
            return Err(CliError::Said(format!("{} cannot be named in a configuration", folder.display())));
        }
        let named = folder.strip_prefix(&own).map_or_else(|_| folder.clone(), Path::to_owned);
        Ok(Self { folder, named })
    }

    /// Takes them, with room for what comes.
    pub(super) fn take(&self) -> Result<Taken, String> {
        let one = |name: &str| -> Result<SecretFile, String> {
            let path = self.folder.join(name);
            let mut file = SecretFile::create(&path).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => taken(&path),
                _ => format!("{} cannot be made: {error}", path.display()),
            })?;
            file.reserve(ROOM).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
            Ok(file)
        };
        Ok(Taken { key: one(KEY)?, webhook: one(WEBHOOK)?, client: one(CLIENT)? })
    }

    /// One of them as a person finds it.
    pub(super) fn whole(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// One of them as the configuration names it.
    pub(super) fn named(&self, name: &str) -> String {
        self.named.join(name).display().to_string()
    }
}

fn taken(path: &Path) -> String {
    format!(
        "{} is there already, and nothing is written over it: move it away, or choose another folder with `--out`",
        path.display()
    )
}

/// Their places, taken.
pub(super) struct Taken {
    key: SecretFile,
    webhook: SecretFile,
    client: SecretFile,
}

impl Taken {
    /// Writes the secrets. What was written before a failure stays, and the failure names it.
    pub(super) fn keep(self, made: &MadeApp) -> Result<(), String> {
        let mut there: Vec<String> = Vec::new();
        let of_webhook = made.webhook_secret.as_ref().map(|secret| (self.webhook, secret));
        let all = [Some((self.key, &made.private_key)), of_webhook, Some((self.client, &made.client_secret))];
        for (file, secret) in all.into_iter().flatten() {
            let path = file.path().display().to_string();
            let text = zeroize::Zeroizing::new(format!("{}\n", secret.expose().trim_end()));
            file.keep(text.as_bytes()).map_err(|error| {
                let rest = if there.is_empty() { String::new() } else { format!(" ({} is)", there.join(", ")) };
                format!("the App is made, but {path} is not written: {error}{rest}")
            })?;
            there.push(path);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_elsewhere_is_named_whole_and_one_below_as_seen_from_the_configuration() {
        let own = std::env::temp_dir()
            .canonicalize()
            .expect("a folder")
            .join(format!("taskbridge-places-{}", std::process::id()));
        std::fs::create_dir_all(own.join("secrets")).expect("a folder");
        let config = own.join("taskbridge.yaml");
        let named = |out: Option<&Path>| Places::of(&config, out).map(|places| places.named(KEY));
        assert_eq!(named(None).expect("a place"), KEY);
        assert_eq!(named(Some(&own.join("secrets"))).expect("a place"), format!("secrets/{KEY}"));
        let elsewhere = own.parent().expect("a folder");
        assert_eq!(named(Some(elsewhere)).expect("a place"), elsewhere.join(KEY).display().to_string());
        assert!(named(Some(&own.join("none"))).expect_err("no folder").to_string().contains("is no folder"));
        std::fs::remove_dir_all(own).expect("it was there");
    }
}
