//! The signature of Standard Webhooks, made; `sources::scheme::standard_webhooks` is where the same is verified. Facts from
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::signing_key::SharedKey;

/// The header `webhook-signature`: one signature a key, in the order of the keys.
pub(super) fn signatures(keys: &[SharedKey], id: &str, stamp: &str, body: &str) -> String {
    let each = keys.iter().map(|key| {
        let mut code = Hmac::<Sha256>::new_from_slice(key.expose()).expect("a key of any length will do");
        for part in [id, ".", stamp, ".", body] {
            code.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(code.finalize().into_bytes()))
    });
    each.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signing_key::SigningKey;
    use crate::secret::Secret;

    fn key(text: &str) -> SharedKey {
        match SigningKey::parse(&Secret::new(text)) {
            Ok(SigningKey::Shared(key)) => key,
            _ => panic!("a shared key"),
        }
    }

    /// The example that the libraries of the specification are tested with.
    #[test]
    fn the_example_of_the_specification_is_signed_as_it_says() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, stamp, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signatures(&[key], id, stamp, body), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn with_two_keys_there_are_two_signatures_and_the_first_key_stands_first() {
        let (old, new) = (key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), key("whsec_c3RvcmllcyBvbmx5LCBub3Qgc2VjcmV0"));
        let alone = signatures(std::slice::from_ref(&new), "1", "2", "3");
        let both = signatures(&[new, old], "1", "2", "3");
        assert!(both.starts_with(&format!("{alone} v1,")), "{both}");
        assert_eq!(both.split(' ').count(), 2);
    }
}
