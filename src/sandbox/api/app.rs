//! The GitHub App: its JWT, its installations, their tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use super::Cx;
use crate::sandbox::call::{Answer, Page, Reply};
use crate::sandbox::world::{Caller, Grant, Holder, Installation, Repo, Role, stamp, token};

/// Refuses all but the App: a JWT, RS256, for ten minutes at most.
pub(super) fn signed(cx: &Cx<'_>) -> Result<(), Answer> {
    let undecodable = || Answer::error(401, "A JSON web token could not be decoded");
    if cx.caller != Caller::Jwt {
        return Err(undecodable());
    }
    let jwt = token(cx.call).ok_or_else(undecodable)?;
    let (signed, signature) = jwt.rsplit_once('.').ok_or_else(undecodable)?;
    let (header, claims) = signed.split_once('.').ok_or_else(undecodable)?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| undecodable());
    let object = |text: &str| serde_json::from_slice::<Value>(&bytes(text)?).map_err(|_| undecodable());
    let (header, claims, signature) = (object(header)?, object(claims)?, bytes(signature)?);
    if header.get("alg").and_then(Value::as_str) != Some("RS256") {
        return Err(undecodable());
    }
    let app = &cx.world.app;
    if let Some(key) = &app.public_key {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
        key.verify(signed.as_bytes(), &signature).map_err(|_| undecodable())?;
    } else if signature.is_empty() {
        return Err(undecodable());
    }
    let issuer = claims.get("iss").map(|iss| iss.as_str().map_or_else(|| iss.to_string(), str::to_owned));
    if !issuer.is_some_and(|iss| iss == app.id.to_string() || iss == app.client_id) {
        return Err(Answer::error(401, "'Issuer' claim ('iss') must be the App's id or client id"));
    }
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    let now = cx.world.ground.now().timestamp();
    match (time("iat"), time("exp")) {
        (Some(iat), _) if iat > now + 60 => Err(Answer::error(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        )),
        (Some(_), Some(exp)) if exp > now + 600 => {
            Err(Answer::error(401, "'Expiration time' claim ('exp') is too far in the future"))
        }
        (Some(_), Some(exp)) if exp > now => Ok(()),
        _ => Err(Answer::error(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
             assertion expires",
        )),
    }
}

/// `GET /app`
pub(super) fn app(cx: &Cx<'_>) -> Reply {
    signed(cx)?;
    Ok(Answer::ok(cx.world.app_json()))
}

/// `GET /repos/{owner}/{repo}/installation`
pub(super) fn installation_of(cx: &Cx<'_>, owner: &str, repo: &str) -> Reply {
    signed(cx)?;
    let repo = cx.world.repo_named(&format!("{owner}/{repo}")).ok_or_else(Answer::not_found)?;
    let found = cx.world.installations.values().find(|own| own.holds(repo));
    found.map(|own| Answer::ok(cx.world.installation_json(own))).ok_or_else(Answer::not_found)
}

/// `GET /user/installations`: those that reach a repository the caller can see.
pub(super) fn installations_of_user(cx: &Cx<'_>) -> Reply {
    cx.person()?;
    let all: Vec<&Installation> = cx.world.installations.values().filter(|own| !seen(cx, own).is_empty()).collect();
    Ok(Page::of(cx.call).answer(cx.call, &cx.world.base, &all, |page| {
        let items: Value = page.iter().map(|own| cx.world.installation_json(own)).collect();
        json!({ "total_count": all.len(), "installations": items })
    }))
}

/// `GET /user/installations/{installation_id}/repositories`
pub(super) fn repositories_of_user(cx: &Cx<'_>, id: &str) -> Reply {
    cx.person()?;
    let installation = cx.installation(id).ok_or_else(Answer::not_found)?;
    let all = seen(cx, installation);
    Ok(Page::of(cx.call).answer(cx.call, &cx.world.base, &all, |page| {
        let items: Value = page.iter().map(|repo| cx.world.repo_json(repo, cx.role(repo))).collect();
        json!({ "total_count": all.len(), "repositories": items })
    }))
}

fn seen<'c>(cx: &'c Cx<'_>, installation: &Installation) -> Vec<&'c Repo> {
    let reached = cx.world.repos.values().filter(|repo| installation.reaches(repo));
    reached.filter(|repo| cx.role(repo) > Role::None).collect()
}

/// `POST /app/installations/{installation_id}/access_tokens`: for an hour.
pub(super) fn access_token(cx: &mut Cx<'_>, id: &str) -> Reply {
    signed(cx)?;
    let installation = cx.installation(id).cloned().ok_or_else(Answer::not_found)?;
    if installation.suspended {
        return Err(Answer::error(403, "This installation has been suspended"));
    }
    let asked = if cx.call.body.is_empty() { serde_json::Map::new() } else { cx.call.object()? };
    let permissions = asked.get("permissions").cloned();
    let ids = asked.get("repository_ids").and_then(Value::as_array);
    let chosen: Option<Vec<Value>> = match ids {
        None => None,
        Some(ids) => {
            let repos = ids.iter().map(|id| {
                let repo = id.as_i64().and_then(|id| cx.world.repos.get(&id));
                let repo = repo.filter(|repo| installation.reaches(repo));
                repo.map(|repo| cx.world.repo_json(repo, Role::Write))
            });
            let refused = || {
                Answer::error(422, "The permissions or repositories requested are not granted to this installation.")
            };
            Some(repos.collect::<Option<_>>().ok_or_else(refused)?)
        }
    };
    let now = cx.world.ground.now();
    let token = format!("ghs_{}_{}", cx.world.app.id, URL_SAFE_NO_PAD.encode(cx.world.ground.bytes::<64>()));
    let mut grant = Grant::new(Holder::Installation(installation.id), now);
    let expires_at = now + TimeDelta::hours(1);
    grant.expires_at = Some(expires_at);
    cx.world.grants.insert(token.clone(), grant);
    let mut json = json!({
        "token": token, "expires_at": stamp(expires_at),
        "permissions": permissions.unwrap_or_else(|| json!({ "issues": "write", "metadata": "read" })),
        "repository_selection": if chosen.is_none() && installation.repos.is_none() { "all" } else { "selected" },
    });
    if let (Some(repos), Some(map)) = (chosen, json.as_object_mut()) {
        map.insert("repositories".to_owned(), repos.into());
    }
    Ok(Answer::json(201, json))
}
