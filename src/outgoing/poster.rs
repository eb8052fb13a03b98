//! One message to one receiver: one request, no redirect, no proxy, no retry of its own, and of the answer no more than the
//! status and a few bytes that are thrown away.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response};

use super::error::PostError;
use super::receiver::Receiver;
use super::signature::signatures;
use super::vetted::{Lookup, System, Vetted, is_guarded, literal_is_public};

/// Named in every request, so that a receiver's operators can see who calls.
const USER_AGENT: &str = concat!("taskbridge/", env!("CARGO_PKG_VERSION"));
/// An unused connection is closed after this long.
const POOL_IDLE: Duration = Duration::from_secs(20);
/// Bytes of an answer that are read, so that its connection can be used again; of a longer one it is closed.
const ANSWER_BYTES: usize = 16 * 1024;
/// The longest that a receiver may ask to be left alone.
const LATER: u64 = 3600;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The same on every try.
    pub id: &'a str,
    /// The text that is signed and sent.
    pub body: &'a str,
}

/// Sends messages. A clone shares the connections.
#[derive(Clone)]
pub struct Poster(Arc<Clients>);

struct Clients {
    lookup: Arc<dyn Lookup>,
    // Made when they are first needed: most installations have no receiver, and no certificates need be read for none.
    guarded: OnceLock<Client>,
    open: OnceLock<Client>,
}

impl Default for Poster {
    fn default() -> Self {
        Self::with_lookup(Arc::new(System))
    }
}

impl std::fmt::Debug for Poster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Poster")
    }
}

impl Poster {
    /// One that asks `lookup` for the addresses of names.
    #[must_use]
    pub fn with_lookup(lookup: Arc<dyn Lookup>) -> Self {
        Self(Arc::new(Clients { lookup, guarded: OnceLock::new(), open: OnceLock::new() }))
    }

    /// Sends a message at this moment, signed for it.
    ///
    /// # Errors
    /// [`PostError`]: whether it was taken is not known; the id tells a second time from the first.
    pub async fn post(&self, receiver: &Receiver, message: Message<'_>, now: DateTime<Utc>) -> Result<(), PostError> {
        if !receiver.allow_private && !literal_is_public(&receiver.url) {
            return Err(PostError::Private);
        }
        let client = self.client(receiver.allow_private)?;
        let stamp = now.timestamp().to_string();
        let signed = signatures(&receiver.keys, message.id, &stamp, message.body);
        let mut signed = HeaderValue::from_str(&signed).map_err(|_| PostError::Client("no signature".to_owned()))?;
        signed.set_sensitive(true);
        let request = client
            .post(receiver.url.clone())
            .timeout(receiver.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", stamp)
            .header("webhook-signature", signed)
            .body(message.body.to_owned());
        match request.send().await {
            Ok(answer) => taken(answer).await,
            Err(error) if is_guarded(&error) => Err(PostError::Private),
            Err(error) if error.is_timeout() => Err(PostError::TooSlow(receiver.timeout)),
            Err(error) => Err(PostError::Network(cause(error))),
        }
    }

    fn client(&self, any: bool) -> Result<Client, PostError> {
        let place = if any { &self.0.open } else { &self.0.guarded };
        if let Some(client) = place.get() {
            return Ok(client.clone());
        }
        // The result is an error only when a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // A proxy would look names up itself, where nobody sees the answer.
            .no_proxy()
            .http1_only()
            .pool_idle_timeout(POOL_IDLE)
            .dns_resolver(Arc::new(Vetted { lookup: Arc::clone(&self.0.lookup), any }))
            .build()
            .map_err(|error| PostError::Client(cause(error)))?;
        Ok(place.get_or_init(|| client).clone())
    }
}

async fn taken(mut answer: Response) -> Result<(), PostError> {
    let status = answer.status();
    let later = || {
        let seconds: u64 = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds.min(LATER)))
    };
    let outcome = match status.as_u16() {
        200..300 => Ok(()),
        300..400 => Err(PostError::Redirect(status.as_u16())),
        410 => Err(PostError::Gone),
        status => Err(PostError::Refused { status, later: later() }),
    };
    let mut read = 0;
    while let Ok(Some(bytes)) = answer.chunk().await {
        read += bytes.len();
        if read > ANSWER_BYTES {
            break;
        }
    }
    outcome
}

/// The innermost cause, which says most, and of an address no more than the name of a host.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().chars().filter(|c| !c.is_control()).take(200).collect()
}
