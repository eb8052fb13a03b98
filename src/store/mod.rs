//! (being built)

pub mod embedded;
