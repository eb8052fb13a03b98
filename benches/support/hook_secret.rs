//! One secret for all benches.

/// What the webhooks are signed with.
pub(crate) const HOOK_SECRET: &str = "a secret for benchmarks only";
