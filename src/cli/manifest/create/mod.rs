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
use tokio_util::sync::CancellationToken;

use self::desk::Asked;
use self::files::Places;
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
    let places = Places::of(wish.file, wish.out)?;
    places.are_free()?;
    let ground = Ground::system();
    let github = open::github(wish.config, &ground)?;
    let server = Server::bind(settings()).await?;
    let (asks, mut asked) = mpsc::channel(8);
    let router = desk::router(asks, server.address(), github.web_url());
    let mut flow = Flow::new(wish, places, ground, github, server.address());
    flow.tell_where();

    let end = CancellationToken::new();
    let serving = server.run(router, end.clone());
    let late = tokio::time::sleep(WAITS);
    tokio::pin!(serving, late);
    let outcome = loop {
        tokio::select! {
            Some(asked) = asked.recv() => if let Some(outcome) = flow.answer(asked).await { break outcome },
            () = &mut late => break Err(CliError::Said(
                "nobody came back from GitHub within an hour: run the command again. If an App was made there meanwhile, delete it: nobody has its secrets".to_owned(),
            )),
            () = stop.told() => break Err(CliError::Stopped),
            () = &mut serving => return Err(CliError::Said("the page is not served any more".to_owned())),
        }
    };
    end.cancel();
    let _ = tokio::time::timeout(LAST_PAGE, serving).await;
    let made = outcome?;
    flow.tell_made(&made)
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
}

impl<'a> Flow<'a> {
    fn new(mut wish: Wish<'a>, places: Places, ground: Ground, github: Github, address: SocketAddr) -> Self {
        let origin = format!("http://{address}");
        wish.manifest["redirect_url"] = format!("{origin}{}", desk::BACK).into();
        let [key, state] = [(); 2].map(|()| random_text(&ground));
        Self { wish, places, ground, github, origin, key, state, strangers: 0 }
    }

    /// The first page.
    fn begins_at(&self) -> String {
        format!("{}/{}", self.origin, self.key.expose())
    }

    fn tell_where(&self) {
        let port = self.origin.rsplit(':').next().unwrap_or_default();
        eprintln!(
            "Open this address in a browser, within an hour; it is for you alone:\n  {}\n\
             Is the browser on another machine? Then first forward the port from there, under the same number, and leave that \
             running:\n  ssh -N -o ExitOnForwardFailure=yes -L {port}:127.0.0.1:{port} THIS-MACHINE\n\
             This waits until GitHub has made the App (Ctrl-C ends it).",
            self.begins_at()
        );
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

    fn begin(&self) -> Response {
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
                eprintln!(
                    "taskbridge: somebody came with a `state` that is not of this run, or was used: nothing was done"
                );
            }
            return (pages::stranger().into_response(), None);
        }
        if code.is_empty() || code.len() > LONGEST_CODE || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            eprintln!("taskbridge: GitHub sent the browser back without a code: nothing was done");
            return (pages::no_code(&self.begins_at()).into_response(), None);
        }
        let used = std::mem::replace(&mut self.state, random_text(&self.ground));
        let taken = match self.places.take() {
            Ok(taken) => taken,
            Err(why) => return (self.not_yet(used, &why), None),
        };
        let (web, org) = (self.github.web_url(), self.wish.org);
        match self.github.made_app(code).await {
            Ok(made) => match taken.keep(&made) {
                Ok(()) => (pages::made(&made, &told::left(web, &made)).into_response(), Some(Ok(made))),
                Err(why) => lost(format!("{why}\n{}", told::lost(web, org, Some(&made)))),
            },
            Err(error @ CallError::Unknown { .. }) => lost(format!(
                "GitHub took the code, and its answer cannot be used: {error}.\n{}",
                told::lost(web, org, None)
            )),
            Err(error) => match told::not_used_up(&error) {
                Some(why) => (self.not_yet(used, &why), None),
                None => {
                    let apps = told::apps_page(web, org);
                    eprintln!(
                        "taskbridge: GitHub does not take the code: {error}. It was used before, or is older than an hour. If an \
                         App was made, delete it: {apps}\nThe page can be opened again."
                    );
                    (pages::refused(&error, &apps, &self.begins_at()).into_response(), None)
                }
            },
        }
    }

    /// Nothing is used up: the browser may come again with what it brought.
    fn not_yet(&mut self, state: Secret, why: &str) -> Response {
        self.state = state;
        eprintln!("taskbridge: {why}\nNothing is used up: put that right, then load the page in the browser again.");
        pages::not_yet(why).into_response()
    }

    fn tell_made(&self, made: &MadeApp) -> Result<(), CliError> {
        eprintln!("{}", told::made(made, &self.places, self.wish.source));
        said::print(&told::configuration(made, &self.places, self.wish.source))?;
        eprintln!("{}", told::steps(&told::left(self.github.web_url(), made)));
        Ok(())
    }
}

/// The App is there, and its secrets are not here.
fn lost(text: String) -> (Response, Option<Result<MadeApp, CliError>>) {
    (pages::lost(&text).into_response(), Some(Err(CliError::Said(text))))
}
