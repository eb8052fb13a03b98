//! An `issues.labeled` payload of about 12 KB: the names and sizes of the fields are those that GitHub sends,
//! the contents are made up. Everything that differs from one delivery to the next stands at the end, so that a
//! load generator hashes only that part anew: it shares the processors with what it measures.

use std::fmt::Write as _;

use serde_json::{Value, json};

const API: &str = "https://api.github.com";
const WEB: &str = "https://github.com";

/// The label that a rule listens to, and one that none does; of one length.
pub(crate) const WANTED: &str = "copilot-fix";
pub(crate) const UNWANTED: &str = "later-maybe";

/// Everything that is the same in each delivery, and the senders.
pub(crate) struct Payload {
    prefix: String,
    senders: Vec<String>,
    at: String,
}

impl Payload {
    /// About an issue that changed at the RFC 3339 time `at`; `senders` are account numbers and logins.
    pub(crate) fn new(at: &str, senders: &[(i64, String)]) -> Self {
        let mut prefix = format!(
            "{{\"action\":\"labeled\",\"repository\":{},\"organization\":{},\"issue\":",
            repository(),
            organization()
        );
        let issue = issue().to_string();
        prefix.push_str(&issue[..issue.len() - 1]);
        let senders = senders.iter().map(|(id, login)| account(*id, login).to_string()).collect();
        Self { prefix, senders, at: at.to_owned() }
    }

    /// What no delivery has of its own.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Appends what delivery number `n` has of its own.
    pub(crate) fn finish(&self, n: u64, label: &str, into: &mut String) {
        let (number, id, at) = (n % 1_000_000 + 1, 3_000_000_000 + n, &self.at);
        let sender = &self.senders[usize::try_from(n).unwrap_or(0) % self.senders.len()];
        // Writing to a String cannot fail.
        let _ = write!(
            into,
            ",\"id\":{id},\"node_id\":\"I_kwDOExampleM{id:010}\",\"number\":{number},\"updated_at\":\"{at}\",\
             \"url\":\"{API}/repos/acme/widgets/issues/{number}\",\
             \"html_url\":\"{WEB}/acme/widgets/issues/{number}\"}},\
             \"label\":{{\"id\":7411,\"node_id\":\"LA_kwDOExample7411\",\"url\":\"{API}/repos/acme/widgets/labels/{label}\",\
             \"name\":\"{label}\",\"color\":\"5319e7\",\"default\":false,\"description\":\"Work for the agent\"}},\
             \"sender\":{sender}}}"
        );
    }
}

fn account(id: i64, login: &str) -> Value {
    let url = |rest: &str| format!("{API}/users/{login}{rest}");
    json!({
        "login": login, "id": id, "node_id": format!("MDQ6VXNlcj{id:08}"), "gravatar_id": "", "type": "User",
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"), "url": url(""),
        "html_url": format!("{WEB}/{login}"), "followers_url": url("/followers"),
        "following_url": url("/following{/other_user}"), "gists_url": url("/gists{/gist_id}"),
        "starred_url": url("/starred{/owner}{/repo}"), "subscriptions_url": url("/subscriptions"),
        "organizations_url": url("/orgs"), "repos_url": url("/repos"), "events_url": url("/events{/privacy}"),
        "received_events_url": url("/received_events"), "user_view_type": "public", "site_admin": false,
    })
}

fn organization() -> Value {
    let url = |rest: &str| format!("{API}/orgs/acme{rest}");
    json!({
        "login": "acme", "id": 9001, "node_id": "O_kgDOExample", "url": url(""), "repos_url": url("/repos"),
        "events_url": url("/events"), "hooks_url": url("/hooks"), "issues_url": url("/issues"),
        "members_url": url("/members{/member}"), "public_members_url": url("/public_members{/member}"),
        "avatar_url": "https://avatars.githubusercontent.com/u/9001?v=4", "description": "Things that do things",
    })
}

fn repository() -> Value {
    const LINKS: [(&str, &str); 37] = [
        ("forks_url", "/forks"),
        ("keys_url", "/keys{/key_id}"),
        ("collaborators_url", "/collaborators{/collaborator}"),
        ("teams_url", "/teams"),
        ("hooks_url", "/hooks"),
        ("issue_events_url", "/issues/events{/number}"),
        ("events_url", "/events"),
        ("assignees_url", "/assignees{/user}"),
        ("branches_url", "/branches{/branch}"),
        ("tags_url", "/tags"),
        ("blobs_url", "/git/blobs{/sha}"),
        ("git_tags_url", "/git/tags{/sha}"),
        ("git_refs_url", "/git/refs{/sha}"),
        ("trees_url", "/git/trees{/sha}"),
        ("statuses_url", "/statuses/{sha}"),
        ("languages_url", "/languages"),
        ("stargazers_url", "/stargazers"),
        ("contributors_url", "/contributors"),
        ("subscribers_url", "/subscribers"),
        ("subscription_url", "/subscription"),
        ("commits_url", "/commits{/sha}"),
        ("git_commits_url", "/git/commits{/sha}"),
        ("comments_url", "/comments{/number}"),
        ("issue_comment_url", "/issues/comments{/number}"),
        ("contents_url", "/contents/{+path}"),
        ("compare_url", "/compare/{base}...{head}"),
        ("merges_url", "/merges"),
        ("archive_url", "/{archive_format}{/ref}"),
        ("downloads_url", "/downloads"),
        ("issues_url", "/issues{/number}"),
        ("pulls_url", "/pulls{/number}"),
        ("milestones_url", "/milestones{/number}"),
        ("notifications_url", "/notifications{?since,all,participating}"),
        ("labels_url", "/labels{/name}"),
        ("releases_url", "/releases{/id}"),
        ("deployments_url", "/deployments"),
        ("url", ""),
    ];
    let mut all = json!({
        "id": 5001, "node_id": "R_kgDOExample", "name": "widgets", "full_name": "acme/widgets", "private": true,
        "owner": account(9001, "acme"), "html_url": format!("{WEB}/acme/widgets"), "fork": false,
        "description": "Widgets, and whatever goes round them", "created_at": "2021-03-04T05:06:07Z",
        "updated_at": "2026-01-02T03:04:05Z", "pushed_at": "2026-01-02T03:04:04Z",
        "git_url": "git://github.com/acme/widgets.git", "ssh_url": "git@github.com:acme/widgets.git",
        "clone_url": format!("{WEB}/acme/widgets.git"), "svn_url": format!("{WEB}/acme/widgets"), "homepage": null,
    });
    let more = json!({
        "size": 18_234, "stargazers_count": 4, "watchers_count": 4, "language": "Rust", "has_issues": true,
        "has_projects": true, "has_downloads": true, "has_wiki": false, "has_pages": false, "has_discussions": true,
        "forks_count": 1, "mirror_url": null, "archived": false, "disabled": false, "open_issues_count": 128,
        "license": null, "allow_forking": true, "is_template": false, "web_commit_signoff_required": false,
        "topics": ["widgets", "agents"], "visibility": "private", "forks": 1, "open_issues": 128, "watchers": 4,
        "default_branch": "main", "custom_properties": { "team": "round-things" },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    for (name, rest) in LINKS {
        all[name] = json!(format!("{API}/repos/acme/widgets{rest}"));
    }
    all
}

fn issue() -> Value {
    let url = |rest: &str| format!("{API}/repos/acme/widgets/issues/42{rest}");
    let label = |id: i64, name: &str| {
        json!({ "id": id, "node_id": format!("LA_kwDOExample{id}"), "name": name, "color": "d73a4a", "default": true,
                "url": format!("{API}/repos/acme/widgets/labels/{name}"), "description": "Something is not as it should be" })
    };
    let body = "### What happens\n\nUnder load the pool hands out a connection that was closed by the other side, \
                and the first statement on it fails.\n\n### How to see it\n\n1. Start with `pool.max = 4`.\n2. Send \
                two hundred requests at once.\n3. Restart the server in the middle.\n\n```text\nerror: broken pipe \
                (os error 32)\n   at pool::checkout (src/pool.rs:118)\n   at handler::list (src/handler.rs:42)\n```\n\n\
                ### What should happen\n\nA connection that is dead should be thrown away, and the request should \
                get another. See also #17, which looks alike but is about idle ones.\n";
    json!({
        "repository_url": format!("{API}/repos/acme/widgets"), "labels_url": url("/labels{/name}"),
        "comments_url": url("/comments"), "events_url": url("/events"), "title": "The pool hands out dead connections",
        "user": account(1001, "mona"), "labels": [label(1, "bug"), label(2, "pool"), label(3, "needs-design")],
        "state": "open", "locked": false, "assignee": account(1002, "otto"), "assignees": [account(1002, "otto")],
        "milestone": null, "comments": 3, "created_at": "2026-01-01T09:10:11Z", "closed_at": null,
        "author_association": "MEMBER", "active_lock_reason": null, "body": body,
        "sub_issues_summary": { "total": 0, "completed": 0, "percent_completed": 0 },
        "issue_dependencies_summary": { "blocked_by": 0, "total_blocked_by": 0, "blocking": 0, "total_blocking": 0 },
        "reactions": { "url": url("/reactions"), "total_count": 2, "+1": 2, "-1": 0, "laugh": 0, "hooray": 0,
                       "confused": 0, "heart": 0, "rocket": 0, "eyes": 0 },
        "timeline_url": url("/timeline"), "performed_via_github_app": null, "state_reason": null, "type": null,
    })
}
