//! A mistake in the text of a template.

/// Why a text is no template: for the operator who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateFault {
    /// What is wrong, in a sentence.
    pub message: String,
    /// Where inside the text, counted from 1.
    pub line: Option<usize>,
    /// The column, in characters counted from 1, where it is known as exactly as that.
    pub column: Option<usize>,
}

/// Most faults of one template that are told at once.
pub(super) const MOST: usize = 10;
