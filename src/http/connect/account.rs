//! The page of somebody who is signed in: what is kept of them, their tasks, and how to leave.

use std::fmt::Write as _;

use super::cookies::Site;
use super::frame::{Shown, button, clock, hidden, page, sign_in, time};
use crate::domain::html::escape;
use crate::domain::task::State;
use crate::domain::trust::clean_line;
use crate::pipeline::sign_in::Account;
use crate::secret::Secret;
use crate::store::Moment;
use crate::store::tasks::list::ListedTask;

/// Most characters of a reason that are shown.
const REASON: usize = 300;

/// All of it; `enters` when chat accounts are connected by entering their names.
pub(super) fn account(site: &Site, account: &Account, tasks: &[ListedTask], enters: bool, now: Moment) -> Shown {
    let person = &account.person;
    let login = escape(&person.login);
    let (title, first) = match person.usable_token(now) {
        Some(_) => (
            "Your GitHub account is connected",
            format!("<p>You are <strong>{login}</strong>. What you ask for runs with your own GitHub token.</p>"),
        ),
        None => (
            "Please sign in again",
            format!(
                "<p class=\"note\">You are <strong>{login}</strong>, and your GitHub token is not usable any more. Your \
                 tasks wait, and go on by themselves when you have signed in.</p>{}",
                sign_in(site, "/start", "Sign in with GitHub")
            ),
        ),
    };
    let form = &account.form;
    let body = format!(
        "{first}<h2>Your tasks</h2>{}<h2>Your chat accounts</h2>{}{}<h2>What is kept of you</h2>{}<h2>Leave</h2>\
         <p><strong>Sign out</strong> forgets this browser, and nothing else.</p>{}\
         <p><strong>Disconnect</strong> ends your token here and at GitHub, and forgets what you agreed to and which chat \
         accounts are yours. Tasks that run at GitHub go on there.</p>{}",
        task_list(tasks),
        chat_accounts(account),
        if enters { enter_account(site, form) } else { String::new() },
        kept(account, now),
        button(site, "/leave", "Sign out", "plain", form),
        button(site, "/disconnect", "Disconnect", "end", form)
    );
    page(Some(site), title, &body)
}

fn kept(account: &Account, now: Moment) -> String {
    let person = &account.person;
    let scopes = if person.scopes.is_empty() { "what the GitHub App may" } else { &person.scopes };
    let mut rows = String::new();
    for (name, value) in [
        ("Account number", escape(&person.id.to_string())),
        ("Token", escape(&token_state(account, now))),
        ("It may", escape(scopes)),
        ("Rules that may run with it", consents(account)),
        ("Here since", time(person.added_at)),
        ("Last confirmed by GitHub", time(person.checked_at)),
    ] {
        let _ = write!(rows, "<dt>{name}</dt><dd>{value}</dd>");
    }
    format!("<dl>{rows}</dl>")
}

/// Which rules they let run as them, whoever or whatever asks.
fn consents(account: &Account) -> String {
    match account.consents.as_slice() {
        [] => "none but those that you set off yourself".to_owned(),
        rules => {
            let names: Vec<String> = rules.iter().map(|rule| format!("<code>{}</code>", escape(rule))).collect();
            format!("{}, and those that you set off yourself", names.join(", "))
        }
    }
}

fn chat_accounts(account: &Account) -> String {
    if account.identities.is_empty() {
        return "<p>None yet. In a chat, write <code>link</code> behind taskbridge's command or name (<code>/copilot link</code>) to connect yours.</p>".to_owned();
    }
    let mut rows = String::new();
    for (identity, since) in &account.identities {
        let _ = write!(rows, "<li>{} <small>since {}</small></li>", escape(&identity.to_string()), time(*since));
    }
    format!("<ul>{rows}</ul>")
}

fn enter_account(site: &Site, form: &Secret) -> String {
    format!(
        "<p>Did a chat answer <code>link</code> with the name of your account instead of a page? Enter that name here, \
         letter for letter, and type the code there.</p><p class=\"note\">Enter no account but your <strong>own</strong>: \
         the code is good for the one you enter.</p><form method=\"post\" action=\"{}/account\">{}<label for=\"account\">Your \
         account in the chat</label><input id=\"account\" name=\"account\" maxlength=\"300\" autocomplete=\"off\" \
         autocapitalize=\"off\" spellcheck=\"false\" required><button>Show the code</button></form>",
        escape(site.url()),
        hidden(form)
    )
}

fn token_state(account: &Account, now: Moment) -> String {
    let person = &account.person;
    if person.usable_token(now).is_none() {
        let why = person.token_reason.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        return format!("not usable any more{why}");
    }
    match (person.token_expires_at, person.refresh_expires_at, person.refresh_token.is_some()) {
        (Some(end), Some(last), true) => {
            format!("good until {}, renewed by itself, at the longest until {}", clock(end), clock(last))
        }
        (Some(end), None, true) => format!("good until {}, renewed by itself", clock(end)),
        (Some(end), _, false) => format!("good until {}", clock(end)),
        (None, ..) => "good, without an end".to_owned(),
    }
}

fn task_list(tasks: &[ListedTask]) -> String {
    if tasks.is_empty() {
        return "<p>None yet.</p>".to_owned();
    }
    let mut rows = String::new();
    for task in tasks {
        let number = task.subject_number.map(|number| format!("#{number}")).unwrap_or_default();
        let place = escape(&format!("{}/{}{number}", task.repo_owner, task.repo_name));
        let place = linked(Some(&task.subject_url), &place).unwrap_or(place);
        let task_page = linked(task.remote_url.as_ref(), "task").map(|link| format!(" · {link}")).unwrap_or_default();
        let pull = linked(task.pull_url.as_ref(), "pull request").map(|link| format!(" · {link}")).unwrap_or_default();
        let _ = write!(
            rows,
            "<li><span class=\"state\">{}</span> {place}{pull}{task_page}{}<br><small>{}, {}</small></li>",
            escape(&task.state.to_string().replace('_', " ")),
            why(task),
            escape(&task.rule),
            time(task.created_at)
        );
    }
    format!("<ul>{rows}</ul>")
}

/// Why it waits, or came to nothing here; of what happened at GitHub the state says enough.
fn why(task: &ListedTask) -> String {
    let told =
        matches!(task.state, State::Held | State::Uncertain | State::StartFailed | State::Cancelled | State::Lost);
    let reason = clean_line(&task.marker.mask(&task.reason), REASON);
    if told && !reason.is_empty() { format!("<br>{}", escape(&reason)) } else { String::new() }
}

/// `html` as a link, when the address is a page's. It can be a sender's text.
fn linked(url: Option<&String>, html: &str) -> Option<String> {
    let url = url.filter(|url| url.starts_with("https://") || url.starts_with("http://"))?;
    Some(format!("<a href=\"{}\">{html}</a>", escape(url)))
}
