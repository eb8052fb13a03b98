//! What the person at the terminal is told: what goes into the configuration, what no manifest can say and is done by hand, and
//! what to do when the secrets are lost. No text has a secret.

use super::files::{CLIENT, KEY, Places, WEBHOOK};
use crate::github::{CallError, MadeApp};

/// The list of the Apps of whoever makes it.
pub(super) fn apps_page(web: &str, org: Option<&str>) -> String {
    match org {
        Some(org) => format!("{web}/organizations/{org}/settings/apps"),
        None => format!("{web}/settings/apps"),
    }
}

fn settings_page(web: &str, made: &MadeApp) -> String {
    format!("{}/{}", apps_page(web, made.organization.as_deref()), made.slug)
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
    format!(
        "The App {} (number {}) is made: {}\nIts secrets are in files that only you can read:\n  {}{webhook}\n  {}\nPut these keys into \
         the configuration; what else stands there beside them stays.{beside}\n",
        made.slug,
        made.id,
        made.page,
        places.whole(KEY),
        places.whole(CLIENT)
    )
}

/// What goes into the configuration.
pub(super) fn configuration(made: &MadeApp, places: &Places, source: Option<&str>) -> String {
    let file = |name: &str| scalar(&places.named(name));
    let mut text = format!(
        "github:\n  app:\n    id: {}\n    private_key: {{ file: {} }}\n  sign_in:\n    client_id: {}\n    client_secret: {{ file: {} }}\n",
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
        step("Install the App where tasks are to run.", format!("{}/installations/new", made.page)),
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
