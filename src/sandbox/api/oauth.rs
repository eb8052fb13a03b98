//! The sign-in as an app sees it: codes and refresh tokens become pairs, devices ask until somebody lets them in, and the
//! app ends what it was given. Errors come with status 200, as GitHub's do.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Cx;
use crate::sandbox::call::{Answer, Reply, form};
use crate::sandbox::world::{Device, Holder, Pair, TokenKind};

/// GitHub's shape of an error.
fn error(name: &str) -> Answer {
    let uri = format!("https://docs.github.com/apps/troubleshooting#{name}");
    Answer::ok(json!({ "error": name, "error_description": format!("The request failed: {name}."), "error_uri": uri }))
}

fn given(pair: &Pair) -> Answer {
    let mut body = json!({ "access_token": pair.token, "token_type": "bearer", "scope": "" });
    if let (Some(seconds), Some(refresh), Some(map)) = (pair.expires_in, &pair.refresh, body.as_object_mut()) {
        map.insert("expires_in".to_owned(), seconds.into());
        map.insert("refresh_token".to_owned(), refresh.as_str().into());
        map.insert("refresh_token_expires_in".to_owned(), pair.refresh_expires_in.into());
    }
    Answer::ok(body)
}

/// `POST /login/oauth/access_token`
pub(super) fn access_token(cx: &mut Cx<'_>) -> Reply {
    let field = |name: &str| form(cx.call, name);
    let client = field("client_id").unwrap_or_default();
    if client != cx.world.app.client_id {
        return Err(Answer::not_found());
    }
    let secret = field("client_secret");
    let known = secret.is_some() && secret == cx.world.oauth.client_secret;
    match field("grant_type").as_deref() {
        Some("urn:ietf:params:oauth:grant-type:device_code") => device(cx, &field("device_code").unwrap_or_default()),
        _ if !known => Ok(error("incorrect_client_credentials")),
        Some("refresh_token") => {
            let pair = cx.world.rotate(&field("refresh_token").unwrap_or_default());
            Ok(pair.map_or_else(|| error("bad_refresh_token"), |pair| given(&pair)))
        }
        None | Some("authorization_code") => {
            let (redirect, verifier) = (field("redirect_uri"), field("code_verifier"));
            code(cx, &field("code").unwrap_or_default(), redirect, verifier)
        }
        Some(_) => Ok(error("unsupported_grant_type")),
    }
}

fn code(cx: &mut Cx<'_>, code: &str, redirect: Option<String>, verifier: Option<String>) -> Reply {
    // Used up by the first try, also by a wrong one.
    let Some(code) = cx.world.oauth.codes.remove(code).filter(|code| code.expires_at > cx.world.ground.now()) else {
        return Ok(error("bad_verification_code"));
    };
    if redirect.is_some_and(|redirect| redirect != code.redirect_uri) {
        return Ok(error("redirect_uri_mismatch"));
    }
    let challenge = verifier.map(|text| URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes())));
    if challenge != code.challenge {
        return Ok(error("bad_verification_code"));
    }
    Ok(given(&cx.world.pair(code.user)))
}

fn device(cx: &mut Cx<'_>, code: &str) -> Reply {
    let now = cx.world.ground.now();
    let Some(device) = cx.world.oauth.devices.get_mut(code) else { return Ok(error("incorrect_device_code")) };
    if device.expires_at <= now {
        return Ok(error("expired_token"));
    }
    let too_soon = device.asked_at.is_some_and(|at| now < at + TimeDelta::seconds(device.interval_s));
    device.asked_at = Some(now);
    match device.answer {
        _ if too_soon => {
            device.interval_s += 5;
            let body = json!({ "error": "slow_down", "error_description": "Too fast.", "interval": device.interval_s });
            Ok(Answer::ok(body))
        }
        None => Ok(error("authorization_pending")),
        Some(None) => Ok(error("access_denied")),
        Some(Some(user)) => {
            cx.world.oauth.devices.remove(code);
            Ok(given(&cx.world.pair(user)))
        }
    }
}

/// `POST /login/device/code`
pub(super) fn device_code(cx: &mut Cx<'_>) -> Reply {
    if form(cx.call, "client_id").as_deref() != Some(cx.world.app.client_id.as_str()) {
        return Err(Answer::not_found());
    }
    if cx.world.oauth.client_secret.is_none() {
        return Ok(error("device_flow_disabled"));
    }
    let code = cx.world.secret_text("");
    let letters = hex::encode_upper(cx.world.ground.bytes::<4>());
    let user_code = format!("{}-{}", &letters[..4], &letters[4..]);
    let (interval_s, lasts_s) = cx.world.oauth.device_life_s;
    let expires_at = cx.world.ground.now() + TimeDelta::seconds(lasts_s);
    let device = Device { user_code: user_code.clone(), answer: None, interval_s, asked_at: None, expires_at };
    cx.world.oauth.devices.insert(code.clone(), device);
    Ok(Answer::ok(json!({
        "device_code": code, "user_code": user_code, "verification_uri": format!("{}/login/device", cx.world.web),
        "expires_in": lasts_s, "interval": interval_s,
    })))
}

/// `DELETE /applications/{client_id}/token` and `.../grant`
pub(super) fn end(cx: &mut Cx<'_>, client: &str, what: &str) -> Reply {
    let basic = cx.call.header("authorization").and_then(|text| text.strip_prefix("Basic "));
    let said = basic.and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
    let secret = cx.world.oauth.client_secret.clone();
    if client != cx.world.app.client_id || secret.is_none_or(|own| said != Some(format!("{client}:{own}"))) {
        return Err(Answer::not_found());
    }
    let body = cx.call.object()?;
    let token = super::text(&body, "access_token").unwrap_or_default().to_owned();
    let Some(Holder::User(user, TokenKind::AppUser)) = cx.world.grants.get(&token).map(|grant| grant.holder) else {
        return Err(Answer::error(422, "Validation Failed"));
    };
    if what == "grant" {
        cx.world.end_pairs(user);
    } else {
        cx.world.grants.remove(&token);
        cx.world.oauth.refreshes.retain(|_, own| own.token != token);
    }
    Ok(Answer::empty(204))
}
