//! A mistake in the text of a condition.

/// Why a text is no condition: for the operator who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionFault {
    /// What is wrong, in a sentence.
    pub message: String,
    /// The line inside the text, counted from 1.
    pub line: usize,
    /// The column, in characters counted from 1.
    pub column: usize,
}

impl ConditionFault {
    /// Of a text of which nothing else is known.
    pub(super) fn unknown() -> Self {
        Self { message: "this condition could not be read".to_owned(), line: 1, column: 1 }
    }
}

/// Most faults of one condition that are told at once.
pub(super) const MOST: usize = 10;
