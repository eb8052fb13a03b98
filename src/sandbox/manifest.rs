//! What GitHub looks at in an App's manifest before it shows the page: each no in its own words, as far as they are known.
//! <https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest>

use serde_json::{Map, Value};

/// Most callback addresses of an App.
const CALLBACKS: usize = 10;
/// Longest name of an App, in characters.
const NAME: usize = 34;
/// All that may stand in a manifest.
const KEYS: [&str; 12] = [
    "name",
    "url",
    "hook_attributes",
    "redirect_url",
    "callback_urls",
    "setup_url",
    "description",
    "public",
    "default_events",
    "default_permissions",
    "request_oauth_on_install",
    "setup_on_update",
];
/// The permissions that an App can have, each with the events that it lets the App be told of. Who makes manifests has a list of
/// its own: one list would only ever agree with itself.
/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads>
const PERMISSIONS: &[(&str, &str)] = &[
    ("actions", "workflow_job workflow_run"),
    (
        "administration",
        "branch_protection_configuration branch_protection_rule repository_ruleset security_and_analysis",
    ),
    ("checks", "check_run check_suite"),
    ("contents", "commit_comment create delete fork gollum push release repository_dispatch workflow_dispatch"),
    ("deployments", "deployment deployment_protection_rule deployment_review deployment_status"),
    ("discussions", "discussion discussion_comment"),
    ("emails", ""),
    ("environments", ""),
    ("issues", "issue_comment issue_dependencies issues milestone sub_issues"),
    ("members", "member membership organization team team_add"),
    ("merge_queues", "merge_group"),
    ("metadata", "label public repository security_advisory star watch"),
    ("organization_administration", "org_block"),
    ("organization_personal_access_token_requests", "personal_access_token_request"),
    ("organization_projects", "projects_v2 projects_v2_item projects_v2_status_update"),
    ("packages", "package registry_package"),
    ("pages", "page_build"),
    (
        "pull_requests",
        "issue_comment pull_request pull_request_review pull_request_review_comment pull_request_review_thread",
    ),
    ("repository_advisories", "repository_advisory"),
    ("secret_scanning_alerts", "secret_scanning_alert secret_scanning_alert_location secret_scanning_scan"),
    ("secrets", ""),
    ("security_events", "code_scanning_alert"),
    ("single_file", ""),
    ("statuses", "status"),
    ("vulnerability_alerts", "dependabot_alert repository_vulnerability_alert"),
    ("workflows", ""),
];

/// A manifest that GitHub would take.
pub(super) struct Manifest {
    pub name: String,
    pub redirect_url: String,
    pub callbacks: Vec<String>,
    pub hook: Option<String>,
    pub permissions: Value,
    pub events: Value,
}

/// Reads it. The name must be another one than that of the App in this place.
pub(super) fn read(there: &str, text: &str) -> Result<Manifest, String> {
    let manifest: Map<String, Value> = serde_json::from_str(text).map_err(|_| "Problems parsing JSON".to_owned())?;
    if let Some(other) = manifest.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("\"{other}\" is not a permitted key."));
    }
    let name = text_of(&manifest, "name").filter(|name| !name.is_empty()).ok_or("\"name\" wasn't supplied.")?;
    if name.chars().count() > NAME {
        return Err("Name is too long (maximum is 34 characters)".to_owned());
    }
    if slug(name) == there {
        return Err("Name is already taken".to_owned());
    }
    address(text_of(&manifest, "url"), "url")?;
    let redirect_url = address(text_of(&manifest, "redirect_url"), "redirect_url")?;
    let callbacks = list(&manifest, "callback_urls")?;
    if callbacks.len() > CALLBACKS {
        return Err("Callback urls are too many (maximum is 10)".to_owned());
    }
    for callback in &callbacks {
        address(Some(callback.as_str()), "callback_urls")?;
    }
    let hook = match manifest.get("hook_attributes") {
        None => None,
        Some(Value::Object(hook)) => {
            if let Some(other) = hook.keys().find(|key| !["url", "active"].contains(&key.as_str())) {
                return Err(format!("\"{other}\" is not a permitted key."));
            }
            Some(address(text_of(hook, "url"), "url")?)
        }
        Some(_) => return Err("\"hook_attributes\" is not an object.".to_owned()),
    };
    let permissions = manifest.get("default_permissions").cloned().unwrap_or_else(|| Map::new().into());
    let given = permissions.as_object().ok_or("\"default_permissions\" is not an object.")?;
    for (name, level) in given {
        let known = PERMISSIONS.iter().any(|(own, _)| own == name);
        if !known || !["read", "write", "admin"].contains(&level.as_str().unwrap_or_default()) {
            return Err(format!("Default permission records resource is not included in the list: {name}"));
        }
    }
    let events = list(&manifest, "default_events")?;
    for event in &events {
        let mut backed = PERMISSIONS.iter().filter(|(_, events)| events.split(' ').any(|own| own == event)).peekable();
        if backed.peek().is_none() {
            return Err(format!("Default events unsupported: {event}"));
        }
        if !backed.any(|(permission, _)| given.contains_key(*permission)) {
            return Err(format!("Default events are not supported by permissions: {event}"));
        }
    }
    Ok(Manifest { name: name.to_owned(), redirect_url, callbacks, hook, events: events.into(), permissions })
}

/// The name in addresses.
pub(super) fn slug(name: &str) -> String {
    name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn text_of<'m>(map: &'m Map<String, Value>, key: &str) -> Option<&'m str> {
    map.get(key).and_then(Value::as_str)
}

fn list(map: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let Some(value) = map.get(key) else { return Ok(Vec::new()) };
    let texts = value.as_array().and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect());
    texts.ok_or_else(|| format!("\"{key}\" is not a list of texts."))
}

/// An address with a host, to be called or gone to.
fn address(text: Option<&str>, key: &str) -> Result<String, String> {
    let text = text.ok_or_else(|| format!("\"{key}\" wasn't supplied."))?;
    let absolute = text.parse::<hyper::Uri>().is_ok_and(|uri| {
        uri.host().is_some_and(|host| !host.is_empty()) && matches!(uri.scheme_str(), Some("http" | "https"))
    });
    if absolute { Ok(text.to_owned()) } else { Err(format!("\"{key}\" must be an absolute URL.")) }
}
