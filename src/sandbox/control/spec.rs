//! What one says to set up the world: the same words in the process and over HTTP.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::ControlError;
use crate::sandbox::world::TokenKind;

fn yes() -> bool {
    true
}

fn user_kind() -> String {
    "User".to_owned()
}

fn main_branch() -> String {
    "main".to_owned()
}

fn bad_gateway() -> u16 {
    502
}

/// An account.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// The number, which never changes.
    pub id: i64,
    /// The name.
    pub login: String,
    /// A token to call with.
    #[serde(default)]
    pub token: Option<String>,
    /// What kind of token it is.
    #[serde(default)]
    pub token_kind: TokenKind,
    /// Whether the agent may be started.
    #[serde(default = "yes")]
    pub copilot_seat: bool,
    /// `User`, `Bot` or `Organization`.
    #[serde(default = "user_kind")]
    pub kind: String,
}

impl UserSpec {
    /// A person with a seat and a fine-grained token.
    #[must_use]
    pub fn person(id: i64, login: &str, token: &str) -> Self {
        let token = Some(token.to_owned());
        let token_kind = TokenKind::default();
        Self { id, login: login.to_owned(), token, token_kind, copilot_seat: true, kind: user_kind() }
    }
}

impl std::fmt::Debug for UserSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserSpec").field("id", &self.id).field("login", &self.login).finish_non_exhaustive()
    }
}

/// A repository.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepoSpec {
    /// The number.
    pub id: i64,
    /// The owner's login.
    pub owner: String,
    /// The name.
    pub name: String,
    /// Invisible to those without a role.
    #[serde(default)]
    pub private: bool,
    /// The default branch.
    #[serde(default = "main_branch")]
    pub default_branch: String,
}

impl RepoSpec {
    /// A private repository with the branch `main`.
    #[must_use]
    pub fn private(id: i64, owner: &str, name: &str) -> Self {
        Self { id, owner: owner.to_owned(), name: name.to_owned(), private: true, default_branch: main_branch() }
    }
}

/// An issue.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueSpec {
    /// `owner/name`.
    pub repo: String,
    /// The next one if absent.
    #[serde(default)]
    pub number: Option<i64>,
    /// The author's login.
    pub author: String,
    /// The title.
    pub title: String,
    /// The text.
    #[serde(default)]
    pub body: Option<String>,
    /// The labels.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// A pull request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullSpec {
    /// What it has in common with an issue.
    pub issue: IssueSpec,
    /// The branch it comes from.
    pub head_ref: String,
    /// The repository it comes from; the same if absent, a deleted fork if null.
    #[serde(default, deserialize_with = "present")]
    pub head_repo: Option<Option<String>>,
    /// The branch it goes to; the default branch if absent.
    #[serde(default)]
    pub base_ref: Option<String>,
    /// Whether it is a draft.
    #[serde(default)]
    pub draft: bool,
}

/// Tells a null from an absent value.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// A comment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommentSpec {
    /// `owner/name`.
    pub repo: String,
    /// Of which issue or pull request.
    pub number: i64,
    /// The author's login.
    pub author: String,
    /// The text.
    pub body: String,
    /// The file, for a comment on a line of a diff.
    #[serde(default)]
    pub path: Option<String>,
}

/// The GitHub App.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSpec {
    /// The number.
    pub id: i64,
    /// The name in addresses; its account is `slug[bot]`.
    pub slug: String,
    /// The other name a JWT may carry.
    #[serde(default)]
    pub client_id: String,
    /// PEM or base64 of the RSA public key; without one the signature of a JWT is not checked.
    #[serde(default)]
    pub public_key: Option<String>,
}

/// An installation of the App.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallationSpec {
    /// The number.
    pub id: i64,
    /// The account's login.
    pub account: String,
    /// Full names; all of the account if absent.
    #[serde(default)]
    pub repos: Option<Vec<String>>,
    /// Suspended: reaches nothing.
    #[serde(default)]
    pub suspended: bool,
}

/// A delivery that GitHub tried; of the App's hook unless it names a repository or an organization.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverySpec {
    /// `owner/name`, for a repository's hook.
    #[serde(default)]
    pub repo: Option<String>,
    /// The login, for an organization's hook.
    #[serde(default)]
    pub org: Option<String>,
    /// The hook's number.
    #[serde(default)]
    pub hook_id: i64,
    /// `X-GitHub-Delivery`.
    pub guid: String,
    /// What the receiver answered.
    #[serde(default = "bad_gateway")]
    pub status_code: u16,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The headers sent.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body sent.
    #[serde(default)]
    pub payload: Value,
}

/// The PKCS#1 DER in a PEM (either kind) or in bare base64.
pub(super) fn rsa_key(text: &str) -> Result<Vec<u8>, ControlError> {
    // The wrapping of a `PUBLIC KEY`: the algorithm's name, then a bit string with the inner key.
    const RSA: [u8; 14] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03];
    let base64: String = text.lines().filter(|line| !line.starts_with("-----")).flat_map(str::chars).collect();
    let base64: String = base64.chars().filter(|c| !c.is_whitespace()).collect();
    let unreadable = || ControlError::Invalid("the public key is neither PEM nor base64 of DER".to_owned());
    let der = STANDARD.decode(base64).map_err(|_| unreadable())?;
    let Some(at) = der.windows(RSA.len()).position(|window| window == RSA) else { return Ok(der) };
    let rest = der.get(at + RSA.len()..).ok_or_else(unreadable)?;
    let inner = rest.iter().position(|byte| *byte == 0x30).ok_or_else(unreadable)?;
    Ok(rest.get(inner..).ok_or_else(unreadable)?.to_vec())
}
