//! `github`: where GitHub is and how politely it is asked.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::duration::Duration;
use super::super::findings::Findings;
use super::super::form::WebUrl;
use super::super::node::Document;
use super::super::place::Path;
use super::super::secret_text::SecretText;

/// GitHub's API.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GithubConfig {
    /// The REST API.
    pub api_url: WebUrl,
    /// The pages that people see, for the links in comments, and the host that ids belong to.
    pub web_url: WebUrl,
    /// The version of the API that is asked for.
    #[schemars(length(min = 1))]
    pub api_version: String,
    /// The proxy for all calls to GitHub. Without it the usual variables (`HTTPS_PROXY`, `NO_PROXY`) hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<WebUrl>,
    /// A file of further certificate authorities to trust (PEM), seen from the folder of this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_ca_file: Option<PathBuf>,
    /// How long one call may take.
    pub timeout: Duration,
    /// The least time between two writes with the same token; GitHub asks for one second.
    pub write_spacing: Duration,
    /// The most writes in any hour with the same token, two fifths of them at once; GitHub allows about 500.
    #[schemars(range(min = 10, max = 1_000_000))]
    pub writes_per_hour: u32,
    /// The GitHub App that looks rights up, comments, labels and reacts where it is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppConfig>,
    /// The app that people sign in with for themselves, at `/connect`: a GitHub App (the same one, best) or an OAuth app.
    /// Needs `server.public_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignInConfig>,
}

/// How people sign in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInConfig {
    /// The app's client id.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// One of its client secrets.
    pub client_secret: SecretText,
    /// The scopes that an OAuth app asks for. A GitHub App has its rights in its own settings: leave this out.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// A GitHub App.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// The number of the App.
    #[schemars(range(min = 1))]
    pub id: u64,
    /// Its private key (PEM).
    pub private_key: SecretText,
}

impl Default for GithubConfig {
    fn default() -> Self {
        Self {
            api_url: WebUrl::read("https://api.github.com").expect("a literal address"),
            web_url: WebUrl::read("https://github.com").expect("a literal address"),
            api_version: "2022-11-28".to_owned(),
            proxy: None,
            extra_ca_file: None,
            timeout: Duration::secs(20),
            write_spacing: Duration::secs(1),
            writes_per_hour: 500,
            app: None,
            sign_in: None,
        }
    }
}

impl GithubConfig {
    pub(super) fn check(&self, document: &Document, found: &mut Findings) {
        super::refuse_zero(document, "github", &[("timeout", self.timeout)], found);
        for (key, url) in [("api_url", &self.api_url), ("web_url", &self.web_url)] {
            if url.is_open() {
                let message = "plain http to a host that is not this machine: tokens can be read on the way";
                found.warn(document, &Path::of(&["github", key]), message);
            }
        }
    }
}
