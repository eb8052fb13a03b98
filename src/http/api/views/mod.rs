//! How records look from outside. Every field is chosen: a new column shows nowhere until it is added here, and
//! markers, tokens and bodies never are.

/// Deliveries and what rules said to them.
pub mod delivery;
/// Tasks and their stories.
pub mod task;
