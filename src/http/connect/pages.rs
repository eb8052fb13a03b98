//! The pages on the way in and out: short, each with what to do next. All text is escaped.

use super::cookies::Site;
use super::frame::{Shown, back, page, sign_in};
use crate::chat::address_in;
use crate::domain::chat::Address;
use crate::domain::html::escape;
use crate::domain::identity::Identity;
use crate::pipeline::links::{CODE_LASTS, LINK_LASTS};
use crate::pipeline::revoke::AtGithub;
use crate::pipeline::sign_in::NotSignedIn;

const SIGN_IN: &str = "Sign in with GitHub";
const KEPT: &str = "Your account and your tasks";

pub(super) fn welcome(site: &Site) -> Shown {
    let body = format!(
        "<p>taskbridge starts Copilot tasks with the GitHub token of whoever asks for them. Sign in, and tasks that wait \
         for you go on by themselves.</p>{}<p class=\"soft\">What is kept: your login and account number, the token \
         (sealed, opened only while it is used) and when it ends. You see and remove it here.</p>",
        sign_in(site, "/start", SIGN_IN)
    );
    page(Some(site), "Connect your GitHub account", &body)
}

pub(super) fn of_link(site: &Site, link: &str, identity: &Identity) -> Shown {
    let body = format!(
        "<p>The <strong>{}</strong> asked to be connected to a GitHub account.</p><p class=\"note\">Go on only if that was \
         <strong>you</strong>: if somebody sent you this link, close the page.</p><p>After the sign-in you see a short \
         code. Type it in the chat, as that same account, and the two are connected.</p>{}",
        escape(&identity.to_string()),
        sign_in(site, &format!("/{link}"), SIGN_IN)
    );
    page(Some(site), "Connect a chat account", &body)
}

/// `typed` is what the account types in its chat, with the code; none when there is none.
pub(super) fn code(site: &Site, login: &str, identity: &Identity, typed: Option<&str>) -> Shown {
    let to_account = back(site, KEPT);
    let login = escape(login);
    let Some(typed) = typed else {
        let body = format!(
            "<p>You are signed in as <strong>{login}</strong>. The chat account has asked for a newer link meanwhile, so \
             this one connects nothing: open the newer one.</p>{to_account}"
        );
        return page(Some(site), "Signed in", &body);
    };
    let how = match address_in(identity.platform()) {
        Address::Command => "type there",
        Address::Mention => "mention the app there, and type behind its name",
    };
    let body = format!(
        "<p>You are signed in as <strong>{login}</strong>. To connect the <strong>{}</strong>, {how}, within {} \
         minutes:</p><p class=\"code\"><code>{}</code></p><p class=\"note\">Only if you asked for the link yourself. \
         Give the code to nobody: whoever types it acts as you.</p><p class=\"soft\">Is <strong>{login}</strong> the wrong \
         account? Then type nothing: ask for a new link in the chat, and choose another account at GitHub.</p>{to_account}",
        escape(&identity.to_string()),
        CODE_LASTS.num_minutes(),
        escape(typed)
    );
    page(Some(site), "One more step", &body)
}

pub(super) fn nobody_waits(site: &Site) -> Shown {
    let body = format!(
        "<p>No chat account of this name waits to be connected. Write <code>link</code> to the app in the chat (behind its command, or its name), and enter within {} \
         minutes what the answer says, letter for letter.</p>{}",
        LINK_LASTS.num_minutes(),
        back(site, "Back")
    );
    page(Some(site), "Nothing was connected", &body)
}

pub(super) fn disconnected(site: &Site, at_github: &AtGithub) -> Shown {
    let rest = match at_github {
        AtGithub::Ended => "GitHub has ended it too.".to_owned(),
        AtGithub::NotOurs => {
            "An operator had added it by hand: if nothing else uses it, delete it in your settings at \
                              GitHub, under developer settings."
                .to_owned()
        }
        AtGithub::Alive { page, again } => format!(
            "<strong>GitHub could not be told{}:</strong> revoke the app on <a href=\"{}\">its page in your settings</a>.",
            if *again { " yet, and is told again for a day. If you do not want to wait" } else { "" },
            escape(page)
        ),
    };
    let body = format!("<p>Your token is no longer kept here. {rest}</p>{}", sign_in(site, "/start", "Sign in again"));
    page(Some(site), "Disconnected", &body)
}

pub(super) fn cancelled(site: &Site) -> Shown {
    let body = format!(
        "<p>GitHub sent you back without a token. Nothing is kept.</p>{}<p class=\"soft\">Did it begin with a link from a \
         chat? The link is used up: ask for a new one there.</p>",
        sign_in(site, "/start", SIGN_IN)
    );
    page(Some(site), "The sign-in was cancelled", &body)
}

pub(super) fn too_late(site: &Site) -> Shown {
    let body = format!(
        "<p>Nothing was done: the page was too old, or was not of this browser.</p>{}",
        sign_in(site, "/start", "Sign in and try again")
    );
    page(Some(site), "Sign in first", &body)
}

pub(super) fn foreign(site: &Site) -> Shown {
    let body = format!(
        "<p>Nothing was done: the form was sent by another site.</p>{}",
        back(site, "Go to taskbridge's own page")
    );
    page(Some(site), "Not from here", &body)
}

pub(super) fn slow() -> Shown {
    page(None, "Try again in a minute", "<p>It took too long. Go back and try again in a minute.</p>")
}

/// What went wrong; `signed_in` when an earlier sign-in of this browser still lasts.
pub(super) fn failed(site: Option<&Site>, error: &NotSignedIn, signed_in: bool) -> Shown {
    let again = match site {
        Some(site) if signed_in => format!("<p>You are signed in in this browser.</p>{}", back(site, KEPT)),
        Some(site) => sign_in(site, "/start", "Sign in again"),
        None => String::new(),
    };
    let (title, body) = match error {
        NotSignedIn::OAuth(error) => {
            ("You are not signed in", format!("<p>{}</p>{again}", escape(&sentence(&error.for_person()))))
        }
        NotSignedIn::Call(error) => (
            "You are not signed in",
            format!(
                "<p>GitHub did not say who you are: {}</p><p>Nothing is kept.</p>{again}",
                escape(&error.for_person())
            ),
        ),
        NotSignedIn::EndedMeanwhile => {
            ("You are not signed in", format!("<p>{}.</p>{again}", escape(&sentence(&error.to_string()))))
        }
        NotSignedIn::Store(_) => (
            "Try again in a minute",
            "<p>The database does not answer. Go back and try again in a minute.</p>".to_owned(),
        ),
        NotSignedIn::Sealed(_) => (
            "Please begin again",
            format!(
                "<p>The service's keys were changed meanwhile. Begin again; if that does not help, tell an operator.</p>{again}"
            ),
        ),
        NotSignedIn::Stranger => (
            "This sign-in is over",
            format!(
                "<p>{}.</p>{again}<p class=\"soft\">Was it for a chat account? Then ask for a new link in the chat.</p>",
                escape(&sentence(&error.to_string()))
            ),
        ),
        // The link's own words say that a new one is needed; signing in without one is no replacement.
        NotSignedIn::LinkGone => ("This link is used up", format!("<p>{}.</p>", escape(&sentence(&error.to_string())))),
        NotSignedIn::NotConfigured => {
            ("Nobody can sign in here yet", format!("<p>{}.</p>", escape(&sentence(&error.to_string()))))
        }
    };
    page(site, title, &body)
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
