//! The App that GitHub made from a manifest: the code that a browser brings back becomes its number and its secrets, once. Nothing
//! is sent twice, and no redirect is followed: what comes back are keys.
//! <https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest>

use std::sync::atomic::Ordering;

use reqwest::header::ACCEPT;
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::{Answer, Refusal, network_reason};
use super::client::Github;
use super::error::CallError;
use super::jwt::Signer;
use super::session::Core;
use super::settings::AppSettings;
use crate::secret::Secret;

/// Most bytes of the answer, which has a key of some 1,700.
const MOST: usize = 256 * 1024;
/// Longest text of the answer that is taken for what it should be, in bytes; the key may be longer.
const LONGEST: usize = 255;
/// Longest key, in bytes.
const LONGEST_KEY: usize = 32 * 1024;

/// An App, as GitHub tells of it this one time.
#[derive(Debug)]
pub struct MadeApp {
    /// Its number.
    pub id: u64,
    /// Its name in addresses, if GitHub has told one.
    pub slug: Option<String>,
    /// Its page for everybody, if that is known.
    pub page: Option<String>,
    /// Whom it belongs to, if GitHub has told that.
    pub owner: Option<AppOwner>,
    /// What people sign in with.
    pub client_id: String,
    /// The secret beside it.
    pub client_secret: Secret,
    /// Its private key (PEM), which has been read once.
    pub private_key: Secret,
    /// What its webhooks are signed with, if it has one.
    pub webhook_secret: Option<Secret>,
}

/// Who owns an App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppOwner {
    /// The name of the account.
    pub login: String,
    /// An organization, not a person.
    pub is_organization: bool,
}

/// What cannot be done without. All else may be missing or odd: the code works once, and keys are not thrown away for a name.
#[derive(Deserialize)]
struct Told {
    id: u64,
    client_id: String,
    client_secret: String,
    pem: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Github {
    /// Exchanges the code for the App. A code works once, within an hour, and without any token.
    ///
    /// # Errors
    /// [`CallError`]; when the outcome is unknown, the App is there and its secrets are lost.
    pub async fn made_app(&self, code: &str) -> Result<MadeApp, CallError> {
        let core = self.core();
        let exchange = async {
            let response = leave(core, code).await?;
            let status = response.status();
            if status.is_success() {
                let answer = Answer::read(response, MOST).await?;
                return self.told(&answer, status);
            }
            if status.is_redirection() {
                return Err(CallError::Moved { location: None });
            }
            Err(Refusal::read(response, code).await.into_error(status))
        };
        let late = || CallError::Unknown { status: None, why: format!("no answer within {:?}", core.timeout) };
        tokio::time::timeout(core.timeout, exchange).await.unwrap_or_else(|_| Err(late()))
    }

    fn told(&self, answer: &Answer, status: StatusCode) -> Result<MadeApp, CallError> {
        let told: Told = answer.parse()?;
        let odd = |what: &str| CallError::unknown(status.as_u16(), format!("the answer holds no usable {what}"));
        let graphic = |text: &str| (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let id = i64::try_from(told.id).ok().filter(|id| *id > 0).ok_or_else(|| odd("id"))?;
        // It stands in addresses and, before a colon, in a header.
        if !is_word(&told.client_id) {
            return Err(odd("client_id"));
        }
        if !graphic(&told.client_secret) {
            return Err(odd("client_secret"));
        }
        let private_key = Secret::new(told.pem);
        let key = AppSettings { id, private_key_pem: private_key.clone() };
        if private_key.expose().len() > LONGEST_KEY || Signer::new(&key).is_err() {
            return Err(odd("pem"));
        }
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let owner = told.more.get("owner");
        let of_owner = |key: &str| text(owner.and_then(|owner| owner.get(key)));
        let (web, slug) = (self.web_url(), text(told.more.get("slug")).filter(|slug| is_word(slug)));
        // A page elsewhere is none of GitHub's, as far as is known here. An own GitHub has another path for it.
        let page = text(told.more.get("html_url")).filter(|url| {
            let path = url.strip_prefix(web).and_then(|path| path.strip_prefix('/'));
            path.is_some_and(|path| path.split('/').all(is_word))
        });
        Ok(MadeApp {
            id: told.id,
            page: page.or_else(|| slug.as_ref().map(|slug| format!("{web}/apps/{slug}"))),
            slug,
            owner: of_owner("login")
                .filter(|login| is_word(login))
                .map(|login| AppOwner { login, is_organization: of_owner("type").as_deref() == Some("Organization") }),
            client_id: told.client_id,
            client_secret: Secret::new(told.client_secret),
            private_key,
            webhook_secret: text(told.more.get("webhook_secret")).filter(|secret| graphic(secret)).map(Secret::new),
        })
    }
}

/// Fit for an address.
fn is_word(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && !text.bytes().all(|b| b == b'.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

async fn leave(core: &Core, code: &str) -> Result<Response, CallError> {
    let url = core.url(&["app-manifests", code, "conversions"])?;
    let request = core.client.request(Method::POST, url).header(ACCEPT, "application/vnd.github+json");
    core.sent.fetch_add(1, Ordering::Relaxed);
    request.header("x-github-api-version", core.version()).send().await.map_err(|error| {
        let surely_not = error.is_connect() || error.is_builder();
        let why = network_reason(error);
        if surely_not { CallError::NotSent { why } } else { CallError::Unknown { status: None, why } }
    })
}
