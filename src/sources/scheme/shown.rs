//! Secrets that are shown and sign nothing: a token in a header, or a user name and password. They say who sent a
//! request and nothing about what is in it, so HTTPS has to keep both together.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::super::request::{Refusal, needed};
use crate::secret::Secret;

/// What is shown.
#[derive(Debug)]
pub struct Shown {
    secrets: Vec<Secret>,
    header: Cow<'static, str>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The secret behind this prefix.
    Token(Cow<'static, str>),
    /// `Basic` and `user:password` in base64.
    Basic(String),
}

impl Shown {
    /// A token in `header`, behind `prefix`.
    #[must_use]
    pub fn token(
        secrets: Vec<Secret>,
        header: impl Into<Cow<'static, str>>,
        prefix: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { secrets, header: header.into(), form: Form::Token(prefix.into()) }
    }

    /// `Authorization: Basic` of this user with one of these passwords.
    #[must_use]
    pub fn basic(username: String, secrets: Vec<Secret>) -> Self {
        Self { secrets, header: "authorization".into(), form: Form::Basic(username) }
    }

    /// What stands in the header, as bytes.
    pub(super) fn announced(&self, headers: &HeaderMap) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let text = needed(headers, &self.header)?;
        let shown = match &self.form {
            Form::Token(prefix) => text.strip_prefix(prefix.as_ref()).map(|text| text.as_bytes().to_vec()),
            Form::Basic(_) => text.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()),
        };
        shown.filter(|shown| !shown.is_empty()).map(Zeroizing::new).ok_or(Refusal::SignatureMalformed)
    }

    pub(super) fn verify(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let shown = self.announced(headers)?;
        let mut right = false;
        for secret in &self.secrets {
            let wanted = Zeroizing::new(match &self.form {
                Form::Token(_) => secret.expose().to_owned(),
                Form::Basic(username) => format!("{username}:{}", secret.expose()),
            });
            right |= same(wanted.as_bytes(), &shown) & !secret.expose().is_empty();
        }
        if right { Ok(()) } else { Err(Refusal::SignatureWrong) }
    }
}

/// Whether two texts are the same, in a time that does not tell where they differ: their codes are compared.
#[must_use]
pub fn same(wanted: &[u8], shown: &[u8]) -> bool {
    let code = |text: &[u8]| {
        let mut code = Hmac::<Sha256>::new_from_slice(b"comparing what is shown").ok()?;
        code.update(text);
        Some(code)
    };
    let (Some(wanted), Some(shown)) = (code(wanted), code(shown)) else { return false };
    shown.verify(&wanted.finalize().into_bytes()).is_ok()
}
