//! `taskbridge manifest github --create`: GitHub's way from a manifest to an App. A page on this machine sends the browser to
//! GitHub with the manifest; GitHub sends it back with a code that works once; the code becomes the App, and its secrets become
//! files. One run makes one App.
//! <https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest>

mod desk;
mod files;
mod pages;
mod told;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::desk::Asked;
use self::files::{Places, Taken};
use crate::cli::stop::{Hangup, Stop};
use crate::cli::{CliError, open, said};
use crate::clock::Ground;
use crate::config::{Config, Login};
use crate::github::{CallError, Github, MadeApp};
use crate::http::{Server, ServerSettings};
use crate::pipeline::links::random_text;
use crate::secret::Secret;
use crate::sources::scheme::shown::same;

/// How long it waits for the browser; GitHub's codes last as long.
const WAITS: Duration = Duration::from_secs(60 * 60);
/// How long the last page may take to be read.
const LAST_PAGE: Duration = Duration::from_secs(5);
/// How often it is told that somebody came who was not sent to GitHub from here: whoever likes can come.
const STRANGERS: u32 = 5;
/// Longest code that is passed on, in bytes; GitHub's have 40.
const LONGEST_CODE: usize = 200;

/// What is to be made, and where its secrets go.
pub(super) struct Wish<'a> {
    pub config: &'a Config,
    /// The configuration's file.
    pub file: &'a Path,
    /// Without an address to come back to.
    pub manifest: Value,
    /// The source that its webhooks lead to, if there is one.
    pub source: Option<&'a str>,
    pub org: Option<&'a str>,
    pub out: Option<&'a Path>,
}

/// Makes the App.
pub(super) async fn run(wish: Wish<'_>) -> Result<(), CliError> {
    let stop = Stop::listen(Hangup::Stops)?;
    if let Some(org) = wish.org {
        let read = Login::read(org).ok().filter(|named| named.id.is_none());
        read.ok_or_else(|| CliError::Said("--org: the organization's name as in its address, without `@`".to_owned()))?;
    }
    if !wish.config.github.is_one_github() {
        return Err(CliError::Said(format!(
            "github.api_url ({}) is not the API of github.web_url ({}): the App would be made at the one, and asked for at the other",
            *wish.config.github.api_url, *wish.config.github.web_url
        )));
    }
    let places = Places::of(wish.file, wish.out)?;
    // Whether secrets can be written there, before there are any.
    drop(places.take().map_err(CliError::Said)?);
    let ground = Ground::system();
    let github = open::github(wish.config, &ground)?;
    let server = Server::bind(settings()).await?;
    let (asks, mut asked) = mpsc::channel(8);
    let router = desk::router(asks, server.address(), github.web_url());
    let mut flow = Flow::new(wish, places, ground, github, server.address());
    flow.tell_where();

    let end = CancellationToken::new();
    let serving = server.run(router, end.clone());
    tokio::pin!(serving);
    let outcome = loop {
        tokio::select! {
            Some(asked) = asked.recv() => if let Some(outcome) = flow.answer(asked).await { break outcome },
            () = tokio::time::sleep_until(flow.until) => {
                flow.tell_left_behind();
                break Err(CliError::Said("nobody came back from GitHub within an hour: run the command again".to_owned()));
            }
            () = stop.told() => {
                flow.tell_left_behind();
                break Err(CliError::Stopped);
            }
            () = &mut serving => return Err(CliError::Said("the page is not served any more".to_owned())),
        }
    };
    end.cancel();
    let _ = tokio::time::timeout(LAST_PAGE, serving).await;
    flow.tell_made(&outcome?)
}

fn settings() -> ServerSettings {
    ServerSettings {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        header_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(20),
        lifetime: WAITS,
        max_connections: 32,
    }
}

/// One run.
struct Flow<'a> {
    wish: Wish<'a>,
    places: Places,
    ground: Ground,
    github: Github,
    /// The page's own address begins so.
    origin: String,
    /// What the first page's address ends with: whoever else is on this machine does not know it.
    key: Secret,
    /// What GitHub gives back; good for one return.
    state: Secret,
    /// How many came with another one.
    strangers: u32,
    /// Until when it waits: an hour from the start, and from each look at the first page.
    until: Instant,
    /// Whether the first page was looked at, and an App may have been made.
    is_begun: bool,
}

impl<'a> Flow<'a> {
    fn new(mut wish: Wish<'a>, places: Places, ground: Ground, github: Github, address: SocketAddr) -> Self {
        let origin = format!("http://{address}");
        wish.manifest["redirect_url"] = format!("{origin}{}", desk::BACK).into();
        let [key, state] = [(); 2].map(|()| random_text(&ground));
        let until = Instant::now() + WAITS;
        Self { wish, places, ground, github, origin, key, state, strangers: 0, until, is_begun: false }
    }

    /// The first page.
    fn begins_at(&self) -> String {
        format!("{}/{}", self.origin, self.key.expose())
    }

    fn tell_where(&self) {
        let port = self.origin.rsplit(':').next().unwrap_or_default();
        said::tell(&format!(
            "Open this address in a browser, within an hour; it is for you alone:\n  {}\n\
             Is the browser on another machine? Then first forward the port from there, under the same number, and leave that \
             running:\n  ssh -N -o ExitOnForwardFailure=yes -L {port}:127.0.0.1:{port} THIS-MACHINE\n\
             This waits until GitHub has made the App (Ctrl-C ends it).",
            self.begins_at()
        ));
    }

    /// Nobody waits any more for the code of an App that may be there.
    fn tell_left_behind(&self) {
        if self.is_begun {
            said::tell(&format!(
                "If an App was made at GitHub meanwhile, delete it, and do not install it: its secrets are not here, and for an \
                 hour whoever has the address that GitHub sent the browser to could fetch them.\n  {}",
                self.apps()
            ));
        }
    }

    fn apps(&self) -> String {
        told::apps_page(self.github.web_url(), self.wish.org)
    }

    /// Answers the browser; how it ended, if it is over.
    async fn answer(&mut self, asked: Asked) -> Option<Result<MadeApp, CliError>> {
        let (page, outcome, tell) = match asked {
            Asked::Begin { key, tell } if same(self.key.expose().as_bytes(), key.as_bytes()) => {
                (self.begin(), None, tell)
            }
            Asked::Begin { tell, .. } => (pages::nothing().into_response(), None, tell),
            Asked::Back { state, code, tell } => {
                let (page, outcome) = self.back(&state, &code).await;
                (page, outcome, tell)
            }
        };
        // A browser that went away meanwhile changes nothing.
        let _ = tell.send(page);
        outcome
    }

    fn begin(&mut self) -> Response {
        (self.until, self.is_begun) = (Instant::now() + WAITS, true);
        let web = self.github.web_url();
        let place = self.wish.org.map(|org| format!("/organizations/{org}")).unwrap_or_default();
        let action = format!("{web}{place}/settings/apps/new?state={}", self.state.expose());
        pages::begin(&action, self.wish.org, &self.wish.manifest).into_response()
    }

    /// The browser is back from GitHub.
    async fn back(&mut self, state: &str, code: &str) -> (Response, Option<Result<MadeApp, CliError>>) {
        if !same(self.state.expose().as_bytes(), state.as_bytes()) {
            self.strangers = self.strangers.saturating_add(1);
            if self.strangers <= STRANGERS {
                said::tell(
                    "taskbridge: somebody came with a `state` that is not of this run, or was used: nothing was done",
                );
            }
            return (pages::stranger(&self.apps()).into_response(), None);
        }
        if code.is_empty() || code.len() > LONGEST_CODE || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            said::tell("taskbridge: GitHub sent the browser back without a code: nothing was done");
            return (pages::no_code(&self.begins_at()).into_response(), None);
        }
        let used = std::mem::replace(&mut self.state, random_text(&self.ground));
        let taken = match self.places.take() {
            Ok(taken) => taken,
            Err(why) => return (self.not_yet(used, &why), None),
        };
        let (web, org) = (self.github.web_url(), self.wish.org);
        match self.github.made_app(code).await {
            Ok(made) => self.take_in(made, taken),
            Err(error @ CallError::Unknown { .. }) => lost(format!(
                "GitHub took the code, and its answer cannot be used: {error}.\n{}",
                told::lost(web, org, None)
            )),
            Err(error) => match told::not_used_up(&error) {
                Some(why) => (self.not_yet(used, &why), None),
                None => {
                    if matches!(error, CallError::NotFound { .. }) {
                        // Nothing is known of it there: if that was the wrong place, the right one may be asked.
                        self.state = used;
                    }
                    let (apps, asked) = (self.apps(), &*self.wish.config.github.api_url);
                    said::tell(&format!(
                        "taskbridge: {asked} does not take the code: {error}. It was used before, or is older than an hour (or \
                         `github.api_url` is not the API of {}). If an App was made, delete it: {apps}\nThe page can be opened again.",
                        self.github.web_url()
                    ));
                    (pages::refused(&error, asked, &apps, &self.begins_at()).into_response(), None)
                }
            },
        }
    }

    /// GitHub has told of an App: its secrets become files, if it is the one that was asked for.
    fn take_in(&self, made: MadeApp, taken: Taken) -> (Response, Option<Result<MadeApp, CliError>>) {
        let (web, org) = (self.github.web_url(), self.wish.org);
        if let Some(why) = told::of_another(web, org, &made) {
            return ended("This App is somebody else's", why);
        }
        match taken.keep(&made) {
            Ok(()) => (pages::made(&made, &told::left(web, &made)).into_response(), Some(Ok(made))),
            Err(why) => lost(format!("{why}\n{}", told::lost(web, org, Some(&made)))),
        }
    }

    /// Nothing is used up: the browser may come again with what it brought.
    fn not_yet(&mut self, state: Secret, why: &str) -> Response {
        self.state = state;
        said::tell(&format!(
            "taskbridge: {why}\nNothing is used up: put that right, then load the page in the browser again."
        ));
        pages::not_yet(why).into_response()
    }

    fn tell_made(&self, made: &MadeApp) -> Result<(), CliError> {
        let (config, source) = (self.wish.config, self.wish.source);
        said::tell(&told::made(made, &self.places, source));
        said::print(&told::configuration(made, &self.places, &config.github, source))?;
        said::tell(&told::steps(&told::left(self.github.web_url(), made)));
        Ok(())
    }
}

/// The App is there, and its secrets are not here.
fn lost(text: String) -> (Response, Option<Result<MadeApp, CliError>>) {
    ended("The App's secrets are lost", text)
}

fn ended(title: &str, text: String) -> (Response, Option<Result<MadeApp, CliError>>) {
    (pages::ended(title, &text).into_response(), Some(Err(CliError::Said(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Reader;

    #[tokio::test]
    async fn who_looks_at_the_page_again_has_another_hour() {
        let file = Path::new("/etc/taskbridge.yaml");
        let reader = Reader::fixed(&[], &[("/etc/taskbridge.yaml", "rules: []")]).without_secrets();
        let config = crate::config::load(file, &reader).unwrap_or_else(|faults| panic!("{faults}")).config;
        let ground = Ground::system();
        let (github, places) =
            (open::github(&config, &ground).expect("a client"), Places::of(file, Some(&std::env::temp_dir())));
        let manifest = serde_json::json!({ "name": "taskbridge" });
        let wish = Wish { config: &config, file, manifest, source: None, org: None, out: None };
        let mut flow =
            Flow::new(wish, places.expect("a folder"), ground, github, SocketAddr::from(([127, 0, 0, 1], 9)));
        // Half an hour later.
        flow.until -= WAITS / 2;
        let first = flow.until;
        let (tell, told) = tokio::sync::oneshot::channel();
        assert!(flow.answer(Asked::Begin { key: "wrong".to_owned(), tell }).await.is_none());
        assert!(told.await.is_ok_and(|page| page.status() == 404) && flow.until == first, "of another it is no look");
        let (tell, told) = tokio::sync::oneshot::channel();
        let key = flow.key.expose().to_owned();
        assert!(flow.answer(Asked::Begin { key, tell }).await.is_none());
        assert!(told.await.is_ok_and(|page| page.status() == 200) && flow.until >= first + WAITS / 2);
    }
}
