//! Following remote tasks, a person a round: one list request tells what changed of all their tasks, and only
//! what changed is asked for. Hints and timers both end up here, so a lost hint costs only delay.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;

use super::guard::RENEWED_FIRST;
use super::observe::{look_at, out_of_sight};
use super::people::{NoToken, act_as};
use super::token_ended::refuse;
use super::{Bridge, StepError};
use crate::domain::task::State;
use crate::fail_point::{Point, reach};
use crate::github::{CallError, Next, RemoteTask, Session, TaskQuery};
use crate::ids::PersonId;
use crate::store::refreshes::Refusal;
use crate::store::sweeps::{RoundEnd, Sweep, Watched};
use crate::store::tasks::Task;
use crate::store::{Lease, Moment};

/// Most pages of a round; the rest comes with the next round, from the watermark reached.
const PAGES: usize = 50;
/// Rounds are short for this long after a start.
const YOUNG: TimeDelta = TimeDelta::minutes(3);
/// People with only ended tasks are looked at this many times more seldom.
const SETTLED_FACTOR: u32 = 8;
/// People with nothing to be swept for that are put aside in a batch.
const RESTS: i64 = 200;
/// Tasks asked for one by one in a batch.
const LOOKS: i64 = 50;

/// Sweeps people whose round is due, then tasks that no list has shown for long. Answers how many people and
/// tasks were looked at.
///
/// # Errors
/// [`StepError`]: the rounds are repeated.
pub async fn sweep_batch(bridge: &Bridge) -> Result<usize, StepError> {
    let lease = Lease::new(&bridge.ground, bridge.settings.lease);
    let now = bridge.ground.now();
    let limit = i64::try_from(bridge.settings.at_once).unwrap_or(1).max(1);
    let settled_since = settled_since(bridge, now);
    bridge.store.rest_sweeps(now, settled_since, RESTS).await?;
    if !bridge.github.answers().await {
        return Ok(0);
    }
    let due = bridge.store.claim_sweeps(lease, now, settled_since, limit).await?;
    let mut looked = due.len();
    super::each_at_once(due, usize::MAX, |sweep| {
        let bridge = bridge.clone();
        async move { round(&bridge, lease, sweep).await }
    })
    .await?;
    let quiet = bridge.store.claim_looks(now, now + TimeDelta::minutes(15), LOOKS).await?;
    looked += quiet.len();
    super::each_at_once(quiet, bridge.settings.at_once, |task| {
        let bridge = bridge.clone();
        async move { look_alone(&bridge, &task).await }
    })
    .await?;
    Ok(looked)
}

fn settled_since(bridge: &Bridge, now: Moment) -> Moment {
    let watch = TimeDelta::from_std(bridge.settings.settled_watch).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(watch).unwrap_or(Moment::UNIX_EPOCH)
}

async fn look_alone(bridge: &Bridge, task: &Task) -> Result<(), StepError> {
    match act_as(bridge, task.person_id).await {
        Ok(acting) => {
            if let Some(error) = look_at(bridge, &acting.session, task).await? {
                refuse_if_dead(bridge, task.person_id, &acting.sealed, error).await?;
            }
            Ok(())
        }
        Err(NoToken::Store(error)) => Err(error.into()),
        Err(NoToken::Missing(_)) if bridge.store.person(task.person_id).await?.is_none() => {
            out_of_sight(bridge, task.id).await
        }
        // Nothing to look with: the next round or a new token will.
        Err(_) => Ok(()),
    }
}

/// A token that GitHub does not accept is marked at once, whoever finds out.
/// Answers what is left of the error: one that is renewed is only asked with again.
async fn refuse_if_dead(
    bridge: &Bridge,
    person: PersonId,
    sealed: &[u8],
    error: CallError,
) -> Result<CallError, StepError> {
    if error.next() == Next::AskPerson && refuse(bridge, person, sealed, &error).await? != Refusal::Ended {
        return Ok(CallError::NotSent { why: RENEWED_FIRST.to_owned() });
    }
    Ok(error)
}

/// What a round has done so far.
struct Round {
    list_calls: i64,
    get_calls: i64,
    newest: Moment,
    etag: Option<(String, Moment)>,
}

async fn round(bridge: &Bridge, lease: Lease, sweep: Sweep) -> Result<(), StepError> {
    let person = sweep.person_id;
    let mut round = Round { list_calls: 0, get_calls: 0, newest: sweep.watermark, etag: None };
    let trouble = match act_as(bridge, person).await {
        Ok(acting) => match read_all(bridge, &acting.session, &sweep, &mut round).await? {
            Ok(()) => None,
            Err(error) => Some(refuse_if_dead(bridge, person, &acting.sealed, error).await?),
        },
        Err(NoToken::Store(error)) => return Err(error.into()),
        Err(NoToken::Later(error)) => Some(error),
        Err(NoToken::Missing(why)) => Some(CallError::Unauthorized { message: why }),
        Err(NoToken::Sealed(error)) => Some(CallError::Unauthorized { message: error.to_string() }),
    };
    let now = bridge.ground.now();
    let watched = bridge.store.watched(person, settled_since(bridge, now)).await?;
    let end = RoundEnd {
        watermark: trouble.is_none().then_some(round.newest),
        etag: round.etag,
        due_at: next_round(bridge, &sweep, watched, trouble.as_ref(), now),
        list_calls: round.list_calls,
        get_calls: round.get_calls,
        trouble: trouble.as_ref().map(CallError::for_person),
    };
    if let Some(error) = &trouble {
        tracing::warn!(%person, %error, "a round was not complete; it is repeated from the same place");
    }
    reach(Point::SweepBeforeCommit);
    bridge.store.end_round(person, lease, &end, now).await?;
    Ok(())
}

fn next_round(bridge: &Bridge, sweep: &Sweep, watched: Watched, trouble: Option<&CallError>, now: Moment) -> Moment {
    let settings = &bridge.settings;
    if let Some(CallError::Limited { until, .. } | CallError::Away { until }) = trouble {
        return *until;
    }
    let wait = if trouble.is_some() {
        let growth = 2_u32.saturating_pow(u32::try_from(sweep.tries.clamp(0, 8)).unwrap_or(0));
        settings
            .sweep_min
            .saturating_mul(growth)
            .clamp(Duration::from_secs(5).min(settings.sweep_max), Duration::from_secs(900))
    } else if watched.live == 0 {
        settings.sweep_max.saturating_mul(SETTLED_FACTOR)
    } else if watched.newest_start.is_some_and(|start| now.signed_duration_since(start) < YOUNG) {
        settings.sweep_min
    } else {
        // Between the two: a third of the longest keeps live tasks fresh without asking for ever.
        (settings.sweep_max / 3).max(settings.sweep_min)
    };
    now + TimeDelta::from_std(bridge.ground.jitter(wait)).unwrap_or_default()
}

/// Reads the list from the watermark (less an overlap) to its end, each time again from the last moment seen:
/// pages over an order that moves while it is read would skip rows.
async fn read_all(
    bridge: &Bridge,
    session: &Session,
    sweep: &Sweep,
    round: &mut Round,
) -> Result<Result<(), CallError>, StepError> {
    let overlap = TimeDelta::from_std(bridge.settings.sweep_overlap).unwrap_or_default();
    let first_since = sweep.watermark - overlap;
    let mut since = first_since;
    let mut next: Option<String> = None;
    for page_number in 0..PAGES {
        let etag = sweep.etag.as_deref().filter(|_| page_number == 0 && sweep.etag_since == Some(first_since));
        let query = TaskQuery { since: Some(since), next: next.as_deref(), etag, ..TaskQuery::default() };
        round.list_calls += 1;
        let page = match session.list_my_tasks(query).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        if page.not_modified {
            round.etag = sweep.etag.clone().map(|etag| (etag, first_since));
            return Ok(Ok(()));
        }
        if page_number == 0 {
            // Good for later rounds only while they begin at the same place and one page is all.
            round.etag = page.etag.clone().filter(|_| page.next.is_none()).map(|etag| (etag, first_since));
        }
        if let Err(error) = take_page(bridge, session, &page.tasks, round).await? {
            return Ok(Err(error));
        }
        let last = page.tasks.iter().filter_map(|task| task.updated_at).max();
        round.newest = round.newest.max(last.unwrap_or(round.newest));
        match (page.next, last) {
            (None, _) => return Ok(Ok(())),
            (Some(_), Some(last)) if last > since => {
                since = last;
                next = None;
            }
            // A whole page of one moment: only the link leads on.
            (Some(link), _) => next = Some(link),
        }
    }
    Ok(Ok(()))
}

/// Asks for each of our tasks on a page that has moved since it was last seen.
async fn take_page(
    bridge: &Bridge,
    session: &Session,
    page: &[RemoteTask],
    round: &mut Round,
) -> Result<Result<(), CallError>, StepError> {
    let ids: Vec<String> = page.iter().map(|remote| remote.id.clone()).collect();
    let host = bridge.github.host();
    let ours: HashMap<String, Task> = bridge
        .store
        .tasks_by_remote(host, &ids)
        .await?
        .into_iter()
        .filter_map(|task| Some((task.remote_id.clone()?, task)))
        .collect();
    if !page.is_empty() {
        reach(Point::SweepListed);
    }
    for remote in page {
        let Some(task) = ours.get(&remote.id) else { continue };
        let moved = task.state == State::Lost
            || remote.updated_at.is_none_or(|at| task.remote_updated_at.is_none_or(|known| at > known))
            || task.remote_state.as_deref() != Some(remote.state.as_str())
                && remote.updated_at >= task.remote_updated_at;
        if !moved {
            continue;
        }
        round.get_calls += 1;
        if let Some(error) = look_at(bridge, session, task).await? {
            return Ok(Err(error));
        }
        reach(Point::SweepTaken);
    }
    Ok(Ok(()))
}
