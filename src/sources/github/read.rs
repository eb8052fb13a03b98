//! From a GitHub payload to the common reading, with the identity of what happened made of signed fields.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::payload::{Alert, Comment, End, Label, Payload, Repository, Run, Thread, User};
use crate::domain::event::{self, Account, AccountKind, Branches, Event, Repo, Subject, SubjectKind};

pub(super) fn event(source: &str, host: &str, name: &str, payload: Payload) -> Event {
    let action = payload.action.unwrap_or_default();
    let on_diff = name == "pull_request_review_comment";
    let comment = payload.comment.or(payload.review);
    let comment_at = comment.as_ref().and_then(|c| c.updated_at.clone().or_else(|| c.submitted_at.clone()));
    let comment = comment.map(|comment| read_comment(comment, on_diff));
    let label = payload.label.map(read_label);
    let subject = [
        (payload.issue, SubjectKind::Issue),
        (payload.pull_request, SubjectKind::PullRequest),
        (payload.discussion, SubjectKind::Discussion),
    ]
    .into_iter()
    .find_map(|(thread, kind)| thread.map(|thread| read_thread(thread, kind)))
    .or_else(|| payload.workflow_run.map(|run| read_run(run, SubjectKind::WorkflowRun)))
    .or_else(|| payload.check_run.map(|run| read_run(run, SubjectKind::CheckRun)))
    .or_else(|| payload.alert.map(read_alert));
    let identity = match (&comment, &subject) {
        // A comment is written once, whatever its times say; each edit is another happening, which for a review
        // shows only in the time of its pull request.
        (Some(comment), _) if action == "created" => format!("comment {}", comment.id),
        (Some(comment), subject) => format!(
            "comment {} {} {}",
            comment.id,
            comment_at.as_deref().unwrap_or_default(),
            subject.as_ref().map(|subject| subject.updated_at.as_str()).unwrap_or_default()
        ),
        (None, Some(subject)) => format!(
            "{:?} {} {} {}",
            subject.kind,
            subject.id,
            label.as_ref().map(|label| label.id).unwrap_or_default(),
            subject.updated_at
        ),
        // Made only when a rule listens to it.
        (None, None) => String::new(),
    };
    // What is dismissed or removed keeps the time at which it was written.
    let subject_at = subject.as_ref().and_then(|subject| moment(&subject.updated_at));
    let at = comment_at.as_deref().and_then(moment).max(subject_at);
    Event {
        source: source.to_owned(),
        host: host.to_owned(),
        name: name.to_owned(),
        action,
        actor: payload.sender.map(read_user),
        repo: payload.repository.map(read_repo),
        subject,
        label,
        comment,
        at,
        installed_in: payload.installation.and_then(|own| own.account?.login),
        chat: None,
        identity,
    }
}

/// For events without a subject: the payload less what differs between two hooks that tell of the same thing.
pub(super) fn body_identity(mut value: serde_json::Value) -> String {
    if let Some(object) = value.as_object_mut() {
        object.remove("installation");
    }
    format!("body {}", hex::encode(Sha256::digest(value.to_string().as_bytes())))
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.with_timezone(&Utc))
}

fn read_user(user: User) -> Account {
    let kind = match user.kind.as_deref() {
        Some("User") => AccountKind::User,
        Some("Bot") => AccountKind::Bot,
        Some("Organization") => AccountKind::Organization,
        _ => AccountKind::Other,
    };
    Account { id: user.id, login: user.login, kind }
}

fn read_repo(repository: Repository) -> Repo {
    Repo {
        id: repository.id,
        owner: repository.owner.login.or(repository.owner.name).unwrap_or_default(),
        name: repository.name,
        default_branch: repository.default_branch,
        private: repository.private,
        fork: repository.fork,
    }
}

fn read_label(label: Label) -> event::Label {
    event::Label { id: label.id, name: label.name }
}

fn read_comment(comment: Comment, on_diff: bool) -> event::Comment {
    event::Comment {
        id: comment.id,
        body: comment.body.unwrap_or_default(),
        url: comment.html_url,
        author: comment.user.map(read_user),
        author_association: comment.author_association,
        via_app: comment.performed_via_github_app.map(|app| app.id),
        on_diff,
    }
}

fn read_thread(thread: Thread, kind: SubjectKind) -> Subject {
    let kind = if thread.pull_request.is_some() { SubjectKind::PullRequest } else { kind };
    let branches = thread.head.zip(thread.base).map(|(head, base): (End, End)| Branches {
        head_ref: head.branch,
        base_ref: base.branch,
        head_repo_id: head.repo.map(|repo| repo.id),
    });
    Subject {
        kind,
        id: thread.id,
        number: Some(thread.number),
        title: thread.title.unwrap_or_default(),
        body: thread.body.unwrap_or_default(),
        url: thread.html_url,
        author: thread.user.map(read_user),
        author_association: thread.author_association,
        labels: thread.labels.into_iter().map(|label| label.name).collect(),
        state: thread.state.unwrap_or_default(),
        updated_at: thread.updated_at.unwrap_or_default(),
        branches,
    }
}

fn read_run(run: Run, kind: SubjectKind) -> Subject {
    let base = String::new();
    Subject {
        kind,
        id: run.id,
        number: None,
        title: run.name.unwrap_or_default(),
        body: String::new(),
        url: run.html_url,
        author: None,
        author_association: String::new(),
        labels: Vec::new(),
        state: run.conclusion.unwrap_or_default(),
        updated_at: run.updated_at.or(run.completed_at).or(run.started_at).unwrap_or_default(),
        branches: run.head_branch.map(|head_ref| Branches { head_ref, base_ref: base, head_repo_id: None }),
    }
}

fn read_alert(alert: Alert) -> Subject {
    Subject {
        kind: SubjectKind::Alert,
        id: alert.number,
        number: None,
        title: String::new(),
        body: String::new(),
        url: alert.html_url,
        author: None,
        author_association: String::new(),
        labels: Vec::new(),
        state: alert.state.unwrap_or_default(),
        updated_at: alert.updated_at.or(alert.created_at).unwrap_or_default(),
        branches: None,
    }
}
