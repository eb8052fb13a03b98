//! What the stories stand on.

pub(crate) mod canary;
pub(crate) mod postgres;
pub(crate) mod stories;
pub(crate) mod world;
