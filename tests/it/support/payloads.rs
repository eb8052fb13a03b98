//! Webhook payloads as GitHub sends them, cut to what matters, all about the repository of the demo world.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// Who may write in acme/widgets.
pub(crate) const MONA: (i64, &str) = (1001, "mona");
/// Who can only read there.
pub(crate) const OTTO: (i64, &str) = (1002, "otto");

pub(crate) fn account(actor: (i64, &str)) -> Value {
    json!({ "id": actor.0, "login": actor.1, "type": "User" })
}

pub(crate) fn repository() -> Value {
    json!({
        "id": 5001, "name": "widgets", "full_name": "acme/widgets", "private": true, "fork": false,
        "default_branch": "main", "owner": { "id": 9001, "login": "acme", "type": "Organization" }
    })
}

/// A time as GitHub writes it.
pub(crate) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub(crate) fn issue(updated_at: DateTime<Utc>) -> Value {
    json!({
        "id": 4200, "number": 42, "title": "It leaks", "body": "Under load.", "state": "open",
        "html_url": "https://github.com/acme/widgets/issues/42", "user": account(MONA),
        "author_association": "MEMBER", "labels": [{ "id": 1, "name": "copilot-fix" }],
        "updated_at": stamp(updated_at)
    })
}

/// Someone put a label on issue 42.
pub(crate) fn labelled(label: &str, actor: (i64, &str), at: DateTime<Utc>) -> Value {
    json!({
        "action": "labeled", "issue": issue(at), "label": { "id": 31, "name": label },
        "repository": repository(), "sender": account(actor)
    })
}

/// Someone took a label off issue 42.
pub(crate) fn unlabelled(label: &str, actor: (i64, &str), at: DateTime<Utc>) -> Value {
    let mut payload = labelled(label, actor, at);
    payload["action"] = "unlabeled".into();
    payload
}

/// Mona labelled an issue that `author` wrote.
pub(crate) fn labelled_of(author: (i64, &str), title: &str, body: &str, at: DateTime<Utc>) -> Value {
    let mut payload = labelled("copilot-fix", MONA, at);
    payload["issue"]["user"] = account(author);
    payload["issue"]["author_association"] = "NONE".into();
    payload["issue"]["title"] = title.into();
    payload["issue"]["body"] = body.into();
    payload
}

/// Someone wrote a comment on issue 42.
pub(crate) fn commented(id: i64, text: &str, actor: (i64, &str), at: DateTime<Utc>) -> Value {
    json!({
        "action": "created", "issue": issue(at), "repository": repository(), "sender": account(actor),
        "comment": {
            "id": id, "body": text, "html_url": "https://github.com/acme/widgets/issues/42#issuecomment-1",
            "user": account(actor), "author_association": "MEMBER", "performed_via_github_app": null,
            "created_at": stamp(at), "updated_at": stamp(at)
        }
    })
}

/// Someone wrote a comment on the pull request `number`.
pub(crate) fn commented_on_pull(number: i64, id: i64, text: &str, at: DateTime<Utc>) -> Value {
    let mut payload = commented(id, text, MONA, at);
    payload["issue"]["id"] = (number * 100).into();
    payload["issue"]["number"] = number.into();
    payload["issue"]["pull_request"] = json!({ "url": "https://api.github.com/repos/acme/widgets/pulls/7" });
    payload
}

/// A workflow run of this branch ended so.
pub(crate) fn workflow_run(conclusion: &str, branch: &str, at: DateTime<Utc>) -> Value {
    json!({
        "action": "completed", "repository": repository(), "sender": account(MONA),
        "workflow_run": {
            "id": 77, "name": "build", "conclusion": conclusion, "head_branch": branch, "run_attempt": 1,
            "html_url": "https://github.com/acme/widgets/actions/runs/77", "updated_at": stamp(at)
        }
    })
}
