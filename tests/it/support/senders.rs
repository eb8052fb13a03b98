//! Senders that are not GitHub: how a story's webhooks of each are signed.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::Sha256;
use taskbridge::ids::PersonId;

use super::world::{HOOK_SECRET, World};

/// HMAC-SHA256 in hex over these parts.
pub(crate) fn hex_code(key: &[u8], parts: &[&[u8]]) -> String {
    hex::encode(code(key, parts))
}

/// The same in base64.
pub(crate) fn base64_code(key: &[u8], parts: &[&[u8]]) -> String {
    STANDARD.encode(code(key, parts))
}

fn code(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// A key of a sender that signs with Ed25519.
pub(crate) fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// Its public half, as Standard Webhooks writes it.
pub(crate) fn public_key() -> String {
    format!("whpk_{}", STANDARD.encode(pair().public_key()))
}

/// A request to a source with these headers.
pub(crate) fn request(source: &str, headers: &[(&str, &str)], body: &[u8]) -> Request<Body> {
    let mut request = Request::post(format!("/hooks/{source}")).body(Body::from(body.to_vec())).unwrap();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// As Sentry sends it.
pub(crate) fn sentry(id: &str, resource: &str, body: &[u8]) -> Request<Body> {
    let signature = hex_code(HOOK_SECRET.as_bytes(), &[body]);
    let headers = [
        ("content-type", "application/json"),
        ("request-id", id),
        ("sentry-hook-resource", resource),
        ("sentry-hook-timestamp", "1"),
        ("sentry-hook-signature", &signature),
    ];
    request("sentry", &headers, body)
}

impl World {
    /// Mona agrees that these rules run with her token.
    pub(crate) async fn mona_consents(&self, rules: &[&str]) {
        for rule in rules {
            self.bridge.store.give_consent(PersonId(1001), rule, self.bridge.ground.now()).await.unwrap();
        }
    }

    /// The entries in the story of a task.
    pub(crate) async fn entries(&self, task: taskbridge::ids::TaskId) -> Vec<String> {
        let entries = self.bridge.store.timeline(task).await.unwrap();
        entries.into_iter().map(|entry| format!("{}: {}", entry.kind, entry.text)).collect()
    }
}
