//! What the limits of a rule are compared with. A statement for each kind of limit: one with optional filters would get
//! one plan for all of them, which has to read every live task.

use super::make::NewTask;
use crate::domain::chat::Place;
use crate::ids::{PersonId, TaskId};
use crate::store::{Moment, StoreError, Tx};

/// What the limits of a rule are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted<'a> {
    /// Tasks of this rule.
    Rule(&'a str),
    /// Tasks of this rule that work in this repository.
    RuleInRepo(&'a str, i64),
    /// Tasks of this rule that run as this person.
    RuleAsPerson(&'a str, PersonId),
    /// Tasks that work in this repository.
    Repo(i64),
    /// Tasks that run as this person.
    Person(PersonId),
    /// Tasks that were asked for in this channel of a chat; only those that run as this person, if one is named.
    Channel(&'a Place, Option<PersonId>),
}

impl Counted<'_> {
    /// Whether a new task is one of those that are counted.
    #[must_use]
    pub fn counts(&self, task: &NewTask) -> bool {
        match *self {
            Self::Rule(rule) => task.rule == rule,
            Self::RuleInRepo(rule, repo) => task.rule == rule && task.repo_id == repo,
            Self::RuleAsPerson(rule, person) => task.rule == rule && task.person_id == person,
            Self::Repo(repo) => task.repo_id == repo,
            Self::Person(person) => task.person_id == person,
            Self::Channel(place, person) => {
                task.chat.as_ref().is_some_and(|chat| (&chat.source, &chat.channel) == (&place.source, &place.channel))
                    && person.is_none_or(|person| task.person_id == person)
            }
        }
    }
}

/// Tasks made in a window.
struct Made {
    count: i64,
    oldest: Option<Moment>,
}

impl Tx {
    /// Tasks that have not ended; for one that waits itself, of those that wait only the older ones.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn live_tasks(&mut self, what: Counted<'_>, waiting: Option<TaskId>) -> Result<i64, StoreError> {
        let on = self.connection();
        let waiting = waiting.map(|id| id.0);
        let count =
            match what {
                Counted::Rule(rule) => sqlx::query_scalar!(
                    r#"/* live_of_rule */ SELECT count(*) AS "count!" FROM tasks WHERE ended_at IS NULL AND rule = $1
                      AND ($2::uuid IS NULL OR id < $2 OR state <> 'held' AND id <> $2)"#,
                    rule,
                    waiting
                )
                .fetch_one(on)
                .await?,
                Counted::RuleInRepo(rule, repo) => {
                    sqlx::query_scalar!(
                        r#"/* live_of_rule_in_repo */
                    SELECT count(*) AS "count!" FROM tasks WHERE ended_at IS NULL AND rule = $1 AND repo_id = $2
                      AND ($3::uuid IS NULL OR id < $3 OR state <> 'held' AND id <> $3)"#,
                        rule,
                        repo,
                        waiting
                    )
                    .fetch_one(on)
                    .await?
                }
                Counted::RuleAsPerson(rule, person) => {
                    sqlx::query_scalar!(
                        r#"/* live_of_rule_as_person */
                    SELECT count(*) AS "count!" FROM tasks WHERE ended_at IS NULL AND rule = $1 AND person_id = $2
                      AND ($3::uuid IS NULL OR id < $3 OR state <> 'held' AND id <> $3)"#,
                        rule,
                        person.0,
                        waiting
                    )
                    .fetch_one(on)
                    .await?
                }
                Counted::Repo(repo) => {
                    sqlx::query_scalar!(
                        r#"/* live_in_repo */
                    SELECT count(*) AS "count!" FROM tasks WHERE ended_at IS NULL AND repo_id = $1
                      AND ($2::uuid IS NULL OR id < $2 OR state <> 'held' AND id <> $2)"#,
                        repo,
                        waiting
                    )
                    .fetch_one(on)
                    .await?
                }
                Counted::Person(person) => {
                    sqlx::query_scalar!(
                        r#"/* live_as_person */
                    SELECT count(*) AS "count!" FROM tasks WHERE ended_at IS NULL AND person_id = $1
                      AND ($2::uuid IS NULL OR id < $2 OR state <> 'held' AND id <> $2)"#,
                        person.0,
                        waiting
                    )
                    .fetch_one(on)
                    .await?
                }
                // Few of a channel's tasks are open, so that one plan does for both.
                Counted::Channel(place, person) => {
                    sqlx::query_scalar!(
                        r#"/* live_in_channel */
                    SELECT count(*) AS "count!" FROM tasks WHERE ended_at IS NULL AND chat IS NOT NULL
                      AND chat ->> 'source' = $1 AND chat ->> 'channel' = $2 AND ($3::bigint IS NULL OR person_id = $3)
                      AND ($4::uuid IS NULL OR id < $4 OR state <> 'held' AND id <> $4)"#,
                        place.source,
                        place.channel,
                        person.map(|person| person.0),
                        waiting
                    )
                    .fetch_one(on)
                    .await?
                }
            };
        Ok(count)
    }

    /// Tasks made since a moment, and the oldest of them: when it leaves the window there is room.
    ///
    /// # Errors
    /// [`StoreError`]: retry.
    pub async fn tasks_since(&mut self, what: Counted<'_>, since: Moment) -> Result<(i64, Option<Moment>), StoreError> {
        let on = self.connection();
        let made = match what {
            Counted::Rule(rule) => {
                sqlx::query_as!(
                    Made,
                    r#"/* made_by_rule */
                    SELECT count(*) AS "count!", min(created_at) AS oldest FROM tasks
                    WHERE created_at > $1 AND rule = $2"#,
                    since,
                    rule
                )
                .fetch_one(on)
                .await?
            }
            Counted::RuleInRepo(rule, repo) => {
                sqlx::query_as!(
                    Made,
                    r#"/* made_by_rule_in_repo */
                    SELECT count(*) AS "count!", min(created_at) AS oldest FROM tasks
                    WHERE created_at > $1 AND rule = $2 AND repo_id = $3"#,
                    since,
                    rule,
                    repo
                )
                .fetch_one(on)
                .await?
            }
            Counted::RuleAsPerson(rule, person) => {
                sqlx::query_as!(
                    Made,
                    r#"/* made_by_rule_as_person */
                    SELECT count(*) AS "count!", min(created_at) AS oldest FROM tasks
                    WHERE created_at > $1 AND rule = $2 AND person_id = $3"#,
                    since,
                    rule,
                    person.0
                )
                .fetch_one(on)
                .await?
            }
            Counted::Repo(repo) => {
                sqlx::query_as!(
                    Made,
                    r#"/* made_in_repo */
                    SELECT count(*) AS "count!", min(created_at) AS oldest FROM tasks
                    WHERE created_at > $1 AND repo_id = $2"#,
                    since,
                    repo
                )
                .fetch_one(on)
                .await?
            }
            Counted::Person(person) => {
                sqlx::query_as!(
                    Made,
                    r#"/* made_as_person */
                    SELECT count(*) AS "count!", min(created_at) AS oldest FROM tasks
                    WHERE created_at > $1 AND person_id = $2"#,
                    since,
                    person.0
                )
                .fetch_one(on)
                .await?
            }
            Counted::Channel(place, person) => {
                sqlx::query_as!(
                    Made,
                    r#"/* made_in_channel */
                    SELECT count(*) AS "count!", min(created_at) AS oldest FROM tasks
                    WHERE created_at > $1 AND chat IS NOT NULL AND chat ->> 'source' = $2 AND chat ->> 'channel' = $3
                      AND ($4::bigint IS NULL OR person_id = $4)"#,
                    since,
                    place.source,
                    place.channel,
                    person.map(|person| person.0)
                )
                .fetch_one(on)
                .await?
            }
        };
        Ok((made.count, made.oldest))
    }
}
