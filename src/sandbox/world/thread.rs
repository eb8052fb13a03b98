//! Issues and pull requests (one series of numbers a repository), what is written under them and the
//! reactions to it, with their shapes.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{World, stamp};

/// The other half of a pull request.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Pull {
    /// The resource id, which is not the number.
    pub id: i64,
    pub head_ref: String,
    /// None when the fork was deleted.
    pub head_repo: Option<i64>,
    pub base_ref: String,
    pub draft: bool,
    pub merged_at: Option<DateTime<Utc>>,
}

/// An issue, or a pull request.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Thread {
    pub id: i64,
    pub repo: i64,
    pub number: i64,
    pub author: i64,
    pub title: String,
    pub body: Option<String>,
    pub labels: Vec<String>,
    pub open: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub pull: Option<Pull>,
}

impl Thread {
    /// An open issue without a word.
    pub(in crate::sandbox) fn new(id: i64, repo: i64, number: i64, author: i64, at: DateTime<Utc>) -> Self {
        Self {
            id,
            repo,
            number,
            author,
            title: String::new(),
            body: None,
            labels: Vec::new(),
            open: true,
            created_at: at,
            updated_at: at,
            pull: None,
        }
    }
}

/// Where a review comment stands.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Review {
    pub path: String,
    pub in_reply_to: Option<i64>,
}

/// One comment: of an issue, of a pull request, or (with `review`) on a line of its diff.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Comment {
    pub id: i64,
    pub repo: i64,
    pub number: i64,
    pub author: i64,
    /// Written with a token of the App.
    pub by_app: bool,
    pub body: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub review: Option<Review>,
}

/// What one reacts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Subject {
    /// Repository and number.
    Thread(i64, i64),
    /// A comment's id.
    Comment(i64),
}

/// One reaction.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Reaction {
    pub id: i64,
    pub subject: Subject,
    pub user: i64,
    pub content: String,
    pub created_at: DateTime<Utc>,
}

/// The reactions there are.
pub(in crate::sandbox) const REACTIONS: [&str; 8] =
    ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

impl World {
    /// The number of the next issue or pull request.
    pub(in crate::sandbox) fn next_number(&self, repo: i64) -> i64 {
        self.threads.range((repo, 0)..=(repo, i64::MAX)).next_back().map_or(1, |((_, number), _)| number + 1)
    }

    /// The API's address of a repository.
    pub(in crate::sandbox) fn repo_url(&self, repo: i64) -> String {
        let name = self.repos.get(&repo).map_or_else(String::new, |repo| self.full_name(repo));
        format!("{}/repos/{name}", self.base)
    }

    /// The page of a thread.
    pub(in crate::sandbox) fn thread_page(&self, repo: i64, number: i64) -> String {
        let name = self.repos.get(&repo).map_or_else(String::new, |repo| self.full_name(repo));
        let is_pull = self.threads.get(&(repo, number)).is_some_and(|thread| thread.pull.is_some());
        format!("{}/{name}/{}/{number}", self.web, if is_pull { "pull" } else { "issues" })
    }

    /// Who wrote something, and how they stand to the repository.
    pub(super) fn author(&self, repo: i64, user: i64) -> (Value, &'static str) {
        let association = self.repos.get(&repo).map_or("NONE", |repo| self.association(repo, user));
        (self.users.get(&user).map_or(Value::Null, |user| self.user_json(user)), association)
    }

    /// A label as shown.
    pub(in crate::sandbox) fn label_json(&self, repo: i64, name: &str) -> Value {
        // One id a name in a repository: the same label is the same wherever it is shown.
        let id = name.to_lowercase().bytes().fold(repo, |id, byte| (id * 31 + i64::from(byte)) % 4_000_000_007);
        json!({
            "id": id, "node_id": format!("LA_{id}"), "url": format!("{}/labels/{name}", self.repo_url(repo)),
            "name": name, "description": null, "color": "ededed", "default": false,
        })
    }

    /// All labels of a thread.
    pub(in crate::sandbox) fn labels_json(&self, thread: &Thread) -> Value {
        thread.labels.iter().map(|name| self.label_json(thread.repo, name)).collect()
    }

    /// How many reactions of each kind.
    pub(in crate::sandbox) fn rollup(&self, subject: Subject, url: &str) -> Value {
        let mut json = json!({ "url": format!("{url}/reactions"), "total_count": 0 });
        let of = |content: Option<&str>| {
            let all = self.reactions.iter().filter(|reaction| reaction.subject == subject);
            all.filter(|reaction| content.is_none_or(|content| reaction.content == content)).count()
        };
        if let Some(map) = json.as_object_mut() {
            map.insert("total_count".to_owned(), of(None).into());
            map.extend(REACTIONS.iter().map(|content| ((*content).to_owned(), of(Some(content)).into())));
        }
        json
    }

    /// A thread as the issue calls show it.
    pub(in crate::sandbox) fn issue_json(&self, thread: &Thread) -> Value {
        let repo_url = self.repo_url(thread.repo);
        let url = format!("{repo_url}/issues/{}", thread.number);
        let (user, association) = self.author(thread.repo, thread.author);
        let page = self.thread_page(thread.repo, thread.number);
        let comments = self.comments.values().filter(|c| (c.repo, c.number) == (thread.repo, thread.number)).count();
        let mut json = json!({
            "id": thread.id, "node_id": format!("I_{}", thread.id), "url": url, "repository_url": repo_url,
            "labels_url": format!("{url}/labels{{/name}}"), "comments_url": format!("{url}/comments"),
            "events_url": format!("{url}/events"), "timeline_url": format!("{url}/timeline"), "html_url": page,
            "number": thread.number, "state": if thread.open { "open" } else { "closed" }, "state_reason": null,
            "title": thread.title, "body": thread.body, "user": user, "labels": self.labels_json(thread),
            "assignee": null, "assignees": [], "milestone": null, "locked": false, "active_lock_reason": null,
            "comments": comments, "closed_at": (!thread.open).then(|| stamp(thread.updated_at)), "closed_by": null,
            "created_at": stamp(thread.created_at), "updated_at": stamp(thread.updated_at),
            "author_association": association, "performed_via_github_app": null,
            "reactions": self.rollup(Subject::Thread(thread.repo, thread.number), &url),
        });
        if let (Some(pull), Some(map)) = (&thread.pull, json.as_object_mut()) {
            let url = format!("{repo_url}/pulls/{}", thread.number);
            let merged = pull.merged_at.map(stamp);
            map.insert("draft".to_owned(), pull.draft.into());
            map.insert(
                "pull_request".to_owned(),
                json!({
                    "url": url, "html_url": page, "diff_url": format!("{page}.diff"),
                    "patch_url": format!("{page}.patch"), "merged_at": merged,
                }),
            );
        }
        json
    }

    /// A comment, of either kind.
    pub(in crate::sandbox) fn comment_json(&self, comment: &Comment) -> Value {
        let repo_url = self.repo_url(comment.repo);
        let (user, association) = self.author(comment.repo, comment.author);
        let page = self.thread_page(comment.repo, comment.number);
        let kind = if comment.review.is_some() { "pulls" } else { "issues" };
        let url = format!("{repo_url}/{kind}/comments/{}", comment.id);
        let mut json = json!({
            "id": comment.id, "node_id": format!("IC_{}", comment.id), "url": url, "body": comment.body,
            "user": user, "created_at": stamp(comment.created_at), "updated_at": stamp(comment.updated_at),
            "author_association": association, "reactions": self.rollup(Subject::Comment(comment.id), &url),
        });
        let Some(map) = json.as_object_mut() else { return json };
        let mut set = |name: &str, value: Value| map.insert(name.to_owned(), value);
        if let Some(review) = &comment.review {
            let pull = format!("{repo_url}/pulls/{}", comment.number);
            let html = format!("{page}#discussion_r{}", comment.id);
            set(
                "_links",
                json!({ "self": { "href": url }, "html": { "href": html }, "pull_request": { "href": pull } }),
            );
            set("html_url", html.into());
            set("pull_request_url", pull.into());
            set("pull_request_review_id", comment.id.into());
            set("diff_hunk", "@@ -1 +1 @@".into());
            set("path", review.path.clone().into());
            set("commit_id", "0".repeat(40).into());
            set("original_commit_id", "0".repeat(40).into());
            if let Some(parent) = review.in_reply_to {
                set("in_reply_to_id", parent.into());
            }
        } else {
            set("html_url", format!("{page}#issuecomment-{}", comment.id).into());
            set("issue_url", format!("{repo_url}/issues/{}", comment.number).into());
            set("performed_via_github_app", if comment.by_app { self.app_json() } else { Value::Null });
        }
        json
    }

    /// A reaction.
    pub(in crate::sandbox) fn reaction_json(&self, reaction: &Reaction) -> Value {
        json!({
            "id": reaction.id, "node_id": format!("REA_{}", reaction.id), "content": reaction.content,
            "user": self.users.get(&reaction.user).map(|user| self.user_json(user)),
            "created_at": stamp(reaction.created_at),
        })
    }
}
