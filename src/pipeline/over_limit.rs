//! Whether a limit is reached: when a task is to be made, and again when one goes on that was held, because limits may have
//! become narrower meanwhile.

use chrono::TimeDelta;

use super::{Bridge, StepError};
use crate::domain::rule::{Bound, Limits};
use crate::ids::PersonId;
use crate::store::tasks::count::Counted;
use crate::store::{Moment, Tx};

/// What a task counts as.
pub(super) struct CountedAs<'a> {
    pub rule: &'a str,
    pub repo_id: i64,
    pub repo: String,
    pub person_id: PersonId,
    pub person: &'a str,
    /// When it was made, if it is among those that are counted, and does not stand in its own way.
    pub made_at: Option<Moment>,
}

/// The first limit that is reached, with what was counted.
///
/// # Errors
/// [`StepError`]: repeat the transaction.
pub(super) async fn over_limit(
    bridge: &Bridge,
    tx: &mut Tx,
    limits: &Limits,
    task: &CountedAs<'_>,
    now: Moment,
) -> Result<Option<(String, String)>, StepError> {
    let repo = &task.repo;
    let global = &bridge.settings.limits;
    let checks: [(&str, &Bound, Counted<'_>, &str); 5] = [
        ("the limit per_rule", &limits.per_rule, Counted::Rule(task.rule), task.rule),
        ("the limit per_repo", &limits.per_repo, Counted::RuleInRepo(task.rule, task.repo_id), repo),
        ("the limit per_person", &limits.per_person, Counted::RuleAsPerson(task.rule, task.person_id), task.person),
        ("the overall limit per_repo", &global.per_repo, Counted::Repo(task.repo_id), repo),
        ("the overall limit per_person", &global.per_person, Counted::Person(task.person_id), task.person),
    ];
    for (name, bound, counted, of) in checks {
        if let Some(most) = bound.live {
            let live = tx.live_tasks(counted).await? - i64::from(task.made_at.is_some());
            if live >= i64::from(most) {
                let cause =
                    format!("{name}.live is {most} for {of}, and as many tasks have not ended; try again when one has");
                return Ok(Some((cause, format!("{live} live"))));
            }
        }
        if let Some(window) = &bound.started {
            let within = TimeDelta::from_std(window.within).unwrap_or(TimeDelta::MAX);
            let since = now.checked_sub_signed(within).unwrap_or(Moment::UNIX_EPOCH);
            let (count, oldest) = tx.tasks_since(counted, since).await?;
            let count = count - i64::from(task.made_at.is_some_and(|at| at >= since));
            if count >= i64::from(window.count) {
                let free = oldest.and_then(|oldest| oldest.checked_add_signed(within));
                let when = free.map(|at| format!(" after {}", at.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
                let cause = format!(
                    "{name}.started is {} within {} for {of}, and as many were made; try again{when}",
                    window.count,
                    words(window.within)
                );
                return Ok(Some((cause, format!("{count} made"))));
            }
        }
    }
    Ok(None)
}

fn words(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        s if s > 0 && s.is_multiple_of(86_400) => format!("{} d", s / 86_400),
        s if s > 0 && s.is_multiple_of(3600) => format!("{} h", s / 3600),
        s if s > 0 && s.is_multiple_of(60) => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
