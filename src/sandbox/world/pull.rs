//! The shape of a pull request, which has more fields than all others together.

use serde_json::{Value, json};

use super::{Pull, Repo, Role, Thread, User, World, stamp};

impl World {
    /// A pull request; `full` has what only the single call shows.
    pub(in crate::sandbox) fn pull_json(&self, thread: &Thread, pull: &Pull, full: bool) -> Value {
        let repo_url = self.repo_url(thread.repo);
        let url = format!("{repo_url}/pulls/{}", thread.number);
        let issue = format!("{repo_url}/issues/{}", thread.number);
        let page = self.thread_page(thread.repo, thread.number);
        let (user, association) = self.author(thread.repo, thread.author);
        let link = |href: String| json!({ "href": href });
        let statuses = format!("{repo_url}/statuses/{}", "0".repeat(40));
        let mut json = json!({
            "id": pull.id, "node_id": format!("PR_sandbox{}", pull.id), "number": thread.number, "url": url,
            "html_url": page, "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
            "issue_url": issue, "commits_url": format!("{url}/commits"), "statuses_url": statuses,
            "comments_url": format!("{issue}/comments"), "review_comments_url": format!("{url}/comments"),
            "review_comment_url": format!("{repo_url}/pulls/comments{{/number}}"),
            "state": if thread.open { "open" } else { "closed" }, "locked": false, "active_lock_reason": null,
            "title": thread.title, "body": thread.body, "user": user, "labels": self.labels_json(thread),
            "milestone": null, "assignee": null, "assignees": [], "requested_reviewers": [], "requested_teams": [],
            "created_at": stamp(thread.created_at), "updated_at": stamp(thread.updated_at),
            "closed_at": (!thread.open).then(|| stamp(thread.updated_at)), "merged_at": pull.merged_at.map(stamp),
            "merge_commit_sha": null, "draft": pull.draft, "author_association": association, "auto_merge": null,
        });
        let links = json!({
            "self": link(url.clone()), "html": link(page.clone()), "issue": link(issue.clone()),
            "comments": link(format!("{issue}/comments")), "statuses": link(statuses.clone()),
            "review_comments": link(format!("{url}/comments")), "commits": link(format!("{url}/commits")),
            "review_comment": link(format!("{repo_url}/pulls/comments{{/number}}")),
        });
        let Some(map) = json.as_object_mut() else { return json };
        map.insert("_links".to_owned(), links);
        map.insert("head".to_owned(), self.end(pull.head_repo, &pull.head_ref));
        map.insert("base".to_owned(), self.end(Some(thread.repo), &pull.base_ref));
        if full {
            let more = json!({
                "merged": pull.merged_at.is_some(), "mergeable": true, "rebaseable": true,
                "mergeable_state": "clean", "merged_by": null, "comments": 0, "review_comments": 0,
                "maintainer_can_modify": false, "commits": 1, "additions": 1, "deletions": 0, "changed_files": 1,
            });
            map.extend(more.as_object().cloned().unwrap_or_default());
        }
        json
    }

    fn end(&self, repo: Option<i64>, branch: &str) -> Value {
        let repo = repo.and_then(|id| self.repos.get(&id));
        let owner: Option<&User> = repo.and_then(|repo: &Repo| self.users.get(&repo.owner));
        let label = owner.map_or_else(|| format!("unknown:{branch}"), |owner| format!("{}:{branch}", owner.login));
        json!({
            "label": label, "ref": branch, "sha": "0".repeat(40), "user": owner.map(|owner| self.user_json(owner)),
            "repo": repo.map(|repo| self.repo_json(repo, Role::Read)),
        })
    }
}
