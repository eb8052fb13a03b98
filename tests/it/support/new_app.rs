//! The scene of `taskbridge manifest github --create`: a simulated GitHub, a folder with a configuration, and a browser that is led
//! from page to page.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use taskbridge::clock::Ground;
use taskbridge::sandbox::{Sandbox, SandboxConfig};

use super::canary;
use super::program::{Folder, Program};
use super::world::LABEL_RULE;

pub(crate) const CREATE: [&str; 3] = ["manifest", "github", "--create"];
pub(crate) const FILES: [&str; 3] = ["github-app.pem", "github-webhook.secret", "github-client.secret"];
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A simulated GitHub, a folder with a configuration, and a browser.
pub(crate) struct Scene {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: Folder,
    pub(crate) browser: Client,
    /// Where the service is to be reached.
    pub(crate) public: String,
}

/// A page, or where the browser is sent.
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    pub(crate) text: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let sandbox = Sandbox::start(SandboxConfig::new(Ground::system())).await.unwrap();
        sandbox.control().seed_demo().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let _again = rustls::crypto::ring::default_provider().install_default();
        let browser = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent("a browser");
        let browser = browser.build().unwrap();
        let scene = Self { sandbox, folder: Folder::new(), browser, public: format!("http://{free}") };
        let url = scene.sandbox.url();
        scene.configure(&format!(
            "github: {{ api_url: \"{url}\", web_url: \"{url}\" }}\n\
             sources:\n  hub: {{ type: github, secrets: \"${{HOOK_SECRET}}\" }}\n"
        ));
        scene
    }

    pub(crate) fn configure(&self, sections: &str) {
        let text = format!("server: {{ public_url: \"{}\" }}\n{sections}{LABEL_RULE}", self.public);
        self.folder.write("taskbridge.yaml", &text);
    }

    /// The command, and the address that it shows.
    pub(crate) fn begin(&self, more: &[&str]) -> (Program, String) {
        let mut program = self.folder.start(&[&CREATE[..], more].concat(), &[]);
        let address = program.says("  http://127.0.0.1:").trim().to_owned();
        (program, address)
    }

    pub(crate) async fn get(&self, url: &str) -> Seen {
        see(self.browser.get(url)).await
    }

    pub(crate) async fn post(&self, url: &str, form: &[(&str, &str)]) -> Seen {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        see(self.browser.post(url).header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    /// From the first page over GitHub's to where GitHub sends the browser back to.
    pub(crate) async fn at_github(&self, address: &str) -> String {
        self.at_github_of(address, |action| action).await
    }

    /// The same, where somebody has GitHub's page under another address.
    pub(crate) async fn at_github_of(&self, address: &str, other: impl FnOnce(String) -> String) -> String {
        let page = self.get(address).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let action = other(between(&page.text, "action=\"", "\""));
        let shown = self.post(&action, &[("manifest", &value(&page.text, "manifest"))]).await;
        assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
        let action = format!("{}{}", self.sandbox.url(), between(&shown.text, "action=\"", "\""));
        let fields = ["manifest", "state"].map(|name| (name, value(&shown.text, name)));
        let made = self.post(&action, &fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
        assert_eq!(made.status, StatusCode::FOUND, "{}", made.text);
        made.location
    }

    /// How often the code was shown to GitHub.
    pub(crate) fn conversions(&self) -> usize {
        self.sandbox.control().calls().iter().filter(|call| call.path.starts_with("/app-manifests/")).count()
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("github-"));
        names.sort_unstable();
        names
    }

    /// What the files hold; nobody may print it from now on.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap().trim().to_owned();
        let secrets: Vec<String> = FILES.into_iter().map(read).collect();
        canary::know(
            &secrets.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with('-')).collect::<Vec<_>>(),
        );
        secrets
    }
}

pub(crate) async fn see(request: reqwest::RequestBuilder) -> Seen {
    let answer = request.send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, location) = (answer.status(), header("location").unwrap_or_default());
    if header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
        let policy = header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    Seen { status, location, text: answer.text().await.unwrap() }
}

fn between(text: &str, open: &str, close: &str) -> String {
    let (_, rest) = text.split_once(open).unwrap_or_else(|| panic!("{open} in {text}"));
    plain(rest.split_once(close).unwrap().0)
}

/// A field of a form.
fn value(text: &str, name: &str) -> String {
    between(text, &format!("name=\"{name}\" value=\""), "\"")
}

fn plain(text: &str) -> String {
    let text = text.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
    text.replace("&amp;", "&")
}
