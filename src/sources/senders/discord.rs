//! Discord's interactions: Ed25519 over the time stamp and the raw body. It sends wrong signatures on purpose now and then,
//! to see that they are refused. Its documentation names no window for the time stamp; ours is that of the others.
//! Facts from discord/discord-api-docs, `developers/interactions/overview.mdx`.

use super::scheme::Scheme;
use super::scheme::ed25519::Ed25519;
use super::scheme::stamp::Window;
use crate::domain::signing_key::PublicKey;

/// How it proves itself, under the public key of the application.
#[must_use]
pub fn scheme(keys: Vec<PublicKey>) -> Scheme {
    Scheme::Ed25519(Ed25519 {
        keys,
        header: "x-signature-ed25519".into(),
        stamp: "x-signature-timestamp".into(),
        window: Window::both(300),
    })
}
