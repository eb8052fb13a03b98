//! Who someone is, and what they belong to; also the calls that are about the caller's own standing.

use serde_json::{Value, json};

use super::Cx;
use crate::sandbox::call::{Answer, Reply};
use crate::sandbox::world::{Caller, stamp};

/// `GET /user`
pub(super) fn user(cx: &Cx<'_>) -> Reply {
    let user = cx.person()?;
    let mut json = cx.world.user_json(&user);
    let at = stamp(user.created_at);
    let more = json!({
        "name": user.login, "email": null, "bio": null, "blog": "", "company": null, "location": null,
        "hireable": null, "followers": 0, "following": 0, "public_gists": 0, "public_repos": 0, "created_at": at,
        "updated_at": at, "collaborators": 0, "disk_usage": 0, "owned_private_repos": 0, "private_gists": 0,
        "total_private_repos": 0, "two_factor_authentication": true,
    });
    extend(&mut json, &more);
    Ok(Answer::ok(json))
}

fn extend(json: &mut Value, more: &Value) {
    if let (Some(map), Some(more)) = (json.as_object_mut(), more.as_object()) {
        map.extend(more.clone());
    }
}

/// `GET /users/{username}`
pub(super) fn by_name(cx: &Cx<'_>, login: &str) -> Reply {
    let user = cx.world.user_named(login).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(cx.world.user_json(user)))
}

/// `GET /orgs/{org}/members/{username}`: 204, 302 for callers outside the organization, 404.
pub(super) fn org_member(cx: &Cx<'_>, org: &str, login: &str) -> Reply {
    let org = cx.world.user_named(org).filter(|org| org.kind == "Organization").ok_or_else(Answer::not_found)?;
    let inside = match cx.caller {
        Caller::User(id, _) => cx.world.members.contains_key(&(org.id, id)),
        Caller::Installation(id) => cx.world.installations.get(&id).is_some_and(|own| own.account == org.id),
        _ => false,
    };
    if !inside {
        let url = format!("{}/orgs/{}/public_members/{login}", cx.world.base, org.login);
        return Ok(Answer::empty(302).with("location", url));
    }
    let user = cx.world.user_named(login).filter(|user| cx.world.members.contains_key(&(org.id, user.id)));
    user.map(|_| Answer::empty(204)).ok_or_else(Answer::not_found)
}

/// `GET /orgs/{org}/teams/{team_slug}/memberships/{username}`
pub(super) fn team_member(cx: &Cx<'_>, org: &str, team: &str, login: &str) -> Reply {
    if !matches!(cx.caller, Caller::User(..) | Caller::Installation(_)) {
        return Err(Answer::not_found());
    }
    let org = cx.world.user_named(org).ok_or_else(Answer::not_found)?;
    let user = cx.world.user_named(login).ok_or_else(Answer::not_found)?;
    let (role, state) = cx.world.teams.get(&(org.id, team.to_lowercase(), user.id)).ok_or_else(Answer::not_found)?;
    let url = format!("{}/organizations/{}/team/{team}/memberships/{login}", cx.world.base, org.id);
    Ok(Answer::ok(json!({ "url": url, "role": role, "state": state })))
}

/// `GET /rate_limit`: free of charge.
pub(super) fn rate_limit(cx: &Cx<'_>) -> Answer {
    let (limit, used, reset) = cx.world.rate(cx.call);
    let core = json!({ "limit": limit, "used": used, "remaining": (limit - used).max(0), "reset": reset });
    Answer::ok(json!({ "resources": { "core": core, "search": core, "graphql": core }, "rate": core }))
}

/// `GET /meta`
pub(super) fn meta(_cx: &Cx<'_>) -> Answer {
    Answer::ok(json!({
        "verifiable_password_authentication": false, "hooks": ["127.0.0.0/8"], "web": ["127.0.0.0/8"],
        "api": ["127.0.0.0/8"], "git": ["127.0.0.0/8"], "copilot": ["127.0.0.0/8"],
    }))
}
