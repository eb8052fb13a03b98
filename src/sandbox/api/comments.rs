//! Comments of issues and pull requests.

use chrono::DateTime;
use serde_json::Value;

use super::{Cx, missing, text};
use crate::sandbox::call::{Answer, Page, Reply};
use crate::sandbox::world::{Comment, Repo, Role, Subject};

/// The longest body, in characters.
const BODY_CHARS: usize = 65_536;

/// The body of a comment that is being written.
pub(super) fn body(cx: &Cx<'_>) -> Result<String, Answer> {
    let object = cx.call.object()?;
    let body = text(&object, "body").filter(|body| !body.trim().is_empty());
    let body = body.ok_or_else(|| missing("IssueComment", "body"))?;
    if body.chars().count() > BODY_CHARS {
        return Err(Answer::error(422, "Validation Failed: body is too long (maximum is 65536 characters)"));
    }
    Ok(body.to_owned())
}

fn find(cx: &Cx<'_>, repo: &Repo, id: &str) -> Result<Comment, Answer> {
    let found = id.parse().ok().and_then(|id: i64| cx.world.comments.get(&id));
    let found = found.filter(|comment| comment.repo == repo.id && comment.review.is_none());
    found.cloned().ok_or_else(Answer::not_found)
}

/// `GET .../issues/comments/{comment_id}`
pub(super) fn one(cx: &Cx<'_>, repo: &Repo, id: &str) -> Reply {
    let comment = find(cx, repo, id)?;
    Ok(Answer::ok(cx.world.comment_json(&comment)))
}

/// `GET .../issues/{issue_number}/comments`, oldest first; `since` is of the last change.
pub(super) fn list(cx: &Cx<'_>, repo: &Repo, number: &str) -> Reply {
    let thread = cx.thread(repo, number)?;
    let since = cx.call.query("since").and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
    let time = cx.list_time();
    let world = &cx.world;
    let all = world.comments.values().filter(|comment| {
        (comment.repo, comment.number) == (repo.id, thread.number)
            && comment.review.is_none()
            && comment.created_at <= time
            && since.is_none_or(|since| comment.updated_at.timestamp() >= since.timestamp())
    });
    let all: Vec<&Comment> = all.collect();
    Ok(Page::of(cx.call).answer(cx.call, &world.base, &all, |page| {
        page.iter().map(|comment| world.comment_json(comment)).collect::<Value>()
    }))
}

/// `POST .../issues/{issue_number}/comments`
pub(super) fn create(cx: &mut Cx<'_>, repo: &Repo, number: &str) -> Reply {
    let (author, by_app) = cx.writer()?;
    let thread = cx.thread(repo, number)?;
    let body = body(cx)?;
    let (id, now) = (cx.world.next_id(), cx.world.ground.now());
    let (repo, number) = (repo.id, thread.number);
    let comment = Comment { id, repo, number, author, by_app, body, created_at: now, updated_at: now, review: None };
    let json = cx.world.comment_json(&comment);
    cx.world.comments.insert(id, comment);
    if let Some(thread) = cx.world.threads.get_mut(&(repo, number)) {
        thread.updated_at = now;
    }
    let url = json.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Answer::json(201, json).with("location", url))
}

fn own(cx: &mut Cx<'_>, repo: &Repo, id: &str) -> Result<Comment, Answer> {
    let comment = find(cx, repo, id)?;
    let (writer, _) = cx.writer()?;
    if writer != comment.author {
        cx.need(repo, Role::Write)?;
    }
    Ok(comment)
}

/// `PATCH .../issues/comments/{comment_id}`
pub(super) fn edit(cx: &mut Cx<'_>, repo: &Repo, id: &str) -> Reply {
    let mut comment = own(cx, repo, id)?;
    comment.body = body(cx)?;
    comment.updated_at = cx.world.ground.now();
    let json = cx.world.comment_json(&comment);
    cx.world.comments.insert(comment.id, comment);
    Ok(Answer::ok(json))
}

/// `DELETE .../issues/comments/{comment_id}`
pub(super) fn delete(cx: &mut Cx<'_>, repo: &Repo, id: &str) -> Reply {
    let comment = own(cx, repo, id)?;
    cx.world.comments.remove(&comment.id);
    cx.world.reactions.retain(|reaction| reaction.subject != Subject::Comment(comment.id));
    Ok(Answer::empty(204))
}
