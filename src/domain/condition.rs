//! (being built: see the brief)

/// A condition.
#[derive(Debug, Clone)]
pub struct Condition;
