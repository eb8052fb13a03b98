//! A secret never stands in the file: the file says where it is (`${NAME}` or `{file: path}`), and
//! only that is ever shown, serialised or hashed.

use std::path::{Path as FilePath, PathBuf};

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::node::Document;
use super::place::Path;
use super::reader::Reader;
use crate::secret::Secret;

/// The largest secret, in bytes.
const MAX_SECRET_BYTES: usize = 64 * 1024;
/// Below this many bytes a secret can be guessed, and is warned about.
const SHORT_SECRET_BYTES: usize = 16;

/// A secret and where it came from. In a loaded configuration it is always filled.
#[derive(Debug, Clone)]
pub struct SecretText {
    from: SecretFrom,
    value: Secret,
}

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "Said")]
pub enum SecretFrom {
    /// In this variable of the environment: `${NAME}`.
    Env(String),
    /// In this file, seen from the folder of the configuration file: `{file: path}`.
    File(PathBuf),
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Said {
    Text(String),
    File(SaidFile),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidFile {
    file: PathBuf,
}

impl From<SecretFrom> for Said {
    fn from(from: SecretFrom) -> Self {
        match from {
            SecretFrom::Env(name) => Self::Text(format!("${{{name}}}")),
            SecretFrom::File(file) => Self::File(SaidFile { file }),
        }
    }
}

/// The name in `${NAME}`, which must be the whole text. The fault does not repeat the text.
pub(super) fn read_reference(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match name {
        Some(name) if is_variable(name) => Ok(name.to_owned()),
        _ => Err("a secret does not stand in this file: say where it is, as `${NAME}` or `{file: path}`".to_owned()),
    }
}

fn is_variable(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl SecretText {
    /// A reference that is not resolved yet.
    #[must_use]
    pub(super) fn unresolved(from: SecretFrom) -> Self {
        Self { from, value: Secret::new("") }
    }

    /// A secret that is already known, for trial and tests.
    #[must_use]
    pub fn known(from: SecretFrom, value: Secret) -> Self {
        Self { from, value }
    }

    /// The secret.
    #[must_use]
    pub fn value(&self) -> &Secret {
        &self.value
    }

    /// Where it came from.
    #[must_use]
    pub fn from(&self) -> &SecretFrom {
        &self.from
    }

    /// Fetches the secret; what is missing, empty or weak is noted at its place in the file.
    pub(super) fn resolve(&mut self, folder: &FilePath, reader: &Reader, at: (&Document, &Path), found: &mut Findings) {
        let (document, path) = at;
        let text = match &self.from {
            SecretFrom::Env(name) => match reader.env(name) {
                Some(text) => text,
                None => return found.fault(document, path, format!("`{name}` is not set in the environment")),
            },
            SecretFrom::File(file) => {
                let shown = file.display();
                let (text, mode) = match reader.text(&folder.join(file), MAX_SECRET_BYTES) {
                    Ok(read) => read,
                    Err(reason) => return found.fault(document, path, format!("the secret in `{shown}`: {reason}")),
                };
                if let Some(mode) = mode.filter(|mode| mode & 0o004 != 0) {
                    let message =
                        format!("everyone on this machine can read the secret in `{shown}` (mode {mode:03o})");
                    found.warn(document, path, message);
                }
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
        };
        if text.trim().is_empty() {
            return found.fault(document, path, "the secret is empty");
        }
        if text.len() < SHORT_SECRET_BYTES {
            found.warn(
                document,
                path,
                format!("the secret is shorter than {SHORT_SECRET_BYTES} bytes: it can be guessed"),
            );
        }
        self.value = Secret::new(text);
    }
}

impl Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.from.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let from = match Said::deserialize(deserializer)? {
            Said::Text(text) => SecretFrom::Env(read_reference(&text).map_err(serde::de::Error::custom)?),
            Said::File(said) => SecretFrom::File(said.file),
        };
        Ok(Self::unresolved(from))
    }
}

impl schemars::JsonSchema for SecretText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A secret: `${NAME}` from the environment, or `{file: path}`, seen from the folder of this file.",
            "anyOf": [
                { "type": "string", "format": "secret", "pattern": "^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$" },
                {
                    "type": "object",
                    "properties": { "file": { "type": "string", "description": "The file that holds nothing but the secret." } },
                    "required": ["file"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
