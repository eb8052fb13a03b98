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
    /// Whether the API may be that of the web's GitHub. An API under a name of one's own may be in front of any.
    #[must_use]
    pub fn is_one_github(&self) -> bool {
        let host = |url: &WebUrl| reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let (Some(api), Some(web)) = (host(&self.api_url), host(&self.web_url)) else { return true };
        match api.strip_prefix("api.") {
            Some(of) if of == "github.com" || of.ends_with(".ghe.com") => of == web,
            _ => true,
        }
    }

    pub(super) fn check(&self, document: &Document, found: &mut Findings) {
        super::refuse_zero(document, "github", &[("timeout", self.timeout)], found);
        for (key, url) in [("api_url", &self.api_url), ("web_url", &self.web_url)] {
            if url.is_open() {
                let message = "plain http to a host that is not this machine: tokens can be read on the way";
                found.warn(document, &Path::of(&["github", key]), message);
            }
        }
        if !self.is_one_github() {
            let message = "this is not the web of `github.api_url`: who signs in here is not known there";
            found.warn(document, &Path::of(&["github", "web_url"]), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_that_is_of_another_web_is_seen_and_a_name_of_one_s_own_may_be_in_front_of_any() {
        for (api, web, is_one) in [
            ("https://api.github.com", "https://github.com", true),
            ("https://api.github.com/", "https://github.com/", true),
            ("https://api.octo.ghe.com", "https://octo.ghe.com", true),
            ("https://github.example.com/api/v3", "https://github.example.com", true),
            ("https://api.example.com", "https://github.com", true),
            ("https://api.github.com", "https://octo.ghe.com", false),
            ("https://api.octo.ghe.com", "https://github.com", false),
        ] {
            let [api_url, web_url] = [api, web].map(|url| WebUrl::read(url).expect("an address"));
            let config = GithubConfig { api_url, web_url, ..GithubConfig::default() };
            assert_eq!(config.is_one_github(), is_one, "{api} {web}");
        }
    }
}
