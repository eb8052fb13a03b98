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
