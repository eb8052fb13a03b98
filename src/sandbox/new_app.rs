//! The way from a manifest to an App: the page that shows it, the button that makes the App, and the code that an hour long, and
//! once, becomes its secrets. The App that is made is the App of this world from then on, and people sign in with it.

use chrono::TimeDelta;
use ring::signature::{KeyPair as _, RsaKeyPair};
use rustls::pki_types::PrivatePkcs1KeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::call::{Answer, Call, Reply, form};
use super::manifest::{self, Manifest};
use super::pages::{guarded, wrap};
use super::world::{App, Conversion, Hook, User, World};
use crate::domain::html::escape;

/// The key of every App that is made here. It is no secret.
const KEY: &str = include_str!("test-only-github-app-key.pem");

/// The pages, for a person's account or an organization's.
pub(super) fn pages(world: &mut World, call: &Call) -> Option<Answer> {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (org, rest) = match parts.as_slice() {
        ["organizations", org, rest @ ..] => (Some(*org), rest),
        rest => (None, rest),
    };
    let asked = match (call.method.as_str(), rest) {
        ("GET", ["settings", "apps", "new"]) => Asked::ByHand,
        ("POST", ["settings", "apps", "new"]) => Asked::Look,
        ("POST", ["settings", "apps"]) => Asked::Make,
        ("GET", ["settings", "apps"]) => return Some(guarded(shown(world, &world.app.slug))),
        ("GET", ["settings", "apps", slug, ..] | ["apps", slug, ..]) => return Some(guarded(shown(world, slug))),
        _ => return None,
    };
    let owner = match org {
        Some(org) => world.user_named(org).filter(|user| user.kind == "Organization").cloned(),
        None => world.users.values().find(|user| user.kind == "User").cloned(),
    };
    let Some(owner) = owner else {
        return Some(guarded(Answer::html(404, wrap("Not found", "<p>Nobody has this name.</p>"))));
    };
    let state = || call.query("state").or_else(|| form(call, "state")).unwrap_or_default();
    let text = form(call, "manifest").unwrap_or_default();
    let answer = match (asked, manifest::read(&world.app.slug, &text)) {
        (Asked::ByHand, _) => {
            Answer::html(200, wrap("Register new GitHub App", "<p>By hand nothing is made here: send a manifest.</p>"))
        }
        (_, Err(why)) => {
            let body = format!(
                "<p>The configuration does not appear to be a valid GitHub App manifest.</p><p>{}</p>",
                escape(&why)
            );
            Answer::html(422, wrap("Invalid GitHub App configuration", &body))
        }
        (Asked::Look, Ok(manifest)) => Answer::html(200, look(&manifest, &owner, org, &text, &state())),
        (Asked::Make, Ok(manifest)) => {
            let code = make(world, &manifest, &owner);
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("code", &code)
                .append_pair("state", &state())
                .finish();
            let joint = if manifest.redirect_url.contains('?') { '&' } else { '?' };
            Answer::empty(302).with("location", format!("{}{joint}{query}", manifest.redirect_url))
        }
    };
    Some(guarded(answer))
}

/// The App's own pages, all one here.
fn shown(world: &World, slug: &str) -> Answer {
    let app = &world.app;
    if slug != app.slug {
        return Answer::html(404, wrap("Not found", "<p>No App has this name.</p>"));
    }
    let owner = app.owner.and_then(|owner| world.users.get(&owner)).map_or("nobody", |owner| owner.login.as_str());
    let body = format!(
        "<p>It belongs to <strong>{}</strong>.</p><h2>Permissions</h2><pre>{}</pre><h2>Events</h2><pre>{}</pre>\
         <p>Permissions are not modelled here, so nothing needs to be ticked. It is installed by the control of the sandbox: \
         <code>/_sandbox/installations</code>.</p>",
        escape(owner),
        escape(&format!("{:#}", app.permissions)),
        escape(&format!("{:#}", app.events))
    );
    Answer::html(200, wrap(&app.name, &body))
}

/// What is asked of the pages.
enum Asked {
    ByHand,
    Look,
    Make,
}

fn look(manifest: &Manifest, owner: &User, org: Option<&str>, text: &str, state: &str) -> String {
    let place = org.map(|org| format!("/organizations/{}", escape(org))).unwrap_or_default();
    let body = format!(
        "<p>It will belong to <strong>{}</strong>.</p><form method=\"post\" action=\"{place}/settings/apps\">\
         <input type=\"hidden\" name=\"manifest\" value=\"{}\"><input type=\"hidden\" name=\"state\" value=\"{}\">\
         <p><button>Create GitHub App {}</button></p></form>",
        escape(&owner.login),
        escape(text),
        escape(state),
        escape(&manifest.name)
    );
    wrap("Create GitHub App", &body)
}

/// Makes the App; the code for its secrets.
fn make(world: &mut World, manifest: &Manifest, owner: &User) -> String {
    let (id, created_at) = (world.next_id(), world.ground.now());
    let [client_secret, webhook_secret] = [(); 2].map(|()| world.secret_text(""));
    let der = PrivatePkcs1KeyDer::from_pem_slice(KEY.as_bytes()).ok();
    let pair = der.and_then(|der| RsaKeyPair::from_der(der.secret_pkcs1_der()).ok());
    let hook = manifest.hook.as_ref().map(|url| Hook { url: url.clone(), secret: webhook_secret });
    world.app = App {
        id,
        slug: manifest::slug(&manifest.name),
        client_id: format!("Iv23{}", hex::encode(world.ground.bytes::<8>())),
        public_key: pair.map(|pair| pair.public_key().as_ref().to_vec()),
        created_at,
        name: manifest.name.clone(),
        owner: Some(owner.id),
        permissions: manifest.permissions.clone(),
        events: manifest.events.clone(),
        hook,
    };
    world.oauth.client_secret = Some(client_secret.clone());
    world.oauth.callbacks.clone_from(&manifest.callbacks);
    let mut told = world.app_json();
    told["client_secret"] = client_secret.into();
    told["webhook_secret"] = world.app.hook.as_ref().map(|hook| hook.secret.clone()).into();
    told["pem"] = KEY.find("-----BEGIN").map(|at| &KEY[at..]).into();
    let code = world.secret_text("");
    world.conversions.insert(code.clone(), Conversion { told, expires_at: created_at + TimeDelta::hours(1) });
    code
}

/// `POST /app-manifests/{code}/conversions`
pub(super) fn convert(world: &mut World, code: &str) -> Reply {
    let now = world.ground.now();
    let found = world.conversions.remove(code).filter(|conversion| conversion.expires_at > now);
    found.map(|conversion| Answer::json(201, conversion.told)).ok_or_else(Answer::not_found)
}
