//! The sign-in: a code that a browser brings back, a device's code or a refresh token becomes a pair of tokens. GitHub says
//! no with status 200 and a field `error`, so that field is looked at before anything else. A refresh token works once:
//! nothing here sends twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Answer, network_reason};
use super::error::{CallError, Next, SetupError, clean};
use super::session::Core;
use super::settings::SignInSettings;
use crate::secret::Secret;

/// Most bytes of an answer.
const MOST: usize = 64 * 1024;
/// The longest that a token may last, in seconds: what is later cannot be counted with.
const LONGEST: i64 = 10 * 365 * 86_400;

/// The app that people sign in with.
pub struct OAuth {
    core: Arc<Core>,
    client_id: String,
    client_secret: Secret,
    scopes: String,
}

impl std::fmt::Debug for OAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OAuth").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// What GitHub gives for a code, a device or a refresh token.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The access token.
    pub token: Secret,
    /// When it ends, if it does.
    pub expires_at: Option<DateTime<Utc>>,
    /// What makes the next pair, once.
    pub refresh: Option<Secret>,
    /// When that ends, if it is said.
    pub refresh_expires_at: Option<DateTime<Utc>>,
    /// The scopes, as GitHub named them; empty for a GitHub App.
    pub scopes: String,
}

/// A device that waits to be let in.
#[derive(Debug, Clone)]
pub struct DeviceCode {
    /// What the device asks with.
    pub device_code: Secret,
    /// What the person types.
    pub user_code: String,
    /// Where they type it.
    pub verification_uri: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// How long to wait between two questions.
    pub interval: Duration,
}

/// What a device is told.
#[derive(Debug, Clone)]
pub enum DeviceAnswer {
    /// Nobody has let it in yet.
    Pending,
    /// It asks too often; from now on it waits so long.
    SlowDown(Duration),
    /// It is in.
    Given(Box<Pair>),
}

/// Why there is no pair. No text carries a token, a code or an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OAuthError {
    /// It surely did not reach GitHub, or GitHub is too busy for it.
    #[error("the request was not taken: {why}")]
    NotTaken {
        /// What the network or GitHub said.
        why: String,
    },
    /// Nobody knows whether it happened.
    #[error("the outcome is unknown: {why}")]
    Unknown {
        /// What was odd.
        why: String,
    },
    /// GitHub said no.
    #[error("GitHub said {code}: {description}")]
    Refused {
        /// GitHub's name of the reason, for example `bad_refresh_token`.
        code: String,
        /// GitHub's own words.
        description: String,
    },
}

impl OAuthError {
    /// What the caller does about it.
    #[must_use]
    pub fn next(&self) -> Next {
        match self {
            Self::NotTaken { .. } => Next::Retry,
            Self::Unknown { .. } => Next::Look,
            Self::Refused { code, .. } => match code.as_str() {
                "bad_refresh_token"
                | "bad_verification_code"
                | "access_denied"
                | "expired_token"
                | "token_expired"
                | "incorrect_device_code" => Next::AskPerson,
                _ => Next::GiveUp,
            },
        }
    }

    /// Whether GitHub knows no such token of this app, asked to end it.
    #[must_use]
    pub fn knows_no_token(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "status 404" || code == "status 422")
    }

    /// One sentence for a person.
    #[must_use]
    pub fn for_person(&self) -> String {
        match self {
            Self::NotTaken { .. } | Self::Unknown { .. } => {
                "GitHub could not be asked just now; try again in a minute.".to_owned()
            }
            Self::Refused { code, .. } => match code.as_str() {
                "bad_verification_code" => "GitHub does not know this sign-in any more; sign in again.".to_owned(),
                "access_denied" => "the sign-in was cancelled at GitHub.".to_owned(),
                "expired_token" | "token_expired" => "the code was not typed in time; begin again.".to_owned(),
                "bad_refresh_token" => "GitHub does not renew the token any more; sign in again.".to_owned(),
                "device_flow_disabled" => {
                    "the device flow is switched off: an operator enables it in the settings of the app at GitHub."
                        .to_owned()
                }
                code => format!(
                    "GitHub refuses it ({code}): an operator checks `github.sign_in` and the settings of the app at GitHub."
                ),
            },
        }
    }
}

/// GitHub's answer; never printed.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Said {
    error: Option<String>,
    error_description: Option<String>,
    access_token: Option<String>,
    expires_in: Value,
    refresh_token: Option<String>,
    refresh_token_expires_in: Value,
    scope: Option<String>,
    device_code: Option<String>,
    user_code: Option<String>,
    verification_uri: Option<String>,
    interval: Value,
}

impl OAuth {
    pub(super) fn new(settings: SignInSettings, core: Arc<Core>) -> Result<Self, SetupError> {
        let SignInSettings { client_id, client_secret, scopes } = settings;
        // It stands in addresses and headers.
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if !plain(&client_id) || client_secret.expose().is_empty() {
            let why = "the client id or secret cannot be sent".to_owned();
            return Err(SetupError::Address { which: "sign_in", why });
        }
        Ok(Self { core, client_id, client_secret, scopes: scopes.join(" ") })
    }

    /// The app's client id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Where a person sees and takes back what they allowed this app.
    #[must_use]
    pub fn settings_page(&self) -> String {
        format!("{}/settings/connections/applications/{}", self.core.web, self.client_id)
    }

    /// The address of GitHub's page where a person lets the app in.
    #[must_use]
    pub fn authorize_url(&self, redirect_uri: &str, state: &str, challenge: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("client_id", &self.client_id).append_pair("redirect_uri", redirect_uri);
        query.append_pair("state", state).append_pair("code_challenge", challenge);
        query.append_pair("code_challenge_method", "S256").append_pair("prompt", "select_account");
        if !self.scopes.is_empty() {
            query.append_pair("scope", &self.scopes);
        }
        format!("{}/login/oauth/authorize?{}", self.core.web, query.finish())
    }

    /// The pair for a code that a browser brought back. A code works once.
    ///
    /// # Errors
    /// [`OAuthError`]; after any of them the person signs in again.
    pub async fn exchange(&self, code: &str, redirect_uri: &str, verifier: &Secret) -> Result<Pair, OAuthError> {
        let fields = [
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose()),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier.expose()),
        ];
        self.pair(&fields).await
    }

    /// The next pair. This ends both tokens of the one before, whether or not the answer arrives.
    ///
    /// # Errors
    /// [`OAuthError`]; when it is unknown, whether the old access token still works tells what happened.
    pub async fn refresh(&self, refresh: &Secret) -> Result<Pair, OAuthError> {
        let fields = [
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose()),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose()),
        ];
        self.pair(&fields).await
    }

    /// Begins the sign-in of a device without a browser.
    ///
    /// # Errors
    /// [`OAuthError`].
    pub async fn device(&self) -> Result<DeviceCode, OAuthError> {
        let now = self.core.ground.now();
        let mut fields = vec![("client_id", self.client_id.as_str())];
        if !self.scopes.is_empty() {
            fields.push(("scope", &self.scopes));
        }
        let said = self.ask("login/device/code", &fields).await?;
        let (Some(device_code), Some(user_code), Some(uri)) = (said.device_code, said.user_code, said.verification_uri)
        else {
            return Err(odd("the answer holds no code"));
        };
        Ok(DeviceCode {
            device_code: Secret::new(device_code),
            user_code: clean(&user_code, ""),
            verification_uri: clean(&uri, ""),
            expires_at: after(now, &said.expires_in).unwrap_or(now + TimeDelta::minutes(15)),
            interval: seconds(&said.interval).unwrap_or(Duration::from_secs(5)),
        })
    }

    /// Asks whether a device was let in.
    ///
    /// # Errors
    /// [`OAuthError`].
    pub async fn device_answer(&self, device_code: &Secret) -> Result<DeviceAnswer, OAuthError> {
        let now = self.core.ground.now();
        let fields = [
            ("client_id", self.client_id.as_str()),
            ("device_code", device_code.expose()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ];
        let said = self.send("login/oauth/access_token", &fields).await?;
        match said.error.as_deref() {
            Some("authorization_pending") => Ok(DeviceAnswer::Pending),
            Some("slow_down") => Ok(DeviceAnswer::SlowDown(seconds(&said.interval).unwrap_or(Duration::from_secs(10)))),
            _ => Ok(DeviceAnswer::Given(Box::new(pair_of(refused(said)?, now)?))),
        }
    }

    /// Ends everything that a person has given this app, at GitHub.
    ///
    /// # Errors
    /// [`OAuthError`]; refused when the token is not (or no longer) one of this app.
    pub async fn end_grant(&self, token: &Secret) -> Result<(), OAuthError> {
        self.end("grant", token).await
    }

    /// Ends one token and what renews it, at GitHub; the person's other tokens go on.
    ///
    /// # Errors
    /// As [`OAuth::end_grant`].
    pub async fn end_token(&self, token: &Secret) -> Result<(), OAuthError> {
        self.end("token", token).await
    }

    async fn end(&self, what: &str, token: &Secret) -> Result<(), OAuthError> {
        let url = self.core.url(&["applications", &self.client_id, what]).map_err(|error| odd(&error.to_string()))?;
        let request = self.core.client.request(Method::DELETE, url);
        let request = request.basic_auth(&self.client_id, Some(self.client_secret.expose()));
        let response = self.leave(request.json(&serde_json::json!({ "access_token": token.expose() }))).await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            status => Err(by_status(status)),
        }
    }

    async fn pair(&self, fields: &[(&str, &str)]) -> Result<Pair, OAuthError> {
        let now = self.core.ground.now();
        pair_of(self.ask("login/oauth/access_token", fields).await?, now)
    }

    async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Result<Said, OAuthError> {
        refused(self.send(path, fields).await?)
    }

    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Result<Said, OAuthError> {
        let url = Url::parse(&format!("{}/{path}", self.core.web)).map_err(|error| odd(&error.to_string()))?;
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.core.client.request(Method::POST, url);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let exchange = async {
            let response = self.leave(request).await?;
            if response.status() != StatusCode::OK {
                return Err(by_status(response.status()));
            }
            let unknown = |error: CallError| odd(&error.to_string());
            Answer::read(response, MOST).await.map_err(unknown)?.parse::<Said>().map_err(unknown)
        };
        let late = |_| Err(odd("no answer in time"));
        tokio::time::timeout(self.core.timeout, exchange).await.unwrap_or_else(late)
    }

    async fn leave(&self, request: RequestBuilder) -> Result<Response, OAuthError> {
        self.core.sent.fetch_add(1, Ordering::Relaxed);
        let request = request.header(ACCEPT, HeaderValue::from_static("application/json")).timeout(self.core.timeout);
        request.send().await.map_err(|error| {
            let surely_not = error.is_connect() || error.is_builder();
            let why = network_reason(error);
            if surely_not { OAuthError::NotTaken { why } } else { OAuthError::Unknown { why } }
        })
    }
}

fn odd(why: &str) -> OAuthError {
    OAuthError::Unknown { why: why.to_owned() }
}

fn by_status(status: StatusCode) -> OAuthError {
    let code = format!("status {}", status.as_u16());
    if status == StatusCode::TOO_MANY_REQUESTS {
        OAuthError::NotTaken { why: code }
    } else if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
        OAuthError::Refused { code, description: String::new() }
    } else {
        OAuthError::Unknown { why: code }
    }
}

/// GitHub's no, if it is one.
fn refused(said: Said) -> Result<Said, OAuthError> {
    let Some(code) = &said.error else { return Ok(said) };
    let word = |text: &str| text.len() <= 60 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let code = if word(code) { code.clone() } else { "an error without a name".to_owned() };
    Err(OAuthError::Refused { code, description: clean(said.error_description.as_deref().unwrap_or_default(), "") })
}

fn pair_of(said: Said, now: DateTime<Utc>) -> Result<Pair, OAuthError> {
    let token = said.access_token.filter(|token| !token.is_empty()).ok_or_else(|| odd("the answer holds no token"))?;
    Ok(Pair {
        token: Secret::new(token),
        expires_at: after(now, &said.expires_in),
        refresh: said.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        refresh_expires_at: after(now, &said.refresh_token_expires_in),
        scopes: clean(&said.scope.unwrap_or_default(), ""),
    })
}

/// A number of seconds, also as a text; nothing of what cannot be one.
fn seconds(value: &Value) -> Option<Duration> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok()).filter(|number| *number > 0)?;
    u64::try_from(number.min(LONGEST)).ok().map(Duration::from_secs)
}

fn after(now: DateTime<Utc>, value: &Value) -> Option<DateTime<Utc>> {
    now.checked_add_signed(TimeDelta::from_std(seconds(value)?).ok()?)
}
