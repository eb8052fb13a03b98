//! What every call passes, in GitHub's order: User-Agent, version, token, rate limit, then the call
//! itself, then `ETag` and headers. Arranged faults cut in before and after.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use hyper::body::Bytes;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::call::{Answer, Call, Content};
use super::fault::FaultKind;
use super::wire::{Dropped, Wire};
use super::world::{Caller, World};
use super::{Shared, api, authorize, chats, control, new_app, pages, slack};

const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// What apps, not people, ask of the pages.
const OF_APPS: [&str; 2] = ["/login/oauth/access_token", "/login/device/code"];

/// Answers one call, or drops it.
pub(super) async fn pass(call: Call, shared: &Arc<Shared>) -> Result<Wire, Dropped> {
    let first = call.path.split('/').nth(1).unwrap_or_default().to_owned();
    if first == "_sandbox" {
        return Ok(Wire::of(control::http(&call, shared)));
    }
    if first == "slack" {
        return Ok(Wire::of(slack::answer(&call, shared)));
    }
    if first == "discord" {
        return Ok(Wire::of(chats::answer_discord(&call, shared)));
    }
    if first == "mattermost" {
        return Ok(Wire::of(chats::answer_mattermost(&call, shared)));
    }
    if !api::ROOTS.contains(&first.as_str()) && !OF_APPS.contains(&call.path.as_str()) {
        let mut world = shared.world();
        let answer = authorize::authorize(&mut world, &call).or_else(|| new_app::pages(&mut world, &call));
        let answer = answer.unwrap_or_else(|| pages::page(&mut world, &call));
        return Ok(Wire::of(answer));
    }
    let met = {
        let mut world = shared.world();
        world.settle();
        let user = world.caller(&call).user().and_then(|id| world.login(id));
        world.faults.meet(call.method.as_str(), &call.path, user.as_deref())
    };
    for fault in &met {
        match fault {
            FaultKind::Delay { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            FaultKind::DropBefore => {
                shared.world().record(&call, 0);
                return Err(Dropped);
            }
            FaultKind::Late { ms } => {
                let mut world = shared.world();
                let due = world.ground.now() + TimeDelta::milliseconds(*ms);
                world.late.push((due, call));
                return Err(Dropped);
            }
            _ => {}
        }
    }
    let mut wire = {
        let mut world = shared.world();
        world.settle();
        for late in due(&mut world) {
            handle(&mut world, &late, &[FaultKind::DropAfter]);
        }
        handle(&mut world, &call, &met)
    };
    for fault in &met {
        match fault {
            FaultKind::DelayAfter { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            FaultKind::DropAfter => return Err(Dropped),
            FaultKind::Truncate => wire.truncate = true,
            _ => {}
        }
    }
    Ok(wire)
}

/// The calls of callers long gone whose time has come.
fn due(world: &mut World) -> Vec<Call> {
    let now = world.ground.now();
    world.late.extract_if(.., |(at, _)| *at <= now).map(|(_, call)| call).collect()
}

fn handle(world: &mut World, call: &Call, met: &[FaultKind]) -> Wire {
    let caller = world.caller(call);
    let counted = call.path != "/rate_limit" && world.spend(call, 1);
    let refused = met.iter().find_map(|fault| refusal(world, call, fault));
    let mut answer = refused.unwrap_or_else(|| admitted(world, call, caller, met, counted));
    let version = call.header("x-github-api-version").unwrap_or(VERSIONS[0]).to_owned();
    if version == VERSIONS[1]
        && let Content::Json(body) = &mut answer.body
    {
        drop_old_fields(body);
    }
    let mut spoiled = answer;
    for fault in met {
        spoiled = spoil(spoiled, fault);
    }
    let mut wire = tag(call, Wire::of(spoiled));
    // By the sandbox's clock, not the machine's: callers may reckon with it.
    wire.headers.push(("date".to_owned(), world.ground.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string()));
    if wire.status == 304 && counted {
        world.spend(call, -1);
    }
    if let Some(bytes) =
        met.iter().find_map(|fault| if let FaultKind::Huge { bytes } = fault { Some(*bytes) } else { None })
    {
        let mut body = wire.body.to_vec();
        body.resize(body.len() + bytes, b' ');
        wire.body = body.into();
    }
    let request_id = hex::encode_upper(world.ground.bytes::<10>());
    wire.headers.push(("x-github-request-id".to_owned(), request_id));
    wire.headers.push(("x-github-api-version-selected".to_owned(), version));
    wire.headers.push(("x-github-media-type".to_owned(), "github.v3; format=json".to_owned()));
    let exhausted = met.iter().find_map(|fault| match fault {
        FaultKind::PrimaryLimit { reset_in_s } => Some(*reset_in_s),
        _ => None,
    });
    wire.headers.extend(world.rate_headers(call, exhausted));
    world.record(call, if met.contains(&FaultKind::DropAfter) { 0 } else { wire.status });
    wire
}

fn admitted(world: &mut World, call: &Call, caller: Caller, met: &[FaultKind], counted: bool) -> Answer {
    if call.header("user-agent").is_none_or(str::is_empty) {
        return Answer::error(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
        );
    }
    if call.header("x-github-api-version").is_some_and(|version| !VERSIONS.contains(&version)) {
        return Answer::error(400, "The X-GitHub-Api-Version header names a version that is not supported.");
    }
    if caller == Caller::Unknown && !call.path.starts_with("/applications/") {
        return Answer::error(401, "Bad credentials");
    }
    if call.path != "/rate_limit" && !counted {
        return Answer::error(403, "API rate limit exceeded for user.");
    }
    let stale = met.iter().find_map(|fault| match fault {
        FaultKind::Stale { seconds, tasks } => Some((*seconds, *tasks)),
        _ => None,
    });
    api::dispatch(world, call, caller, stale)
}

/// Faults that answer in place of the call.
fn refusal(world: &World, call: &Call, fault: &FaultKind) -> Option<Answer> {
    Some(match fault {
        FaultKind::StatusBefore { status } => Answer::error(*status, "Server Error"),
        FaultKind::SecondaryLimit { status, retry_after } => {
            let answer = Answer::error(
                *status,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            );
            match retry_after {
                Some(text) => answer.with("retry-after", text.clone()),
                None => answer,
            }
        }
        FaultKind::PrimaryLimit { .. } => Answer::error(403, "API rate limit exceeded for user."),
        FaultKind::Unauthorized => Answer::error(401, "Bad credentials"),
        FaultKind::Forbidden { message } => Answer::error(403, message),
        FaultKind::Redirect { status, location } => {
            let moved = || format!("{}/moved{}", world.base, call.path);
            let location = location.clone().unwrap_or_else(moved);
            Answer::error(*status, "Moved Permanently").with("location", location)
        }
        _ => return None,
    })
}

/// Faults that change the answer of a call that was done.
fn spoil(mut answer: Answer, fault: &FaultKind) -> Answer {
    match fault {
        FaultKind::StatusAfter { status } => return Answer::error(*status, "Server Error"),
        FaultKind::OtherStatus { status } => answer.status = *status,
        FaultKind::Html => {
            answer.body = Content::Html("<!DOCTYPE html><html><body><h1>Unicorn!</h1></body></html>".to_owned());
        }
        FaultKind::NoId => {
            if let Content::Json(Value::Object(body)) = &mut answer.body {
                body.remove("id");
            }
        }
        _ => {}
    }
    answer
}

/// Adds the `ETag` of a readable answer, or turns it into 304 when the caller has it already.
fn tag(call: &Call, mut wire: Wire) -> Wire {
    if call.method != hyper::Method::GET || wire.status != 200 {
        return wire;
    }
    let etag = format!("W/\"{}\"", hex::encode(Sha256::digest(&wire.body)));
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = call.header("if-none-match").is_some_and(|tags| tags.split(',').any(|tag| bare(tag) == bare(&etag)));
    if known {
        wire.status = 304;
        wire.body = Bytes::new();
        wire.headers.retain(|(name, _)| name != "content-type");
    }
    wire.headers.push(("etag".to_owned(), etag));
    wire.headers.push(("cache-control".to_owned(), "private, max-age=60, s-maxage=60".to_owned()));
    wire
}

/// What version 2026-03-10 no longer sends.
fn drop_old_fields(body: &mut Value) {
    match body {
        Value::Array(items) => items.iter_mut().for_each(drop_old_fields),
        Value::Object(map) => {
            if map.contains_key("resources") {
                map.remove("rate");
            }
            if map.contains_key("number") {
                map.remove("assignee");
                map.remove("merge_commit_sha");
            }
            if map.contains_key("full_name") {
                map.remove("has_downloads");
            }
            map.values_mut().for_each(drop_old_fields);
        }
        _ => {}
    }
}
