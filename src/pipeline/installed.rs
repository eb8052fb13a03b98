//! Whether the App is installed where a task is to work. A token that came of a sign-in with the App reaches only repositories
//! in which the App is; so a task with such a token waits while it is not there. One that was added by hand depends on none.
//!
//! What webhooks say of it may be lost, late or out of order: they only lead to a look. GitHub's silence is no absence.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use chrono::TimeDelta;

use super::people::release;
use super::transition::take_step;
use super::{Bridge, StepError};
use crate::domain::task::{State, Step};
use crate::github::{App, CallError, Card, Cover, Next, RepoPath};
use crate::ids::{PersonId, TaskId};
use crate::store::tasks::work::InRepo;
use crate::store::tasks::{Hold, Task};
use crate::store::{Lease, Moment, StoreError, Tx};

/// Most repositories that are asked about at once; the others are when their turn comes.
const LOOK_UPS: usize = 20;
/// How soon it is looked again; the longer it has waited, the later: somebody must do something first.
const SOONEST: Duration = Duration::from_secs(60);
const LATEST: Duration = Duration::from_secs(3600);
/// When it is no longer waited for: a repository that is gone looks just the same, and what waits takes places.
const WAITS: TimeDelta = TimeDelta::days(14);

/// Whether somebody's token reaches a repository, as far as the App decides it.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    /// The App is there, or the token does not depend on it.
    There,
    /// It is not, and why and what to do.
    Gone(String),
    /// It could not be asked.
    Unknown,
}

/// Whether the token of `person` reaches `repo`; asked `anew`, or as is remembered for some minutes.
///
/// # Errors
/// [`StoreError`]: retry.
pub(super) async fn reach(bridge: &Bridge, person: PersonId, repo: &RepoPath, anew: bool) -> Result<Reach, StoreError> {
    Ok(match depends(bridge, person).await? {
        Depends::Not => Reach::There,
        Depends::Unknown => Reach::Unknown,
        Depends::On(card) => covered(bridge, &card, repo, anew).await,
    })
}

/// Whether somebody's token depends on the App.
#[derive(Debug, Clone)]
enum Depends {
    Not,
    On(Card),
    /// It could not be asked.
    Unknown,
}

async fn depends(bridge: &Bridge, person: PersonId) -> Result<Depends, StoreError> {
    let Some((app, sign_in)) = bridge.github.app().zip(bridge.github.oauth()) else { return Ok(Depends::Not) };
    if !bridge.store.person(person).await?.is_some_and(|person| person.signed_in) {
        return Ok(Depends::Not);
    }
    Ok(match app.card().await {
        Ok(card) if card.client_id == sign_in.client_id() => Depends::On(card),
        Ok(_) => Depends::Not,
        Err(error) => match in_doubt(&error) {
            Reach::There => Depends::Not,
            _ => Depends::Unknown,
        },
    })
}

async fn covered(bridge: &Bridge, card: &Card, repo: &RepoPath, anew: bool) -> Reach {
    let Some(app) = bridge.github.app() else { return Reach::There };
    let cover = if anew { app.covers_now(repo).await } else { app.covers(repo).await };
    let owner = repo.owner();
    let page = card.html_url.as_ref().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let page = page.map(|url| format!(" ({url})")).unwrap_or_default();
    match cover {
        Ok(Cover::By(_)) => Reach::There,
        Ok(Cover::Suspended) => Reach::Gone(format!(
            "the GitHub App that people sign in with{page} is suspended at {owner}: an owner of {owner} lets it in again in the \
             settings there"
        )),
        Ok(Cover::Not) => Reach::Gone(format!(
            "the GitHub App that people sign in with is not installed on {repo}, if that is still there: an owner of {owner} installs \
             it there again{page}"
        )),
        Err(error) => in_doubt(&error),
    }
}

/// What can be asked again in a while may be so or not. A refusal to answer says nothing, now or later, and keeps nothing waiting.
fn in_doubt(error: &CallError) -> Reach {
    match error.next() {
        Next::Retry | Next::Look => Reach::Unknown,
        Next::GiveUp | Next::AskPerson => Reach::There,
    }
}

/// Where the token with which a task is to be started stands with the repository.
///
/// # Errors
/// [`StoreError`]: retry.
pub(super) async fn reach_of(bridge: &Bridge, task: &Task, anew: bool) -> Result<Reach, StoreError> {
    match RepoPath::new(&task.repo_owner, &task.repo_name) {
        Ok(path) => reach(bridge, task.person_id, &path, anew).await,
        Err(_) => Ok(Reach::There),
    }
}

/// Readies a task for being held until the App is there. Answers why it is.
pub(super) fn wait_for_the_app(bridge: &Bridge, task: &mut Task, why: &str) -> String {
    task.hold = Some(Hold::Installation);
    // Rights may change while it waits.
    task.allow_pending |= task.actor_id.is_some();
    task.due_at = next_look(bridge, bridge.ground.now());
    format!("{why}, and this goes on by itself")
}

fn next_look(bridge: &Bridge, since: Moment) -> Moment {
    let now = bridge.ground.now();
    let age = now.signed_duration_since(since).to_std().unwrap_or_default();
    now + TimeDelta::from_std(bridge.ground.jitter(age.clamp(SOONEST, LATEST))).unwrap_or_default()
}

/// Holds a task that was taken up to be started.
///
/// # Errors
/// [`StepError`]: the task is taken up again when its lease has ended.
pub(super) async fn hold(bridge: &Bridge, lease: Lease, task: &Task, why: &str) -> Result<(), StepError> {
    let mut tx = bridge.store.begin().await?;
    let Some(task) = tx.lock_leased_task(task.id, lease).await? else { return Ok(()) };
    hold_locked(bridge, tx, task, why).await
}

async fn hold_locked(bridge: &Bridge, mut tx: Tx, mut task: Task, why: &str) -> Result<(), StepError> {
    task.release();
    let why = wait_for_the_app(bridge, &mut task, why);
    take_step(&mut tx, bridge, &mut task, Step::Hold, &why).await?;
    tx.commit().await?;
    bridge.wake.tell();
    Ok(())
}

/// A webhook says that the App came, went, was suspended or let in again at `account`, or at one of its repositories. Whichever it
/// says: what waits to be started there is held if GitHub says that the App is gone, and what is held is looked at again.
/// Answers what was done, in words.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn app_moved(bridge: &Bridge, app: &App, account: Option<&str>) -> Result<String, StepError> {
    app.forget_installations();
    let again = bridge.store.look_for_the_app_now(account, None, bridge.ground.now()).await?;
    let mut asked = Asked::default();
    let mut held = 0;
    for task in bridge.store.waiting_tasks_in(account).await? {
        let Some(Reach::Gone(why)) = asked.reach(bridge, &task).await? else { continue };
        let mut tx = bridge.store.begin().await?;
        let Some(task) = tx.lock_task(task.id).await?.filter(|task| task.state == State::Pending) else { continue };
        // Whoever has it under a lease finds it changed before anything leaves.
        hold_locked(bridge, tx, task, &why).await?;
        held += 1;
    }
    let mut text = "where it is installed is asked anew".to_owned();
    if held > 0 {
        text.push_str(&format!("; {held} task(s) that waited to be started there are held"));
    }
    if again > 0 {
        text.push_str(&format!("; {again} that wait for it are looked at now"));
    }
    Ok(text)
}

/// Lets tasks go on that wait for the App and in whose repositories it is, and puts the next look at the others off. Answers
/// how many go on.
///
/// # Errors
/// [`StepError`]: retry.
pub(super) async fn resume_installed(bridge: &Bridge) -> Result<usize, StepError> {
    let begun = bridge.ground.now();
    let waiting = bridge.store.tasks_held_for_the_app(begun).await?;
    if waiting.is_empty() || !bridge.github.answers().await {
        return Ok(0);
    }
    let mut asked = Asked::default();
    let mut resumed = 0;
    for task in waiting {
        match asked.reach(bridge, &task).await? {
            // Its turn comes in the next round.
            None => {}
            Some(Reach::There) => {
                let done = "the App is installed there again, or is not needed";
                resumed += usize::from(release(bridge, task.id, Hold::Installation, done).await?);
            }
            Some(Reach::Gone(why)) if begun.signed_duration_since(task.changed_at) > WAITS => {
                call_off(bridge, task.id, &why).await?;
            }
            Some(Reach::Gone(_) | Reach::Unknown) => {
                let at = next_look(bridge, task.changed_at);
                bridge.store.look_for_the_app_at(task.id, begun, at).await?;
            }
        }
    }
    if resumed > 0 {
        bridge.wake.tell();
    }
    Ok(resumed)
}

/// Ends a task that has waited for the App long enough.
async fn call_off(bridge: &Bridge, id: TaskId, why: &str) -> Result<(), StepError> {
    let mut tx = bridge.store.begin().await?;
    let Some(mut task) = tx.lock_task(id).await?.filter(|task| task.hold == Some(Hold::Installation)) else {
        return Ok(());
    };
    let why = format!("it has waited for two weeks: {why}. Then retry it");
    take_step(&mut tx, bridge, &mut task, Step::Cancel, &why).await?;
    tx.commit().await?;
    bridge.wake.tell();
    Ok(())
}

/// What was asked in one round: whose tokens depend on the App, and where it is.
#[derive(Default)]
struct Asked {
    people: HashMap<PersonId, Depends>,
    repos: HashMap<RepoPath, Reach>,
}

impl Asked {
    /// Whether the token of a task reaches its repository; nothing when enough was asked. Each repository is asked about live, and
    /// once, however many people wait there.
    async fn reach(&mut self, bridge: &Bridge, task: &InRepo) -> Result<Option<Reach>, StoreError> {
        let Ok(path) = RepoPath::new(&task.repo_owner, &task.repo_name) else { return Ok(Some(Reach::There)) };
        let depends = match self.people.entry(task.person_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(depends(bridge, task.person_id).await?),
        };
        let card = match depends {
            Depends::On(card) => card,
            Depends::Unknown => return Ok(Some(Reach::Unknown)),
            Depends::Not => return Ok(Some(Reach::There)),
        };
        if let Some(known) = self.repos.get(&path) {
            return Ok(Some(known.clone()));
        }
        if self.repos.len() >= LOOK_UPS {
            return Ok(None);
        }
        let found = covered(bridge, card, &path, true).await;
        self.repos.insert(path, found.clone());
        Ok(Some(found))
    }
}
