//! Reactions: 201 for a new one, 200 for one that was there, 204 for one taken away.

use serde_json::Value;

use super::{Cx, text};
use crate::sandbox::call::{Answer, Page, Reply};
use crate::sandbox::world::{REACTIONS, Reaction, Repo, Role, Subject};

/// The thread with this number.
pub(super) fn thread(cx: &Cx<'_>, repo: &Repo, number: &str) -> Result<Subject, Answer> {
    cx.thread(repo, number).map(|thread| Subject::Thread(thread.repo, thread.number))
}

/// The comment with this id; `review`: on a diff.
pub(super) fn comment(cx: &Cx<'_>, repo: &Repo, id: &str, review: bool) -> Result<Subject, Answer> {
    let found = id.parse().ok().and_then(|id: i64| cx.world.comments.get(&id));
    let found = found.filter(|comment| comment.repo == repo.id && comment.review.is_some() == review);
    found.map(|comment| Subject::Comment(comment.id)).ok_or_else(Answer::not_found)
}

/// List, create, or delete one (`rest` is its id).
pub(super) fn any(cx: &mut Cx<'_>, repo: &Repo, method: &str, subject: Subject, rest: &[&str]) -> Reply {
    match (method, rest) {
        ("GET", []) => Ok(list(cx, subject)),
        ("POST", []) => create(cx, subject),
        ("DELETE", [id]) => delete(cx, repo, subject, id),
        _ => Err(Answer::not_found()),
    }
}

fn list(cx: &Cx<'_>, subject: Subject) -> Answer {
    let wanted = cx.call.query("content");
    let world = &cx.world;
    let all = world.reactions.iter().filter(|reaction| reaction.subject == subject);
    let all: Vec<_> = all.filter(|own| wanted.as_ref().is_none_or(|wanted| own.content == *wanted)).collect();
    Page::of(cx.call).answer(cx.call, &world.base, &all, |page| {
        page.iter().map(|reaction| world.reaction_json(reaction)).collect::<Value>()
    })
}

fn create(cx: &mut Cx<'_>, subject: Subject) -> Reply {
    let (user, _) = cx.writer()?;
    let body = cx.call.object()?;
    let content = text(&body, "content").filter(|content| REACTIONS.contains(content));
    let content = content.ok_or_else(|| Answer::invalid("Reaction", "content", "invalid"))?;
    let same = |own: &&Reaction| own.subject == subject && own.user == user && own.content == content;
    if let Some(there) = cx.world.reactions.iter().find(same) {
        return Ok(Answer::ok(cx.world.reaction_json(there)));
    }
    let (id, created_at) = (cx.world.next_id(), cx.world.ground.now());
    let reaction = Reaction { id, subject, user, content: content.to_owned(), created_at };
    let json = cx.world.reaction_json(&reaction);
    cx.world.reactions.push(reaction);
    Ok(Answer::json(201, json))
}

fn delete(cx: &mut Cx<'_>, repo: &Repo, subject: Subject, id: &str) -> Reply {
    let (user, _) = cx.writer()?;
    let id: i64 = id.parse().map_err(|_| Answer::not_found())?;
    let found = cx.world.reactions.iter().find(|own| own.id == id && own.subject == subject);
    let author = found.map(|own| own.user).ok_or_else(Answer::not_found)?;
    if author != user {
        cx.need(repo, Role::Admin)?;
    }
    cx.world.reactions.retain(|own| own.id != id);
    Ok(Answer::empty(204))
}
