//! Pull requests, and replies to what reviewers wrote on a line.

use serde_json::Value;

use super::{Cx, comments};
use crate::sandbox::call::{Answer, Page, Reply};
use crate::sandbox::world::{Comment, Pull, Repo, Review, Thread};

/// `GET .../pulls` with `state` (open), `head` (`owner:branch`), `base`, `sort`, `direction`.
pub(super) fn list(cx: &Cx<'_>, repo: &Repo) -> Reply {
    let world = &cx.world;
    let query = |name: &str| cx.call.query(name).filter(|text| !text.is_empty());
    let state = query("state").unwrap_or_else(|| "open".to_owned());
    if !["open", "closed", "all"].contains(&state.as_str()) {
        return Err(Answer::invalid("PullRequest", "state", "invalid"));
    }
    let (head, base, time) = (query("head"), query("base"), cx.list_time());
    let head_of = |pull: &Pull| {
        let owner = pull.head_repo.and_then(|id| world.repos.get(&id)).and_then(|repo| world.login(repo.owner));
        format!("{}:{}", owner.unwrap_or_default(), pull.head_ref)
    };
    // A `head` without an owner is not understood and filters nothing, as on GitHub.
    let head = head.filter(|head| head.contains(':'));
    let all = world.threads.range((repo.id, 0)..=(repo.id, i64::MAX)).filter_map(|(_, thread)| {
        let pull = thread.pull.as_ref()?;
        let wanted = (state == "all" || (state == "open") == thread.open)
            && thread.created_at <= time
            && head.as_ref().is_none_or(|head| head.eq_ignore_ascii_case(&head_of(pull)))
            && base.as_ref().is_none_or(|base| *base == pull.base_ref);
        wanted.then_some((thread, pull))
    });
    let mut all: Vec<(&Thread, &Pull)> = all.collect();
    let by_update = query("sort").is_some_and(|sort| sort == "updated");
    all.sort_by_key(|(thread, _)| (if by_update { thread.updated_at } else { thread.created_at }, thread.number));
    let ascending = query("direction").map_or(cx.call.query("sort").is_some() && !by_update, |text| text == "asc");
    if !ascending {
        all.reverse();
    }
    Ok(Page::of(cx.call).answer(cx.call, &world.base, &all, |page| {
        page.iter().map(|(thread, pull)| world.pull_json(thread, pull, false)).collect::<Value>()
    }))
}

/// `GET .../pulls/{pull_number}`
pub(super) fn one(cx: &Cx<'_>, repo: &Repo, number: &str) -> Reply {
    let thread = cx.thread(repo, number)?;
    let pull = thread.pull.as_ref().ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(cx.world.pull_json(&thread, pull, true)))
}

/// `GET .../pulls/{pull_number}/comments`
pub(super) fn review_comments(cx: &Cx<'_>, repo: &Repo, number: &str) -> Reply {
    let thread = cx.thread(repo, number)?;
    let world = &cx.world;
    let all = world.comments.values().filter(|own| (own.repo, own.number) == (repo.id, thread.number));
    let all: Vec<&Comment> = all.filter(|own| own.review.is_some()).collect();
    Ok(Page::of(cx.call).answer(cx.call, &world.base, &all, |page| {
        page.iter().map(|comment| world.comment_json(comment)).collect::<Value>()
    }))
}

/// `POST .../pulls/{pull_number}/comments/{comment_id}/replies`; only the first of a chain can be replied to.
pub(super) fn reply(cx: &mut Cx<'_>, repo: &Repo, number: &str, id: &str) -> Reply {
    let (author, by_app) = cx.writer()?;
    let thread = cx.thread(repo, number)?;
    let parent = id.parse().ok().and_then(|id: i64| cx.world.comments.get(&id).cloned());
    let parent = parent.filter(|own| (own.repo, own.number) == (repo.id, thread.number));
    let parent = parent.ok_or_else(Answer::not_found)?;
    let Some(Review { path, in_reply_to: None }) = parent.review else { return Err(Answer::not_found()) };
    let body = comments::body(cx)?;
    let (id, now) = (cx.world.next_id(), cx.world.ground.now());
    let review = Some(Review { path, in_reply_to: Some(parent.id) });
    let (repo, number) = (repo.id, thread.number);
    let comment = Comment { id, repo, number, author, by_app, body, created_at: now, updated_at: now, review };
    let json = cx.world.comment_json(&comment);
    cx.world.comments.insert(id, comment);
    Ok(Answer::json(201, json))
}
