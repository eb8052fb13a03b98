//! The App that GitHub made from a manifest: the code that a browser brings back becomes its number and its secrets, once. Nothing
//! is sent twice, and no redirect is followed: what comes back are keys.
//! <https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest>

use std::sync::atomic::Ordering;

use reqwest::header::ACCEPT;
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;

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
    /// Its name in addresses.
    pub slug: String,
    /// Its page for everybody.
    pub page: String,
    /// The organization that it belongs to, if it does not belong to a person.
    pub organization: Option<String>,
    /// What people sign in with.
    pub client_id: String,
    /// The secret beside it.
    pub client_secret: Secret,
    /// Its private key (PEM), which has been read once.
    pub private_key: Secret,
    /// What its webhooks are signed with, if it has one.
    pub webhook_secret: Option<Secret>,
}

#[derive(Deserialize)]
struct Told {
    id: u64,
    slug: String,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    owner: Option<Owner>,
    client_id: String,
    client_secret: String,
    pem: String,
    #[serde(default)]
    webhook_secret: Option<String>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(default)]
    login: String,
    #[serde(default, rename = "type")]
    kind: String,
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
        let told: Told = answer.json(StatusCode::CREATED)?;
        let odd = |what: &str| CallError::unknown(status.as_u16(), format!("the answer holds no usable {what}"));
        let word = |text: &str| {
            (1..=LONGEST).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let graphic = |text: &str| (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let id = i64::try_from(told.id).ok().filter(|id| *id > 0).ok_or_else(|| odd("id"))?;
        if !word(&told.slug) {
            return Err(odd("slug"));
        }
        // It stands in addresses and, before a colon, in a header.
        if !word(&told.client_id) {
            return Err(odd("client_id"));
        }
        if !graphic(&told.client_secret) {
            return Err(odd("client_secret"));
        }
        if told.webhook_secret.as_ref().is_some_and(|secret| !graphic(secret)) {
            return Err(odd("webhook_secret"));
        }
        let private_key = Secret::new(told.pem);
        let key = AppSettings { id, private_key_pem: private_key.clone() };
        if private_key.expose().len() > LONGEST_KEY || Signer::new(&key).is_err() {
            return Err(odd("pem"));
        }
        let owner = told.owner.filter(|owner| owner.kind == "Organization" && word(&owner.login));
        let web = self.web_url();
        // A page elsewhere is none of GitHub's, as far as is known here.
        let page = Some(told.html_url).filter(|url| {
            let path = url.strip_prefix(web).filter(|path| path.starts_with('/'));
            path.is_some_and(|path| path.split('/').all(|part| part.is_empty() || word(part)))
        });
        Ok(MadeApp {
            id: told.id,
            page: page.unwrap_or_else(|| format!("{web}/apps/{}", told.slug)),
            slug: told.slug,
            organization: owner.map(|owner| owner.login),
            client_id: told.client_id,
            client_secret: Secret::new(told.client_secret),
            private_key,
            webhook_secret: told.webhook_secret.map(Secret::new),
        })
    }
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
