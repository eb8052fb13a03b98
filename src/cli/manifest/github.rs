//! What GitHub is told to make the App that this configuration needs.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{CliError, open};
use crate::config::{Loaded, SourceConfig};
use crate::domain::rule::Trigger;

/// What every installation listens to.
const EVENTS: [&str; 4] = ["issues", "issue_comment", "pull_request", "pull_request_review_comment"];
/// What every App is told without asking, and cannot ask for.
const UNASKED: [&str; 5] =
    ["github_app_authorization", "installation", "installation_repositories", "installation_target", "ping"];

/// Prints it, with what it cannot say.
pub(super) fn print(config: &Path) -> Result<(), CliError> {
    let loaded = open::load_without_hook_secrets(config)?;
    let manifest = of(&loaded).ok_or_else(|| {
        CliError::Said("set `server.public_url` first: the addresses in the manifest are made from it".to_owned())
    })?;
    eprintln!(
        "Add by hand, when the App is made: the repository permission \"Agent tasks\", read and write (people's tokens \
         need it; manifests have no name for it yet)."
    );
    crate::cli::print(&format!("{manifest:#}\n"))
}

/// The manifest, if it is known where people and GitHub reach this service.
fn of(loaded: &Loaded) -> Option<Value> {
    let public = loaded.config.server.public_url.as_ref()?.to_string();
    let public = public.trim_end_matches('/');
    let source = loaded.config.sources.iter().find(|(_, source)| matches!(source, SourceConfig::Github(_)));
    let mut events: BTreeSet<&str> = EVENTS.into();
    for rule in &loaded.rules.rules {
        if let Trigger::Event(names) = &rule.on {
            events.extend(names.iter().map(|name| name.split('.').next().unwrap_or(name)));
        }
    }
    events.retain(|name| !UNASKED.contains(name));
    let mut permissions = json!({ "issues": "write", "pull_requests": "write", "metadata": "read" });
    if loaded.rules.rules.iter().any(|rule| !rule.allow.teams.is_empty()) {
        permissions["members"] = "read".into();
    }
    let mut manifest = json!({
        "name": "taskbridge",
        "url": public,
        "description": "Starts Copilot tasks for whoever asks, each as that person.",
        "public": false,
        "redirect_url": format!("{public}/connect"),
        "callback_urls": [format!("{public}/connect/callback")],
        "request_oauth_on_install": false,
        "default_events": events,
        "default_permissions": permissions,
    });
    if let Some((name, _)) = source {
        manifest["hook_attributes"] = json!({ "url": format!("{public}/hooks/{name}"), "active": true });
    }
    Some(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Reader;

    fn manifest(text: &str) -> Option<Value> {
        let path = Path::new("/etc/taskbridge.yaml");
        let reader =
            Reader::fixed(&[("S", "a secret that is long enough for this")], &[("/etc/taskbridge.yaml", text)]);
        of(&crate::config::load(path, &reader).unwrap_or_else(|faults| panic!("{faults}")))
    }

    #[test]
    fn it_names_the_addresses_and_what_the_rules_need() {
        let text = "
server: { public_url: \"https://bridge.example.com/\" }
sources: { hub: { type: github, secrets: \"${S}\" } }
rules:
  - name: failed-runs
    on: { event: workflow_run.completed }
    allow: { teams: [acme/devs] }
    prompt: Fix it.
";
        let manifest = manifest(text).expect("a manifest");
        assert_eq!(manifest["hook_attributes"]["url"], "https://bridge.example.com/hooks/hub");
        assert_eq!(manifest["callback_urls"][0], "https://bridge.example.com/connect/callback");
        assert_eq!(manifest["default_permissions"]["members"], "read");
        let events = manifest["default_events"].as_array().expect("events");
        assert!(events.contains(&"workflow_run".into()) && events.contains(&"issues".into()), "{events:?}");
    }

    #[test]
    fn without_an_address_there_is_none() {
        assert_eq!(manifest("sources: { hub: { type: github, secrets: \"${S}\" } }"), None);
    }
}
