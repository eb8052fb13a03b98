//! The App, its installations, and deliveries of webhooks with their shapes. Nothing is sent from
//! here: a redelivery is only written down.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Repo, Role, User, World, stamp};

/// The one GitHub App of the world.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct App {
    pub id: i64,
    pub slug: String,
    pub client_id: String,
    /// The public key in PKCS#1 DER; without one a JWT's signature is not checked.
    pub public_key: Option<Vec<u8>>,
    pub created_at: DateTime<Utc>,
    pub name: String,
    /// The account that it belongs to.
    pub owner: Option<i64>,
    pub permissions: Value,
    pub events: Value,
    /// Where its webhooks go, if it has any.
    pub hook: Option<Hook>,
}

/// Where an App's webhooks go, and what they are signed with.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Hook {
    pub url: String,
    pub secret: String,
}

impl Default for App {
    fn default() -> Self {
        Self {
            id: 7001,
            slug: "taskbridge-sandbox".to_owned(),
            client_id: "Iv23sandbox".to_owned(),
            public_key: None,
            created_at: DateTime::UNIX_EPOCH,
            name: "taskbridge-sandbox".to_owned(),
            owner: None,
            permissions: json!({ "issues": "write", "metadata": "read" }),
            events: json!(["issues", "issue_comment"]),
            hook: None,
        }
    }
}

/// An App whose secrets are still to be fetched.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Conversion {
    pub told: Value,
    pub expires_at: DateTime<Utc>,
}

/// The App in an account.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Installation {
    pub id: i64,
    pub account: i64,
    /// None: all repositories of the account.
    pub repos: Option<Vec<i64>>,
    pub suspended: bool,
}

impl Installation {
    /// Whether it reaches a repository.
    pub(in crate::sandbox) fn reaches(&self, repo: &Repo) -> bool {
        !self.suspended && self.holds(repo)
    }

    /// Whether a repository is among its own, also while it is suspended.
    pub(in crate::sandbox) fn holds(&self, repo: &Repo) -> bool {
        match &self.repos {
            None => repo.owner == self.account,
            Some(ids) => ids.contains(&repo.id),
        }
    }
}

/// Whose hook a delivery belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) enum DeliveryOwner {
    App,
    Repo(i64, i64),
    Org(i64, i64),
}

/// One attempt to deliver.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Delivery {
    pub id: i64,
    pub owner: DeliveryOwner,
    pub guid: String,
    pub delivered_at: DateTime<Utc>,
    pub redelivery: bool,
    pub status_code: u16,
    pub event: String,
    pub action: Option<String>,
    pub repository_id: Option<i64>,
    pub installation_id: Option<i64>,
    pub headers: BTreeMap<String, String>,
    pub payload: Value,
}

impl World {
    /// The App as shown.
    pub(in crate::sandbox) fn app_json(&self) -> Value {
        let app = &self.app;
        json!({
            "id": app.id, "slug": app.slug, "client_id": app.client_id, "node_id": format!("A_{}", app.id),
            "owner": app.owner.and_then(|id| self.users.get(&id)).map(|user| self.user_json(user)),
            "name": app.name, "description": null, "external_url": self.web,
            "html_url": format!("{}/apps/{}", self.web, app.slug), "created_at": stamp(app.created_at),
            "updated_at": stamp(app.created_at), "permissions": app.permissions,
            "events": app.events, "installations_count": self.installations.len(),
        })
    }

    /// An installation as shown.
    pub(in crate::sandbox) fn installation_json(&self, installation: &Installation) -> Value {
        let id = installation.id;
        let url = format!("{}/app/installations/{id}", self.base);
        let account = self.users.get(&installation.account);
        let at = stamp(self.app.created_at);
        json!({
            "id": id, "account": account.map(|user| self.user_json(user)), "app_id": self.app.id,
            "app_slug": self.app.slug, "client_id": self.app.client_id, "target_id": installation.account,
            "target_type": account.map_or("User", |user| user.kind.as_str()),
            "repository_selection": if installation.repos.is_none() { "all" } else { "selected" },
            "access_tokens_url": format!("{url}/access_tokens"),
            "repositories_url": format!("{}/installation/repositories", self.base),
            "html_url": format!("{}/settings/installations/{id}", self.web),
            "permissions": self.app.permissions, "events": self.app.events,
            "single_file_name": null, "created_at": at, "updated_at": at, "suspended_by": null,
            "suspended_at": installation.suspended.then_some(at.clone()),
        })
    }

    /// A delivery; `full` has request and response.
    pub(in crate::sandbox) fn delivery_json(&self, delivery: &Delivery, full: bool) -> Value {
        let good = (200..300).contains(&delivery.status_code);
        let status = if good { "OK".to_owned() } else { format!("Invalid HTTP Response: {}", delivery.status_code) };
        let mut json = json!({
            "id": delivery.id, "guid": delivery.guid, "delivered_at": stamp(delivery.delivered_at),
            "redelivery": delivery.redelivery, "duration": 0.27, "status": status,
            "status_code": delivery.status_code, "event": delivery.event, "action": delivery.action,
            "installation_id": delivery.installation_id, "repository_id": delivery.repository_id,
            "throttled_at": null,
        });
        if let (true, Some(map)) = (full, json.as_object_mut()) {
            let request = json!({ "headers": delivery.headers, "payload": delivery.payload });
            map.insert("url".to_owned(), "".into());
            map.insert("request".to_owned(), request);
            map.insert("response".to_owned(), json!({ "headers": {}, "payload": null }));
        }
        json
    }

    /// An account as shown everywhere.
    pub(in crate::sandbox) fn user_json(&self, user: &User) -> Value {
        let url = format!("{}/users/{}", self.base, user.login);
        let of = |rest: &str| format!("{url}/{rest}");
        json!({
            "login": user.login, "id": user.id, "node_id": format!("U_{}", user.id), "gravatar_id": "",
            "avatar_url": format!("{}/avatars/{}", self.web, user.id), "url": url,
            "html_url": format!("{}/{}", self.web, user.login), "followers_url": of("followers"),
            "following_url": of("following{/other_user}"), "gists_url": of("gists{/gist_id}"),
            "starred_url": of("starred{/owner}{/repo}"), "subscriptions_url": of("subscriptions"),
            "organizations_url": of("orgs"), "repos_url": of("repos"), "events_url": of("events{/privacy}"),
            "received_events_url": of("received_events"), "type": user.kind, "site_admin": false,
            "user_view_type": "public",
        })
    }

    /// A repository as its own call shows it to someone with `role`.
    pub(in crate::sandbox) fn repo_json(&self, repo: &Repo, role: Role) -> Value {
        const PLACES: &str = "archive assignees blobs branches collaborators comments commits compare contents \
            contributors deployments downloads events forks git_commits git_refs git_tags hooks issue_comment \
            issue_events issues keys labels languages merges milestones notifications pulls releases stargazers \
            statuses subscribers subscription tags teams trees";
        let name = self.full_name(repo);
        let (url, page, at) = (self.repo_url(repo.id), format!("{}/{name}", self.web), stamp(repo.created_at));
        let open = self.threads.range((repo.id, 0)..=(repo.id, i64::MAX)).filter(|(_, thread)| thread.open).count();
        let mut json = json!({
            "id": repo.id, "node_id": format!("R_{}", repo.id), "name": repo.name, "full_name": name,
            "owner": self.users.get(&repo.owner).map(|user| self.user_json(user)), "private": repo.private,
            "html_url": page, "url": url, "description": null, "fork": false, "clone_url": format!("{page}.git"),
            "git_url": format!("{page}.git"), "ssh_url": format!("git@sandbox:{name}.git"), "svn_url": page,
            "mirror_url": null, "homepage": null, "language": null, "license": null, "size": 1,
            "default_branch": repo.default_branch, "archived": false, "disabled": false, "has_issues": true,
            "has_projects": true, "has_wiki": true, "has_pages": false, "has_discussions": false, "has_downloads": true,
            "visibility": if repo.private { "private" } else { "public" }, "pushed_at": at, "created_at": at,
            "updated_at": at, "topics": [],
        });
        let Some(map) = json.as_object_mut() else { return json };
        for place in PLACES.split_whitespace() {
            map.insert(format!("{place}_url"), format!("{url}/{place}").into());
        }
        for count in ["forks", "stargazers", "watchers", "network", "subscribers"] {
            map.insert(format!("{count}_count"), 0.into());
        }
        for (name, value) in [("forks", 0), ("watchers", 0), ("open_issues", open), ("open_issues_count", open)] {
            map.insert(name.to_owned(), value.into());
        }
        map.insert("permissions".to_owned(), role.json());
        json
    }
}
