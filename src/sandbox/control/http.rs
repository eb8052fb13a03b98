//! The same control over HTTP, for scripts and for a person with curl: JSON in, JSON out, and only
//! from this machine.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::chats::Chats;
use super::{Control, ControlError, look};
use crate::sandbox::call::{Answer, Call};
use crate::sandbox::world::{Outcome, Role, TokenKind};
use crate::sandbox::{Pace, Shared, Usage};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    login: String,
    token: String,
    #[serde(default)]
    kind: TokenKind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    client_id: String,
    client_secret: String,
    #[serde(default)]
    callback: Option<String>,
    #[serde(default)]
    token_lasts_s: Option<i64>,
    #[serde(default = "half_a_year")]
    refresh_lasts_s: i64,
}

fn half_a_year() -> i64 {
    15_897_600
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    login: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    login: String,
    remaining: i64,
    reset_in_s: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seat {
    login: String,
    copilot_seat: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Permission {
    repo: String,
    login: String,
    role: Role,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    org: String,
    login: String,
    #[serde(default)]
    team: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    repo: String,
    to: String,
}

#[derive(Deserialize)]
struct Script {
    #[serde(default)]
    task: Option<String>,
    #[serde(default)]
    usual: bool,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    state: String,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    repo: String,
    number: i64,
    open: bool,
    #[serde(default)]
    merged: bool,
}

/// Answers a call below `/_sandbox`.
pub(in crate::sandbox) fn http(call: &Call, shared: &Arc<Shared>) -> Answer {
    // A browser names the page that asks; no page of ours does.
    if !call.loopback || call.headers.contains_key("origin") {
        return error(403, "the control is for callers on this machine, and not for web pages");
    }
    let control = Control::new(Arc::clone(shared));
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    match route(&control, call, &parts) {
        // Words are for a person or a shell, and so without quotation marks.
        Ok(Value::String(words)) => Answer::text(words),
        Ok(body) => Answer::ok(body),
        Err(ControlError::Unknown(what)) => error(404, &format!("there is no {what}")),
        Err(taken @ ControlError::Taken(_)) => error(409, &taken.to_string()),
        Err(invalid @ ControlError::Invalid(_)) => error(400, &invalid.to_string()),
    }
}

fn error(status: u16, message: &str) -> Answer {
    Answer::json(status, json!({ "error": message }))
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, ControlError> {
    let mut reader = serde_json::Deserializer::from_slice(&call.body);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|problem| ControlError::Invalid(format!("{}: {}", problem.path(), problem.inner())))
}

fn route(control: &Control, call: &Call, parts: &[&str]) -> Result<Value, ControlError> {
    match (call.method.as_str(), parts) {
        ("POST", _) => change(control, call, parts),
        ("DELETE", ["faults"]) => {
            control.clear_faults();
            done(())
        }
        ("DELETE", ["faults", id]) => Ok(json!({ "removed": id.parse().is_ok_and(|id| control.remove_fault(id)) })),
        ("DELETE", ["chats", "faults"]) => {
            Chats::of(control).clear_faults();
            done(())
        }
        ("DELETE", ["calls"]) => {
            control.clear_calls();
            done(())
        }
        ("GET", ["state"]) => {
            let mut world = control.0.world();
            world.settle();
            Ok(look::state(&world))
        }
        ("GET", ["chats"]) => Ok(control.chats()),
        ("GET", ["calls"]) => Ok(json!({ "calls": control.calls() })),
        ("GET", ["creations"]) => {
            let list = control.creations();
            Ok(json!({ "count": list.len(), "by_last_line": control.creations_by_last_line(), "creations": list }))
        }
        ("GET", ["faults"]) => {
            Ok(control.faults().into_iter().map(|(id, fault)| json!({ "id": id, "fault": fault })).collect())
        }
        _ => Err(ControlError::Unknown(format!("control {} {}", call.method, call.path))),
    }
}

fn done((): ()) -> Result<Value, ControlError> {
    Ok(json!({}))
}

fn change(control: &Control, call: &Call, parts: &[&str]) -> Result<Value, ControlError> {
    match parts {
        ["users"] => control.add_user(read(call)?).and_then(done),
        ["tokens"] => {
            read(call).and_then(|own: Token| control.add_token(&own.login, &own.token, own.kind)).and_then(done)
        }
        ["tokens", "revoke"] => read(call).and_then(|own: Revoke| control.revoke_token(&own.token)).and_then(done),
        ["sign-in"] => {
            let own: SignIn = read(call)?;
            control.set_sign_in(&own.client_id, &own.client_secret, own.callback.as_deref());
            control.set_token_life(own.token_lasts_s, own.refresh_lasts_s);
            done(())
        }
        ["authorizations", "revoke"] => read(call)
            .and_then(|own: Person| control.revoke_authorization(&own.login))
            .map(|body| json!({ "payload": body })),
        ["rate"] => {
            let rate: Rate = read(call)?;
            control.set_rate(&rate.login, rate.remaining, rate.reset_in_s).and_then(done)
        }
        ["seats"] => read(call).and_then(|own: Seat| control.set_seat(&own.login, own.copilot_seat)).and_then(done),
        ["repos"] => control.add_repo(read(call)?).and_then(done),
        ["renames"] => read(call).and_then(|own: Rename| control.rename_repo(&own.repo, &own.to)).and_then(done),
        ["permissions"] => {
            read(call).and_then(|own: Permission| control.grant(&own.repo, &own.login, own.role)).and_then(done)
        }
        ["members"] => {
            let own: Member = read(call)?;
            match &own.team {
                None => control.add_org_member(&own.org, &own.login, own.role.as_deref().unwrap_or("member")),
                Some(team) => {
                    control.add_team_member(&own.org, team, &own.login, own.state.as_deref().unwrap_or("active"))
                }
            }
            .and_then(done)
        }
        ["issues"] => Ok(json!({ "number": control.add_issue(read(call)?)? })),
        ["pulls"] => Ok(json!({ "number": control.add_pull(read(call)?)? })),
        ["open"] => {
            let own: Open = read(call)?;
            control.set_open(&own.repo, own.number, own.open, own.merged).and_then(done)
        }
        ["comments"] => Ok(json!({ "id": control.add_comment(read(call)?)? })),
        ["app"] => control.set_app(read(call)?).and_then(done),
        ["installations"] => control.add_installation(read(call)?).and_then(done),
        ["deliveries"] => Ok(json!({ "id": control.add_delivery(read(call)?)? })),
        ["faults"] => Ok(json!({ "id": control.inject(read(call)?) })),
        ["chats", "faults"] => Chats::of(control).fail(&read(call)?).and_then(done),
        ["chats", "closed"] => {
            Chats::of(control).close(&read(call)?);
            done(())
        }
        ["chats", "replies"] => {
            Chats::of(control).reply(&read(call)?);
            done(())
        }
        ["chats", "says"] => {
            let host = call.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
            Ok(Chats::line(control, &format!("http://{host}"), &read(call)?).into())
        }
        ["chats", "app"] => {
            Chats::of(control).install(&read(call)?);
            done(())
        }
        ["outcomes"] => {
            let script: Script = read(call)?;
            match script.task {
                Some(task) => control.script(&task, &script.outcome)?,
                None if script.usual => control.script_usual(script.outcome),
                None => control.script_next(script.outcome),
            }
            done(())
        }
        ["tasks", id, "state"] => {
            let own: State = read(call)?;
            control.set_state(id, &own.state, own.error.as_deref()).and_then(done)
        }
        ["tasks", id, "reopen"] => control.reopen(id).and_then(done),
        ["tasks", id, "archive"] => control.archive(id).and_then(done),
        ["tasks", id, "vanish"] => control.vanish(id).and_then(done),
        ["pace"] => read(call).map(|pace: Pace| control.set_pace(pace)).and_then(done),
        ["usage"] => read(call).map(|usage: Usage| control.set_usage(usage)).and_then(done),
        ["demo"] => control.seed_demo().and_then(done),
        ["clear"] => {
            control.clear();
            done(())
        }
        _ => Err(ControlError::Unknown(format!("control POST {}", call.path))),
    }
}
