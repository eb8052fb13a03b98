//! The five agent task calls: for people's tokens only; lists carry neither prompts nor sessions.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Cx, text};
use crate::sandbox::call::{Answer, Page, Reply};
use crate::sandbox::world::{Repo, Role, Task};

const STATES: [&str; 8] =
    ["queued", "in_progress", "completed", "failed", "idle", "waiting_for_user", "timed_out", "cancelled"];

/// `POST /agents/repos/{owner}/{repo}/tasks`
pub(super) fn create(cx: &mut Cx<'_>, owner: &str, repo: &str) -> Reply {
    let person = cx.person()?;
    let repo = cx.repo(owner, repo, "/agents/repos", &["tasks"])?;
    if cx.role(&repo) < Role::Write {
        if cx.world.role(&repo, person.id) >= Role::Write {
            return Err(Answer::users_only());
        }
        return Err(Answer::error(403, "You need write access to this repository to start a task."));
    }
    if !person.seat {
        return Err(Answer::error(403, "Copilot cloud agent is not enabled for this user."));
    }
    let body = cx.call.object()?;
    let prompt = match body.get("prompt") {
        None => return Err(Answer::task_invalid("missing_field", "prompt is required")),
        Some(Value::String(prompt)) if !prompt.trim().is_empty() => prompt.clone(),
        Some(_) => return Err(Answer::task_invalid("invalid", "prompt must be a text that is not empty")),
    };
    for name in ["model", "custom_agent", "base_ref", "head_ref"] {
        if body.get(name).is_some_and(|value| !value.is_string() && !value.is_null()) {
            return Err(Answer::task_invalid("invalid", &format!("{name} must be a text")));
        }
    }
    let create_pull_request = match body.get("create_pull_request") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(wanted)) => *wanted,
        Some(_) => return Err(Answer::task_invalid("invalid", "create_pull_request must be true or false")),
    };
    let now = cx.world.ground.now();
    let mut task = Task::new(cx.world.uuid(), cx.world.uuid(), repo.id, person.id, now);
    task.prompt = prompt;
    task.create_pull_request = create_pull_request;
    describe(&mut task, &body, &repo);
    let index = cx.world.begin(task);
    let json = cx.world.tasks.list.get(index).map(|task| cx.world.task_json(task));
    Ok(Answer::json(201, json.unwrap_or_default()))
}

fn describe(task: &mut Task, body: &Map<String, Value>, repo: &Repo) {
    let own = |name: &str| text(body, name).map(str::to_owned);
    task.model = own("model");
    task.custom_agent = own("custom_agent");
    task.base_ref = own("base_ref").unwrap_or_else(|| repo.default_branch.clone());
    task.head_ref = own("head_ref");
}

/// `GET /agents/repos/{owner}/{repo}/tasks`
pub(super) fn list_of_repo(cx: &mut Cx<'_>, owner: &str, repo: &str) -> Reply {
    cx.person()?;
    let repo = cx.repo(owner, repo, "/agents/repos", &["tasks"])?;
    let creators = creators(cx)?;
    list(cx, |task| task.repo == repo.id && (creators.is_empty() || creators.contains(&task.creator)))
}

/// `GET /agents/tasks`: those the caller created.
pub(super) fn list_of_user(cx: &mut Cx<'_>) -> Reply {
    let person = cx.person()?;
    list(cx, |task| task.creator == person.id)
}

fn creators(cx: &Cx<'_>) -> Result<Vec<i64>, Answer> {
    let texts = cx.call.query_all("creator_id");
    let numbers = texts.iter().flat_map(|text| text.split(',')).map(|text| text.trim().parse());
    numbers.collect::<Result<_, _>>().map_err(|_| Answer::task_invalid("invalid", "creator_id must be a number"))
}

fn list(cx: &mut Cx<'_>, wanted: impl Fn(&Task) -> bool) -> Reply {
    let query = |name: &str| cx.call.query(name);
    let one_of = |name: &str, known: [&'static str; 2]| match query(name) {
        None => Ok(known[0]),
        Some(text) => known
            .into_iter()
            .find(|known| *known == text)
            .ok_or_else(|| Answer::task_invalid("invalid", &format!("{name} must be one of {}", known.join(", ")))),
    };
    let by_creation = one_of("sort", ["updated_at", "created_at"])? == "created_at";
    let ascending = one_of("direction", ["desc", "asc"])? == "asc";
    let archived = one_of("is_archived", ["false", "true"])? == "true";
    let states = states(query("state"))?;
    let since = match query("since") {
        None => None,
        Some(text) => Some(
            DateTime::parse_from_rfc3339(&text)
                .map_err(|_| Answer::task_invalid("invalid", "since must be an ISO 8601 timestamp"))?
                .with_timezone(&Utc),
        ),
    };
    let (time, hidden) = (cx.list_time(), cx.stale.map_or(0, |(_, tasks)| tasks));
    let all = &cx.world.tasks.list;
    let shown = &all[..all.len().saturating_sub(hidden)];
    let lagging = cx.stale.is_some();
    let as_listed = |task| {
        if lagging { Task::as_of(task, time).map(Cow::Owned) } else { Some(Cow::Borrowed(task)) }
    };
    let known = shown.iter().filter(|task| !task.vanished && wanted(task)).filter_map(as_listed);
    let known: Vec<Cow<'_, Task>> = known.collect();
    let is_archived = |task: &Task| task.archived_at.is_some();
    let (off, on) = (known.iter().filter(|task| is_archived(task)).count(), known.len());
    let mut tasks: Vec<Cow<'_, Task>> = known
        .into_iter()
        .filter(|task| is_archived(task) == archived)
        .filter(|task| states.is_empty() || states.iter().any(|state| state == task.state()))
        .filter(|task| since.is_none_or(|since| task.updated_at.timestamp() >= since.timestamp()))
        .collect();
    tasks.sort_by(|a, b| {
        let key = |task: &Task| if by_creation { task.created_at } else { task.updated_at };
        let order = key(a).cmp(&key(b)).then_with(|| a.created_at.cmp(&b.created_at)).then_with(|| a.id.cmp(&b.id));
        if ascending { order } else { order.reverse() }
    });
    let world = &cx.world;
    Ok(Page::of(cx.call).answer(cx.call, &world.base, &tasks, |page| {
        let items: Vec<Value> = page.iter().map(|task| world.task_json(task)).collect();
        json!({ "tasks": items, "total_active_count": on - off, "total_archived_count": off })
    }))
}

fn states(query: Option<String>) -> Result<Vec<String>, Answer> {
    let list = query.unwrap_or_default();
    let states: Vec<String> = list.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
    match states.iter().find(|state| !STATES.contains(&state.as_str())) {
        Some(odd) => Err(Answer::task_invalid("invalid", &format!("state {odd} is not known"))),
        None => Ok(states),
    }
}

/// `GET /agents/repos/{owner}/{repo}/tasks/{task_id}`
pub(super) fn one_of_repo(cx: &mut Cx<'_>, owner: &str, repo: &str, id: &str) -> Reply {
    cx.person()?;
    let repo = cx.repo(owner, repo, "/agents/repos", &["tasks", id])?;
    let task = cx.world.tasks.by_id(id).filter(|task| task.repo == repo.id);
    shown(cx, task)
}

/// `GET /agents/tasks/{task_id}`: one of a repository the caller can see.
pub(super) fn one_of_user(cx: &mut Cx<'_>, id: &str) -> Reply {
    let person = cx.person()?;
    let sees = |task: &&Task| {
        let role = cx.world.repos.get(&task.repo).map(|repo| cx.world.role(repo, person.id));
        role.is_some_and(|role| role > Role::None)
    };
    let task = cx.world.tasks.by_id(id).filter(sees);
    shown(cx, task)
}

fn shown(cx: &Cx<'_>, task: Option<&Task>) -> Reply {
    task.map(|task| Answer::ok(cx.world.task_full_json(task))).ok_or_else(Answer::not_found)
}
