//! (being built: see the brief)

/// A template.
#[derive(Debug, Clone)]
pub struct Template;
