//! Our own commands and buttons in a chat. Whoever asks sees only what they could see on GitHub, and moves only what is
//! theirs: a retry runs with the token of the first task's person, so nobody else may ask for it.

use super::{Hearing, NOT_LINKED, Talk, account, no_such_repo, repo_of};
use crate::domain::command::{Own, OwnWord, place};
use crate::domain::rule::Allow;
use crate::domain::task::State;
use crate::github::RepoPath;
use crate::ids::TaskId;
use crate::pipeline::guard::{May, may};
use crate::pipeline::links::{self, NotConfirmed};
use crate::pipeline::{StepError, steer};
use crate::store::Page;
use crate::store::people::Person;
use crate::store::tasks::Task;
use crate::store::tasks::list::TaskFilter;

/// Most tasks of a list.
const LISTED: i64 = 10;
/// Most entries of a task's story that are told.
const STORY: usize = 8;
pub(super) const NO_TASK: &str = "There is no such task, or it is not yours to see.";

pub(super) async fn act(talk: &Talk<'_>, own: &Own, person: Option<&Person>) -> Result<Hearing, StepError> {
    let reason = format!("answered: {}", own.word.as_str());
    let argument = own.argument.as_deref();
    if own.word == OwnWord::Link {
        return link(talk, argument, person).await;
    }
    let Some(person) = person else { return Ok(talk.ask_to_link(NOT_LINKED, false)) };
    let text = match own.word {
        OwnWord::Status => list(talk, person, true).await?,
        OwnWord::List => list(talk, person, false).await?,
        OwnWord::Why => match argument.and_then(|word| place::subject_of(word, &talk.event.host)) {
            Some((repo, number)) => match about_subject(talk, person, &repo, number).await? {
                Ok(text) => text,
                Err(hearing) => return Ok(hearing),
            },
            None => match find(talk, person, argument).await? {
                Some(task) if sees(talk, person, &task).await => story(talk, &task).await?,
                _ => NO_TASK.to_owned(),
            },
        },
        OwnWord::Retry | OwnWord::Cancel | OwnWord::Approve => match find(talk, person, argument).await? {
            Some(task) => steer_task(talk, person, own.word, &task).await?,
            None => NO_TASK.to_owned(),
        },
        OwnWord::Link | OwnWord::Unlink => match links::unlink(talk.bridge, &talk.chat.identity).await? {
            true => "This account is no longer linked to a GitHub account.".to_owned(),
            false => "This account was not linked.".to_owned(),
        },
    };
    Ok(talk.answer(&reason, text))
}

async fn link(talk: &Talk<'_>, code: Option<&str>, person: Option<&Person>) -> Result<Hearing, StepError> {
    if let Some(code) = code {
        let text = match links::confirm_link(talk.bridge, &talk.chat.identity, code).await {
            Ok(linked) => {
                let login = linked.login;
                format!("This account is linked to {login} on GitHub now. What you asked for before goes on by itself.")
            }
            Err(NotConfirmed::Store(error)) => return Err(error.into()),
            Err(why) => format!("That did not work: {why}. Write `link` for a new link."),
        };
        return Ok(talk.answer("answered: a code", text));
    }
    Ok(match person {
        Some(person) => talk.answer(
            "answered: linked already",
            format!("This account is linked to {} on GitHub. Write `unlink` to undo that.", person.login),
        ),
        None => talk.ask_to_link(NOT_LINKED, false),
    })
}

async fn list(talk: &Talk<'_>, person: &Person, live: bool) -> Result<String, StepError> {
    let filter = TaskFilter { person: Some(person.login.clone()), ..TaskFilter::default() };
    let page = Page { before: None, limit: if live { LISTED * 3 } else { LISTED } };
    let tasks = talk.bridge.store.tasks(&filter, page).await?;
    let lines: Vec<String> = tasks
        .iter()
        .filter(|task| task.person_id == person.id && !(live && task.state.is_end()))
        .take(usize::try_from(LISTED).unwrap_or_default())
        .map(|task| {
            let page = task.pull_url.as_deref().or(task.remote_url.as_deref());
            let page = page.map(|url| format!(" · [open]({url})")).unwrap_or_default();
            format!(
                "• **{}** `{}/{}` · rule `{}`{page} · {}",
                task.state, task.repo_owner, task.repo_name, task.rule, task.id
            )
        })
        .collect();
    Ok(match (lines.is_empty(), live) {
        (true, true) => "Nothing runs for you now.".to_owned(),
        (true, false) => "You have no tasks yet.".to_owned(),
        (false, _) => lines.join("\n"),
    })
}

/// The task that is named, or the newest of this person.
async fn find(talk: &Talk<'_>, person: &Person, named: Option<&str>) -> Result<Option<Task>, StepError> {
    let id: Option<TaskId> = match named {
        Some(text) => text.trim_start_matches('#').parse().ok(),
        None => {
            let filter = TaskFilter { person: Some(person.login.clone()), ..TaskFilter::default() };
            let newest = talk.bridge.store.tasks(&filter, Page { before: None, limit: 1 }).await?;
            newest.first().map(|task| task.id)
        }
    };
    match id {
        Some(id) => Ok(talk.bridge.store.task(id).await?),
        None => Ok(None),
    }
}

fn is_theirs(person: &Person, task: &Task) -> bool {
    task.person_id == person.id || task.actor_id == Some(person.id.0)
}

/// Whether the person may do in the task's repository what `allow` guards; in doubt not.
async fn may_there(talk: &Talk<'_>, person: &Person, allow: &Allow, task: &Task) -> bool {
    let Ok(path) = RepoPath::new(&task.origin_owner, &task.origin_name) else { return false };
    matches!(may(talk.bridge, allow, &path, &account(person)).await, May::Yes(_))
}

pub(super) async fn sees(talk: &Talk<'_>, person: &Person, task: &Task) -> bool {
    is_theirs(person, task) || may_there(talk, person, &Allow::default(), task).await
}

async fn steer_task(talk: &Talk<'_>, person: &Person, word: OwnWord, task: &Task) -> Result<String, StepError> {
    let allowed = match word {
        OwnWord::Retry => task.person_id == person.id,
        OwnWord::Approve => may_there(talk, person, &task.allow_rule, task).await,
        _ => is_theirs(person, task) || may_there(talk, person, &task.allow_rule, task).await,
    };
    if !allowed {
        return Ok(match sees(talk, person, task).await {
            true if word == OwnWord::Retry => {
                format!("This task runs as {}: nobody else can try it again.", task.person_login)
            }
            true => "The rule does not let you do this.".to_owned(),
            false => NO_TASK.to_owned(),
        });
    }
    let by = format!("@{} in a chat", person.login);
    let outcome = match word {
        OwnWord::Retry => steer::retry(talk.bridge, task.id, &by, false).await,
        OwnWord::Approve => steer::approve(talk.bridge, task.id, &by).await,
        _ => steer::cancel(talk.bridge, task.id, &by).await,
    };
    Ok(match outcome {
        Ok(now) if word == OwnWord::Retry && now.id != task.id => format!("It is tried again as task {}.", now.id),
        Ok(now) => format!("Done: the task is {}.", now.state),
        Err(steer::SteerError::NotFound) => NO_TASK.to_owned(),
        Err(steer::SteerError::Conflict { message, link, .. }) => {
            let page = link.map(|url| format!(" [Open it on GitHub]({url}).")).unwrap_or_default();
            format!("That cannot be done: {message}.{page}")
        }
        Err(steer::SteerError::Store(error)) => return Err(error.into()),
    })
}

/// Why an issue or pull request led to what it did.
async fn about_subject(
    talk: &Talk<'_>,
    person: &Person,
    repo: &str,
    number: i64,
) -> Result<Result<String, Hearing>, StepError> {
    let Ok(path) = repo.parse::<RepoPath>() else { return Ok(Ok(no_such_repo(repo))) };
    let found = match repo_of(talk, &path, person).await? {
        Ok(found) => found,
        Err(hearing) => return Ok(Err(hearing)),
    };
    match may(talk.bridge, &Allow::default(), &path, &account(person)).await {
        May::Yes(_) => {}
        May::Later(later) => return Ok(Err(Hearing::Later(later))),
        May::No { .. } | May::NoReader(_) => return Ok(Ok(no_such_repo(repo))),
    }
    let tasks = talk.bridge.store.newest_tasks_of_subject(found.id, number, 3).await?;
    if tasks.is_empty() {
        let text = "Nothing was started for it. Whoever runs taskbridge sees every decision with `taskbridge explain`.";
        return Ok(Ok(text.to_owned()));
    }
    let mut texts = Vec::new();
    for id in tasks {
        if let Some(task) = talk.bridge.store.task(id).await? {
            texts.push(story(talk, &task).await?);
        }
    }
    Ok(Ok(texts.join("\n\n")))
}

/// The story of a task, without its prompt.
async fn story(talk: &Talk<'_>, task: &Task) -> Result<String, StepError> {
    let entries = talk.bridge.store.timeline(task.id).await?;
    let from = entries.len().saturating_sub(STORY);
    let mut lines = vec![format!("Task {} in `{}` is **{}**.", task.id, task.repo_full_name(), task.state)];
    if task.state == State::Held && !task.reason.is_empty() {
        lines.push(task.marker.mask(&task.reason));
    }
    lines.extend(entries.iter().skip(from).map(|entry| {
        let what = entry.to_state.as_deref().unwrap_or(&entry.kind);
        format!("• {} {what}: {}", entry.at.format("%H:%M:%S"), task.marker.mask(&entry.text))
    }));
    Ok(lines.join("\n"))
}
