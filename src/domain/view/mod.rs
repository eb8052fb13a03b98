//! What rules may look at: one value made from an event, read in two ways. Conditions see the original
//! texts (a rule may want to match what is hidden); prompts see them cleaned, and quoted or left out when
//! they were written by people who could not have started the task. Both readings are made on first use,
//! because most events match no rule.

mod bare;
mod build;
mod github_names;
mod known;
mod shown;
mod texts;

pub use build::LIST_LIMIT;
pub use known::NAMES;
pub(super) use known::{Shape, unknown_name};
pub use texts::{Shown, Texts};

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::command::Command;
use super::event::{Event, SubjectKind};

/// One event as rules see it. Cheap to clone.
#[derive(Clone)]
pub struct View(Arc<Inner>);

struct Inner {
    raw: Arc<serde_json::Map<String, Value>>,
    kind: Option<SubjectKind>,
    texts: Texts,
    shown: [OnceLock<Option<minijinja::Value>>; NAMES.len()],
}

impl View {
    /// What rules see of `event`. The raw `payload` is given only when a rule mentions it.
    #[must_use]
    pub fn new(event: &Event, command: Option<&Command>, payload: Option<Value>, texts: Texts) -> Self {
        let mut raw = build::names(event, command);
        if let Some(payload) = payload {
            raw.insert("payload".to_owned(), payload);
        }
        let kind = event.subject.as_ref().map(|subject| subject.kind);
        Self(Arc::new(Inner { raw: Arc::new(raw), kind, texts, shown: Default::default() }))
    }

    /// The same event, with its texts shown in another way.
    #[must_use]
    pub fn with_texts(&self, texts: Texts) -> Self {
        Self(Arc::new(Inner { raw: Arc::clone(&self.0.raw), kind: self.0.kind, texts, shown: Default::default() }))
    }

    /// The original reading of a top-level name; `None` when this event has no such thing.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&Value> {
        self.0.raw.get(self.resolve(name)?)
    }

    /// The original reading of a dotted path.
    #[must_use]
    pub fn raw_path(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let top = self.raw(parts.next()?)?;
        parts.try_fold(top, |value, part| value.as_object()?.get(part))
    }

    /// The reading for prompts of a top-level name.
    pub(super) fn shown(&self, name: &str) -> Option<minijinja::Value> {
        let index = NAMES.iter().position(|known| *known == name)?;
        self.0.shown[index].get_or_init(|| Some(shown::value(name, self.raw(name)?, &self.0.texts))).clone()
    }

    /// `issue` is the subject when it is an issue or a pull request, as GitHub has it; `pull_request` only the latter.
    fn resolve<'a>(&self, name: &'a str) -> Option<&'a str> {
        match (name, self.0.kind) {
            ("issue", Some(SubjectKind::Issue | SubjectKind::PullRequest))
            | ("pull_request", Some(SubjectKind::PullRequest)) => Some("subject"),
            ("issue" | "pull_request", _) => None,
            _ => Some(name),
        }
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("names", &self.0.raw.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests;
