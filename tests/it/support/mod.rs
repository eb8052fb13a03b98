//! What the stories stand on.

pub(crate) mod canary;
pub(crate) mod chat;
pub(crate) mod chats;
pub(crate) mod cut;
pub(crate) mod door;
pub(crate) mod install;
pub(crate) mod new_app;
pub(crate) mod payloads;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod receiver;
pub(crate) mod senders;
pub(crate) mod stories;
pub(crate) mod world;
