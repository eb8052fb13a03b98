//! What the stories stand on.

pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod world;
