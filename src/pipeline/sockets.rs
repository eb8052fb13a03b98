//! How the sockets of this process stand, for whoever asks. Trouble is logged when it begins and when it changes, and not
//! with every try.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How a socket stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketState {
    /// It is being opened.
    Opening,
    /// It is open.
    Open,
    /// It could not be opened, or was lost: why, in words.
    Trouble(String),
}

/// The sockets by source.
#[derive(Debug, Default)]
pub struct Sockets(Mutex<BTreeMap<String, SocketState>>);

impl Sockets {
    /// How it stands now. Answers whether that is news.
    pub fn stands(&self, source: &str, state: SocketState) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(source.to_owned(), state.clone()) != Some(state)
    }

    /// It is no longer wanted.
    pub fn forget(&self, source: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
    }

    /// How that of a source stands, if it has one.
    #[must_use]
    pub fn of(&self, source: &str) -> Option<SocketState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }
}
