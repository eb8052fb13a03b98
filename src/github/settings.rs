//! What the operator may say about GitHub, and the refusal of what would send tokens where they do not belong.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, Url};

use super::error::SetupError;
use crate::secret::Secret;

/// Named in every request, so that GitHub's operators can see who calls.
const USER_AGENT: &str = concat!("taskbridge/", env!("CARGO_PKG_VERSION"));
/// A pooled connection is dropped after this long unused: servers close idle ones too, and a write that races
/// with the closing ends with an unknown outcome.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// How GitHub is reached.
#[derive(Clone)]
pub struct Settings {
    /// REST base: `https://api.github.com`, or `https://api.SUBDOMAIN.ghe.com`. Plain `http` only on loopback.
    pub api_url: String,
    /// Base of the pages and of the sign-in: `https://github.com`, or `https://SUBDOMAIN.ghe.com`.
    pub web_url: String,
    /// Sent as `X-GitHub-Api-Version`.
    pub api_version: String,
    /// An HTTP proxy for all calls; may hold a user name and password. The environment is not consulted.
    pub proxy: Option<String>,
    /// Certificates (PEM) to trust besides the machine's own.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// Longest time for one call, redirects and body included. Must be shorter than the leases of the workers.
    pub timeout: Duration,
    /// Longest time until a connection (TLS included) stands. Shorter than `timeout`.
    pub connect_timeout: Duration,
    /// The GitHub App that the bridge also acts as, if there is one.
    pub app: Option<AppSettings>,
    /// The app that people sign in with, if they can.
    pub sign_in: Option<SignInSettings>,
}

/// A GitHub App's identity.
#[derive(Debug, Clone)]
pub struct AppSettings {
    /// The App's number.
    pub id: i64,
    /// Its RSA private key, PEM, PKCS#1 (as GitHub hands it out) or PKCS#8.
    pub private_key_pem: Secret,
}

/// The app that people sign in with.
#[derive(Debug, Clone)]
pub struct SignInSettings {
    /// Its client id.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: Secret,
    /// What an OAuth app asks for; a GitHub App has its rights in its settings.
    pub scopes: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_url: "https://api.github.com".to_owned(),
            web_url: "https://github.com".to_owned(),
            api_version: "2022-11-28".to_owned(),
            proxy: None,
            extra_ca_pem: None,
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(5),
            app: None,
            sign_in: None,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Addresses may hold passwords until they are checked, so none is shown.
        f.debug_struct("Settings")
            .field("api_version", &self.api_version)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("proxy", &self.proxy.is_some())
            .field("app", &self.app)
            .finish_non_exhaustive()
    }
}

/// Checks an address: https (or loopback), a host, and nothing that would be sent along or written down.
pub(super) fn address(which: &'static str, text: &str) -> Result<Url, SetupError> {
    let bad = |why: &str| SetupError::Address { which, why: why.to_owned() };
    let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("must not hold a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("must not have a query or fragment"));
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return Err(bad("has no host"));
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err(bad("must be https (plain http only on loopback)")),
        _ => Err(bad("must be https")),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The one HTTP client: no redirects and no retries of its own, so that a write leaves at most once.
pub(super) fn http_client(settings: &Settings, needs_tls: bool) -> Result<Client, SetupError> {
    if settings.connect_timeout.is_zero() || settings.connect_timeout >= settings.timeout {
        return Err(SetupError::Timeouts);
    }
    // The result is an error only when a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(POOL_IDLE);
    builder = match &settings.proxy {
        Some(proxy) => builder.proxy(proxy_for_all(proxy)?),
        None => builder.no_proxy(),
    };
    let extra = match &settings.extra_ca_pem {
        None => Vec::new(),
        Some(pem) => {
            let certs = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| SetupError::ExtraCa)?;
            if certs.is_empty() {
                return Err(SetupError::ExtraCa);
            }
            certs
        }
    };
    // Without TLS (the simulated GitHub) the machine's certificates need not be there, nor be loaded.
    builder = if needs_tls { builder.tls_certs_merge(extra) } else { builder.tls_certs_only(extra) };
    builder.build().map_err(|error| SetupError::Client { why: super::answer::network_reason(error) })
}

fn proxy_for_all(proxy: &str) -> Result<reqwest::Proxy, SetupError> {
    let bad = |why: &str| SetupError::Address { which: "proxy", why: why.to_owned() };
    let url = Url::parse(proxy).map_err(|_| bad("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(bad("must be an http or https address"));
    }
    reqwest::Proxy::all(url).map_err(|_| bad("cannot be used as a proxy"))
}
