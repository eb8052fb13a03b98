//! A body that was signed and makes no sense.

/// Why a signed body cannot be read: the delivery fails for good, and says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable: {0}")]
pub struct Unreadable(pub String);
