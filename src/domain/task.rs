//! The states of a task and the steps between them: one table, so that no other place can invent one.
//!
//! The names after `starting` are GitHub's own. `completed`, `failed`, `timed_out` and `cancelled`
//! are ends *for now*: GitHub reopens a task with a new session.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where a task stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// Waits for a person: a token, an approval, its turn.
    Held,
    /// Waits to be started.
    Pending,
    /// An attempt is committed; the request may have left.
    Starting,
    /// The outcome of the request is unknown.
    Uncertain,
    /// GitHub has it and has not begun.
    Queued,
    /// The agent works.
    InProgress,
    /// The agent asks its person something.
    WaitingForUser,
    /// The agent has paused.
    Idle,
    /// A state of GitHub's that this version does not know; treated as live.
    Unrecognised,
    /// The agent is done.
    Completed,
    /// The agent failed.
    Failed,
    /// The agent ran out of time.
    TimedOut,
    /// Cancelled: here before the start, or on GitHub after it.
    Cancelled,
    /// GitHub refused to start it.
    StartFailed,
    /// GitHub has forgotten it.
    Lost,
}

/// All states, in the order of a task's life.
pub const ALL: [State; 15] = [
    State::Held,
    State::Pending,
    State::Starting,
    State::Uncertain,
    State::Queued,
    State::InProgress,
    State::WaitingForUser,
    State::Idle,
    State::Unrecognised,
    State::Completed,
    State::Failed,
    State::TimedOut,
    State::Cancelled,
    State::StartFailed,
    State::Lost,
];

impl State {
    /// The word used in tables, routes, logs and docs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Uncertain => "uncertain",
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::WaitingForUser => "waiting_for_user",
            Self::Idle => "idle",
            Self::Unrecognised => "unrecognised",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::StartFailed => "start_failed",
            Self::Lost => "lost",
        }
    }

    /// The state of this name, if there is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// What GitHub's word for a state means here.
    #[must_use]
    pub fn from_remote(raw: &str) -> Self {
        match Self::parse(raw) {
            Some(state) if state.is_remote() => state,
            _ => Self::Unrecognised,
        }
    }

    /// Whether it is one of GitHub's eight words.
    fn is_remote(self) -> bool {
        self.remote_may_say() && self != Self::Unrecognised
    }

    fn remote_may_say(self) -> bool {
        matches!(
            self,
            Self::Queued
                | Self::InProgress
                | Self::WaitingForUser
                | Self::Idle
                | Self::Unrecognised
                | Self::Completed
                | Self::Failed
                | Self::TimedOut
                | Self::Cancelled
        )
    }

    /// Whether nothing more is expected (for now).
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::TimedOut | Self::Cancelled | Self::StartFailed | Self::Lost
        )
    }

    /// Whether the request for it may have left, so that we can no longer cancel it.
    #[must_use]
    pub fn may_have_left(self) -> bool {
        !matches!(self, Self::Held | Self::Pending | Self::StartFailed)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that happens to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What it was held for has come.
    Resume,
    /// It must wait for a person: no usable token.
    Hold,
    /// An attempt is committed.
    Begin,
    /// The attempt surely created nothing, and may be repeated later.
    Defer,
    /// GitHub refused.
    Refuse,
    /// The outcome of the attempt is unknown.
    LoseSight,
    /// The remote task exists and is in this state.
    Adopt(State),
    /// Complete listings, or a person, say that the remote task does not exist.
    Absent,
    /// Someone wants it not to start.
    Cancel,
    /// Someone wants another attempt.
    Retry,
    /// GitHub says that it is in this state.
    Observe(State),
    /// GitHub has answered 404 for long.
    Forgotten,
}

/// A step that a state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a task that is {from} does not take the step {step:?}")]
pub struct IllegalStep {
    /// The state it is in.
    pub from: State,
    /// The step.
    pub step: Step,
}

impl State {
    /// The state after `step`.
    ///
    /// # Errors
    /// [`IllegalStep`] when this state does not allow it: give up, the caller has stale news.
    pub fn after(self, step: Step) -> Result<State, IllegalStep> {
        let next = match (self, step) {
            (Self::Held, Step::Resume)
            | (Self::Starting, Step::Defer)
            | (Self::Uncertain, Step::Absent)
            | (Self::StartFailed, Step::Retry) => Self::Pending,
            (Self::Pending | Self::Starting, Step::Hold) => Self::Held,
            (Self::Pending, Step::Begin) => Self::Starting,
            (Self::Pending | Self::Starting, Step::Refuse) => Self::StartFailed,
            (Self::Starting, Step::LoseSight) => Self::Uncertain,
            (Self::Starting | Self::Uncertain, Step::Adopt(state)) if state.remote_may_say() => state,
            (Self::Held | Self::Pending, Step::Cancel) => Self::Cancelled,
            (from, Step::Observe(state)) if from.has_remote() && state.remote_may_say() => state,
            (from, Step::Forgotten) if from.has_remote() && from != Self::Lost => Self::Lost,
            (from, step) => return Err(IllegalStep { from, step }),
        };
        Ok(next)
    }

    /// Whether a remote task can exist in this state. (A task cancelled before its start has none; the
    /// store knows by its remote id.)
    fn has_remote(self) -> bool {
        self.remote_may_say() || self == Self::Lost
    }
}

/// What GitHub said about a task at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// GitHub's word for the state.
    pub raw_state: String,
    /// GitHub's time of its last change, if it gave one.
    pub updated_at: Option<DateTime<Utc>>,
}

/// What an observation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nothing: it is older than, or the same as, what is known.
    Old,
    /// The details may have changed, the state has not.
    Same,
    /// The state moved on.
    Moved(State),
    /// The state went back, or an ended task lives again: a new session.
    Reopened(State),
}

/// Weighs an observation against what is known: older news never overwrites newer news.
///
/// `known_at` is GitHub's time of the newest news taken in so far. An observation without a time
/// is taken as new, as there is nothing to order it by.
#[must_use]
pub fn weigh(
    known: State,
    known_raw: Option<&str>,
    known_at: Option<DateTime<Utc>>,
    observation: &Observation,
) -> News {
    let state = State::from_remote(&observation.raw_state);
    if let (Some(known_at), Some(at)) = (known_at, observation.updated_at) {
        let same_word = known_raw == Some(observation.raw_state.as_str());
        // A lost task that is seen again is news although nothing has changed at GitHub.
        let ended = known.is_end() && known != State::Lost;
        if at < known_at || (at == known_at && !same_word && ended && !state.is_end()) {
            return News::Old;
        }
    }
    if state == known && known_raw == Some(observation.raw_state.as_str()) {
        return News::Same;
    }
    let back = (known.is_end() && !state.is_end()) || (state == State::Queued && known != State::Starting);
    if back && known.has_remote() && known != State::Queued { News::Reopened(state) } else { News::Moved(state) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_state() -> impl Strategy<Value = State> {
        proptest::sample::select(ALL.to_vec())
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Resume),
            Just(Step::Hold),
            Just(Step::Begin),
            Just(Step::Defer),
            Just(Step::Refuse),
            Just(Step::LoseSight),
            any_state().prop_map(Step::Adopt),
            Just(Step::Absent),
            Just(Step::Cancel),
            Just(Step::Retry),
            any_state().prop_map(Step::Observe),
            Just(Step::Forgotten),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: a task starts again only through `absent`, `defer`,
        /// `retry` or `resume`, and once a remote task is known no step leads back to a state from
        /// which another would be started.
        /// Case 44.
        #[test]
        fn a_known_remote_task_is_never_started_again(steps in proptest::collection::vec(any_step(), 0..60)) {
            let mut state = State::Pending;
            let mut known_remote = false;
            for step in steps {
                let Ok(next) = state.after(step) else { continue };
                known_remote |= matches!(step, Step::Adopt(_));
                if known_remote {
                    prop_assert!(!matches!(next, State::Held | State::Pending | State::Starting | State::Uncertain));
                }
                if next == State::Starting {
                    prop_assert_eq!(state, State::Pending);
                    prop_assert_eq!(step, Step::Begin);
                }
                if state == State::Uncertain {
                    prop_assert!(matches!(step, Step::Adopt(_) | Step::Absent));
                }
                if state.may_have_left() {
                    prop_assert!(step != Step::Cancel);
                }
                state = next;
            }
        }

        /// An end is one for now. What leads out of it: GitHub's own word on a task that it has, and a new try of what
        /// it refused; nothing that we do by ourselves.
        /// Case 44.
        #[test]
        fn an_end_moves_only_by_githubs_word_or_a_new_try_of_what_was_refused(state in any_state(), step in any_step()) {
            prop_assume!(state.is_end());
            let Ok(next) = state.after(step) else { return Ok(()) };
            let by_github = match step {
                Step::Observe(said) => next == said,
                Step::Forgotten => next == State::Lost,
                _ => false,
            };
            let refused = (state, step, next) == (State::StartFailed, Step::Retry, State::Pending);
            prop_assert!(refused || by_github && state != State::StartFailed, "{state} to {next} by {step:?}");
            prop_assert!(!by_github || !matches!(next, State::Held | State::Pending | State::Starting | State::Uncertain));
        }

        #[test]
        fn names_read_back(state in any_state()) {
            prop_assert_eq!(State::parse(state.as_str()), Some(state));
        }
    }

    fn at(second: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(second, 0)
    }

    fn says(raw: &str, second: i64) -> Observation {
        Observation { raw_state: raw.to_owned(), updated_at: at(second) }
    }

    #[test]
    fn older_news_never_overwrites_newer_news() {
        let known = (State::Completed, Some("completed"), at(10));
        assert_eq!(weigh(known.0, known.1, known.2, &says("in_progress", 9)), News::Old);
        assert_eq!(weigh(known.0, known.1, known.2, &says("in_progress", 10)), News::Old);
        assert_eq!(weigh(known.0, known.1, known.2, &says("completed", 10)), News::Same);
        assert_eq!(weigh(known.0, known.1, known.2, &says("in_progress", 11)), News::Reopened(State::InProgress));
    }

    #[test]
    fn unknown_words_are_kept_as_live() {
        let news = weigh(State::InProgress, Some("in_progress"), at(1), &says("dreaming", 2));
        assert_eq!(news, News::Moved(State::Unrecognised));
        let news = weigh(State::Unrecognised, Some("dreaming"), at(2), &says("resting", 3));
        assert_eq!(news, News::Moved(State::Unrecognised));
        assert_eq!(State::from_remote("held"), State::Unrecognised, "our own words are not GitHub's");
    }

    #[test]
    fn going_back_is_seen() {
        assert_eq!(
            weigh(State::InProgress, Some("in_progress"), at(1), &says("queued", 2)),
            News::Reopened(State::Queued)
        );
    }
}
