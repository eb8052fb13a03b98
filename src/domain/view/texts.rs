//! How the texts of an event are shown in a prompt, which goes by who wrote them.

use crate::domain::trust::Untrusted;

/// How a text by strangers is shown in a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// As it is, without its hidden parts.
    Plain,
    /// Quoted and named as data by `who` (a login).
    Fenced {
        /// Who wrote it; empty when nobody knows.
        who: String,
    },
    /// Replaced by a note that it was left out.
    LeftOut {
        /// Who wrote it; empty when nobody knows.
        who: String,
    },
}

impl Shown {
    /// The treatment that a rule asks for text by `who`, who could not have started the task. A task that is
    /// held for approval shows it quoted, so that the approver sees what will be sent.
    #[must_use]
    pub fn untrusted(rule: Untrusted, who: &str) -> Self {
        match rule {
            Untrusted::Fence | Untrusted::Hold => Self::Fenced { who: who.to_owned() },
            Untrusted::Strip => Self::LeftOut { who: who.to_owned() },
        }
    }
}

/// How each text of an event is shown in a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The subject's title.
    pub title: Shown,
    /// The subject's text.
    pub body: Shown,
    /// The comment's text.
    pub comment: Shown,
    /// Strings of the raw payload that can say something, which would else be a way around the three above.
    pub payload: Shown,
}

impl Texts {
    /// Everything as it is: all of it was written by people who may start tasks.
    #[must_use]
    pub fn plain() -> Self {
        Self { title: Shown::Plain, body: Shown::Plain, comment: Shown::Plain, payload: Shown::Plain }
    }
}
