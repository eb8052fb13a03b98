//! Labels of an issue or a pull request. Adding one that the repository lacks makes it, as on GitHub.

use serde_json::Value;

use super::Cx;
use crate::sandbox::call::{Answer, Reply};
use crate::sandbox::world::{Repo, Role, Thread};

/// `GET .../issues/{issue_number}/labels`
pub(super) fn list(cx: &Cx<'_>, repo: &Repo, number: &str) -> Reply {
    let thread = cx.thread(repo, number)?;
    Ok(Answer::ok(cx.world.labels_json(&thread)))
}

/// `POST .../issues/{issue_number}/labels`: `{"labels": [...]}` or a bare list.
pub(super) fn add(cx: &mut Cx<'_>, repo: &Repo, number: &str) -> Reply {
    cx.need(repo, Role::Triage)?;
    let mut thread = cx.thread(repo, number)?;
    let body: Value = serde_json::from_slice(&cx.call.body).map_err(|_| Answer::error(400, "Problems parsing JSON"))?;
    let list = body.get("labels").unwrap_or(&body).as_array();
    let names: Option<Vec<&str>> = list.map(|list| list.iter().filter_map(name_of).collect());
    let names = names.filter(|names| names.iter().all(|name| !name.trim().is_empty() && name.chars().count() <= 50));
    let names = names.ok_or_else(|| Answer::invalid("Label", "name", "invalid"))?;
    for name in names {
        if !has(&thread, name) {
            thread.labels.push(name.to_owned());
        }
    }
    store(cx, thread)
}

fn name_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("name")?.as_str())
}

fn has(thread: &Thread, name: &str) -> bool {
    thread.labels.iter().any(|own| own.to_lowercase() == name.to_lowercase())
}

/// `DELETE .../issues/{issue_number}/labels/{name}`: 404 when it is not there.
pub(super) fn remove(cx: &mut Cx<'_>, repo: &Repo, number: &str, name: &str) -> Reply {
    cx.need(repo, Role::Triage)?;
    let mut thread = cx.thread(repo, number)?;
    if !has(&thread, name) {
        return Err(Answer::error(404, "Label does not exist"));
    }
    thread.labels.retain(|own| own.to_lowercase() != name.to_lowercase());
    store(cx, thread)
}

fn store(cx: &mut Cx<'_>, mut thread: Thread) -> Reply {
    thread.updated_at = cx.world.ground.now();
    let json = cx.world.labels_json(&thread);
    cx.world.threads.insert((thread.repo, thread.number), thread);
    Ok(Answer::ok(json))
}
