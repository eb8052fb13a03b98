//! Plain pages, so that a person who opens an address from an answer sees what "GitHub" shows. All
//! text is escaped; there are no scripts.

use std::fmt::Write as _;

use super::call::{Answer, Call};
use super::world::{Repo, Subject, Task, Thread, World, stamp};
use crate::domain::html::escape;

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}\
    pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;color:#111;padding:.7rem;border-radius:.3rem}\
    table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0}\
    small{opacity:.8}.label{border:1px solid #777;border-radius:1rem;padding:0 .6rem;font-size:.85em}";

/// The page at a path that is not the API's.
pub(super) fn page(world: &mut World, call: &Call) -> Answer {
    world.settle();
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = match (call.method.as_str(), parts.as_slice()) {
        ("GET", []) => Some(home(world)),
        ("GET", [owner, name]) => repo(world, owner, name).map(|repo| of_repo(world, repo)),
        ("GET", [owner, name, "issues" | "pull", number]) => number.parse().ok().and_then(|number: i64| {
            let repo = repo(world, owner, name)?;
            world.threads.get(&(repo.id, number)).map(|thread| of_thread(world, thread))
        }),
        ("GET", [_, _, "copilot", "tasks", id]) => world.tasks.by_id(id).map(|task| of_task(world, task)),
        _ => None,
    };
    let (status, html) =
        found.map_or_else(|| (404, wrap("Not found", "<p>There is nothing here.</p>")), |html| (200, html));
    guarded(Answer::html(status, html))
}

/// No page runs or loads anything.
pub(super) fn guarded(answer: Answer) -> Answer {
    answer
        .with("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
        .with("x-content-type-options", "nosniff")
        .with("referrer-policy", "no-referrer")
}

fn repo<'w>(world: &'w World, owner: &str, name: &str) -> Option<&'w Repo> {
    let full = format!("{owner}/{name}");
    world.repo_named(&full).or_else(|| world.repo_once_named(&full))
}

pub(super) fn wrap(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>\
         <p><a href=\"/\">Simulated GitHub</a></p><main><h1>{title}</h1>{body}</main></body></html>"
    )
}

fn login(world: &World, id: i64) -> String {
    escape(&world.login(id).unwrap_or_else(|| "ghost".to_owned()))
}

fn home(world: &World) -> String {
    let mut body = String::from("<p>Nothing here is real. A sandbox of taskbridge answers as GitHub would.</p>");
    body.push_str("<h2>Agent tasks</h2>");
    body.push_str(&task_table(world, |_| true));
    body.push_str("<h2>Repositories</h2><ul>");
    for repo in world.repos.values() {
        let name = escape(&world.full_name(repo));
        let _ = write!(body, "<li><a href=\"/{name}\">{name}</a></li>");
    }
    body.push_str("</ul><h2>Last comments</h2>");
    for comment in world.comments.values().rev().take(20) {
        let place = world.repos.get(&comment.repo).map_or_else(String::new, |repo| escape(&world.full_name(repo)));
        let (number, who) = (comment.number, login(world, comment.author));
        let _ = write!(
            body,
            "<p><strong>{who}</strong> on <a href=\"/{place}/issues/{number}\">{place}#{number}</a></p><pre>{}</pre>",
            escape(&comment.body)
        );
    }
    let _ =
        write!(body, "<p><small>{} calls so far. Control: <code>/_sandbox/state</code></small></p>", world.calls.len());
    wrap("Simulated GitHub", &body)
}

fn task_table(world: &World, wanted: impl Fn(&Task) -> bool) -> String {
    let mut rows = String::new();
    for task in world.tasks.list.iter().rev().filter(|task| !task.vanished && wanted(task)).take(100) {
        let name = world.repos.get(&task.repo).map_or_else(String::new, |repo| escape(&world.full_name(repo)));
        let _ = write!(
            rows,
            "<tr><td>{}</td><td><a href=\"/{name}/copilot/tasks/{}\">{}</a></td><td>{name}</td><td>{}</td></tr>",
            escape(task.state()),
            escape(&task.id),
            escape(&task.name()),
            login(world, task.creator),
        );
    }
    if rows.is_empty() {
        return "<p>None yet.</p>".to_owned();
    }
    format!("<table><tr><th>State</th><th>Task</th><th>Repository</th><th>By</th></tr>{rows}</table>")
}

fn of_repo(world: &World, repo: &Repo) -> String {
    let name = world.full_name(repo);
    let link = escape(&name);
    let mut body = String::from("<h2>Issues and pull requests</h2><ul>");
    for (_, thread) in world.threads.range((repo.id, 0)..=(repo.id, i64::MAX)).rev().take(200) {
        let kind = if thread.pull.is_some() { "pull" } else { "issues" };
        let (number, title) = (thread.number, escape(&thread.title));
        let _ = write!(body, "<li><a href=\"/{link}/{kind}/{number}\">#{number} {title}</a></li>");
    }
    body.push_str("</ul><h2>Agent tasks</h2>");
    body.push_str(&task_table(world, |task| task.repo == repo.id));
    wrap(&name, &body)
}

fn reactions(world: &World, subject: Subject) -> String {
    let all = world.reactions.iter().filter(|own| own.subject == subject);
    let all: Vec<String> = all.map(|own| format!("{} {}", escape(&own.content), login(world, own.user))).collect();
    if all.is_empty() { String::new() } else { format!("<p><small>Reactions: {}</small></p>", all.join(", ")) }
}

fn of_thread(world: &World, thread: &Thread) -> String {
    let state = if thread.open { "open" } else { "closed" };
    let mut body = format!("<p>{state}, by <strong>{}</strong>", login(world, thread.author));
    for label in &thread.labels {
        let _ = write!(body, " <span class=\"label\">{}</span>", escape(label));
    }
    body.push_str("</p>");
    if let Some(pull) = &thread.pull {
        let (head, base) = (escape(&pull.head_ref), escape(&pull.base_ref));
        let _ = write!(body, "<p><code>{head}</code> into <code>{base}</code></p>");
    }
    let _ = write!(body, "<pre>{}</pre>", escape(thread.body.as_deref().unwrap_or_default()));
    body.push_str(&reactions(world, Subject::Thread(thread.repo, thread.number)));
    let here = world.comments.values().filter(|own| (own.repo, own.number) == (thread.repo, thread.number));
    for own in here {
        let (who, at) = (login(world, own.author), stamp(own.created_at));
        let anchor = if own.review.is_some() { "discussion_r" } else { "issuecomment-" };
        let edited = if own.updated_at > own.created_at { ", edited" } else { "" };
        let _ = write!(
            body,
            "<section id=\"{anchor}{}\"><p><strong>{who}</strong> <small>{at}{edited}</small></p>\
             <pre>{}</pre>{}</section>",
            own.id,
            escape(&own.body),
            reactions(world, Subject::Comment(own.id)),
        );
    }
    wrap(&format!("#{} {}", thread.number, thread.title), &body)
}

fn of_task(world: &World, task: &Task) -> String {
    let name = world.repos.get(&task.repo).map_or_else(String::new, |repo| escape(&world.full_name(repo)));
    let mut body = format!(
        "<p>{} in <a href=\"/{name}\">{name}</a>, by <strong>{}</strong></p>",
        escape(task.state()),
        login(world, task.creator)
    );
    if let Some(number) = task.pull_number() {
        let _ = write!(body, "<p><a href=\"/{name}/pull/{number}\">Pull request #{number}</a></p>");
    }
    let _ = write!(body, "<h2>Prompt</h2><pre>{}</pre><h2>Sessions</h2><ul>", escape(&task.prompt));
    for session in &task.sessions {
        let error = session.error.as_deref().map(|error| format!(": {}", escape(error))).unwrap_or_default();
        let _ = write!(body, "<li>{} since {}{error}</li>", escape(&session.state), stamp(session.updated_at));
    }
    body.push_str("</ul>");
    wrap(&task.name(), &body)
}
