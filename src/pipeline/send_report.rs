//! One report on its way to GitHub: the living comment, a notice, a label, a reaction. What may have been heard although
//! its answer was lost is looked for before it is said again.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::guard::FOOTER_KEY;
use super::{Bridge, StepError};
use crate::domain::task::State;
use crate::domain::telling::{Telling, living_comment};
use crate::domain::trust::Footer;
use crate::github::{CallError, CommentQuery, ReactTo, RemoteComment, RepoPath, Session};
use crate::store::reports::{Report, ReportKind};
use crate::store::tasks::story::UsageOf;
use crate::store::tasks::{Hold, Task};

/// Pages of comments that are searched for one of ours after an unclear answer.
const PAGES: usize = 5;

/// What was told.
#[derive(Default)]
pub(super) struct Told {
    pub id: Option<i64>,
    pub url: Option<String>,
    /// New content of the row, for those that remember what they did.
    pub content: Option<String>,
    /// There is more to write for this revision.
    pub more: bool,
}

impl From<RemoteComment> for Told {
    fn from(comment: RemoteComment) -> Self {
        Self { id: Some(comment.id), url: comment.html_url, ..Self::default() }
    }
}

/// Tells one report, before `send_by`.
///
/// # Errors
/// [`StepError`]: retry; the inner error is what GitHub said.
pub(super) async fn send(
    bridge: &Bridge,
    session: &Session,
    path: &RepoPath,
    report: &Report,
    send_by: Instant,
) -> Result<Result<Told, CallError>, StepError> {
    Ok(match report.kind {
        // Nobody takes one up on this way; it waits for its own.
        ReportKind::Outgoing => Err(CallError::NotSent { why: "it is for a receiver, not for GitHub".into() }),
        ReportKind::Reaction => react(session, path, report).await,
        ReportKind::Notice | ReportKind::FollowUp => {
            comment(bridge, session, path, report, &report.content, send_by).await
        }
        ReportKind::Comment => match task_of(bridge, report).await? {
            Some(task) => {
                let text = tell_of(bridge, &task).await?;
                comment(bridge, session, path, report, &text, send_by).await
            }
            None => Ok(Told::default()),
        },
        ReportKind::Labels => match task_of(bridge, report).await? {
            Some(task) => set_label(session, path, report, &task, send_by).await,
            None => Ok(Told::default()),
        },
        // They are told in chats, by `tell_chat`.
        ReportKind::Chat | ReportKind::Mention | ReportKind::Whisper | ReportKind::Reply => Ok(Told::default()),
    })
}

pub(super) async fn task_of(bridge: &Bridge, report: &Report) -> Result<Option<Task>, StepError> {
    match report.task_id {
        Some(id) => Ok(bridge.store.task(id).await?),
        None => Ok(None),
    }
}

async fn react(session: &Session, path: &RepoPath, report: &Report) -> Result<Told, CallError> {
    let reaction = report
        .content
        .parse()
        .map_err(|_| CallError::Invalid { message: "no such reaction".to_owned(), details: Vec::new() })?;
    let to = match report.comment_id {
        Some(id) if report.comment_on_diff => ReactTo::ReviewComment(id),
        Some(id) => ReactTo::IssueComment(id),
        None => ReactTo::Issue(report.subject_number),
    };
    let id = session.react(path, to, reaction).await?;
    Ok(Told { id: Some(id), ..Told::default() })
}

async fn comment(
    bridge: &Bridge,
    session: &Session,
    path: &RepoPath,
    report: &Report,
    text: &str,
    send_by: Instant,
) -> Result<Told, CallError> {
    let key = bridge.vault.subkey(FOOTER_KEY);
    let body = format!("{text}\n{}", Footer::sign(key.expose(), report.id));
    if let Some(id) = report.external_id {
        in_time(send_by)?;
        return match session.edit_comment(path, id, &body).await {
            // Somebody deleted it: they do not want it. Its number is kept, so that it is not written again;
            // if it was only out of reach, the next change is told there.
            Err(CallError::NotFound { .. } | CallError::Gone { .. }) => Ok(Told::default()),
            edited => edited.map(Told::from),
        };
    }
    // An earlier try may have been heard although we did not hear the answer.
    let found =
        if report.tries > 1 || report.revision > 1 { find_own(bridge, session, path, report).await? } else { None };
    in_time(send_by)?;
    match found {
        Some(found) => session.edit_comment(path, found.id, &body).await.map(Told::from),
        None => session.create_comment(path, report.subject_number, &body).await.map(Told::from),
    }
}

/// Nothing is said by a worker that was asleep: another may have the report by now, and have said it or newer news.
fn in_time(send_by: Instant) -> Result<(), CallError> {
    if Instant::now() < send_by { Ok(()) } else { Err(CallError::NotSent { why: "the lease was about to end".into() }) }
}

async fn find_own(
    bridge: &Bridge,
    session: &Session,
    path: &RepoPath,
    report: &Report,
) -> Result<Option<RemoteComment>, CallError> {
    let keys = bridge.vault.subkeys(FOOTER_KEY);
    let since = Some(report.made_at - TimeDelta::minutes(5));
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let query = CommentQuery { since, next: next.as_deref() };
        let page = session.list_comments(path, report.subject_number, query).await?;
        let own = page
            .comments
            .into_iter()
            .filter(|comment| {
                // A footer can be copied by whoever reads the comment's source.
                let by_app = bridge.github.app().is_some_and(|app| comment.via_app == Some(app.id()));
                by_app || comment.user_id == report.person_id.map(|person| person.0)
            })
            .find(|comment| keys.iter().any(|key| Footer::verify(key.expose(), &comment.body) == Some(report.id)));
        if own.is_some() || page.next.is_none() {
            return Ok(own);
        }
        next = page.next;
    }
    Ok(None)
}

/// The living comment of a task as it stands now.
///
/// # Errors
/// [`StepError`]: retry.
async fn tell_of(bridge: &Bridge, task: &Task) -> Result<String, StepError> {
    Ok(living_comment(&telling_of(bridge, task).await?))
}

/// What is to be told of a task as it stands now.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn telling_of(bridge: &Bridge, task: &Task) -> Result<Telling, StepError> {
    let until = task.ended_at.unwrap_or_else(|| bridge.ground.now());
    let ahead = if task.state == State::Pending { bridge.store.tasks_ahead(task).await? } else { 0 };
    let usage = bridge.store.usage(UsageOf::Task(task.id)).await?;
    Ok(Telling {
        task: task.id.to_string(),
        state: task.state,
        reason: match task.state {
            State::Held | State::Uncertain | State::Cancelled | State::StartFailed | State::Lost => task.reason.clone(),
            _ => String::new(),
        },
        goes_on_alone: matches!(task.hold, Some(Hold::Turn | Hold::Limit)),
        raw_state: task.remote_state.clone(),
        actor: task.actor_login.clone(),
        person: task.person_login.clone(),
        rule: task.rule.clone(),
        ahead,
        elapsed: until.signed_duration_since(task.created_at).to_std().unwrap_or_default(),
        pull: task.pull_number.map(|number| (number, task.pull_url.clone().unwrap_or_default())),
        branch: task.branch.clone(),
        session_url: task.remote_url.clone(),
        usage: usage.into_iter().map(|sum| (sum.kind, sum.nano)).collect(),
        error: task.remote_error.clone(),
        connect: bridge.settings.connect_url.clone().filter(|_| task.hold == Some(Hold::Token)),
        prompt: task.prompt.clone(),
    })
}

/// Puts the one label that shows the state and takes off those put before: one write at a time, so a change of
/// label takes two turns. The report remembers, a line each, what may be there.
async fn set_label(
    session: &Session,
    path: &RepoPath,
    report: &Report,
    task: &Task,
    send_by: Instant,
) -> Result<Told, CallError> {
    in_time(send_by)?;
    let labels = &task.report.labels;
    let wanted = match task.state {
        State::Completed => labels.done.as_deref(),
        State::Failed | State::TimedOut | State::StartFailed | State::Lost => labels.failed.as_deref(),
        State::Held | State::Pending | State::Cancelled => None,
        _ => labels.running.as_deref(),
    };
    // An earlier try may have been heard although we did not hear the answer: then any of them may be there.
    let unsure = report.tries > 1 || report.sent_revision + 1 < report.revision;
    let all = [&labels.running, &labels.done, &labels.failed].into_iter().filter_map(|label| label.as_deref());
    let there = report.content.lines().filter(|label| !label.is_empty());
    let mut old: BTreeSet<&str> = all.filter(|_| unsure).chain(there.clone()).collect();
    let missing = wanted.filter(|new| unsure || !there.clone().any(|label| label == *new));
    wanted.map(|new| old.remove(new));
    let kept = wanted.filter(|_| missing.is_none());
    if let Some(first) = old.pop_first() {
        session.remove_label(path, report.subject_number, first).await?;
        let content = old.iter().copied().chain(kept).collect::<Vec<_>>().join("\n");
        let more = !old.is_empty() || missing.is_some();
        return Ok(Told { content: Some(content), more, ..Told::default() });
    }
    if let Some(new) = missing {
        session.add_labels(path, report.subject_number, &[new]).await?;
    }
    Ok(Told { content: Some(wanted.unwrap_or_default().to_owned()), ..Told::default() })
}
