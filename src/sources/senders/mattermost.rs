//! Mattermost's slash commands: `Authorization: Token …`, a secret shown as it is.
//! Facts from mattermost/mattermost-developer-documentation, `site/content/integrate/slash-commands/`.

use super::scheme::Scheme;
use super::scheme::shown::Shown;
use crate::secret::Secret;

/// How it proves itself.
#[must_use]
pub fn scheme(tokens: Vec<Secret>) -> Scheme {
    Scheme::Shown(Shown::token(tokens, "authorization", "Token "))
}
