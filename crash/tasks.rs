//! What was promised against what is there: the tasks, their stories, and what people read of them.

use std::collections::BTreeMap;

use sqlx::PgPool;
use taskbridge::domain::task::{ALL, State, Step};
use uuid::Uuid;

use crate::check::note;
use crate::stage::{Fatal, Stage};
use crate::tally::Tally;

/// Of so many tasks, one may wait for a person without a cause that can be seen.
const UNEXPLAINED_IN: usize = 50;
/// The same of a long run, where chance in one round weighs little.
const UNEXPLAINED_IN_ALL: u64 = 1_000;
/// Of so many tasks, one may wait for a person at all: two lost starts in a row are rare.
const WAITING_IN: usize = 10;
/// The labels that the rules of a round put on.
const RUNNING: &str = "copilot: running";
const DONE: &str = "copilot: done";

/// More tasks of a long run than may wait for a person without a cause that can be seen, in a sentence.
pub(crate) fn too_many_unexplained(sum: &Tally) -> Option<String> {
    let (unexplained, tasks) = (sum.get("tasks.wait_for_person.unexplained"), sum.get("tasks"));
    (unexplained * UNEXPLAINED_IN_ALL > tasks)
        .then(|| format!("{unexplained} of {tasks} tasks wait for a person, and nobody can see why"))
}

/// A task as the database has it.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct TaskRow {
    pub id: Uuid,
    pub prompt: String,
    pub marker: String,
    pub state: String,
    pub reason: String,
    pub needs_person: bool,
    pub origin_owner: String,
    pub origin_name: String,
    pub subject_number: Option<i64>,
    /// How many of its starts got no answer that was understood.
    pub lost_starts: i64,
}

/// What is there at the end.
pub(crate) struct Found {
    pub tasks: Vec<TaskRow>,
    /// The prompts of all tasks on GitHub.
    pub remote_prompts: Vec<String>,
}

/// Reads it.
pub(crate) async fn find(stage: &Stage, pool: &PgPool) -> Result<Found, Fatal> {
    let tasks = sqlx::query_as(
        "SELECT id, prompt, marker, state, reason, needs_person, origin_owner, origin_name, subject_number,
                (SELECT count(*) FROM attempts
                 WHERE task_id = tasks.id AND coalesce(outcome, 'unknown') IN ('unknown', 'absent')) AS lost_starts
         FROM tasks",
    )
    .fetch_all(pool)
    .await?;
    let remote_prompts = stage.control().tasks().into_iter().map(|task| task.prompt).collect();
    Ok(Found { tasks, remote_prompts })
}

/// Every task has ended as wished, or waits for a person, wherever its worker died or slept.
///
/// Cases 36, 37, 38, 39, 40, 41, 42.
pub(crate) fn ends(stage: &Stage, found: &Found) {
    let (mut wrong, mut waiting, mut unexplained) = (Vec::new(), 0, Vec::new());
    for task in &found.tasks {
        stage.tally.add("tasks", 1);
        match task.state.as_str() {
            "completed" => {}
            "uncertain" if task.needs_person => {
                stage.tally.add("tasks.wait_for_person", 1);
                waiting += 1;
                let is_there = found.remote_prompts.iter().any(|prompt| prompt.contains(&task.marker));
                if !is_explained(task.lost_starts, is_there) {
                    stage.tally.add("tasks.wait_for_person.unexplained", 1);
                    unexplained.push(format!("{}, {} starts lost: {}", task.id, task.lost_starts, task.reason));
                }
            }
            state => wrong.push(format!("{} is {state}: {}", task.id, task.reason)),
        }
    }
    note(stage, "tasks_not_ended", &wrong);
    if unexplained.len() > most_of(found.tasks.len(), UNEXPLAINED_IN) {
        note(stage, "tasks_wait_for_person_without_cause", &unexplained);
    }
    if waiting > most_of(found.tasks.len(), WAITING_IN) {
        let told = format!("{waiting} of {}", found.tasks.len());
        note(stage, "too_many_tasks_wait_for_person", &[told]);
    }
}

/// Whether it was right to call a person: the task was started once more by itself, that start was lost too, and GitHub
/// has neither. Lists that stayed unreadable for long call a person as well, but seldom.
fn is_explained(lost_starts: i64, is_there: bool) -> bool {
    lost_starts >= 2 && !is_there
}

/// One in so many, and a few, so that a short round may have bad luck.
fn most_of(tasks: usize, one_in: usize) -> usize {
    tasks / one_in + 3
}

/// No task went backward: each change begins where the last one ended, is a step that a state allows, what GitHub
/// once said is never taken back, and the last one is where the task is.
///
/// Cases 40, 41.
pub(crate) async fn stories(stage: &Stage, pool: &PgPool) -> Result<(), Fatal> {
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as(
        "SELECT task_id, from_state, to_state FROM timeline
         WHERE kind = 'state' AND from_state IS NOT NULL AND to_state IS NOT NULL ORDER BY task_id, seq",
    )
    .fetch_all(pool)
    .await?;
    let mut wrong = Vec::new();
    let mut last: Option<(Uuid, String)> = None;
    for (task, from, to) in rows {
        let begins = last.as_ref().is_none_or(|(of, at)| *of != task || *at == from);
        if !begins || !is_forward(&from, &to) {
            wrong.push(format!("{task}: from {from} to {to}"));
        }
        if to == "uncertain" {
            stage.tally.add("tasks.uncertain", 1);
        }
        last = Some((task, to));
    }
    let elsewhere: Vec<(Uuid, String, String)> = sqlx::query_as(
        "SELECT id, state, last.to_state FROM tasks
         CROSS JOIN LATERAL (SELECT to_state FROM timeline WHERE task_id = id AND kind = 'state' ORDER BY seq DESC LIMIT 1) last
         WHERE state IS DISTINCT FROM last.to_state",
    )
    .fetch_all(pool)
    .await?;
    wrong
        .extend(elsewhere.into_iter().map(|(task, is, told)| format!("{task}: is {is}, and its story ends at {told}")));
    note(stage, "backward_steps", &wrong);
    let settled: Vec<(String, i64)> =
        sqlx::query_as("SELECT coalesce(outcome, 'open'), count(*) FROM attempts GROUP BY 1").fetch_all(pool).await?;
    for (outcome, count) in settled {
        stage.tally.add(&format!("attempts.{outcome}"), u64::try_from(count).unwrap_or(0));
    }
    Ok(())
}

/// Whether a step leads there, and not back from where the simulated agent is already: it never begins anew.
fn is_forward(from: &str, to: &str) -> bool {
    let (Some(from), Some(to)) = (State::parse(from), State::parse(to)) else { return false };
    let rank = |state| match state {
        State::Queued => Some(1),
        State::InProgress => Some(2),
        State::Completed => Some(3),
        _ => None,
    };
    let steps = [
        Step::Resume,
        Step::Hold,
        Step::Begin,
        Step::Defer,
        Step::Refuse,
        Step::LoseSight,
        Step::Absent,
        Step::Cancel,
        Step::Retry,
        Step::Forgotten,
    ];
    let further = ALL.iter().flat_map(|state| [Step::Adopt(*state), Step::Observe(*state)]);
    let allowed = steps.into_iter().chain(further).any(|step| from.after(step) == Ok(to));
    allowed && rank(from).zip(rank(to)).is_none_or(|(from, to)| from <= to)
}

/// Every task is told of by exactly one comment, which says how it ended; nothing was given up.
///
/// Case 39.
pub(crate) async fn comments(stage: &Stage, pool: &PgPool, found: &Found) -> Result<(), Fatal> {
    let mut bodies: BTreeMap<(String, i64), Vec<String>> = BTreeMap::new();
    let (mut none, mut twice, mut stale) = (Vec::new(), Vec::new(), Vec::new());
    for task in &found.tasks {
        // What was asked for in the chat is told there.
        let Some(number) = task.subject_number else { continue };
        let repo = format!("{}/{}", task.origin_owner, task.origin_name);
        let key = (repo.clone(), number);
        if !bodies.contains_key(&key) {
            let comments = stage.control().comments(&repo, number)?;
            bodies.insert(key.clone(), comments.into_iter().map(|comment| comment.body).collect());
        }
        let own: Vec<&String> = bodies[&key].iter().filter(|body| body.contains(&task.id.to_string())).collect();
        let told = || format!("task {} on {repo}#{number}", task.id);
        match own.as_slice() {
            [] => none.push(told()),
            [body] if task.state == "completed" && !body.contains("**Done**") => stale.push(told()),
            [_] => {}
            _ => twice.push(told()),
        }
    }
    note(stage, "not_told", &none);
    note(stage, "told_twice", &twice);
    note(stage, "told_of_an_older_state", &stale);
    let given_up: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, coalesce(trouble, '') FROM reports WHERE state = 'failed'")
            .fetch_all(pool)
            .await?;
    let given_up: Vec<String> = given_up.into_iter().map(|(kind, why)| format!("{kind}: {why}")).collect();
    note(stage, "reports_given_up", &given_up);
    Ok(())
}

/// The labels of an issue are those of how its task ended. Of several tasks of one issue the newest has the word, and commands
/// have no labels: only issues with one task, and that of a label, are looked at.
///
/// Case 39.
pub(crate) async fn labels(stage: &Stage, pool: &PgPool) -> Result<(), Fatal> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT origin_owner, origin_name, subject_number FROM tasks WHERE subject_number IS NOT NULL
         GROUP BY 1, 2, 3 HAVING count(*) = 1 AND bool_and(rule = 'fix' AND state = 'completed')",
    )
    .fetch_all(pool)
    .await?;
    let mut wrong = Vec::new();
    for (owner, name, number) in rows {
        let labels = stage.control().labels(&format!("{owner}/{name}"), number)?;
        let has = |label: &str| labels.iter().any(|there| there == label);
        stage.tally.add("labels.compared", 1);
        if !has(DONE) || has(RUNNING) {
            wrong.push(format!("{owner}/{name}#{number}: {}", labels.join(", ")));
        }
    }
    note(stage, "labels_of_an_older_state", &wrong);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{UNEXPLAINED_IN, is_explained, is_forward, most_of};

    #[test]
    fn only_two_lost_starts_explain_why_a_person_is_called() {
        assert!(is_explained(2, false));
        assert!(!is_explained(1, false) && !is_explained(2, true));
        assert_eq!([0, 49, 300].map(|tasks| most_of(tasks, UNEXPLAINED_IN)), [3, 3, 9]);
    }

    #[test]
    fn backward_steps_are_seen() {
        let good =
            [("pending", "starting"), ("starting", "uncertain"), ("uncertain", "pending"), ("queued", "completed")];
        let bad =
            [("queued", "pending"), ("completed", "in_progress"), ("in_progress", "queued"), ("completed", "starting")];
        assert!(good.iter().all(|(from, to)| is_forward(from, to)));
        assert!(!bad.iter().any(|(from, to)| is_forward(from, to)));
        assert!(!is_forward("queued", "no such state"));
    }
}
