//! Telling people: one thing of the outbox at a time, as the App where it is installed, else with the token of
//! the person the task runs as, in turn with that token's other writes. A report that cannot be told never
//! touches the state of its task.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;

use super::guard::FOOTER_KEY;
use super::people::{NoToken, act_as, refuse};
use super::{Bridge, StepError};
use crate::domain::backoff::Backoff;
use crate::domain::task::State;
use crate::domain::telling::{Telling, living_comment};
use crate::domain::trust::Footer;
use crate::github::{CallError, CommentQuery, Next, ReactTo, RemoteComment, RepoPath, Session};
use crate::ids::PersonId;
use crate::store::Lease;
use crate::store::reports::{Report, ReportKind};
use crate::store::tasks::Task;
use crate::store::tasks::list::UsageOf;

/// Tries to tell one revision: about two hours in all.
const TRIES: Backoff = Backoff { first: Duration::from_secs(5), factor: 3, cap: Duration::from_secs(1800), tries: 9 };
/// Pages of comments that are searched for one of ours after an unclear answer.
const PAGES: usize = 5;

/// Sends reports that are due. Answers how many were taken.
///
/// # Errors
/// [`StepError`]: they are taken up again.
pub async fn report_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    let limit = i64::try_from(bridge.settings.at_once).unwrap_or(1).max(1);
    if !bridge.github.answers().await {
        return Ok(0);
    }
    let reports = bridge.store.claim_reports(lease, bridge.ground.now(), limit).await?;
    let taken = reports.len();
    super::each_at_once(reports, usize::MAX, |report| {
        let bridge = bridge.clone();
        async move { tell_one(&bridge, lease, report).await }
    })
    .await?;
    Ok(taken)
}

/// Who tells it.
struct Speaker {
    session: Session,
    /// Whose turn to write it is.
    writer: String,
    /// The installation, to fetch a new token for if this one is refused.
    installation: Option<i64>,
    /// The person and the sealed token, to mark if it is refused.
    person: Option<(PersonId, Vec<u8>)>,
}

/// Why nobody can tell it.
enum Mute {
    /// For good, as things are.
    Nobody(String),
    Call(CallError),
}

async fn tell_one(bridge: &Bridge, lease: Lease, report: Report) -> Result<(), StepError> {
    let Ok(path) = RepoPath::new(&report.repo_owner, &report.repo_name) else {
        return give_up(bridge, lease, &report, "the repository's name cannot be used").await;
    };
    let speaker = match speaker(bridge, &path, report.person_id).await? {
        Ok(speaker) => speaker,
        Err(Mute::Nobody(why)) => return give_up(bridge, lease, &report, &why).await,
        Err(Mute::Call(error)) => return failed(bridge, lease, &report, &error).await,
    };
    let now = bridge.ground.now();
    if !bridge.store.take_turn(&speaker.writer, lease, now).await? {
        let free = bridge.store.turn_free_at(&speaker.writer).await?.unwrap_or(now);
        let again =
            free.max(now + TimeDelta::from_std(bridge.ground.jitter(Duration::from_millis(500))).unwrap_or_default());
        bridge.store.postpone_report(report.id, lease, Some(again), false, "waits for its turn to write").await?;
        return Ok(());
    }
    let outcome = send(bridge, &speaker.session, &path, &report).await;
    let now = bridge.ground.now();
    let spacing = TimeDelta::from_std(bridge.settings.write_spacing).unwrap_or_default();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            bridge.store.end_turn(&speaker.writer, lease, now + spacing).await?;
            return Err(error);
        }
    };
    let free_at = match &outcome {
        Err(CallError::Limited { until, .. }) => *until,
        _ => now + spacing,
    };
    bridge.store.end_turn(&speaker.writer, lease, free_at).await?;
    match outcome {
        Ok(told) => {
            let content = told.content.as_deref();
            let mut report = report;
            // What is half told is told on from there in the next turn.
            report.revision -= i32::from(told.more);
            bridge.store.report_sent(&report, lease, told.id, told.url.as_deref(), content, now).await?;
            tracing::info!(report = %report.id, kind = ?report.kind, repo = %path, number = report.subject_number, "a report was told");
            Ok(())
        }
        Err(error) => {
            if matches!(error, CallError::Moved { .. }) && follow(bridge, &speaker.session, &report).await? {
                return put_off(bridge, lease, &report, now).await;
            }
            if let (CallError::Unauthorized { .. }, Some(installation), Some(app)) =
                (&error, speaker.installation, bridge.github.app())
            {
                app.forget_installation(installation).await;
            }
            if let (CallError::Unauthorized { .. }, Some((person, sealed))) = (&error, &speaker.person) {
                refuse(bridge, *person, sealed, &error).await?;
            }
            failed(bridge, lease, &report, &error).await
        }
    }
}

/// The repository was renamed or moved: its number says where it is now. Answers whether it was found.
async fn follow(bridge: &Bridge, session: &Session, report: &Report) -> Result<bool, StepError> {
    match session.repo_by_id(report.repo_id).await {
        Ok(repo)
            if (repo.path.owner(), repo.path.name()) != (report.repo_owner.as_str(), report.repo_name.as_str()) =>
        {
            bridge.store.reports_moved(report.repo_id, repo.path.owner(), repo.path.name()).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

async fn put_off(bridge: &Bridge, lease: Lease, report: &Report, until: crate::store::Moment) -> Result<(), StepError> {
    bridge.store.postpone_report(report.id, lease, Some(until), false, "its repository has another name now").await?;
    Ok(())
}

async fn speaker(
    bridge: &Bridge,
    path: &RepoPath,
    person: Option<PersonId>,
) -> Result<Result<Speaker, Mute>, StepError> {
    if let Some(app) = bridge.github.app() {
        match app.installation_of(path).await {
            Ok(id) => {
                return Ok(match app.as_installation(id).await {
                    Ok(session) => Ok(Speaker {
                        session,
                        writer: format!("installation:{id}"),
                        installation: Some(id),
                        person: None,
                    }),
                    Err(error) => Err(Mute::Call(error)),
                });
            }
            // Not installed there: the person's own voice.
            Err(CallError::NotFound { .. }) => {}
            Err(error) => return Ok(Err(Mute::Call(error))),
        }
    }
    let Some(person) = person else {
        return Ok(Err(Mute::Nobody("no App is installed there and no person is known to tell it".to_owned())));
    };
    match act_as(bridge, person).await {
        Ok(acting) => Ok(Ok(Speaker {
            session: acting.session,
            writer: format!("person:{person}"),
            installation: None,
            person: Some((person, acting.sealed)),
        })),
        Err(NoToken::Store(error)) => Err(error.into()),
        Err(error) => Ok(Err(Mute::Nobody(format!("no App is installed there, and {error}")))),
    }
}

/// What was told.
#[derive(Default)]
struct Told {
    id: Option<i64>,
    url: Option<String>,
    /// New content of the row, for those that remember what they did.
    content: Option<String>,
    /// There is more to write for this revision.
    more: bool,
}

impl From<RemoteComment> for Told {
    fn from(comment: RemoteComment) -> Self {
        Self { id: Some(comment.id), url: comment.html_url, ..Self::default() }
    }
}

async fn send(
    bridge: &Bridge,
    session: &Session,
    path: &RepoPath,
    report: &Report,
) -> Result<Result<Told, CallError>, StepError> {
    Ok(match report.kind {
        ReportKind::Reaction => react(session, path, report).await,
        ReportKind::Notice => comment(bridge, session, path, report, &report.content).await?,
        ReportKind::Comment => match task_of(bridge, report).await? {
            Some(task) => {
                let text = tell_of(bridge, &task).await?;
                comment(bridge, session, path, report, &text).await?
            }
            None => Ok(Told::default()),
        },
        ReportKind::Labels => match task_of(bridge, report).await? {
            Some(task) => set_label(session, path, report, &task).await,
            None => Ok(Told::default()),
        },
    })
}

async fn task_of(bridge: &Bridge, report: &Report) -> Result<Option<Task>, StepError> {
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
) -> Result<Result<Told, CallError>, StepError> {
    let key = bridge.vault.subkey(FOOTER_KEY);
    let body = format!("{text}\n{}", Footer::sign(key.expose(), report.id));
    if let Some(id) = report.external_id {
        return Ok(match session.edit_comment(path, id, &body).await {
            Ok(comment) => Ok(comment.into()),
            Err(CallError::NotFound { .. } | CallError::Gone { .. }) => {
                // Somebody deleted it: they do not want it. Its number is kept, so that it is not written again;
                // if it was only out of reach, the next change is told there.
                Ok(Told::default())
            }
            Err(error) => Err(error),
        });
    }
    // An earlier try may have been heard although we did not hear the answer.
    if report.tries > 1 || report.revision > 1 {
        match find_own(bridge, session, path, report).await {
            Ok(Some(found)) => {
                return Ok(session.edit_comment(path, found.id, &body).await.map(Told::from));
            }
            Ok(None) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(session.create_comment(path, report.subject_number, &body).await.map(Told::from))
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
pub async fn tell_of(bridge: &Bridge, task: &Task) -> Result<String, StepError> {
    let until = task.ended_at.unwrap_or_else(|| bridge.ground.now());
    let ahead = if task.state == State::Pending { bridge.store.tasks_ahead(task).await? } else { 0 };
    let usage = bridge.store.usage(UsageOf::Task(task.id)).await?;
    Ok(living_comment(&Telling {
        task: task.id.to_string(),
        state: task.state,
        reason: match task.state {
            State::Held | State::Uncertain | State::Cancelled | State::StartFailed | State::Lost => task.reason.clone(),
            _ => String::new(),
        },
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
        prompt: task.prompt.clone(),
    }))
}

/// Puts the one label that shows the state and takes off those put before: one write at a time, so a change of
/// label takes two turns. The report remembers, a line each, what may be there.
async fn set_label(session: &Session, path: &RepoPath, report: &Report, task: &Task) -> Result<Told, CallError> {
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

async fn failed(bridge: &Bridge, lease: Lease, report: &Report, error: &CallError) -> Result<(), StepError> {
    let now = bridge.ground.now();
    if let CallError::Limited { until, .. } | CallError::Away { until } = error {
        bridge.store.postpone_report(report.id, lease, Some(*until), false, &error.for_person()).await?;
        return Ok(());
    }
    let tries = u32::try_from(report.tries).unwrap_or(u32::MAX);
    let wait = match error.next() {
        Next::GiveUp => None,
        Next::Retry | Next::Look | Next::AskPerson => TRIES.after(tries),
    };
    tracing::warn!(report = %report.id, %error, tries, gives_up = wait.is_none(), "a report could not be told");
    let due_at = wait.map(|wait| now + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default());
    bridge.store.postpone_report(report.id, lease, due_at, true, &error.for_person()).await?;
    Ok(())
}

async fn give_up(bridge: &Bridge, lease: Lease, report: &Report, why: &str) -> Result<(), StepError> {
    tracing::warn!(report = %report.id, why, "a report cannot be told by anybody");
    bridge.store.postpone_report(report.id, lease, None, true, why).await?;
    Ok(())
}
