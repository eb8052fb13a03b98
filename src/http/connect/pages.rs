//! The pages that people see: plain, without scripts, each with what to do next. All text is escaped.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::http::HeaderValue;
use axum::response::Html;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::cookies::Site;
use crate::domain::html::escape;
use crate::domain::identity::Identity;
use crate::pipeline::links::CODE_LASTS;
use crate::pipeline::sign_in::{Account, AtGithub, NotSignedIn};
use crate::secret::Secret;
use crate::store::Moment;
use crate::store::tasks::list::ListedTask;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}\
    table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}\
    button{font:inherit;padding:.3rem 1rem}code{font-size:1.2em}form{display:inline}";

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE.as_bytes())));

/// A page.
pub(super) type Shown = Html<String>;

/// What pages may do: nothing but be styled, and send forms here. Browsers ask for the redirect to GitHub too.
pub(super) fn policy(web_url: &str) -> HeaderValue {
    let github: String = web_url.split('/').take(3).collect::<Vec<_>>().join("/");
    let text = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self' {github}; frame-ancestors 'none'; base-uri 'none'",
        *STYLE_HASH
    );
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn page(title: &str, body: &str) -> Shown {
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title} · taskbridge</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>",
        title = escape(title)
    ))
}

fn time(at: Moment) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn button(site: &Site, path: &str, label: &str, form: Option<&Secret>) -> String {
    let hidden = form.map(|form| format!("<input type=\"hidden\" name=\"form\" value=\"{}\">", escape(form.expose())));
    format!(
        "<form method=\"post\" action=\"{}{}\">{}<button>{}</button></form>",
        escape(site.url()),
        escape(path),
        hidden.unwrap_or_default(),
        escape(label)
    )
}

fn sign_in(site: &Site, label: &str) -> String {
    format!("<p>{}</p>", button(site, "/start", label, None))
}

pub(super) fn welcome(site: &Site) -> Shown {
    let body = format!(
        "<p>taskbridge starts Copilot tasks with the GitHub token of whoever asks for them. Sign in, and tasks that wait \
         for you go on by themselves.</p>{}<p>What is kept: your login and account number, the token (sealed, opened only \
         while it is used) and when it ends. You see and remove it here.</p>",
        sign_in(site, "Sign in with GitHub")
    );
    page("Connect your GitHub account", &body)
}

pub(super) fn of_link(site: &Site, link: &str, identity: &Identity) -> Shown {
    let body = format!(
        "<p>The {} asked to be connected to a GitHub account. Go on only if that was <strong>you</strong>: if somebody \
         sent you this link, close the page.</p><p>After the sign-in you see a short code. Type it in the chat, as that \
         same account, and the two are connected.</p><p>{}</p>",
        escape(&identity.to_string()),
        button(site, &format!("/{link}"), "Sign in with GitHub", None)
    );
    page("Connect a chat account", &body)
}

pub(super) fn code(site: &Site, login: &str, identity: &Identity, code: Option<&Secret>) -> Shown {
    let to_account = format!("<p><a href=\"{}\">See what is kept of you</a></p>", escape(site.url()));
    let Some(code) = code else {
        let body = format!(
            "<p>You are signed in as <strong>{}</strong>. The chat account has asked for a newer link meanwhile, so this \
             one connects nothing: open the newer one.</p>{to_account}",
            escape(login)
        );
        return page("Signed in", &body);
    };
    let body = format!(
        "<p>You are signed in as <strong>{}</strong>. To connect the {}, type there, within {} minutes:</p>\
         <p><code>link {}</code></p><p>Only if you asked for the link yourself. Give the code to nobody: whoever types it \
         acts as you.</p>{to_account}",
        escape(login),
        escape(&identity.to_string()),
        CODE_LASTS.num_minutes(),
        escape(code.expose())
    );
    page("One more step", &body)
}

pub(super) fn account(site: &Site, account: &Account, tasks: &[ListedTask], enters: bool, now: Moment) -> Shown {
    let person = &account.person;
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = write!(rows, "<tr><th>{name}</th><td>{}</td></tr>", escape(value));
    };
    row("Login", &person.login);
    row("Account number", &person.id.to_string());
    row("Token", &token_state(account, now));
    row("Scopes", if person.scopes.is_empty() { "what the GitHub App may" } else { &person.scopes });
    row("Since", &time(person.added_at));
    row("Last confirmed by GitHub", &time(person.checked_at));
    for (identity, since) in &account.identities {
        row("Connected", &format!("{identity}, since {}", time(*since)));
    }
    let again = if person.usable_token(now).is_none() { sign_in(site, "Sign in again") } else { String::new() };
    let form = Some(&account.form);
    let body = format!(
        "<table>{rows}</table>{again}{}<h2>Your tasks</h2>{}<h2>Leave</h2><p>{} ends your token here and at GitHub, and forgets \
         what you agreed to and which chat accounts are yours. Tasks that run at GitHub go on there.</p>\
         <p>{} only forgets this browser.</p>",
        if enters { enter_account(site, &account.form) } else { String::new() },
        task_table(tasks),
        button(site, "/disconnect", "Disconnect", form),
        button(site, "/leave", "Sign out", form)
    );
    page("Your GitHub account is connected", &body)
}

fn enter_account(site: &Site, form: &Secret) -> String {
    format!(
        "<h2>Connect a chat account</h2><p>Write <code>link</code> in the chat and enter here what the answer calls          <strong>your</strong> account.</p><form method=\"post\" action=\"{}/account\"><input type=\"hidden\" name=\"form\"          value=\"{}\"><input name=\"account\" size=\"60\" maxlength=\"300\" required> <button>Show the code</button></form>",
        escape(site.url()),
        escape(form.expose())
    )
}

pub(super) fn nobody_waits(site: &Site) -> Shown {
    let body = format!(
        "<p>No chat account of this name waits to be connected. Write <code>link</code> in the chat, and enter within a \
         quarter of an hour what the answer says, letter for letter.</p><p><a href=\"{}\">Back</a></p>",
        escape(site.url())
    );
    page("Nothing was connected", &body)
}

fn token_state(account: &Account, now: Moment) -> String {
    let person = &account.person;
    if person.usable_token(now).is_none() {
        let why = person.token_reason.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        return format!("not usable any more{why}");
    }
    match (person.token_expires_at, person.refresh_expires_at, person.refresh_token.is_some()) {
        (Some(end), Some(last), true) => {
            format!("good until {}, renewed by itself, at the longest until {}", time(end), time(last))
        }
        (Some(end), None, true) => format!("good until {}, renewed by itself", time(end)),
        (Some(end), _, false) => format!("good until {}", time(end)),
        (None, ..) => "good, without an end".to_owned(),
    }
}

fn task_table(tasks: &[ListedTask]) -> String {
    if tasks.is_empty() {
        return "<p>None yet.</p>".to_owned();
    }
    let mut rows = String::new();
    for task in tasks {
        let number = task.subject_number.map(|number| format!("#{number}")).unwrap_or_default();
        let place = escape(&format!("{}/{}{number}", task.repo_owner, task.repo_name));
        let url = [&task.subject_url].into_iter().find(|url| url.starts_with("https://") || url.starts_with("http://"));
        let place = url.map_or(place.clone(), |url| format!("<a href=\"{}\">{place}</a>", escape(url)));
        let _ = write!(
            rows,
            "<tr><td>{}</td><td>{place}</td><td>{}</td><td>{}</td></tr>",
            escape(&task.state.to_string()),
            escape(&task.rule),
            time(task.created_at)
        );
    }
    format!("<table><tr><th>State</th><th>About</th><th>Rule</th><th>Made</th></tr>{rows}</table>")
}

pub(super) fn disconnected(site: &Site, at_github: &AtGithub) -> Shown {
    let rest = match at_github {
        AtGithub::Ended => "GitHub has ended it too.".to_owned(),
        AtGithub::NotOurs => {
            "An operator had added it by hand: if nothing else uses it, delete it in your settings at \
                              GitHub, under developer settings."
                .to_owned()
        }
        AtGithub::Alive(url) => format!(
            "<strong>GitHub could not be told:</strong> revoke the app on <a href=\"{0}\">its page in your settings</a>.",
            escape(url)
        ),
    };
    let body = format!("<p>Your token is no longer kept here. {rest}</p>{}", sign_in(site, "Sign in again"));
    page("Disconnected", &body)
}

pub(super) fn cancelled(site: &Site) -> Shown {
    let body = format!("<p>GitHub sent you back without a token. Nothing is kept.</p>{}", sign_in(site, "Sign in"));
    page("The sign-in was cancelled", &body)
}

pub(super) fn too_late(site: &Site) -> Shown {
    let body = format!(
        "<p>Nothing was done: the page was too old, or was not of this browser.</p>{}",
        sign_in(site, "Sign in and try again")
    );
    page("Sign in first", &body)
}

pub(super) fn foreign(site: &Site) -> Shown {
    let body = format!(
        "<p>Nothing was done: the form was sent by another site.</p><p><a href=\"{}\">Go to taskbridge's own page</a>.</p>",
        escape(site.url())
    );
    page("Not from here", &body)
}

pub(super) fn slow() -> Shown {
    page("Try again", "<p>It took too long. Go back and try again in a minute.</p>")
}

pub(super) fn failed(site: Option<&Site>, error: &NotSignedIn) -> Shown {
    let again = site.map(|site| sign_in(site, "Sign in again")).unwrap_or_default();
    let body = match error {
        NotSignedIn::OAuth(error) => format!("<p>{}</p>{again}", escape(&sentence(&error.for_person()))),
        NotSignedIn::Call(error) => format!(
            "<p>GitHub did not say who you are: {}</p><p>Nothing is kept.</p>{again}",
            escape(&error.for_person())
        ),
        NotSignedIn::Store(_) => "<p>The database does not answer. Go back and try again in a minute.</p>".to_owned(),
        NotSignedIn::Sealed(_) => {
            format!(
                "<p>The service's keys were changed meanwhile. Begin again; if that does not help, tell an operator.</p>{again}"
            )
        }
        // The link's own words say that a new one is needed; signing in without one is no replacement.
        NotSignedIn::LinkGone => format!("<p>{}.</p>", escape(&sentence(&error.to_string()))),
        error => format!("<p>{}.</p>{again}", escape(&sentence(&error.to_string()))),
    };
    page("You are not signed in", &body)
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
