//! What receivers of outgoing webhooks hear: which changes, and in which words. Programs of others read the words, so they
//! are written here once, and hold nothing that a receiver need not know: no prompt, no marker, no token.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::task::State;

/// The only kind of message there is.
pub const STATE_CHANGED: &str = "task.state_changed";
/// Characters of a reason; the whole of it stands in the task's timeline.
const REASON: usize = 500;

/// Characters in a row that a reason may have in common with a prompt; more of them are left out.
const SHARED: usize = 20;
/// A shorter prompt says nothing that is not said everywhere.
const LEAST: usize = 6;

/// A reason without what it repeats of a prompt, which is nobody's who hears of changes.
#[must_use]
pub fn without(reason: &str, prompt: &str) -> String {
    let reason: Vec<char> = reason.chars().take(REASON).collect();
    let mut kept = String::new();
    let mut at = 0;
    while at < reason.len() {
        let shared = |to: usize| prompt.contains(&reason[at..to].iter().collect::<String>());
        let mut to = at + SHARED.min(prompt.chars().count().max(1));
        if to > reason.len() || prompt.chars().count() < LEAST || !shared(to) {
            kept.push(reason[at]);
            at += 1;
            continue;
        }
        while to < reason.len() && shared(to + 1) {
            to += 1;
        }
        kept.push('…');
        at = to;
    }
    kept
}

/// Which changes a receiver hears of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only changes to one of these states; of all, if there is none.
    pub states: Vec<State>,
    /// Only tasks of one of these rules; of all, if there is none.
    pub rules: Vec<String>,
}

/// One change of a task's state.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The task.
    pub task: uuid::Uuid,
    /// 1 for the first change of the task.
    pub sequence: i64,
    /// When it changed.
    pub at: DateTime<Utc>,
    /// The rule that made it.
    pub rule: &'a str,
    /// The repository where the agent works, as `owner/name`.
    pub repo: &'a str,
    /// Whose token it runs with, by login.
    pub person: &'a str,
    /// Where it stood; nothing for a task just made.
    pub from: Option<State>,
    /// Where it stands.
    pub to: State,
    /// Why, in words.
    pub reason: &'a str,
    /// GitHub's page of the task.
    pub remote_url: Option<&'a str>,
    /// The pull request's page.
    pub pull_url: Option<&'a str>,
}

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    task: uuid::Uuid,
    sequence: i64,
    rule: &'a str,
    repo: &'a str,
    person: &'a str,
    from: Option<State>,
    to: State,
    reason: String,
    remote_url: Option<&'a str>,
    pull_url: Option<&'a str>,
}

impl Choice {
    /// Whether a task of this rule that now stands there is one to hear of.
    #[must_use]
    pub fn wants(&self, rule: &str, to: State) -> bool {
        (self.states.is_empty() || self.states.contains(&to))
            && (self.rules.is_empty() || self.rules.iter().any(|name| name == rule))
    }
}

impl Change<'_> {
    /// The body of the message, the same for all receivers.
    #[must_use]
    pub fn body(&self) -> String {
        let message = Message {
            r#type: STATE_CHANGED,
            timestamp: self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            data: Data {
                task: self.task,
                sequence: self.sequence,
                rule: self.rule,
                repo: self.repo,
                person: self.person,
                from: self.from,
                to: self.to,
                // The database takes no NUL, and JSON would only hide it.
                reason: self.reason.chars().filter(|c| *c != '\0').take(REASON).collect(),
                remote_url: self.remote_url,
                pull_url: self.pull_url,
            },
        };
        serde_json::to_string(&message).expect("texts and numbers always serialise")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_hears_what_it_has_chosen() {
        let all = Choice::default();
        assert!(all.wants("fix", State::Held) && all.wants("docs", State::Completed));
        let ends = Choice { states: vec![State::Completed, State::Failed], rules: vec!["fix".to_owned()] };
        assert!(ends.wants("fix", State::Failed));
        assert!(!ends.wants("fix", State::Queued) && !ends.wants("docs", State::Failed));
    }

    #[test]
    fn a_reason_repeats_nothing_of_the_prompt() {
        let prompt = "Fix issue #42: the key of the safe is under the mat\nand nobody may know";
        let said = "GitHub says: prompt 'key of the safe is under the mat' is not allowed; try another";
        assert_eq!(without(said, prompt), "GitHub says: prompt '…' is not allowed; try another");
        assert_eq!(without("Fix it, said GitHub", "Fix it"), "…, said GitHub");
        assert_eq!(without("GitHub says in_progress", prompt), "GitHub says in_progress");
        assert_eq!(without("no prompt", ""), "no prompt");
        assert!(without(&"x".repeat(5000), prompt).len() == 500);
    }

    #[test]
    fn the_body_has_a_shape_that_others_rely_on() {
        let change = Change {
            task: uuid::Uuid::nil(),
            sequence: 2,
            at: DateTime::from_timestamp(1_800_000_000, 5000).expect("a moment"),
            rule: "fix",
            repo: "acme/widgets",
            person: "mona",
            from: None,
            to: State::StartFailed,
            reason: "GitHub says \"no\"\0",
            remote_url: None,
            pull_url: Some("https://github.com/acme/widgets/pull/43"),
        };
        assert_eq!(
            change.body(),
            r#"{"type":"task.state_changed","timestamp":"2027-01-15T08:00:00.000005Z","data":{"task":"00000000-0000-0000-0000-000000000000","sequence":2,"rule":"fix","repo":"acme/widgets","person":"mona","from":null,"to":"start_failed","reason":"GitHub says \"no\"","remote_url":null,"pull_url":"https://github.com/acme/widgets/pull/43"}}"#
        );
        let long = "x".repeat(10_000);
        assert!(Change { reason: &long, ..change }.body().len() < 1000);
    }
}
