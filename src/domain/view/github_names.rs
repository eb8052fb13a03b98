//! What people write who have GitHub's own payloads in mind, and how it is written here.

/// What GitHub calls differently: where it stands, its name there, and how it is written behind that place. An answer that
/// begins with `=` is a path from the top.
const PARTS: &[(&str, &str, &str)] = &[
    ("subject", "user", "author"),
    ("subject", "creator", "author"),
    ("subject", "html_url", "url"),
    ("subject", "head", "branches.head_ref"),
    ("subject", "base", "branches.base_ref"),
    ("subject", "head_ref", "branches.head_ref"),
    ("subject", "base_ref", "branches.base_ref"),
    ("subject", "type", "kind"),
    ("subject", "label", "labels"),
    ("subject", "repository", "=repo"),
    ("subject", "repo", "=repo"),
    ("subject.author", "name", "login"),
    ("subject.author", "type", "kind"),
    ("subject.branches", "head", "head_ref"),
    ("subject.branches", "base", "base_ref"),
    ("actor", "name", "login"),
    ("actor", "username", "login"),
    ("actor", "user", "login"),
    ("actor", "type", "kind"),
    ("repo", "visibility", "private"),
    ("repo", "organization", "owner"),
    ("comment", "user", "=actor"),
    ("comment", "author", "=actor"),
    ("comment", "html_url", "url"),
    ("comment", "text", "body"),
    ("command", "args", "text"),
    ("command", "arguments", "text"),
    ("command", "branch", "base"),
    ("event", "type", "name"),
    ("chat", "user", "account"),
    ("chat", "workspace", "team"),
];

/// What only GitHub's payload has, as far as people ask for it.
const ONLY_SENT: &[&str] = &[
    "active_lock_reason",
    "additions",
    "assignee",
    "assignees",
    "auto_merge",
    "avatar_url",
    "changed_files",
    "closed_at",
    "color",
    "comments",
    "commits",
    "created_at",
    "deletions",
    "description",
    "diff_hunk",
    "diff_url",
    "draft",
    "head_sha",
    "in_reply_to_id",
    "language",
    "line",
    "locked",
    "mergeable",
    "merged",
    "merged_at",
    "milestone",
    "node_id",
    "path",
    "position",
    "reactions",
    "requested_reviewers",
    "requested_teams",
    "review_comments",
    "sha",
    "site_admin",
    "stargazers_count",
    "state_reason",
    "topics",
    "updated_at",
];

/// What stands under other names at the top.
const TOPS: &[(&str, &str)] = &[
    ("action", "event.action"),
    ("args", "command.text"),
    ("assignee", "payload.issue.assignee"),
    ("author", "issue.author"),
    ("body", "issue.body"),
    ("branch", "pull_request.branches.head_ref"),
    ("commits", "payload.commits"),
    ("github", "payload"),
    ("head_commit", "payload.head_commit"),
    ("installation", "payload.installation"),
    ("labels", "issue.labels"),
    ("message", "command.text"),
    ("number", "issue.number"),
    ("organization", "repo.owner"),
    ("pr", "pull_request"),
    ("pull", "pull_request"),
    ("ref", "payload.ref"),
    ("release", "payload.release"),
    ("repository", "repo"),
    ("review", "payload.review"),
    ("sender", "actor"),
    ("text", "command.text"),
    ("title", "issue.title"),
    ("url", "issue.url"),
    ("user", "actor"),
    ("workflow_run", "payload.workflow_run"),
];

/// What to write for a part `name` of the thing at the path `at`, which the rule writes as `written`.
pub(super) fn part(at: &str, written: &str, name: &str) -> Option<String> {
    if let Some((_, _, ours)) = PARTS.iter().find(|(place, theirs, _)| (*place, *theirs) == (at, name)) {
        return Some(match ours.strip_prefix('=') {
            Some(path) => format!("write `{path}`"),
            None => format!("write `{written}.{ours}`"),
        });
    }
    let sent = match (at, written) {
        ("subject", "pull_request") => "pull_request",
        ("subject", _) => "issue",
        ("actor", _) => "sender",
        ("repo", _) => "repository",
        ("comment", _) => "comment",
        ("label", _) => "label",
        _ => return None,
    };
    let known = ONLY_SENT.binary_search(&name).is_ok();
    known.then(|| format!("what GitHub sends besides is in `payload`, here `payload.{sent}.{name}`"))
}

/// What to write for `name`, which is none at the top.
pub(super) fn top(name: &str) -> Option<String> {
    let (_, ours) = TOPS.iter().find(|(theirs, _)| *theirs == name)?;
    Some(format!("write `{ours}`"))
}

#[cfg(test)]
mod tests {
    use super::super::known::Shape;
    use super::*;

    /// What is told to write is there, and what is told to be missing is not.
    #[test]
    fn what_is_told_to_write_is_right() {
        let lookup = |path: &str| {
            let mut parts = path.split('.');
            let top = Shape::of_name(parts.next().unwrap()).unwrap();
            parts.try_fold(top, |shape, part| shape.part("it", part)).unwrap()
        };
        for (at, theirs, ours) in PARTS {
            assert!(lookup(at).part("it", theirs).is_err(), "{at}.{theirs}");
            lookup(&ours.strip_prefix('=').map_or_else(|| format!("{at}.{ours}"), str::to_owned));
        }
        for (theirs, ours) in TOPS {
            assert_eq!(Shape::of_name(theirs), None);
            lookup(ours);
        }
        assert!(ONLY_SENT.is_sorted());
        for at in ["subject", "actor", "repo", "comment", "label"] {
            for name in ONLY_SENT {
                assert!(lookup(at).part("it", name).is_err(), "{at}.{name}");
            }
        }
    }
}
