//! What a message can meet on its way. The words go into the admin API and the log, and hold of an
//! address no more than the name of a host.

use std::time::Duration;

/// Why a message was not taken. All but [`PostError::Gone`] are tried again: a receiver's operator may put it right
/// meanwhile, and the same message is told apart by its id.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// A person must say `allow_private`, or put the name right; retried until then.
    #[error("its address is not one of the whole internet, and `allow_private` is not set")]
    Private,
    /// Retry.
    #[error("no answer within {} s", .0.as_secs_f64())]
    TooSlow(Duration),
    /// Retry.
    #[error("not reached: {0}")]
    Network(String),
    /// Retry; it is never followed, since it may lead anywhere.
    #[error("it answers {0} and points elsewhere; redirects are not followed")]
    Redirect(u16),
    /// Retry, not before `later` if it says so.
    #[error("it answers {status}")]
    Refused {
        /// Its status.
        status: u16,
        /// How long it asks to be left alone, within bounds.
        later: Option<Duration>,
    },
    /// Give up: it wants nothing more.
    #[error("it answers 410: it wants no more of these")]
    Gone,
    /// A person must look at this machine (no certificates to trust); retried until then.
    #[error("no request can be made: {0}")]
    Client(String),
}
