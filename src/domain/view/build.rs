//! The original reading, written out name by name: these names are the language of rule files, so they
//! must not change when a field of the event type is renamed.

use serde_json::{Map, Value, json};

use super::super::command::Command;
use super::super::event::{Account, Event, Subject};

/// The most entries of a list that a view shows.
pub const LIST_LIMIT: usize = 100;

/// Longest text, in characters: GitHub's own limit for a body.
const TEXT_LIMIT: usize = 65_536;
/// Longest one-line value, in characters.
const LINE_LIMIT: usize = 2_000;

pub(super) fn names(event: &Event, command: Option<&Command>) -> Map<String, Value> {
    let mut names = Map::new();
    names.insert(
        "event".to_owned(),
        json!({
            "source": line(&event.source), "name": line(&event.name), "action": line(&event.action),
            "full_name": line(&event.full_name()), "host": line(&event.host),
        }),
    );
    if let Some(actor) = &event.actor {
        names.insert("actor".to_owned(), account(actor));
    }
    if let Some(repo) = &event.repo {
        names.insert(
            "repo".to_owned(),
            json!({
                "id": repo.id, "owner": line(&repo.owner), "name": line(&repo.name),
                "full_name": line(&repo.full_name()), "default_branch": repo.default_branch.as_deref().map(line),
                "private": repo.private, "fork": repo.fork,
            }),
        );
    }
    if let Some(subject) = &event.subject {
        names.insert("subject".to_owned(), self::subject(subject));
    }
    if let Some(label) = &event.label {
        names.insert("label".to_owned(), json!({ "id": label.id, "name": line(&label.name) }));
    }
    if let Some(comment) = &event.comment {
        names.insert(
            "comment".to_owned(),
            json!({
                "id": comment.id, "body": head(&comment.body, TEXT_LIMIT), "url": line(&comment.url),
                "author_association": line(&comment.author_association),
            }),
        );
    }
    if let Some(command) = command {
        names.insert(
            "command".to_owned(),
            json!({
                "name": command.name, "text": command.text, "model": command.model, "base": command.base,
                "agent": command.agent,
            }),
        );
    }
    if let Some(chat) = &event.chat {
        let team = chat.server.as_deref().unwrap_or_else(|| chat.identity.workspace());
        names.insert(
            "chat".to_owned(),
            json!({
                "platform": chat.identity.platform(), "team": line(team),
                "account": chat.identity.account(), "channel": line(&chat.place.channel),
                "thread": chat.place.thread.as_deref().map(line),
            }),
        );
    }
    names
}

fn account(account: &Account) -> Value {
    json!({ "id": account.id, "login": line(&account.login), "kind": account.kind })
}

fn subject(subject: &Subject) -> Value {
    let labels: Vec<_> = subject.labels.iter().take(LIST_LIMIT).map(|label| line(label)).collect();
    let branches = subject.branches.as_ref().map(|branches| {
        json!({
            "head_ref": line(&branches.head_ref), "base_ref": line(&branches.base_ref),
            "head_repo_id": branches.head_repo_id,
        })
    });
    json!({
        "kind": subject.kind, "id": subject.id, "number": subject.number, "title": line(&subject.title),
        "body": head(&subject.body, TEXT_LIMIT), "url": line(&subject.url),
        "author": subject.author.as_ref().map(account), "author_association": line(&subject.author_association),
        "labels": labels, "state": line(&subject.state), "branches": branches,
    })
}

fn line(text: &str) -> &str {
    head(text, LINE_LIMIT)
}

/// The first `limit` characters.
fn head(text: &str, limit: usize) -> &str {
    if text.len() <= limit { text } else { text.char_indices().nth(limit).map_or(text, |(end, _)| &text[..end]) }
}
