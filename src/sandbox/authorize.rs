//! The page where a person says who they are and lets the app in: a button for each simulated account.

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::call::{Answer, Call, form};
use super::pages::{guarded, wrap};
use super::world::{Code, World};
use crate::domain::html::escape;

/// What an app asks for in the address.
struct Asked {
    redirect_uri: String,
    state: String,
    challenge: Option<String>,
}

/// The page, or what a button does.
pub(super) fn authorize(world: &mut World, call: &Call) -> Option<Answer> {
    let answer = match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/login/oauth/authorize") => Some(match asked(world, |name| call.query(name)) {
            Ok(asked) => page(world, &asked),
            Err(why) => refused(&why),
        }),
        ("POST", "/login/oauth/authorize") => Some(match asked(world, |name| form(call, name)) {
            Ok(asked) => back(world, &asked, form(call, "login").as_deref()),
            Err(why) => refused(&why),
        }),
        ("GET", "/login/device") => Some(Answer::html(200, devices(world, ""))),
        ("POST", "/login/device") => {
            let (login, code) = (form(call, "login").unwrap_or_default(), form(call, "user_code").unwrap_or_default());
            let said = if let_in(world, &login, &code) { "It is let in." } else { "No device waits with this code." };
            Some(Answer::html(200, devices(world, said)))
        }
        _ => None,
    };
    answer.map(guarded)
}

/// The address that the browser goes back to when `login` lets the app in; without one, when the person does not.
pub(super) fn approve(world: &mut World, query: &str, login: Option<&str>) -> Result<String, String> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let asked = asked(world, |name| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))?;
    way_back(world, &asked, login)
}

/// Lets a device in, if one waits with this code.
pub(super) fn let_in(world: &mut World, login: &str, user_code: &str) -> bool {
    let Some(user) = world.user_named(login).map(|user| user.id) else { return false };
    let now = world.ground.now();
    let waits = |code: &str| code == user_code;
    let device = world.oauth.devices.values_mut().find(|own| waits(&own.user_code) && own.expires_at > now);
    device.map(|device| device.answer = Some(Some(user))).is_some()
}

fn asked(world: &World, field: impl Fn(&str) -> Option<String>) -> Result<Asked, String> {
    if field("client_id").as_deref() != Some(world.app.client_id.as_str()) || world.oauth.client_secret.is_none() {
        return Err("There is no app with this client id.".to_owned());
    }
    let redirect_uri = field("redirect_uri").or_else(|| world.oauth.callbacks.first().cloned()).unwrap_or_default();
    let callbacks = &world.oauth.callbacks;
    let registered = callbacks.is_empty() || callbacks.contains(&redirect_uri);
    if redirect_uri.is_empty() || !registered {
        return Err("The redirect_uri is not associated with this application.".to_owned());
    }
    let challenge = field("code_challenge").filter(|text| !text.is_empty());
    if challenge.is_some() && field("code_challenge_method").as_deref() != Some("S256") {
        return Err("The code_challenge_method must be S256.".to_owned());
    }
    Ok(Asked { redirect_uri, state: field("state").unwrap_or_default(), challenge })
}

fn page(world: &World, asked: &Asked) -> Answer {
    let mut body = String::from("<p>An app wants to act for you. Who are you?</p>");
    let people = world.users.values().filter(|user| user.kind == "User").map(|user| user.login.clone());
    for login in people.map(Some).chain([None]) {
        let _ = write!(body, "<form method=\"post\" action=\"/login/oauth/authorize\">");
        let challenge = asked.challenge.as_deref().unwrap_or_default();
        let fields = [
            ("client_id", world.app.client_id.as_str()),
            ("redirect_uri", asked.redirect_uri.as_str()),
            ("state", asked.state.as_str()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
            ("login", login.as_deref().unwrap_or_default()),
        ];
        for (name, value) in fields {
            let _ = write!(body, "<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value));
        }
        let label = login.map_or_else(|| "Cancel".to_owned(), |login| format!("Authorize as {}", escape(&login)));
        let _ = write!(body, "<p><button>{label}</button></p></form>");
    }
    Answer::html(200, wrap("Authorize the app", &body))
}

fn back(world: &mut World, asked: &Asked, login: Option<&str>) -> Answer {
    match way_back(world, asked, login.filter(|login| !login.is_empty())) {
        Ok(url) => Answer::empty(302).with("location", url),
        Err(why) => refused(&why),
    }
}

fn way_back(world: &mut World, asked: &Asked, login: Option<&str>) -> Result<String, String> {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    match login {
        Some(login) => {
            let user = world.user_named(login).map(|user| user.id).ok_or("There is no such account.")?;
            let code = world.secret_text("");
            let expires_at = world.ground.now() + TimeDelta::minutes(10);
            let (redirect_uri, challenge) = (asked.redirect_uri.clone(), asked.challenge.clone());
            world.oauth.codes.insert(code.clone(), Code { user, redirect_uri, challenge, expires_at });
            pairs.append_pair("code", &code);
        }
        None => {
            pairs.append_pair("error", "access_denied");
        }
    }
    let query = pairs.append_pair("state", &asked.state).finish();
    let joint = if asked.redirect_uri.contains('?') { '&' } else { '?' };
    Ok(format!("{}{joint}{query}", asked.redirect_uri))
}

fn devices(world: &World, said: &str) -> String {
    let mut body =
        format!("<p>{said}</p><form method=\"post\" action=\"/login/device\"><p>Code <input name=\"user_code\"></p>");
    for user in world.users.values().filter(|user| user.kind == "User") {
        let login = escape(&user.login);
        let _ = write!(body, "<p><button name=\"login\" value=\"{login}\">Let it in as {login}</button></p>");
    }
    body.push_str("</form>");
    wrap("Connect a device", &body)
}

fn refused(why: &str) -> Answer {
    Answer::html(404, wrap("Not so", &format!("<p>{}</p>", escape(why))))
}
