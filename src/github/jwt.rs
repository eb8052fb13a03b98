//! The App's signed statement of who it is: RS256 by ring, which is in the tree for TLS anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::error::SetupError;
use super::settings::AppSettings;
use crate::secret::Secret;

/// How far back the statement is dated, for clocks that disagree (GitHub's advice: 60 s).
const BACKDATED: TimeDelta = TimeDelta::seconds(60);
/// How long it holds. GitHub refuses more than 10 minutes; one is kept for clocks that disagree.
const VALID: TimeDelta = TimeDelta::minutes(9);

/// The App's key, parsed once.
pub(super) struct Signer {
    app_id: i64,
    key: RsaKeyPair,
}

impl Signer {
    pub(super) fn new(app: &AppSettings) -> Result<Self, SetupError> {
        let bad = |why: &str| SetupError::AppKey { why: why.to_owned() };
        let pem = app.private_key_pem.expose().as_bytes();
        let key = match PrivateKeyDer::from_pem_slice(pem).map_err(|_| bad("no PEM private key is in it"))? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(bad("it is not an RSA key")),
        };
        // ring's own text names the fault ("TooSmall", "InvalidEncoding"), never the key.
        let key = key.map_err(|rejected| bad(&format!("not a usable RSA key ({rejected})")))?;
        Ok(Self { app_id: app.id, key })
    }

    /// A statement that holds from a minute before `now` until nine minutes after.
    pub(super) fn sign(&self, now: DateTime<Utc>) -> Secret {
        let claims = serde_json::json!({
            "iat": (now - BACKDATED).timestamp(),
            "exp": (now + VALID).timestamp(),
            "iss": self.app_id.to_string(),
        });
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        // ring takes its randomness (for blinding only; the signature is always the same) from its own type.
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("the buffer is as long as the modulus, and ring refused keys too short for SHA-256 when parsing");
        Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
