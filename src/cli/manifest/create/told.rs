//! What the person at the terminal is told: what goes into the configuration, what no manifest can say and is done by hand, and
//! what to do when the secrets are lost. No text has a secret.

use super::files::{CLIENT, KEY, Places, WEBHOOK};
use crate::config::GithubConfig;
use crate::github::{AppOwner, CallError, MadeApp};

/// The list of the Apps of whoever makes it.
pub(super) fn apps_page(web: &str, org: Option<&str>) -> String {
    match org {
        Some(org) => format!("{web}/organizations/{org}/settings/apps"),
        None => format!("{web}/settings/apps"),
    }
}

fn settings_page(web: &str, made: &MadeApp) -> String {
    let org = made.owner.as_ref().filter(|owner| owner.is_organization).map(|owner| owner.login.as_str());
    match &made.slug {
        Some(slug) => format!("{}/{slug}", apps_page(web, org)),
        None => apps_page(web, org),
    }
}

/// What it is called.
pub(super) fn name(made: &MadeApp) -> String {
    made.slug.clone().unwrap_or_else(|| format!("App {}", made.id))
}

/// Whom it belongs to: the browser may have been signed in as somebody else than was thought.
pub(super) fn belongs(made: &MadeApp) -> String {
    match &made.owner {
        Some(AppOwner { login, is_organization: true }) => format!("It belongs to the organization {login}."),
        Some(AppOwner { login, .. }) => format!("It belongs to @{login}."),
        None => "GitHub has not told whom it belongs to: look at its page.".to_owned(),
    }
}

/// What to do when it does not belong to the organization that was asked for; its secrets are not kept.
pub(super) fn of_another(web: &str, org: Option<&str>, made: &MadeApp) -> Option<String> {
    let (org, owner) = (org?, made.owner.as_ref()?);
    let is_same = owner.is_organization && owner.login.eq_ignore_ascii_case(org);
    (!is_same).then(|| {
        format!(
            "GitHub has made the App {} for {}, not for the organization {org}. Its secrets are not kept. Delete it (Advanced → Delete \
             GitHub App), and run this command again, signed in at GitHub as somebody who may make Apps for {org}.\n{}",
            name(made),
            owner.login,
            settings_page(web, made)
        )
    })
}

/// Where the secrets are.
pub(super) fn made(made: &MadeApp, places: &Places, source: Option<&str>) -> String {
    let webhook = made.webhook_secret.as_ref().map(|_| format!("\n  {}", places.whole(WEBHOOK))).unwrap_or_default();
    let beside = match (source, &made.webhook_secret) {
        (Some(source), Some(_)) => format!(
            " If other webhooks lead to `{source}` too, their secret stays in the list beside the new one: `secrets: [ {{ file: {} }}, … ]`.",
            scalar(&places.named(WEBHOOK))
        ),
        (Some(source), None) => format!(
            " GitHub has told no webhook secret: set one on the App's page, and name it under `sources.{source}.secrets`."
        ),
        (None, _) => String::new(),
    };
    let page = made.page.as_ref().map(|page| format!(": {page}")).unwrap_or_default();
    format!(
        "{} (number {}) is made{page}\n{}\nIts secrets are in files that only you can read:\n  {}{webhook}\n  {}\nPut these keys into \
         the configuration; what else stands there beside them stays.{beside}\n",
        name(made),
        made.id,
        belongs(made),
        places.whole(KEY),
        places.whole(CLIENT)
    )
}

/// What goes into the configuration.
pub(super) fn configuration(made: &MadeApp, places: &Places, github: &GithubConfig, source: Option<&str>) -> String {
    let file = |name: &str| scalar(&places.named(name));
    let usual = GithubConfig::default();
    // Whoever puts this in the place of what is there keeps the GitHub that the App is of.
    let elsewhere: String = [("api_url", &github.api_url, usual.api_url), ("web_url", &github.web_url, usual.web_url)]
        .into_iter()
        .filter(|(_, url, usual)| *url != usual)
        .map(|(key, url, _)| format!("  {key}: {}\n", scalar(url)))
        .collect();
    let mut text = format!(
        "github:\n{elsewhere}  app:\n    id: {}\n    private_key: {{ file: {} }}\n  sign_in:\n    client_id: {}\n    client_secret: {{ file: {} }}\n",
        made.id,
        file(KEY),
        scalar(&made.client_id),
        file(CLIENT)
    );
    if let (Some(source), Some(_)) = (source, &made.webhook_secret) {
        text.push_str(&format!(
            "sources:\n  {}:\n    type: github\n    secrets: {{ file: {} }}\n",
            scalar(source),
            file(WEBHOOK)
        ));
    }
    text
}

/// A text as it stands in YAML: as it is where nothing in it means something there, in quotes otherwise.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// What is done by hand, and where, in this order: what is allowed after the installation, each installation would have to agree to.
pub(super) fn left(web: &str, made: &MadeApp) -> Vec<(String, String)> {
    let settings = settings_page(web, made);
    let step = |what: &str, place: String| (what.to_owned(), place);
    vec![
        step(
            "Repository permissions → Agent tasks: Read and write, Save changes. People's tokens need it, and manifests have no name \
             for it yet.",
            format!("{settings}/permissions"),
        ),
        step(
            "Expire user authorization tokens must be ticked (or, under Optional features, be switched on); tick Enable Device Flow for \
             `taskbridge people connect`.",
            settings,
        ),
        step(
            "Install the App where tasks are to run.",
            made.page.as_ref().map_or_else(|| settings_page(web, made), |page| format!("{page}/installations/new")),
        ),
    ]
}

/// The same for a terminal.
pub(super) fn steps(left: &[(String, String)]) -> String {
    let steps: Vec<String> =
        left.iter().enumerate().map(|(nth, (what, place))| format!("{}. {what}\n   {place}", nth + 1)).collect();
    format!("\nLeft to do by hand:\n{}\nThen `taskbridge check`, and start the service again.", steps.join("\n"))
}

/// What stood in the way, if GitHub has not looked at the code for it.
pub(super) fn not_used_up(error: &CallError) -> Option<String> {
    match error {
        CallError::NotSent { why } => Some(format!("GitHub could not be reached: {why}")),
        // An address in an hour may ask so often without a token.
        CallError::Forbidden { message } | CallError::Refused { status: 429, message } => {
            Some(format!("GitHub does not answer this just now: {message}"))
        }
        CallError::Moved { .. } => {
            Some("GitHub's API is somewhere else, and nothing was sent there: look at `github.api_url`".to_owned())
        }
        // A code needs no token: whoever asks for one here is not the API, but something in front of it.
        CallError::Unauthorized { .. } | CallError::Refused { status: 407, .. } => {
            Some(format!("{}: look at `github.api_url` and `github.proxy`", error.for_person()))
        }
        _ => None,
    }
}

/// The App is there, and not all of its secrets are here.
pub(super) fn lost(web: &str, org: Option<&str>, made: Option<&MadeApp>) -> String {
    let place = made.map_or_else(|| apps_page(web, org), |made| settings_page(web, made));
    format!(
        "The App is most likely there. Its code works once, so nothing is sent again. Either delete the App (Advanced → Delete GitHub App) \
         and run this command again, or make new secrets on its page: Private keys → Generate a private key; Client secrets → Generate a new \
         client secret; Webhook secret → one of your own (`openssl rand -hex 32`).\n{place}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_yaml_stands_in_quotes() {
        for (text, told) in [
            ("github", "github"),
            ("/etc/taskbridge/a.pem", "/etc/taskbridge/a.pem"),
            ("on", "\"on\""),
            ("1e5", "\"1e5\""),
            ("a: b", "\"a: b\""),
            ("with space/a.pem", "\"with space/a.pem\""),
            ("./a", "\"./a\""),
        ] {
            assert_eq!(scalar(text), told);
        }
    }
}
