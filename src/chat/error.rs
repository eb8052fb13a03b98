//! What can go wrong when something is said in a chat, whichever chat it is, and who acts next.

use std::time::Duration;

/// Why a chat did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// Too many calls: retry after this long.
    #[error("{0} asked for a pause of {secs} s", secs = .1.as_secs())]
    Limited(&'static str, Duration),
    /// It surely did not leave: retry.
    #[error("{0} could not be reached: {1}")]
    NotSent(&'static str, String),
    /// It may have been done: its answer did not come, or was none. Retry.
    #[error("{0} gave no clear answer: {1}")]
    Unclear(&'static str, String),
    /// The address for answers is used up or too old, or is none of the chat's: give up this way.
    #[error("the address for answers cannot be used any more")]
    NoAnswers,
    /// The message that was to be edited is gone: give up.
    #[error("the message is no longer there")]
    Gone,
    /// The chat has no such way of saying something: another way may do.
    #[error("{0}")]
    NoWay(&'static str),
    /// The chat does not take the token with which we speak: ask a person, unless it can be renewed.
    #[error("{said}")]
    BadToken {
        /// What it said, and whose word it is.
        said: String,
        /// The same with what a person could do about it.
        advice: String,
    },
    /// The chat refused.
    #[error("{said}")]
    Refused {
        /// What it said, and whose word it is.
        said: String,
        /// The same with what a person could do about it.
        advice: String,
        /// Who acts next.
        next: ChatNext,
    },
}

/// Who acts next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatNext {
    /// We do, later.
    Retry,
    /// Nobody: it will not be done.
    GiveUp,
    /// A person in the chat's settings or in ours.
    AskPerson,
    /// Another way may do.
    OtherWay,
}

impl ChatError {
    /// Who acts next.
    #[must_use]
    pub fn next(&self) -> ChatNext {
        match self {
            Self::Limited(..) | Self::NotSent(..) | Self::Unclear(..) => ChatNext::Retry,
            Self::NoAnswers | Self::Gone => ChatNext::GiveUp,
            Self::NoWay(_) => ChatNext::OtherWay,
            Self::BadToken { .. } => ChatNext::AskPerson,
            Self::Refused { next, .. } => *next,
        }
    }

    /// How long the chat asked to be left alone, if it did.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        match self {
            Self::Limited(_, pause) => Some(*pause),
            _ => None,
        }
    }

    /// In words, for the report that could not be told.
    #[must_use]
    pub fn for_person(&self) -> String {
        match self {
            Self::Refused { advice, .. } | Self::BadToken { advice, .. } => advice.clone(),
            other => other.to_string(),
        }
    }
}
