//! As whom a task runs, and where: whoever did it, or a person who agreed; in the repository of the event, or in the one
//! that the rule names, which is looked up.

use super::gate::{Gate, refused};
use crate::domain::event::{Account, Event};
use crate::domain::rule::{NamedPerson, Rule, RunAs};
use crate::github::RepoPath;
use crate::ids::PersonId;
use crate::pipeline::find_repo::{Seen, see_repo};
use crate::pipeline::people::not_agreed;
use crate::pipeline::{Bridge, StepError};
use crate::store::people::Person;
use crate::store::tasks::REPO_UNKNOWN;
use crate::store::{Moment, Store, StoreError};

/// As whom a task runs.
pub(super) struct RunsAs {
    pub id: PersonId,
    pub login: String,
    pub has_token: bool,
}

/// As whom a task runs: who did it, or whom the rule names.
pub(super) async fn runs_as(
    bridge: &Bridge,
    rule: &Rule,
    actor: Option<&Account>,
) -> Result<Result<RunsAs, Gate>, StepError> {
    let now = bridge.ground.now();
    let RunAs::Person(named) = &rule.run_as else {
        let Some(actor) = actor else { return Ok(Err(refused("run_as: nobody is known to have done it", "", false))) };
        let id = PersonId(actor.id);
        let has_token = bridge.store.person(id).await?.is_some_and(|person| person.usable_token(now).is_some());
        return Ok(Ok(RunsAs { id, login: actor.login.clone(), has_token }));
    };
    let lent = lender(&bridge.store, rule, named).await?;
    if let Err(why) = &lent {
        // Nobody asked, so nobody is told: whoever runs this must see that events come to nothing.
        tracing::warn!(rule = rule.name, why, "an event that a rule wanted starts nothing");
    }
    Ok(lent.map_err(|cause| refused(cause, "", true)).map(|person| {
        let has_token = person.usable_token(now).is_some();
        RunsAs { id: person.id, login: person.login, has_token }
    }))
}

/// Whose token a rule runs with: the account of the number that it names, or else the only one with the login; and only if they
/// agreed to it. A login can change hands, and then nobody guesses who is meant.
async fn lender(store: &Store, rule: &Rule, named: &NamedPerson) -> Result<Result<Person, String>, StoreError> {
    let login = &named.login;
    let mut known = match named.id {
        Some(id) => store.person(PersonId(id)).await?.into_iter().collect(),
        None => store.people_by_login(login).await?,
    };
    let Some(person) = known.pop() else {
        let who = named.id.map_or(format!("@{login}"), |id| format!("account {id}, which was @{login}"));
        return Ok(Err(format!(
            "run_as: taskbridge does not know {who}; add the person with `taskbridge people add {login}`"
        )));
    };
    if !known.is_empty() {
        let ids: Vec<String> = known.iter().chain([&person]).map(|person| person.id.to_string()).collect();
        return Ok(Err(format!(
            "run_as: several accounts were called @{login} ({}); write `run_as: person:{login}#NUMBER` with the number of the \
             one that is meant, or remove those that are gone with `taskbridge people remove NUMBER`",
            ids.join(", ")
        )));
    }
    let agreed = store.people_who_agreed(&rule.name).await?;
    if agreed.iter().any(|other| other.id == person.id) {
        return Ok(Ok(person));
    }
    let mut cause = not_agreed(login, &rule.name);
    if let Some(other) = agreed.first() {
        let (own, id) = (&other.login, other.id);
        cause.push_str(&format!(
            "; @{login} is account {} here, and who agreed is account {id}, @{own}: if that one is meant, write `run_as: \
             person:{own}#{id}`",
            person.id
        ));
    }
    Ok(Err(cause))
}

/// What keeps rules from running as the person that they name, a sentence each: somebody should look before an event comes.
///
/// # Errors
/// [`StoreError`]: retry.
pub async fn not_ready(store: &Store, rules: &[Rule], now: Moment) -> Result<Vec<String>, StoreError> {
    let mut told = Vec::new();
    for rule in rules {
        let RunAs::Person(named) = &rule.run_as else { continue };
        match lender(store, rule, named).await? {
            Ok(person) if person.usable_token(now).is_some() => {}
            Ok(person) => told.push(format!(
                "the rule `{}` runs as @{}, of whom there is no usable token: its tasks wait until there is one",
                rule.name, person.login
            )),
            Err(why) => told.push(format!("the rule `{}` starts nothing: {why}", rule.name)),
        }
    }
    Ok(told)
}

/// Where the agent works. Without a token to look with, the repository is looked up before the start, and the task waits.
pub(super) async fn workplace(
    bridge: &Bridge,
    rule: &Rule,
    event: &Event,
    origin: Option<&RepoPath>,
    runs_as: &mut RunsAs,
) -> Result<Result<(i64, RepoPath), Gate>, StepError> {
    let origin_id = event.repo.as_ref().map(|repo| repo.id).unwrap_or_default();
    let path: RepoPath = match (&rule.task.repo, origin) {
        (Some(path), _) => match path.parse() {
            Ok(path) => path,
            Err(error) => return Ok(Err(Gate::Failed(format!("task.repo: {error}")))),
        },
        (None, Some(origin)) => return Ok(Ok((origin_id, origin.clone()))),
        (None, None) => {
            return Ok(Err(refused("task.repo: neither rule nor event names a repository", "", false)));
        }
    };
    if Some(&path) == origin {
        return Ok(Ok((origin_id, path)));
    }
    Ok(match see_repo(bridge, &path, runs_as.id).await? {
        Seen::There(repo) => Ok((repo.id, repo.path)),
        Seen::NoToken => {
            runs_as.has_token = false;
            Ok((REPO_UNKNOWN, path))
        }
        // It is looked up before the start, which waits for the App.
        Seen::NoApp(_) => Ok((REPO_UNKNOWN, path)),
        Seen::Unreadable(error) => {
            Err(refused(format!("task.repo: {path} cannot be looked up"), error.for_person(), true))
        }
        Seen::Later(later) => Err(Gate::Later { later, known: true }),
    })
}
