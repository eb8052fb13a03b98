//! Telling people: one thing of the outbox at a time, as the App where it is installed, else with the token of
//! the person the task runs as, in turn with that token's other writes. A report that cannot be told never
//! touches the state of its task.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::people::{NoToken, act_as};
use super::send_report::send;
use super::token_ended::refuse;
use super::{Bridge, StepError};
use crate::domain::backoff::Backoff;
use crate::fail_point::{Point, reach};
use crate::github::{CallError, Next, RepoPath, Session, Write};
use crate::ids::PersonId;
use crate::store::Lease;
use crate::store::reports::{Report, ReportKind};

/// Tries to tell one revision: about two hours in all.
const TRIES: Backoff = Backoff { first: Duration::from_secs(5), factor: 3, cap: Duration::from_secs(1800), tries: 9 };

/// Sends reports that are due. Answers how many were taken.
///
/// # Errors
/// [`StepError`]: they are taken up again.
pub async fn report_batch(bridge: &Bridge) -> Result<usize, StepError> {
    if !bridge.github.answers().await {
        return Ok(0);
    }
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    let limit = bridge.github.room(Write::Telling, i64::try_from(bridge.settings.at_once).unwrap_or(1).max(1));
    if limit == 0 {
        return Ok(0);
    }
    // Read before the lease is taken, so that this side never believes in more time than there is.
    let send_by = Instant::now() + bridge.settings.lease.saturating_sub(bridge.settings.call_timeout);
    let reports = bridge.store.claim_reports(lease, bridge.ground.now(), limit).await?;
    let taken = reports.len();
    super::each_at_once(reports, usize::MAX, |report| {
        let bridge = bridge.clone();
        async move { tell_one(&bridge, lease, send_by, report).await }
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

async fn tell_one(bridge: &Bridge, lease: Lease, send_by: Instant, report: Report) -> Result<(), StepError> {
    let Ok(path) = RepoPath::new(&report.repo_owner, &report.repo_name) else {
        return give_up(bridge, lease, &report, "the repository's name cannot be used").await;
    };
    let speaker = match speaker(bridge, &path, &report).await? {
        Ok(speaker) => speaker,
        Err(Mute::Nobody(why)) => return give_up(bridge, lease, &report, &why).await,
        Err(Mute::Call(error)) => return failed(bridge, lease, &report, &error).await,
    };
    let now = bridge.ground.now();
    let (hourly, clock) = (bridge.settings.hourly_writes, &bridge.settings.shared_clock);
    if !bridge.store.take_turn(&speaker.writer, lease, hourly, clock.shown()).await? {
        let free = bridge.store.turn_comes_in(&speaker.writer, clock.shown()).await?;
        let wait = free.max(bridge.ground.jitter(Duration::from_millis(500)));
        let again = now + TimeDelta::from_std(wait).unwrap_or_default();
        bridge.store.postpone_report(report.id, lease, Some(again), false, "waits for its turn to write").await?;
        return Ok(());
    }
    reach(Point::ReportBeforeSending);
    let outcome = send(bridge, &speaker.session, &path, &report, send_by).await;
    reach(Point::ReportSent);
    let now = bridge.ground.now();
    let spacing = bridge.settings.write_spacing;
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            bridge.store.end_turn(&speaker.writer, lease, spacing, clock.shown()).await?;
            return Err(error);
        }
    };
    let pause = match &outcome {
        Err(CallError::Limited { until, .. }) => until.signed_duration_since(now).to_std().unwrap_or_default(),
        _ => spacing,
    };
    bridge.store.end_turn(&speaker.writer, lease, pause, clock.shown()).await?;
    match outcome {
        Ok(told) => {
            let content = told.content.as_deref();
            let mut report = report;
            // What is half told is told on from there in the next turn.
            report.revision -= i32::from(told.more);
            bridge.store.report_sent(&report, lease, told.id, told.url.as_deref(), content, now).await?;
            reach(Point::ReportRecorded);
            let task = report.task_id.map(tracing::field::display);
            tracing::info!(report = %report.id, task, kind = ?report.kind, repo = %path, number = report.subject_number, "a report was told");
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

async fn speaker(bridge: &Bridge, path: &RepoPath, report: &Report) -> Result<Result<Speaker, Mute>, StepError> {
    let person = report.person_id;
    // What somebody says to the agent counts as theirs, and needs their right.
    let own_voice = report.kind == ReportKind::FollowUp;
    if let Some(app) = bridge.github.app().filter(|_| !own_voice) {
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
        Err(NoToken::Later(error)) => Ok(Err(Mute::Call(error))),
        Err(error) if own_voice => Ok(Err(Mute::Nobody(error.to_string()))),
        Err(error) => {
            let why = format!("no App is installed there, and {error}");
            tracing::warn!(report = %report.id, kind = ?report.kind, person = %person, why, "nobody can tell this on GitHub");
            Ok(Err(Mute::Nobody(why)))
        }
    }
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
    let task = report.task_id.map(tracing::field::display);
    tracing::warn!(report = %report.id, task, %error, tries, gives_up = wait.is_none(), "a report could not be told");
    let due_at = wait.map(|wait| now + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default());
    bridge.store.postpone_report(report.id, lease, due_at, true, &error.for_person()).await?;
    Ok(())
}

async fn give_up(bridge: &Bridge, lease: Lease, report: &Report, why: &str) -> Result<(), StepError> {
    let task = report.task_id.map(tracing::field::display);
    tracing::warn!(report = %report.id, task, why, "a report cannot be told by anybody");
    bridge.store.postpone_report(report.id, lease, None, true, why).await?;
    Ok(())
}
