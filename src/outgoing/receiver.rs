//! One receiver, as configured.

use std::time::Duration;

use reqwest::Url;

use crate::domain::outgoing::Choice;
use crate::domain::signing_key::SharedKey;

/// A receiver with its keys.
#[derive(Clone)]
pub struct Receiver {
    /// Its name, under which its messages wait.
    pub name: String,
    /// What it hears of.
    pub choice: Choice,
    /// Where it is. Its path may be all that keeps others from writing there, so it is shown nowhere.
    pub url: Url,
    /// What is signed with, each.
    pub keys: Vec<SharedKey>,
    /// Whether it may be at an address that is not one of the whole internet.
    pub allow_private: bool,
    /// How long it may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("name", &self.name)
            .field("choice", &self.choice)
            .field("keys", &self.keys.len())
            .field("allow_private", &self.allow_private)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
