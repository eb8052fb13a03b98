//! One token in use, and the one way out: every request to GitHub's API leaves through [`Core::call`], which asks the
//! remembered pauses and whether GitHub answers at all, sends once, and sorts the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH, LOCATION};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::Serialize;
use zeroize::Zeroizing;

use super::answer::{self, Answer, Refusal};
use super::error::{CallError, SetupError};
use super::limits::{Limits, Pause, RateView, TokenOwner};
use super::paths;
use super::presence::{PATIENCE, Presence, Write};
use super::settings::{Settings, address, http_client};
use crate::clock::Ground;
use crate::secret::Secret;

/// Redirects that a read follows (a renamed repository needs one).
const MAX_HOPS: usize = 3;

/// A token in use.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token itself.
    pub secret: Secret,
    /// Whose it is.
    pub owner: TokenOwner,
}

/// The client with one token: all calls are methods of this.
#[derive(Debug, Clone)]
pub struct Session {
    core: Arc<Core>,
    token: Token,
}

impl Session {
    pub(super) fn new(core: Arc<Core>, token: Token) -> Self {
        Self { core, token }
    }

    /// Whose token it is.
    #[must_use]
    pub fn owner(&self) -> TokenOwner {
        self.token.owner
    }

    /// Until when this token's owner is paused, if so.
    #[must_use]
    pub fn paused_until(&self) -> Option<DateTime<Utc>> {
        self.rate().paused_until
    }

    /// What was last seen of this token owner's limits.
    #[must_use]
    pub fn rate(&self) -> RateView {
        self.core.limits.view(self.token.owner, self.core.ground.now())
    }

    /// The address of an API path.
    pub(super) fn url(&self, segments: &[&str]) -> Result<Url, CallError> {
        self.core.url(segments)
    }

    /// A page's address as GitHub gave it, if it is still on the API's server.
    pub(super) fn page_url(&self, link: &str) -> Result<Url, CallError> {
        let elsewhere = || CallError::Unknown { status: None, why: "the next page is on another server".to_owned() };
        self.core.api.join(link).ok().filter(|url| paths::same_server(&self.core.api, url)).ok_or_else(elsewhere)
    }

    /// A read.
    pub(super) async fn get(&self, url: Url, cap: usize) -> Result<Answer, CallError> {
        self.core.call(&self.token, Ask { method: Method::GET, url, body: None, etag: None, cap }).await
    }

    /// A read that may be answered with 304.
    pub(super) async fn get_if_changed(&self, url: Url, etag: Option<&str>) -> Result<Answer, CallError> {
        let etag = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
        self.core.call(&self.token, Ask { method: Method::GET, url, body: None, etag, cap: answer::MANY }).await
    }

    /// A write with a body.
    pub(super) async fn write(&self, method: Method, url: Url, body: &impl Serialize) -> Result<Answer, CallError> {
        let Ok(body) = serde_json::to_vec(body) else {
            return Err(CallError::unsendable("the request cannot be written as JSON"));
        };
        let ask = Ask { method, url, body: Some(body), etag: None, cap: answer::ONE };
        self.core.call(&self.token, ask).await
    }

    /// A removal.
    pub(super) async fn delete(&self, url: Url) -> Result<Answer, CallError> {
        let ask = Ask { method: Method::DELETE, url, body: None, etag: None, cap: answer::ONE };
        self.core.call(&self.token, ask).await
    }
}

/// One request to be made.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Vec<u8>>,
    pub(super) etag: Option<HeaderValue>,
    pub(super) cap: usize,
}

/// What all sessions and the App share.
pub(super) struct Core {
    pub(super) client: Client,
    api: Url,
    /// Base of the pages, without a slash at the end.
    pub(super) web: String,
    /// Whose accounts and repositories these are.
    pub(super) host: String,
    version: HeaderValue,
    pub(super) timeout: Duration,
    limits: Limits,
    /// Whether GitHub answers at all.
    pub(super) presence: Presence,
    /// How many requests left, redirects counted.
    pub(super) sent: AtomicU64,
    pub(super) ground: Ground,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn new(settings: &Settings, ground: Ground) -> Result<Self, SetupError> {
        let api = address("api_url", &settings.api_url)?;
        let web = address("web_url", &settings.web_url)?;
        let needs_tls = [&api, &web].iter().any(|url| url.scheme() == "https");
        Ok(Self {
            client: http_client(settings, needs_tls)?,
            host: web.host_str().unwrap_or_default().to_owned(),
            web: settings.web_url.trim_end_matches('/').to_owned(),
            api,
            version: settings.api_version.parse().map_err(|_| SetupError::ApiVersion)?,
            timeout: settings.timeout,
            limits: Limits::default(),
            presence: Presence::default(),
            sent: AtomicU64::new(0),
            ground,
        })
    }

    pub(super) fn url(&self, segments: &[&str]) -> Result<Url, CallError> {
        paths::join(&self.api, segments)
    }

    /// The version of the API that is asked for.
    pub(super) fn version(&self) -> HeaderValue {
        self.version.clone()
    }

    /// Makes one call within the time-out. Gives a 2xx (or, with an `etag`, a 304) answer or the error.
    pub(super) async fn call(&self, token: &Token, ask: Ask) -> Result<Answer, CallError> {
        let bearer = Zeroizing::new(format!("Bearer {}", token.secret.expose()));
        let Ok(mut authorization) = HeaderValue::from_str(&bearer) else {
            return Err(CallError::Unauthorized { message: "the token cannot be sent in a header".to_owned() });
        };
        authorization.set_sensitive(true);
        if let Some(Pause { until, secondary }) = self.limits.pause(token.owner, self.ground.now()) {
            let message = "an earlier answer asked to wait".to_owned();
            return Err(CallError::Limited { until, secondary, sent: false, message });
        }
        // The question whether GitHub answers at all is part of the call's time: callers have leases that outlast the call.
        let begun = tokio::time::Instant::now();
        self.pass().await?;
        let write = Write::of(&ask.method, &ask.url);
        if let Some(write) = write {
            self.presence.pass_write(write, &self.ground)?;
        }
        let left = self.timeout.saturating_sub(begun.elapsed());
        if left < self.timeout / 2 {
            return Err(CallError::NotSent { why: "asking whether GitHub answers took too long".to_owned() });
        }
        let exchange = self.exchange(token, &authorization, ask);
        let outcome = tokio::time::timeout(left, exchange).await.unwrap_or_else(|_| {
            Err(CallError::Unknown { status: None, why: format!("no answer within {:?}", self.timeout) })
        });
        self.presence.learn(&outcome, write, self.ground.now());
        outcome
    }

    /// Waits until it is known whether GitHub answers at all.
    pub(super) async fn pass(&self) -> Result<(), CallError> {
        self.presence.pass(&self.ground, async || self.probe().await).await
    }

    /// Asks for what costs nothing and needs no token. Any answer but a server's fault will do.
    /// <https://docs.github.com/en/rest/rate-limit/rate-limit>
    async fn probe(&self) -> Result<(), String> {
        let url = self.url(&["rate_limit"]).map_err(|error| error.to_string())?;
        let request = self.client.get(url).header(ACCEPT, "application/vnd.github+json");
        self.sent.fetch_add(1, Ordering::Relaxed);
        match tokio::time::timeout(PATIENCE.min(self.timeout), request.send()).await {
            Ok(Ok(response)) if !response.status().is_server_error() => Ok(()),
            Ok(Ok(response)) => Err(format!("it answers {}", response.status().as_u16())),
            Ok(Err(error)) => Err(answer::network_reason(error)),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    async fn exchange(&self, token: &Token, authorization: &HeaderValue, mut ask: Ask) -> Result<Answer, CallError> {
        for hop in 0.. {
            let response = self.send(authorization, &ask).await?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 307 | 308) {
                return self.sort(token, response, &ask).await;
            }
            self.limits.heard(token.owner, response.headers(), false, self.ground.now());
            let target = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let target = target.and_then(|to| ask.url.join(to).ok());
            match target {
                Some(target)
                    if ask.method == Method::GET && hop < MAX_HOPS && paths::same_server(&self.api, &target) =>
                {
                    ask.url = target;
                }
                target => {
                    return Err(CallError::Moved { location: answer::shown_location(&self.api, target.as_ref()) });
                }
            }
        }
        unreachable!("the hop at MAX_HOPS returns")
    }

    async fn send(&self, authorization: &HeaderValue, ask: &Ask) -> Result<Response, CallError> {
        let mut request = self
            .client
            .request(ask.method.clone(), ask.url.clone())
            .header(AUTHORIZATION, authorization.clone())
            .header(ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", self.version.clone());
        if let Some(etag) = &ask.etag {
            request = request.header(IF_NONE_MATCH, etag.clone());
        }
        if let Some(body) = &ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        request.send().await.map_err(|error| {
            // Only while connecting is it sure that nothing arrived; a reset after that proves nothing.
            if error.is_connect() || error.is_builder() {
                CallError::NotSent { why: answer::network_reason(error) }
            } else {
                CallError::Unknown { status: None, why: answer::network_reason(error) }
            }
        })
    }

    async fn sort(&self, token: &Token, response: Response, ask: &Ask) -> Result<Answer, CallError> {
        let status = response.status();
        let good = status.is_success() || (status == StatusCode::NOT_MODIFIED && ask.etag.is_some());
        let now = self.ground.now();
        if good {
            self.limits.heard(token.owner, response.headers(), true, now);
            return Answer::read(response, ask.cap).await;
        }
        let headers = response.headers().clone();
        let refusal = Refusal::read(response, token.secret.expose()).await;
        if matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
            let pause = self.limits.refused(token.owner, status, &headers, &refusal.message, now);
            if let Some(Pause { until, secondary }) = pause {
                return Err(CallError::Limited { until, secondary, sent: true, message: refusal.message });
            }
        } else {
            self.limits.heard(token.owner, &headers, false, now);
        }
        Err(refusal.into_error(status))
    }
}
