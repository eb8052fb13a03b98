//! What GitHub is told to make the App that this configuration needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::create;

use crate::cli::{CliError, open, said};
use crate::config::{Loaded, SourceConfig};
use crate::domain::rule::Trigger;

/// What every installation listens to.
const EVENTS: [&str; 4] = ["issues", "issue_comment", "pull_request", "pull_request_review_comment"];
/// The permission that an App needs, at least for reading, to be told of an event; without it GitHub refuses the manifest.
/// Source: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>. Events that are missing here are those that
/// Apps are not known to be told of.
const NEEDED: &[(&str, &[&str])] = &[
    ("actions", &["workflow_dispatch", "workflow_job", "workflow_run"]),
    (
        "administration",
        &["branch_protection_configuration", "branch_protection_rule", "repository_ruleset", "security_and_analysis"],
    ),
    ("checks", &["check_run", "check_suite"]),
    (
        "contents",
        &[
            "commit_comment",
            "create",
            "delete",
            "fork",
            "gollum",
            "push",
            "release",
            "repository_dispatch",
            // Which of the two GitHub asks for is not sure, so it has both.
            "workflow_dispatch",
        ],
    ),
    ("deployments", &["deployment", "deployment_protection_rule", "deployment_review", "deployment_status"]),
    ("discussions", &["discussion", "discussion_comment"]),
    ("issues", &["issue_comment", "issue_dependencies", "issues", "milestone", "sub_issues"]),
    ("members", &["member", "membership", "organization", "team", "team_add"]),
    ("merge_queues", &["merge_group"]),
    ("metadata", &["label", "public", "repository", "security_advisory", "star", "watch"]),
    ("organization_administration", &["org_block"]),
    ("organization_personal_access_token_requests", &["personal_access_token_request"]),
    ("packages", &["package", "registry_package"]),
    ("pages", &["page_build"]),
    (
        "pull_requests",
        &["pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread"],
    ),
    ("repository_advisories", &["repository_advisory"]),
    ("secret_scanning_alerts", &["secret_scanning_alert", "secret_scanning_alert_location", "secret_scanning_scan"]),
    ("security_events", &["code_scanning_alert"]),
    ("statuses", &["status"]),
    ("vulnerability_alerts", &["dependabot_alert", "repository_vulnerability_alert"]),
];
/// What every App is told without asking, and cannot ask for.
const UNASKED: [&str; 5] =
    ["github_app_authorization", "installation", "installation_repositories", "installation_target", "ping"];

/// Print the manifest of the GitHub App, from `server.public_url`, the sources and the rules; or have GitHub make the App.
#[derive(Debug, Args)]
pub(super) struct Github {
    /// Have GitHub make the App: shows the address of a page to open in a browser, writes the App's secrets into new files, and
    /// prints what goes into the configuration.
    #[arg(long)]
    create: bool,
    /// The source that the App's webhooks lead to, if there are several of GitHub.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The organization that the App is to belong to; without it, it belongs to whoever is signed in at GitHub.
    #[arg(long, requires = "create")]
    org: Option<String>,
    /// The folder for the files with the App's secrets; without it, the folder of the configuration.
    #[arg(long, value_name = "FOLDER", requires = "create")]
    out: Option<PathBuf>,
}

/// What GitHub is told.
struct Told<'a> {
    manifest: Value,
    /// The source that the webhooks lead to, if there is one.
    source: Option<&'a str>,
    /// The events that a manifest cannot ask for.
    unknown: Vec<&'a str>,
}

impl Github {
    pub(super) async fn run(self, config: &Path) -> Result<(), CliError> {
        let loaded = open::load_without_secrets(config)?;
        let told = of(&loaded, self.source.as_deref()).map_err(CliError::Said)?;
        if !told.unknown.is_empty() {
            said::tell(&format!(
                "Left out, because it is not known which permission an App needs for them: {}. If GitHub offers them on the \
                 App's page, choose them there.",
                told.unknown.join(", ")
            ));
        }
        if self.create {
            let Told { manifest, source, .. } = told;
            let (org, out) = (self.org.as_deref(), self.out.as_deref());
            return create::run(create::Wish { config: &loaded.config, file: config, manifest, source, org, out })
                .await;
        }
        said::tell(
            "To have GitHub make the App from this, add `--create`. By hand: make the App with these settings, and add the repository \
             permission \"Agent tasks\", read and write (people's tokens need it; manifests have no name for it yet).",
        );
        said::print(&format!("{:#}\n", told.manifest))
    }
}

/// The manifest, if it is known where people and GitHub reach this service, and which source GitHub's webhooks lead to.
fn of<'a>(loaded: &'a Loaded, asked: Option<&str>) -> Result<Told<'a>, String> {
    let Some(public) = &loaded.config.server.public_url else {
        return Err("set `server.public_url` first: the addresses in the manifest are made from it".to_owned());
    };
    let public = public.to_string();
    let public = public.trim_end_matches('/');
    let source = source_of(loaded, asked)?;
    // An App without a webhook is told of nothing.
    let mut events: BTreeSet<&str> = if source.is_some() { EVENTS.into() } else { BTreeSet::new() };
    for rule in loaded.rules.rules.iter().filter(|_| source.is_some()) {
        // What others send is not asked of this App.
        if !rule.sources.is_empty() && !rule.sources.iter().any(|name| Some(name.as_str()) == source) {
            continue;
        }
        if let Trigger::Event(names) = &rule.on {
            events.extend(names.iter().map(|name| name.split('.').next().unwrap_or(name)));
        }
    }
    events.retain(|name| !UNASKED.contains(name));
    let (events, unknown): (Vec<&str>, Vec<&str>) = events.into_iter().partition(|name| needed(name).next().is_some());
    let mut permissions = json!({ "issues": "write", "pull_requests": "write", "metadata": "read" });
    if loaded.rules.rules.iter().any(|rule| !rule.allow.teams.is_empty()) {
        permissions["members"] = "read".into();
    }
    for permission in events.iter().flat_map(|name| needed(name)) {
        if permissions[permission].is_null() {
            permissions[permission] = "read".into();
        }
    }
    let mut manifest = json!({
        "name": "taskbridge",
        "url": public,
        "description": "Starts Copilot tasks for whoever asks, each as that person.",
        "public": false,
        "callback_urls": [format!("{public}/connect/callback")],
        "request_oauth_on_install": false,
        "default_events": events,
        "default_permissions": permissions,
    });
    if let Some(name) = source {
        manifest["hook_attributes"] = json!({ "url": format!("{public}/hooks/{name}"), "active": true });
    }
    Ok(Told { manifest, source, unknown })
}

/// The source that is asked for; without a name the only one of GitHub, if there is one.
fn source_of<'a>(loaded: &'a Loaded, asked: Option<&str>) -> Result<Option<&'a str>, String> {
    let of_github = loaded.config.sources.iter().filter(|(_, source)| matches!(source, SourceConfig::Github(_)));
    let names: Vec<&str> = of_github.map(|(name, _)| name.as_str()).collect();
    let listed = names.join(", ");
    match asked {
        Some(asked) => match names.iter().find(|name| **name == asked) {
            Some(name) => Ok(Some(name)),
            None if names.is_empty() => Err("--source: there is no source of `type: github`".to_owned()),
            None => Err(format!("--source: {asked} is no source of `type: github`; there is: {listed}")),
        },
        None if names.len() > 1 => {
            Err(format!("an App's webhooks lead to one source: say with `--source` to which of {listed}"))
        }
        None => Ok(names.first().copied()),
    }
}

/// The permissions that an App needs to be told of this event; none if that is not known.
fn needed(event: &str) -> impl Iterator<Item = &'static str> {
    NEEDED.iter().filter(move |(_, events)| events.contains(&event)).map(|(permission, _)| *permission)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Reader;

    fn loaded(text: &str) -> Loaded {
        let path = Path::new("/etc/taskbridge.yaml");
        let reader =
            Reader::fixed(&[("S", "a secret that is long enough for this")], &[("/etc/taskbridge.yaml", text)]);
        crate::config::load(path, &reader).unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn manifest(text: &str) -> Option<Value> {
        of(&loaded(text), None).ok().map(|told| told.manifest)
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
        assert!(manifest.get("redirect_url").is_none(), "nobody comes back from what is printed");
        assert_eq!(manifest["callback_urls"][0], "https://bridge.example.com/connect/callback");
        assert_eq!(manifest["default_permissions"]["members"], "read");
        let events = manifest["default_events"].as_array().expect("events");
        assert!(events.contains(&"workflow_run".into()) && events.contains(&"issues".into()), "{events:?}");
    }

    #[test]
    fn every_event_comes_with_the_permission_that_it_needs_and_one_that_is_not_known_is_left_out_and_named() {
        let loaded = loaded(
            "
server: { public_url: \"https://bridge.example.com/\" }
sources:
  hub: { type: github, secrets: \"${S}\" }
  alarm: { type: sentry, secrets: \"${S}\" }
rules:
  - name: many
    on: { event: [push, workflow_run.completed, dependabot_alert, code_scanning_alert.created, discussion_comment, marketplace_purchase] }
    prompt: Fix it.
  - name: elsewhere
    sources: [alarm]
    on: { event: error.created }
    allow: { sources: [alarm] }
    run_as: 'person:mona'
    task: { repo: acme/widgets }
    prompt: Fix it.
",
        );
        let Told { manifest, unknown, .. } = of(&loaded, None).expect("a manifest");
        assert_eq!(unknown, ["marketplace_purchase"], "and not what another sender sends");
        let expected = json!({
            "actions": "read", "contents": "read", "discussions": "read", "issues": "write", "metadata": "read",
            "pull_requests": "write", "security_events": "read", "vulnerability_alerts": "read",
        });
        assert_eq!(manifest["default_permissions"], expected);
        let events = manifest["default_events"].as_array().expect("events");
        assert!(events.contains(&"push".into()) && !events.contains(&"marketplace_purchase".into()), "{events:?}");
    }

    #[test]
    fn without_a_source_of_github_it_asks_for_no_webhook_and_no_events() {
        let text = "server: { public_url: \"https://bridge.example.com\" }\nsources: { alarm: { type: sentry, secrets: \"${S}\" } }";
        let manifest = manifest(text).expect("a manifest");
        assert!(manifest.get("hook_attributes").is_none() && manifest["default_events"] == json!([]), "{manifest}");
    }

    #[test]
    fn without_an_address_there_is_none() {
        assert_eq!(manifest("sources: { hub: { type: github, secrets: \"${S}\" } }"), None);
    }
}
