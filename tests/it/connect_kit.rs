//! What the stories about signing in share: a world where people can, and browsers with cookies.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use base64::Engine as _;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use taskbridge::github::SignInSettings;
use taskbridge::ids::PersonId;
use taskbridge::pipeline::Bridge;
use taskbridge::secret::Secret;
use taskbridge::store::people::Person;
use taskbridge::vault::Place;
use tower::ServiceExt as _;

use crate::support::canary;
use crate::support::world::{LABEL_RULE, Setup, World};

pub(crate) const CLIENT: &str = "Iv23connect";
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret-5e";
/// Where browsers reach the bridge.
pub(crate) const SITE: &str = "http://127.0.0.1:9";
pub(crate) const OTTO: PersonId = PersonId(1002);

/// How a world is made where people can sign in.
pub(crate) fn setup() -> Setup<'static> {
    canary::listen(&[CLIENT_SECRET]);
    Setup {
        adjust: Box::new(|settings| settings.connect_url = Some(format!("{SITE}/connect"))),
        adjust_github: Box::new(|github| github.sign_in = Some(sign_in())),
        ..Setup::new(LABEL_RULE)
    }
}

pub(crate) fn sign_in() -> SignInSettings {
    SignInSettings { client_id: CLIENT.to_owned(), client_secret: Secret::new(CLIENT_SECRET), scopes: Vec::new() }
}

/// A world where people can sign in.
pub(crate) async fn world() -> World {
    open(setup()).await
}

pub(crate) async fn open(setup: Setup<'_>) -> World {
    let world = World::of(setup).await;
    let callback = format!("{SITE}/connect/callback");
    world.control().set_sign_in(CLIENT, CLIENT_SECRET, Some(&callback));
    world
}

/// Otto as stored.
pub(crate) async fn otto(world: &World) -> Option<Person> {
    world.bridge.store.person(OTTO).await.unwrap()
}

/// A person's tokens, opened: the one to ask with, and the one to renew it with, if there is one.
pub(crate) async fn tokens_of(bridge: &Bridge, id: PersonId) -> Vec<String> {
    let person = bridge.store.person(id).await.unwrap().unwrap();
    let row = id.to_string();
    let sealed = [("token", person.token), ("refresh_token", person.refresh_token)];
    let open = |(column, sealed): (&'static str, Option<Vec<u8>>)| {
        let token = bridge.vault.open(&Place { table: "people", row: &row, column }, &sealed?).unwrap();
        Some(token.expose().to_owned())
    };
    let tokens: Vec<String> = sealed.into_iter().filter_map(open).collect();
    canary::know(&tokens.iter().map(String::as_str).collect::<Vec<_>>());
    tokens
}

/// Otto's access token, opened.
pub(crate) async fn token_of_otto(world: &World) -> String {
    tokens_of(&world.bridge, OTTO).await.remove(0)
}

/// An answer as a browser sees it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Seen {
    /// Where the browser is sent.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).unwrap_or_else(|| panic!("sent nowhere: {self:?}")).to_str().unwrap()
    }

    /// Whether all can read the page, and nothing in it runs, loads or is styled by somebody else.
    fn is_a_good_page(&self) {
        let text = &self.text;
        for once in ["<html lang=\"en\">", "<meta name=\"viewport\" content=\"width=device-width", "<h1>", "<main>"] {
            assert_eq!(text.matches(once).count(), 1, "{once} in {text}");
        }
        for never in ["<script", "<link", "<img", " style=", " src=", "javascript:"] {
            assert!(!text.contains(never), "{never} in {text}");
        }
        let between = |open: &str, close: &str| text.split_once(open).unwrap().1.split_once(close).unwrap().0;
        let title = between("<title>", "</title>");
        assert!(title.ends_with(" · taskbridge") && title.contains(between("<h1>", "</h1>")), "{title}");
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(between("<style>", "</style>")));
        let policy = self.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for part in ["default-src 'none'", &format!("style-src 'sha256-{hash}'"), "frame-ancestors 'none'"] {
            assert!(policy.split("; ").any(|own| own == part), "{part} in {policy}");
        }
        let fields = text.matches("<input").count() - text.matches("<input type=\"hidden\"").count();
        assert_eq!(fields, text.matches("<label for=").count(), "each field has a name: {text}");
    }

    /// The hidden field that only the page knows.
    pub(crate) fn form(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"form\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }
}

/// A browser at one replica, with its cookies.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(world: &World) -> Self {
        Self { router: world.router.clone(), cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, url: &str) -> Seen {
        let path = url.strip_prefix(SITE).unwrap_or(url);
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// A form of our own page.
    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Seen {
        self.post_from(path, form, &[("origin", SITE), ("sec-fetch-site", "same-origin")]).await
    }

    pub(crate) async fn post_from(&mut self, path: &str, form: &str, headers: &[(&str, &str)]) -> Seen {
        let mut request = Request::post(path.strip_prefix(SITE).unwrap_or(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.ask(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    async fn ask(&mut self, mut request: Request<Body>) -> Seen {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        assert_eq!(canary::leak_in(&text), None, "told to a browser");
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            canary::know(&[value]);
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let seen = Seen { status: parts.status, headers: parts.headers, text };
        if seen.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
            seen.is_a_good_page();
        }
        seen
    }

    /// Presses the button, lets the app in as `login`, and answers where GitHub sends the browser back to.
    pub(crate) async fn go_to_github(&mut self, world: &World, path: &str, login: &str) -> String {
        let sent = self.post(path, "").await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let back = world.control().approve(sent.location(), Some(login)).unwrap();
        canary::know(&back.split(['?', '&', '=']).filter(|part| part.len() > 30).collect::<Vec<_>>());
        back
    }

    /// The whole way. Answers the page at its end.
    pub(crate) async fn sign_in(&mut self, world: &World, login: &str) -> Seen {
        let back = self.go_to_github(world, "/connect/start", login).await;
        let done = self.get(&back).await;
        assert_eq!(
            (done.status, done.location()),
            (StatusCode::SEE_OTHER, "http://127.0.0.1:9/connect"),
            "{}",
            done.text
        );
        self.get("/connect").await
    }
}
