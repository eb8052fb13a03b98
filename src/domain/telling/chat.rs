//! The words that people read in a chat: one living message a task, shorter than the comment on GitHub, and without the
//! prompt, because a channel has other readers than the repository.

use std::fmt::Write as _;

use super::{Telling, elapsed, headline, link, usage};
use crate::domain::task::State;
use crate::domain::trust::clean;

/// The text of the living message in a chat.
#[must_use]
pub fn living_message(telling: &Telling, repo: &str) -> String {
    let mut text = format!("{}\n", headline(telling));
    let mut facts =
        vec![format!("`{repo}`"), format!("rule `{}`", telling.rule), format!("asked by {}", telling.actor)];
    if !telling.person.eq_ignore_ascii_case(&telling.actor) {
        facts.push(format!("runs as {}", telling.person));
    }
    if let Some((number, url)) = &telling.pull
        && telling.state != State::Completed
    {
        facts.push(link(&format!("pull request #{number}"), url));
    }
    facts.push(elapsed(telling.elapsed));
    facts.extend(telling.usage.iter().map(|(kind, nano)| usage(kind, *nano)));
    let _ = writeln!(text, "{}", facts.join(" · "));
    if let Some(error) = &telling.error {
        let _ = writeln!(text, "{}", clean(error, 500).replace('\n', " "));
    }
    let _ = write!(text, "task {}", telling.task);
    text
}

/// What calls the one who asked, when something is to be done or looked at.
#[must_use]
pub fn call(telling: &Telling) -> String {
    headline(telling)
}

/// Whether the one who asked is called when a task comes into this state.
#[must_use]
pub fn calls(state: State) -> bool {
    matches!(
        state,
        State::WaitingForUser | State::Completed | State::Failed | State::TimedOut | State::StartFailed | State::Lost
    )
}
