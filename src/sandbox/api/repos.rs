//! A repository, and what someone may do in it.

use serde_json::json;

use super::Cx;
use crate::sandbox::call::{Answer, Reply};
use crate::sandbox::world::{Caller, Repo, Role};

/// `GET /repos/{owner}/{repo}` and `GET /repositories/{id}`
pub(super) fn one(cx: &Cx<'_>, repo: &Repo) -> Answer {
    Answer::ok(cx.world.repo_json(repo, cx.role(repo)))
}

/// `GET /repos/{owner}/{repo}/collaborators/{username}/permission`
pub(super) fn permission(cx: &Cx<'_>, repo: &Repo, login: &str) -> Reply {
    let may = matches!(cx.caller, Caller::Installation(_)) || cx.role(repo) >= Role::Write;
    if !may {
        return Err(Answer::error(403, "Must have push access to view collaborator permission."));
    }
    let user = cx.world.user_named(login).ok_or_else(|| Answer::error(404, &format!("{login} is not a user")))?;
    let role = cx.world.role(repo, user.id);
    let mut shown = cx.world.user_json(user);
    if let Some(map) = shown.as_object_mut() {
        map.insert("role_name".to_owned(), role.name().into());
        map.insert("permissions".to_owned(), role.json());
    }
    Ok(Answer::ok(json!({
        "permission": role.permission(), "role_name": role.name(), "user": shown,
    })))
}
