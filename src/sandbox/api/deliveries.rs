//! Deliveries of webhooks: list, one, and redeliver (which is written down, not sent).

use serde_json::Value;

use super::{Cx, app};
use crate::sandbox::call::{Answer, Reply, page_url};
use crate::sandbox::world::{Delivery, DeliveryOwner, Repo, Role};

/// `/app/hook/deliveries...`
pub(super) fn of_app(cx: &mut Cx<'_>, method: &str, rest: &[&str]) -> Reply {
    app::signed(cx)?;
    any(cx, method, &DeliveryOwner::App, rest)
}

/// `/repos/{owner}/{repo}/hooks/{hook_id}/deliveries...`
pub(super) fn of_repo(cx: &mut Cx<'_>, method: &str, repo: &Repo, hook: &str, rest: &[&str]) -> Reply {
    if cx.role(repo) < Role::Admin {
        return Err(Answer::not_found());
    }
    let hook = hook.parse().map_err(|_| Answer::not_found())?;
    any(cx, method, &DeliveryOwner::Repo(repo.id, hook), rest)
}

/// `/orgs/{org}/hooks/{hook_id}/deliveries...`
pub(super) fn of_org(cx: &mut Cx<'_>, method: &str, org: &str, hook: &str, rest: &[&str]) -> Reply {
    let org = cx.world.user_named(org).ok_or_else(Answer::not_found)?.id;
    let person = cx.person()?;
    if cx.world.members.get(&(org, person.id)).is_none_or(|role| role != "admin") {
        return Err(Answer::not_found());
    }
    let hook = hook.parse().map_err(|_| Answer::not_found())?;
    any(cx, method, &DeliveryOwner::Org(org, hook), rest)
}

fn any(cx: &mut Cx<'_>, method: &str, owner: &DeliveryOwner, rest: &[&str]) -> Reply {
    match (method, rest) {
        ("GET", []) => list(cx, owner),
        ("GET", [id]) => find(cx, owner, id).map(|own| Answer::ok(cx.world.delivery_json(&own, true))),
        ("POST", [id, "attempts"]) => redeliver(cx, owner, id),
        _ => Err(Answer::not_found()),
    }
}

fn find(cx: &Cx<'_>, owner: &DeliveryOwner, id: &str) -> Result<Delivery, Answer> {
    let id: i64 = id.parse().map_err(|_| Answer::not_found())?;
    let found = cx.world.deliveries.iter().find(|own| own.id == id && own.owner == *owner);
    found.cloned().ok_or_else(Answer::not_found)
}

/// Newest first; `cursor` is the id to go on below.
fn list(cx: &Cx<'_>, owner: &DeliveryOwner) -> Reply {
    let query = |name: &str| cx.call.query(name);
    let below = match query("cursor") {
        None => i64::MAX,
        Some(text) => text
            .strip_prefix("v1_")
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Answer::error(400, "The cursor is not valid"))?,
    };
    let good = match query("status").as_deref() {
        None => None,
        Some("success") => Some(true),
        Some("failure") => Some(false),
        Some(_) => return Err(Answer::error(422, "status must be success or failure")),
    };
    let size = query("per_page").and_then(|text| text.parse::<usize>().ok()).filter(|size| *size > 0);
    let size = size.unwrap_or(30).min(100);
    let of_hook = cx.world.deliveries.iter().rev().filter(|own| own.owner == *owner && own.id < below);
    let wanted = of_hook.filter(|own| good.is_none_or(|good| good == (200..300).contains(&own.status_code)));
    let all: Vec<&Delivery> = wanted.take(size + 1).collect();
    let page = &all[..all.len().min(size)];
    let answer = Answer::ok(page.iter().map(|own| cx.world.delivery_json(own, false)).collect::<Value>());
    Ok(match page.last() {
        Some(last) if all.len() > size => {
            let url = page_url(cx.call, &cx.world.base, "cursor", &format!("v1_{}", last.id));
            answer.with("link", format!("<{url}>; rel=\"next\""))
        }
        _ => answer,
    })
}

fn redeliver(cx: &mut Cx<'_>, owner: &DeliveryOwner, id: &str) -> Reply {
    let mut again = find(cx, owner, id)?;
    again.id = cx.world.next_delivery();
    again.delivered_at = cx.world.ground.now();
    again.redelivery = true;
    again.status_code = 202;
    cx.world.deliveries.push(again);
    Ok(Answer::json(202, serde_json::json!({})))
}
